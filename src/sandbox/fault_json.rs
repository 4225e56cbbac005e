//! Reading a fault plan. By hand, because numbers inside tagged enums do not survive serde's buffering when they are
//! kept digit by digit, and because an unknown member must be named with its place.

use serde_json::{Map, Value};

use crate::domain::money::Decimal;

use super::fault::{Ending, Fault, FaultPlan, FaultPlanError, Outcome, Rule};

type Read<T> = Result<T, FaultPlanError>;

fn wrong<T>(place: &str, what: impl std::fmt::Display) -> Read<T> {
    Err(FaultPlanError(format!("{place}: {what}")))
}

/// The members of an object; each is taken once, and what is left at the end is unknown.
struct Members {
    place: String,
    left: Map<String, Value>,
}

impl Members {
    fn new(place: impl Into<String>, value: Value) -> Read<Members> {
        let place = place.into();
        match value {
            Value::Object(left) => Ok(Members { place, left }),
            _ => wrong(&place, "expected an object"),
        }
    }

    /// A member that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Read<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.as_str().to_owned())),
            Some(_) => wrong(&self.place, format_args!("{name} must be a text")),
        }
    }

    fn whole(&mut self, name: &str) -> Read<Option<u64>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => wrong(&self.place, format_args!("{name} must be a whole number, not below zero")),
        }
    }

    fn millis(&mut self, name: &str, default: u64) -> Read<u64> {
        let Some(text) = self.text(name)? else { return Ok(default) };
        match text.parse::<super::settings::Span>() {
            Ok(span) => Ok(u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX)),
            Err(error) => wrong(&self.place, format_args!("{name}: {error}")),
        }
    }

    fn flag(&mut self, name: &str, default: bool) -> Read<bool> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => wrong(&self.place, format_args!("{name} must be true or false")),
        }
    }

    fn status(&mut self, default: Option<u16>) -> Read<u16> {
        match (self.whole("code")?, default) {
            (Some(code @ 200..=599), _) => Ok(u16::try_from(code).unwrap_or(500)),
            (None, Some(default)) => Ok(default),
            _ => wrong(&self.place, "code must be an HTTP status from 200 to 599"),
        }
    }

    fn ending(&mut self) -> Read<Ending> {
        match self.text("how")?.as_deref() {
            None | Some("reset") => Ok(Ending::Reset),
            Some("close") => Ok(Ending::Close),
            Some(_) => wrong(&self.place, "how must be reset or close"),
        }
    }

    /// Refuses what nobody took.
    fn end(self) -> Read<()> {
        match self.left.iter().find(|(_, value)| !value.is_null()) {
            Some((name, _)) => wrong(&self.place, format_args!("unknown member {name:?}")),
            None => Ok(()),
        }
    }
}

/// A plan: an object with `seed`, `faults` and `settings`, or just the array of faults.
pub fn plan(value: Value) -> Read<FaultPlan> {
    if value.is_array() {
        return Ok(FaultPlan { seed: 0, rules: rules(value)?, settings: None });
    }
    let mut members = Members::new("the plan", value)?;
    let seed = members.whole("seed")?.unwrap_or(0);
    let rules = members.take("faults").map_or(Ok(Vec::new()), rules)?;
    let settings = members.take("settings");
    members.end()?;
    Ok(FaultPlan { seed, rules, settings })
}

fn rules(value: Value) -> Read<Vec<Rule>> {
    let Value::Array(list) = value else { return wrong("faults", "expected an array") };
    list.into_iter().enumerate().map(|(index, value)| rule(&format!("faults[{index}]"), value)).collect()
}

fn rule(place: &str, value: Value) -> Read<Rule> {
    let mut members = Members::new(place, value)?;
    let fault = match members.take("fault") {
        Some(value) => fault(&format!("{place}.fault"), value)?,
        None => return wrong(place, "fault is missing"),
    };
    let provider = match members.text("provider")?.as_deref() {
        None | Some("*") => None,
        Some(name) => Some(name.parse().or_else(|error| wrong(place, error))?),
    };
    let call = match members.text("call")?.as_deref() {
        None | Some("*") => None,
        Some(name) => Some(name.parse().or_else(|error| wrong(place, error))?),
    };
    let contains = members.text("contains")?;
    let skip = members.whole("skip")?.unwrap_or(0);
    let times = members.whole("times")?;
    let per_million = match members.text("probability")? {
        None => 1_000_000,
        Some(text) => match text.parse::<Decimal>().ok().and_then(|p| p.round(6)?.at(6)).map(u32::try_from) {
            Some(Ok(millionths @ 0..=1_000_000)) => millionths,
            _ => return wrong(place, "probability must be a decimal from 0 to 1"),
        },
    };
    members.end()?;
    Ok(Rule { provider, call, contains, skip, times, per_million, fault })
}

fn fault(place: &str, value: Value) -> Read<Fault> {
    let mut members = Members::new(place, value)?;
    let Some(kind) = members.text("type")? else { return wrong(place, "type is missing") };
    let fault = match kind.as_str() {
        "refuse_connection" => Fault::RefuseConnection { ms: members.millis("ms", 1_000)? },
        "delay" => Fault::Delay { ms: members.millis("ms", 1_000)?, late: members.flag("late", false)? },
        "drop_before" => Fault::DropBefore(members.ending()?),
        "drop_after" => Fault::DropAfter(members.ending()?),
        "half_answer" => Fault::HalfAnswer,
        "hang" => Fault::Hang { ms: members.millis("ms", 60_000)?, processed: members.flag("processed", true)? },
        "status" => Fault::Status {
            code: members.status(None)?,
            body: members.take("body").map(|body| match body {
                Value::String(text) => text,
                other => other.to_string(),
            }),
            headers: headers(&mut members)?,
            processed: members.flag("processed", false)?,
        },
        "html" => Fault::Html { code: members.status(Some(502))?, processed: members.flag("processed", false)? },
        "broken_json" => Fault::BrokenJson,
        "huge_body" => Fault::HugeBody { bytes: members.whole("bytes")?.unwrap_or(32 * 1024 * 1024) },
        "empty_body" => Fault::EmptyBody,
        "redirect" => Fault::Redirect {
            code: members.status(Some(307))?,
            location: members.text("location")?,
            processed: members.flag("processed", false)?,
        },
        "lag_lists" => Fault::LagLists { ms: members.millis("ms", 60_000)? },
        "lose_after_202" => Fault::Authority(Outcome::Lose),
        "authority" => Fault::Authority(outcome(&mut members)?),
        other => return wrong(place, format_args!("no such fault: {other:?}")),
    };
    members.end()?;
    Ok(fault)
}

fn headers(members: &mut Members) -> Read<Vec<(String, String)>> {
    let place = members.place.clone();
    let Some(value) = members.take("headers") else { return Ok(Vec::new()) };
    let Value::Object(map) = value else { return wrong(&place, "headers must be an object of texts") };
    let mut headers = Vec::new();
    for (name, value) in map {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.as_str().to_owned(),
            _ => return wrong(&place, format_args!("header {name} must be a text")),
        };
        let fine = axum::http::HeaderName::try_from(&name).is_ok() && axum::http::HeaderValue::try_from(&text).is_ok();
        if !fine {
            return wrong(&place, format_args!("{name:?} is not a header that HTTP allows"));
        }
        headers.push((name, text));
    }
    Ok(headers)
}

fn outcome(members: &mut Members) -> Read<Outcome> {
    let code = members.text("code")?;
    let message = members.text("message")?;
    let ms = members.millis("ms", 60_000)?;
    match members.text("outcome")?.as_deref() {
        None | Some("failed") => Ok(Outcome::Fail {
            code: code.unwrap_or_else(|| "400".to_owned()),
            message: message.unwrap_or_else(|| "BAD_REQUEST".to_owned()),
        }),
        Some("retry") => Ok(Outcome::Retry {
            ms,
            code: code.unwrap_or_else(|| "500".to_owned()),
            message: message.unwrap_or_else(|| "SERVICE_UNAVAILABLE".to_owned()),
        }),
        Some("accepted") => Ok(Outcome::Accept),
        Some(_) => wrong(&members.place, "outcome must be failed, retry or accepted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every JSON block of the guide that is a plan, and every row of its table of faults.
    #[test]
    fn the_guides_examples_are_read_and_written_back() {
        let guide = include_str!("guide.md");
        let mut kinds = std::collections::BTreeSet::new();
        let rows = guide.lines().filter_map(|line| line.strip_prefix("| `{\"type\"")?.split("` |").next());
        let rows = rows.map(|row| format!("{{\"faults\":[{{\"fault\":{{\"type\"{row}}}]}}"));
        let blocks = guide.split("```json\n").skip(1).filter_map(|block| block.split("```").next());
        let blocks = blocks.filter(|block| block.contains("\"faults\"")).map(str::to_owned);
        for json in rows.chain(blocks) {
            let plan = FaultPlan::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(FaultPlan::parse(plan.to_json().to_string().as_bytes()).unwrap(), plan, "{json}");
            kinds.extend(plan.rules.iter().map(|rule| rule.fault.name()));
        }
        assert_eq!(kinds.len(), 15, "{kinds:?}");
    }

    #[test]
    fn plans_are_read_digit_by_digit() {
        let json = r#"{"seed": 1, "faults": [
            {"probability": "0.25", "times": null, "fault": {"type": "delay", "ms": "2s", "late": true}},
            {"probability": 0.000001, "fault": {"type": "status", "code": 503, "body": {"a": 1.10}}}]}"#;
        let plan = FaultPlan::parse(json.as_bytes()).unwrap();
        assert_eq!((plan.rules[0].per_million, plan.rules[1].per_million), (250_000, 1));
        assert_eq!(plan.rules[0].fault, Fault::Delay { ms: 2_000, late: true });
        let Fault::Status { body, .. } = &plan.rules[1].fault else { panic!("{plan:?}") };
        assert_eq!(body.as_deref(), Some(r#"{"a":1.10}"#));
        let list = FaultPlan::parse(br#"[{"fault":{"type":"half_answer"}}]"#).unwrap();
        assert_eq!(list.rules.len(), 1);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (json, expected) in [
            (r#"{"fault":[]}"#, "the plan: unknown member \"fault\""),
            (r#"{"faults":[{"fault":{"type":"half_answer","ms":1}}]}"#, "faults[0].fault: unknown member \"ms\""),
            (r#"{"faults":[{"calls":"x","fault":{"type":"hang"}}]}"#, "faults[0]: unknown member \"calls\""),
            (r#"{"faults":[{"call":"x","fault":{"type":"hang"}}]}"#, "faults[0]: no such call"),
            (r#"{"faults":[{"provider":"acube","fault":{"type":"hang"}}]}"#, "faults[0]: the provider must be"),
            (r#"{"faults":[{"fault":{"type":"explode"}}]}"#, "faults[0].fault: no such fault"),
            (r#"{"faults":[{"fault":{"type":"status","code":99}}]}"#, "faults[0].fault: code must be"),
            (r#"{"faults":[{"fault":{"type":"status"}}]}"#, "faults[0].fault: code must be"),
            (r#"{"faults":[{"probability":2,"fault":{"type":"hang"}}]}"#, "faults[0]: probability"),
            (r#"{"faults":[{"times":-1,"fault":{"type":"hang"}}]}"#, "faults[0]: times must be"),
            (r#"{"faults":[{"fault":{"type":"status","code":500,"headers":{"a b":"c"}}}]}"#, "\"a b\" is not a header"),
            (r#"{"faults":{}}"#, "faults: expected an array"),
            ("nonsense", "expected ident"),
        ] {
            let error = FaultPlan::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
