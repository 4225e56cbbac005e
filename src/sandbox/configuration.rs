//! The companies that may issue receipts: Openapi's IT-configurations, and A-Cube's business registry configurations
//! behind the same type.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::account::ProviderKind;

use super::ask::Ask;
use super::openapi::{error, ok, ok_with};
use super::reply::Reply;
use super::world::World;

const OPENAPI: ProviderKind = ProviderKind::Openapi;

/// One company.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The provider's id.
    pub id: String,
    /// VAT number.
    pub fiscal_id: String,
    /// Name.
    pub name: String,
    /// E-mail address; Openapi never changes it.
    pub email: String,
    /// Whether receipts may be sent.
    pub receipts: bool,
    /// The credentials at the authority, as given.
    pub authentication: Map<String, Value>,
    /// Which events are told to whom.
    pub api_configurations: Vec<Value>,
    /// Members without meaning here, echoed.
    pub more: Map<String, Value>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Configuration {
    /// One that exists from the start.
    pub fn known(id: String, fiscal_id: &str, created_at: DateTime<Utc>) -> Configuration {
        Configuration {
            id,
            fiscal_id: fiscal_id.to_owned(),
            name: format!("Sandbox {fiscal_id}"),
            email: "sandbox@example.com".to_owned(),
            receipts: true,
            authentication: Map::new(),
            api_configurations: Vec::new(),
            more: Map::new(),
            created_at,
        }
    }

    fn to_json(&self, world: &World) -> Value {
        // Password and PIN are never given out again.
        let authentication = match self.authentication.get("taxCode") {
            Some(code) => json!({ "taxCode": code }),
            None => Value::Null,
        };
        let mut value = json!({
            "id": self.id,
            "fiscal_id": self.fiscal_id,
            "name": self.name,
            "email": self.email,
            "receipts": self.receipts,
            "customer_invoice": false,
            "supplier_invoice": false,
            "receipts_authentication": authentication,
            "api_configurations": self.api_configurations,
            "active": true,
            "create_timestamp": world.shown(self.created_at).timestamp(),
        });
        if let Some(members) = value.as_object_mut() {
            members.extend(self.more.clone());
        }
        value
    }
}

/// `/IT-configurations` and `/IT-configurations/{fiscal_id}`.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    match (ask.method.as_str(), ask.part(1), ask.path.len()) {
        ("GET", _, 1) => {
            let mine = world.configurations.iter().filter(|((provider, _), _)| *provider == OPENAPI);
            ok(Value::Array(mine.map(|(_, configuration)| configuration.to_json(world)).collect()))
        }
        ("POST", _, 1) => create(world, ask),
        ("GET", fiscal_id, 2) => match get(world, fiscal_id) {
            Some(configuration) => ok(configuration.to_json(world)),
            None => unknown(),
        },
        ("PATCH", fiscal_id, 2) => change(world, ask, fiscal_id),
        ("DELETE", fiscal_id, 2) => delete(world, fiscal_id),
        (_, _, 1 | 2) => error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", 405),
        _ => error(StatusCode::NOT_FOUND, "Not Found", 404),
    }
}

fn get<'a>(world: &'a World, fiscal_id: &str) -> Option<&'a Configuration> {
    world.configurations.get(&(OPENAPI, fiscal_id.to_owned()))
}

/// 404/111; `success` is true, as printed (PROVIDERS.md 1.5, 16).
pub fn unknown() -> Reply {
    let body = json!({
        "data": "null", "success": true, "message": "Fiscal ID not found or not registered", "error": 111,
    });
    Reply::json(StatusCode::NOT_FOUND, &body)
}

fn invalid(field: &str) -> Reply {
    let message = format!("Invalid field: {field}. Fields fiscal_id, name, email are not editable.");
    let body = json!({ "data": "null", "success": true, "message": message, "error": 670 });
    Reply::json(StatusCode::BAD_REQUEST, &body)
}

/// A text that must be there.
fn required(members: &mut Map<String, Value>, name: &str) -> Result<String, Reply> {
    match members.remove(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        None | Some(Value::Null | Value::String(_)) => {
            Err(error(StatusCode::BAD_REQUEST, &format!("Missing {name}"), 423))
        }
        Some(_) => Err(error(StatusCode::BAD_REQUEST, &format!("Invalid field: {name}."), 670)),
    }
}

fn create(world: &mut World, ask: &Ask) -> Reply {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&ask.body) else {
        return error(StatusCode::BAD_REQUEST, "Invalid JSON", 400);
    };
    let mut texts = Vec::new();
    for name in ["fiscal_id", "name", "email"] {
        match required(&mut members, name) {
            Ok(text) => texts.push(text),
            Err(reply) => return reply,
        }
    }
    let [fiscal_id, name, email] = <[String; 3]>::try_from(texts).unwrap_or_default();
    if !email.contains('@') {
        return error(StatusCode::BAD_REQUEST, "Invalid field: email.", 670);
    }
    if get(world, &fiscal_id).is_some() {
        return error(StatusCode::CONFLICT, "Fiscal ID already registered", 409);
    }
    let mut configuration = Configuration::known(world.ids.object_id(ask.at), &fiscal_id, ask.at);
    (configuration.name, configuration.email, configuration.receipts) = (name, email, false);
    for extra in ["customer_invoice", "supplier_invoice", "merchant_address", "stores", "cash_registers"] {
        if let Some(value) = members.remove(extra) {
            configuration.more.insert(extra.to_owned(), value);
        }
    }
    if let Err(field) = apply(&mut configuration, members) {
        return error(StatusCode::BAD_REQUEST, &format!("Invalid field: {field}."), 670);
    }
    let answer = configuration.to_json(world);
    world.configurations.insert((OPENAPI, fiscal_id), configuration);
    ok(answer)
}

fn change(world: &mut World, ask: &Ask, fiscal_id: &str) -> Reply {
    let Some(mut configuration) = get(world, fiscal_id).cloned() else { return unknown() };
    let Ok(Value::Object(members)) = serde_json::from_slice(&ask.body) else {
        return error(StatusCode::BAD_REQUEST, "Invalid JSON", 400);
    };
    if let Err(field) = apply(&mut configuration, members) {
        return invalid(&field);
    }
    let answer = configuration.to_json(world);
    world.configurations.insert((OPENAPI, fiscal_id.to_owned()), configuration);
    ok(answer)
}

/// Takes over what may be changed; the name of the first member that may not.
fn apply(configuration: &mut Configuration, members: Map<String, Value>) -> Result<(), String> {
    for (name, value) in members {
        match (name.as_str(), value) {
            ("receipts", Value::Bool(receipts)) => configuration.receipts = receipts,
            ("receipts_authentication", Value::Object(given)) => {
                let known = |name: &str| matches!(name, "taxCode" | "password" | "pin");
                if let Some(name) = given.keys().find(|name| !known(name)) {
                    return Err(format!("receipts_authentication.{name}"));
                }
                configuration.authentication.extend(given);
            }
            ("receipts_authentication", Value::Null) => configuration.authentication.clear(),
            ("api_configurations", Value::Array(given)) if !given.is_empty() => {
                for one in given {
                    subscribe(&mut configuration.api_configurations, one).ok_or("api_configurations")?;
                }
            }
            _ => return Err(name),
        }
    }
    Ok(())
}

/// Sets one event's callback; null ends it.
fn subscribe(all: &mut Vec<Value>, one: Value) -> Option<()> {
    let event = one.get("event")?.as_str()?.to_owned();
    all.retain(|known| known.get("event").and_then(Value::as_str) != Some(&event));
    match one.get("callback")? {
        Value::Null => {}
        Value::Object(given) => {
            given.get("url")?.as_str()?;
            let mut callback = json!({
                "method": "JSON", "user_id": "", "username": "", "field": "data", "headers": {}, "data": {},
                "retry": 0, "scope": null, "domain": null, "custom": null,
            });
            callback.as_object_mut()?.extend(given.clone());
            all.push(json!({ "event": event, "callback": callback }));
        }
        _ => return None,
    }
    Some(())
}

fn delete(world: &mut World, fiscal_id: &str) -> Reply {
    if get(world, fiscal_id).is_none() {
        return unknown();
    }
    if world.docs.iter().any(|doc| doc.provider == OPENAPI && doc.fiscal_id == fiscal_id) {
        let message = "The configuration cannot be deleted: receipts have already been sent";
        return error(StatusCode::BAD_REQUEST, message, 400);
    }
    world.configurations.remove(&(OPENAPI, fiscal_id.to_owned()));
    ok_with(json!("null"), &format!("Deleted configuration for id: {fiscal_id}"), Value::Null)
}
