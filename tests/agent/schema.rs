//! `openapi.json` against the router, and against what is really said.

use std::sync::LazyLock;

use serde_json::Value;

use super::Answer;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../src/agent/openapi.json")).expect("JSON"));

/// Every path and method of the router is described, and nothing else.
#[test]
fn the_description_has_what_the_router_has() {
    let source = include_str!("../../src/agent/router.rs");
    let mut served = Vec::new();
    for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, methods) = line.split_once('"').expect("a path");
        for method in ["get", "post", "put", "delete", "patch"] {
            if methods.contains(&format!("{method}(")) {
                served.push(format!("{method} {path}"));
            }
        }
    }
    let mut described = Vec::new();
    for (path, methods) in DESCRIPTION["paths"].as_object().expect("paths") {
        described.extend(methods.as_object().expect("methods").keys().map(|method| format!("{method} {path}")));
    }
    served.sort();
    described.sort();
    assert_eq!(served, described);
    assert!(served.len() >= 16);
}

/// Every reference leads somewhere.
#[test]
fn the_description_is_whole() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&DESCRIPTION, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        assert!(DESCRIPTION.pointer(reference.strip_prefix('#').expect("local")).is_some(), "{reference}");
    }
    assert_eq!(DESCRIPTION["openapi"], "3.1.0");
}

/// Holds an answer against the description of its call.
#[track_caller]
pub fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().expect("a path");
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == parts.len()
            && template
                .iter()
                .zip(&parts)
                .all(|(known, part)| known.starts_with('{') && !part.is_empty() || known == part)
    };
    let paths = DESCRIPTION["paths"].as_object().expect("paths");
    let Some((_, call)) = paths.iter().find(|(template, _)| fits(template)) else {
        assert_eq!(answer.status, 404, "{path} is not described");
        return;
    };
    let Some(call) = call.get(method.to_lowercase()) else {
        assert_eq!(answer.status, 405, "{method} {path} is not described");
        return;
    };
    if answer.status == 431 {
        return; // said before it is known which call it is
    }
    let said = &call["responses"][answer.status.to_string()];
    assert!(!said.is_null(), "{method} {path} says {}, which is not described: {}", answer.status, answer.text());
    let kind = answer.header("content-type").expect("a type").split(';').next().expect("a type");
    let schema = &said["content"][kind]["schema"];
    assert!(!schema.is_null(), "{method} {path} says {kind}, which is not described");
    if kind == "application/json" {
        valid(schema, &answer.json(), path);
    }
    if said["headers"]["Retry-After"].is_object() {
        assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{answer:?}");
    }
}

/// Holds a value against a schema by name.
#[track_caller]
pub fn matches(name: &str, value: &Value) {
    let schema = &DESCRIPTION["components"]["schemas"][name];
    assert!(schema.is_object(), "{name}");
    valid(schema, value, name);
}

#[track_caller]
fn valid(schema: &Value, value: &Value, at: &str) {
    if let Err(wrong) = judge(schema, value, at) {
        panic!("{wrong}\n{value}");
    }
}

/// The part of JSON Schema that the description uses. Stricter in one thing: a member that is not described is an error.
fn judge(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = DESCRIPTION.pointer(reference.trim_start_matches('#')).expect("it is whole");
        return judge(schema, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let wrong: Vec<String> = any.iter().filter_map(|one| judge(one, value, at).err()).collect();
        return if wrong.len() < any.len() { Ok(()) } else { Err(wrong.join("; or ")) };
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.as_i64().is_some() || number.as_u64().is_some() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.contains(&kind) {
        return Err(format!("{at}: {kind}, not {kinds:?}"));
    }
    if let Some(known) = schema["enum"].as_array().filter(|known| !known.contains(value)) {
        return Err(format!("{at}: not of {known:?}"));
    }
    if schema["minimum"] == 0 && value.as_i64().is_some_and(|number| number < 0) {
        return Err(format!("{at}: below 0"));
    }
    if schema["format"] == "date-time" && value.as_str().is_some_and(|text| !text.ends_with('Z')) {
        return Err(format!("{at}: no time in UTC"));
    }
    for item in value.as_array().into_iter().flatten() {
        judge(&schema["items"], item, &format!("{at}[]"))?;
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(format!("{at}: {name} is missing"));
        }
    }
    let (known, others) = (&schema["properties"], &schema["additionalProperties"]);
    for (name, value) in object.iter().filter(|_| known.is_object() || others.is_object()) {
        let schema = known.get(name).or(others.as_object().map(|_| others));
        judge(schema.ok_or_else(|| format!("{at}: {name} is not described"))?, value, &format!("{at}.{name}"))?;
    }
    Ok(())
}
