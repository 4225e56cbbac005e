//! What Openapi tells a configured URL: which callbacks are due, as its token service lists them. Nothing is stored:
//! they follow from the documents, the configurations and the clock.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::account::ProviderKind;
use crate::domain::document::Kind;

use super::document::Doc;
use super::oauth::iso;
use super::openapi;
use super::world::World;

/// A callback that is due.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Its id: the same event of the same document has the same one.
    pub id: String,
    /// When it became due.
    pub at: DateTime<Utc>,
    /// The call that it goes back to.
    pub scope: String,
    /// Where to.
    pub url: String,
    /// `JSON` or `POST`.
    pub method: String,
    /// The form field's name for `POST`.
    pub field: String,
    /// Headers to send along.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
    /// How often to send it again until the answer is 200.
    pub retries: u32,
}

/// Every callback that is due at `now`, oldest first.
pub fn due(world: &World, now: DateTime<Utc>) -> Vec<Callback> {
    let mut due = Vec::new();
    for doc in world.docs.iter().filter(|doc| doc.provider == ProviderKind::Openapi && !doc.lost) {
        let Some(configuration) = world.configurations.get(&(doc.provider, doc.fiscal_id.clone())) else { continue };
        if configuration.api_configurations.is_empty() {
            continue;
        }
        for (event, at) in events(doc) {
            if at > now {
                continue;
            }
            let callback = configuration.api_configurations.iter().find(|one| one.get("event") == Some(&json!(event)));
            let Some(callback) = callback.and_then(|one| one.get("callback")) else { continue };
            // A return and a void are told of twice: for the sale and for themselves (PROVIDERS.md 1.1).
            let parent = doc.parent.and_then(|parent| world.docs.get(parent)).filter(|_| event == "receipt");
            for about in parent.into_iter().chain([doc]) {
                due.push(make(world, doc, about, event, at, callback));
            }
        }
    }
    due.sort_by_key(|callback| callback.at);
    due
}

fn events(doc: &Doc) -> impl Iterator<Item = (&'static str, DateTime<Utc>)> {
    let passage = &doc.passage;
    [
        ("receipt-retry", passage.retry.as_ref().map(|trouble| trouble.at)),
        ("receipt", passage.submitted),
        ("receipt", passage.ready),
        ("receipt-error", passage.failed.as_ref().map(|trouble| trouble.at)),
    ]
    .into_iter()
    .filter_map(|(event, at)| Some((event, at?)))
}

fn make(world: &World, doc: &Doc, about: &Doc, event: &str, at: DateTime<Utc>, callback: &Value) -> Callback {
    let mut hash = Sha256::new();
    for part in [doc.id.as_str(), about.id.as_str(), event, &at.to_rfc3339()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let id: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let text = |name: &str, default: &str| callback.get(name).and_then(Value::as_str).unwrap_or(default).to_owned();
    let data = openapi::receipt(world, about, at, false);
    let custom = callback.get("custom").cloned().unwrap_or(Value::Null);
    // Nested once for returns and voids, twice for sales (PROVIDERS.md 1.5, 15).
    let body = match doc.kind {
        Kind::Receipt => json!({ "data": { "data": data, "custom": custom } }),
        _ => json!({ "data": data, "custom": custom }),
    };
    let verb = match doc.kind {
        Kind::Return => "PATCH",
        Kind::Void => "DELETE",
        _ => "POST",
    };
    let headers = callback.get("headers").and_then(Value::as_object);
    let headers =
        headers.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    Callback {
        id,
        at,
        scope: format!("{verb}:invoice.openapi.com/IT-receipts"),
        url: text("url", ""),
        method: text("method", "JSON"),
        field: text("field", "data"),
        headers: headers.collect(),
        body,
        retries: callback.get("retry").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
    }
}

/// Whether anybody is to be told of anything.
pub fn wanted(world: &World) -> bool {
    world.configurations.values().any(|configuration| !configuration.api_configurations.is_empty())
}

/// As the token service lists them, newest first.
pub fn list(world: &World, now: DateTime<Utc>) -> Vec<Value> {
    let brief = |callback: &Callback| {
        let sent = world.sent_callbacks.get(&callback.id);
        json!({
            "id": callback.id,
            "scope": callback.scope,
            "url": callback.url,
            "httpResponseCode": sent.map(|(_, code)| code.to_string()),
            "startedAt": iso(world.shown(callback.at)),
            "completedAt": sent.map(|(at, _)| iso(world.shown(*at))),
        })
    };
    due(world, now).iter().rev().map(brief).collect()
}

/// One of them, with its data.
pub fn one(world: &World, now: DateTime<Utc>, id: &str) -> Option<Value> {
    let callback = due(world, now).into_iter().find(|callback| callback.id == id)?;
    let sent = world.sent_callbacks.get(id);
    Some(json!({
        "id": callback.id,
        "scope": callback.scope,
        "domain": "invoice.openapi.com",
        "active": sent.is_none(),
        "startedAt": iso(world.shown(callback.at)),
        "createdAt": iso(world.shown(callback.at)),
        "completedAt": sent.map(|(at, _)| iso(world.shown(*at))),
        "httpResponseCode": sent.map(|(_, code)| *code),
        "data": callback.body.get("data"),
        "custom": callback.body.get("custom"),
        "attempt": 1,
        "retry": 0,
        "field": callback.field,
        "method": callback.method,
        "url": callback.url,
    }))
}
