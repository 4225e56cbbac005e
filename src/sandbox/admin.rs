//! The sandbox's own calls, under `/_sandbox`.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::fault::FaultPlan;
use super::live::Live;
use super::reply::Reply;
use super::settings::{CustomsStatus, Settings};
use super::world::World;
use super::{files, ledger, portal};

/// Any request below `/_sandbox`, except those that close the port.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    match (ask.method.as_str(), path.as_slice()) {
        ("GET", []) => about(world),
        ("GET", ["ledger"]) => ledger_page(world, ask),
        ("GET", ["requests"]) => requests(world, ask),
        ("GET", ["faults"]) => Reply::json(StatusCode::OK, &world.live.to_json()),
        ("POST" | "PUT", ["faults"]) => set_faults(world, ask),
        ("DELETE", ["faults"]) => {
            world.live = Live::default();
            Reply::json(StatusCode::OK, &world.live.to_json())
        }
        ("GET", ["settings"]) => Reply::json(StatusCode::OK, &json!(world.settings)),
        ("POST" | "PUT" | "PATCH", ["settings"]) => set_settings(world, ask),
        ("POST", ["reset"]) => {
            world.reset(ask.at);
            done()
        }
        ("POST", ["expire_tokens"]) => {
            world.token_epoch += 1;
            done()
        }
        ("POST", ["stamp", id, "complete"]) => match invoice(world, id) {
            Some(index) => {
                portal::complete(world, index, ask.at);
                done()
            }
            None => Reply::admin_error(StatusCode::NOT_FOUND, "no tax-free invoice has that id"),
        },
        ("POST", ["stamp", id, "customs"]) => customs(world, ask, id),
        ("GET", ["files", _]) => files::handle(world, ask),
        (_, ["ledger" | "requests" | "faults" | "settings" | "reset" | "expire_tokens" | "offline"]) => {
            Reply::admin_error(StatusCode::METHOD_NOT_ALLOWED, "this path has no such method")
        }
        _ => Reply::admin_error(StatusCode::NOT_FOUND, "no such path; GET /_sandbox lists them"),
    }
}

fn done() -> Reply {
    Reply::json(StatusCode::OK, &json!({ "done": true }))
}

fn about(world: &World) -> Reply {
    let base = &world.base_url;
    let body = json!({
        "openapi": format!("{base}/openapi"),
        "smart_receipt": format!("{base}/smart-receipt"),
        "stamp": format!("{base}/stamp"),
        "portal": format!("{base}/portal"),
        "calls": [
            "GET /_sandbox/ledger?provider=&kind=&issued=",
            "GET /_sandbox/requests?after=&provider=&call=",
            "GET|POST|DELETE /_sandbox/faults",
            "GET|POST /_sandbox/settings",
            "POST /_sandbox/stamp/{invoiceId}/complete",
            "POST /_sandbox/stamp/{invoiceId}/customs {\"status\": \"approved\"}",
            "POST /_sandbox/expire_tokens",
            "POST /_sandbox/offline {\"for\": \"2s\"}",
            "POST /_sandbox/reset",
        ],
        "documents": world.entries.len(),
        "requests": world.requests,
    });
    Reply::json(StatusCode::OK, &body)
}

/// Lists may be long: written straight to text.
fn long<T: serde::Serialize>(list: &T) -> Reply {
    match serde_json::to_vec(list) {
        Ok(text) => Reply::text(StatusCode::OK, "application/json", text),
        Err(error) => Reply::admin_error(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

fn ledger_page(world: &World, ask: &Ask) -> Reply {
    let mut entries = ledger::entries(world, ask.at);
    entries.retain(|entry| {
        ask.query("provider").is_none_or(|wanted| entry.provider == wanted)
            && ask.query("kind").is_none_or(|wanted| entry.kind == wanted)
            && ask.query("issued").is_none_or(|wanted| entry.issued.to_string() == wanted)
    });
    long(&entries)
}

fn requests(world: &World, ask: &Ask) -> Reply {
    let after: u64 = ask.query("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    let wanted = world.log.iter().filter(|logged| {
        logged.seq > after
            && ask.query("provider").is_none_or(|wanted| logged.provider == wanted)
            && ask.query("call").is_none_or(|wanted| logged.call == wanted)
    });
    long(&wanted.collect::<Vec<_>>())
}

fn set_faults(world: &mut World, ask: &Ask) -> Reply {
    let plan = match FaultPlan::parse(&ask.body) {
        Ok(plan) => plan,
        Err(error) => return Reply::admin_error(StatusCode::BAD_REQUEST, error),
    };
    match install(world, plan, ask.at) {
        Ok(()) => Reply::json(StatusCode::OK, &world.live.to_json()),
        Err(error) => Reply::admin_error(StatusCode::BAD_REQUEST, error),
    }
}

/// Begins a plan, with the settings it brings.
pub fn install(world: &mut World, plan: FaultPlan, now: chrono::DateTime<chrono::Utc>) -> Result<(), String> {
    if let Some(settings) = &plan.settings {
        let settings = merged(&world.settings, settings)?;
        world.set_settings(settings, now);
    }
    world.live = Live::new(plan);
    Ok(())
}

fn set_settings(world: &mut World, ask: &Ask) -> Reply {
    let changes: Value = match serde_json::from_slice(&ask.body) {
        Ok(changes) => changes,
        Err(error) => return Reply::admin_error(StatusCode::BAD_REQUEST, error),
    };
    match merged(&world.settings, &changes) {
        Ok(settings) => {
            world.set_settings(settings, ask.at);
            Reply::json(StatusCode::OK, &json!(world.settings))
        }
        Err(error) => Reply::admin_error(StatusCode::BAD_REQUEST, error),
    }
}

/// Settings with the members of `changes` in place of the old ones.
pub fn merged(old: &Settings, changes: &Value) -> Result<Settings, String> {
    let Value::Object(changes) = changes else { return Err("settings: expected an object".to_owned()) };
    let mut members: Map<String, Value> = match json!(old) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.extend(changes.clone());
    serde_json::from_str(&Value::Object(members).to_string()).map_err(|error| format!("settings: {error}"))
}

fn invoice(world: &World, id: &str) -> Option<usize> {
    world.by_invoice.get(id).or_else(|| world.by_draft.get(id)).copied()
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Customs {
    status: CustomsStatus,
}

fn customs(world: &mut World, ask: &Ask, id: &str) -> Reply {
    let Some(index) = invoice(world, id) else {
        return Reply::admin_error(StatusCode::NOT_FOUND, "no tax-free invoice has that id");
    };
    let status = match serde_json::from_slice::<Customs>(&ask.body) {
        Ok(Customs { status }) => status,
        Err(error) => return Reply::admin_error(StatusCode::BAD_REQUEST, error),
    };
    match decide(world, index, status, ask.at) {
        true => done(),
        false => Reply::admin_error(StatusCode::CONFLICT, "the merchant has not completed the draft yet"),
    }
}

/// Makes customs say something of a completed invoice; whether it is one.
pub fn decide(world: &mut World, index: usize, status: CustomsStatus, now: chrono::DateTime<chrono::Utc>) -> bool {
    let settings = world.settings.clone();
    match world.invoices.get_mut(index) {
        Some(invoice) if invoice.completed(&settings, now).is_some() => {
            invoice.customs = Some(status);
            true
        }
        _ => false,
    }
}
