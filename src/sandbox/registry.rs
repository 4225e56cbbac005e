//! A-Cube's business registry configurations: which companies may send, and their credentials at the authority.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::account::ProviderKind;
use crate::domain::check::Violation;

use super::ask::Ask;
use super::configuration::Configuration;
use super::reply::Reply;
use super::smart_receipt::{plain_error, violated};
use super::world::World;

const SMART: ProviderKind = ProviderKind::SmartReceipt;

/// `/business-registry-configurations…`.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    let path: Vec<&str> = ask.path.iter().skip(1).map(String::as_str).collect();
    match (ask.method.as_str(), path.as_slice()) {
        ("GET", []) => {
            let mine = world.configurations.iter().filter(|((provider, _), _)| *provider == SMART);
            Reply::json(StatusCode::OK, &Value::Array(mine.map(|(_, one)| to_json(one)).collect()))
        }
        ("POST", []) => create(world, ask),
        ("GET", [id]) => match find(world, id) {
            Some(one) => Reply::json(StatusCode::OK, &to_json(one)),
            None => plain_error(StatusCode::NOT_FOUND),
        },
        ("PUT", [id]) => change(world, ask, id),
        ("PUT", [id, "credentials", "fisconline"]) => credentials(world, ask, id),
        ("DELETE", [id]) => match find(world, id).map(|one| one.fiscal_id.clone()) {
            Some(fiscal_id) => {
                world.configurations.remove(&(SMART, fiscal_id));
                Reply::empty(StatusCode::NO_CONTENT)
            }
            None => plain_error(StatusCode::NOT_FOUND),
        },
        (_, [] | [_] | [_, "credentials", "fisconline"]) => plain_error(StatusCode::METHOD_NOT_ALLOWED),
        _ => plain_error(StatusCode::NOT_FOUND),
    }
}

/// By its own id, or by the VAT number.
fn find<'a>(world: &'a World, id: &str) -> Option<&'a Configuration> {
    let mine = world.configurations.iter().filter(|((provider, _), _)| *provider == SMART);
    mine.map(|(_, one)| one).find(|one| one.id == id || one.fiscal_id == id)
}

fn to_json(one: &Configuration) -> Value {
    let mut value = json!({
        "id": one.id,
        "fiscal_id": one.fiscal_id,
        "name": one.name,
        "email": one.email,
        "receipts_enabled": one.receipts,
    });
    if let Some(members) = value.as_object_mut() {
        members.extend(one.more.clone());
    }
    value
}

fn blank(name: &str) -> Reply {
    let message = "This value should not be blank.".to_owned();
    violated(&[Violation { property_path: name.to_owned(), message }])
}

fn create(world: &mut World, ask: &Ask) -> Reply {
    let Ok(Value::Object(members)) = serde_json::from_slice(&ask.body) else {
        return plain_error(StatusCode::BAD_REQUEST);
    };
    let text = |name| members.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let fiscal_id = text("fiscal_id");
    if fiscal_id.is_empty() {
        return blank("fiscal_id");
    }
    if text("name").is_empty() {
        return blank("name");
    }
    if world.configurations.contains_key(&(SMART, fiscal_id.clone())) {
        let message = "This value is already used.".to_owned();
        return violated(&[Violation { property_path: "fiscal_id".to_owned(), message }]);
    }
    let mut one = Configuration::known(world.ids.uuid(), &fiscal_id, ask.at);
    one.receipts = false;
    apply(&mut one, members);
    let answer = to_json(&one);
    world.configurations.insert((SMART, fiscal_id), one);
    Reply::json(StatusCode::CREATED, &answer)
}

fn apply(one: &mut Configuration, members: Map<String, Value>) {
    for (name, value) in members {
        match (name.as_str(), value) {
            ("id" | "fiscal_id", _) => {}
            ("name", Value::String(text)) => one.name = text,
            ("email", Value::String(text)) => one.email = text,
            ("receipts_enabled", Value::Bool(flag)) => one.receipts = flag,
            (_, value) => {
                one.more.insert(name, value);
            }
        }
    }
}

fn change(world: &mut World, ask: &Ask, id: &str) -> Reply {
    let Some(mut one) = find(world, id).cloned() else { return plain_error(StatusCode::NOT_FOUND) };
    let Ok(Value::Object(members)) = serde_json::from_slice(&ask.body) else {
        return plain_error(StatusCode::BAD_REQUEST);
    };
    apply(&mut one, members);
    let answer = to_json(&one);
    world.configurations.insert((SMART, one.fiscal_id.clone()), one);
    Reply::json(StatusCode::OK, &answer)
}

/// Tax code, password and PIN; refused when the authority would refuse them.
fn credentials(world: &mut World, ask: &Ask, id: &str) -> Reply {
    let Some(mut one) = find(world, id).cloned() else { return plain_error(StatusCode::NOT_FOUND) };
    let Ok(Value::Object(members)) = serde_json::from_slice(&ask.body) else {
        return plain_error(StatusCode::BAD_REQUEST);
    };
    let password = members.get("password").and_then(Value::as_str).unwrap_or("");
    if password.is_empty() || world.settings.rejected_passwords.iter().any(|rejected| rejected == password) {
        return plain_error(StatusCode::UNPROCESSABLE_ENTITY);
    }
    one.authentication = members;
    world.configurations.insert((SMART, one.fiscal_id.clone()), one);
    Reply::empty(StatusCode::NO_CONTENT)
}
