//! `POST /v1/callbacks/{account}`: a provider says that something happened. It is a hint and no more: the document it may
//! be about is asked about now, and what the provider answers then is what counts.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;

use super::Desk;
use super::guard::bearer;
use super::intake::{body, kind};
use super::reply::{self, Answer};
use super::token::Expected;
use crate::domain::id::AccountName;
use crate::domain::limits::MAX_LINE;

/// Beside `Authorization: Bearer`, for providers that let one choose a header's name.
const SECRET: &str = "x-callback-secret";
/// How often `data` may be inside `data` (PROVIDERS.md 1.5, 15: once or twice).
const DEEPEST: usize = 4;
/// What our tags on a sale begin with (PROVIDERS.md 4.1); after it comes the key.
const TAG: &str = "oq-";

/// `POST /v1/callbacks/{account}`.
pub(super) async fn take(
    State(desk): State<Arc<Desk>>,
    account: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Answer {
    let account = account.ok().and_then(|Path(account)| account.parse::<AccountName>().ok());
    let secret = account.as_ref().and_then(|account| desk.callbacks.get(account)).map(Expected::new);
    // The same words whether there is no such account, no secret for it, or another one: nobody learns which.
    let (Some(account), true) = (account, secret.is_some_and(|secret| secret_is(&secret, request.headers()))) else {
        let why = "say `Authorization: Bearer SECRET` with the account's `callback_secret`";
        return reply::error(StatusCode::UNAUTHORIZED, "unauthorized", why);
    };
    let form = kind(request.headers()).as_deref() == Some("application/x-www-form-urlencoded");
    let held = match body(&desk, request, MAX_LINE).await {
        Ok(held) => held,
        Err(answer) => return answer,
    };
    let (remote_ids, keys) = hints(&held.bytes, form);
    let name = account.clone();
    match desk.read(move |queue| queue.hint(&account, &remote_ids, &keys)).await {
        Ok(asked) => {
            tracing::debug!(account = %name, asked, "a provider called back");
            reply::json(StatusCode::OK, &serde_json::json!({"asked": asked}))
        }
        Err(error) => reply::trouble(&error),
    }
}

fn secret_is(secret: &Expected, headers: &HeaderMap) -> bool {
    let named = headers.get(SECRET).map(|said| said.as_bytes());
    bearer(headers).or(named).is_some_and(|said| secret.is(said))
}

/// The ids and our own keys that a callback speaks of; nothing if it cannot be read.
fn hints(bytes: &[u8], form: bool) -> (Vec<String>, Vec<String>) {
    let value = if form { field(bytes) } else { serde_json::from_slice::<Value>(bytes).ok() };
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    let mut inner = value.as_ref();
    for _ in 0..DEEPEST {
        let Some(object) = inner.and_then(Value::as_object) else { break };
        for name in ["id", "uuid", "parent_receipt_id"] {
            ids.extend(object.get(name).and_then(Value::as_str).map(str::to_owned));
        }
        let tags = object.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        keys.extend(tags.filter_map(|tag| tag.strip_prefix(TAG)).map(str::to_owned));
        inner = object.get("data");
    }
    (ids, keys)
}

/// The JSON in the form's field `data`, or in its only field.
fn field(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    let fields: Vec<_> = text.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let named = fields.iter().find(|(name, _)| *name == "data");
    let (_, value) = named.or(fields.first())?;
    serde_json::from_slice(&decoded(value)).ok()
}

fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or(b'%'),
                    _ => b'%',
                }
            }
            byte => byte,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_found_wherever_providers_put_them() {
        let ids = |body: &str, form| hints(body.as_bytes(), form).0;
        assert_eq!(ids(r#"{"data":{"id":"a","tags":["x","oq-k1"]},"custom":null}"#, false), ["a"]);
        assert_eq!(ids(r#"{"data":{"data":{"id":"b"}}}"#, false), ["b"]);
        assert_eq!(ids(r#"{"uuid":"c","event":"failed","code":400}"#, false), ["c"]);
        assert_eq!(ids("data=%7B%22data%22%3A%7B%22id%22%3A%22d%22%7D%7D&x=1", true), ["d"]);
        assert_eq!(hints(br#"{"data":{"tags":["oq-till-1/7"]}}"#, false).1, ["till-1/7"]);
        for nothing in ["", "[]", "{", "null", "1e400", r#"{"id":7}"#, r#"{"data":"x"}"#] {
            assert!(ids(nothing, false).is_empty() && ids(nothing, true).is_empty(), "{nothing}");
        }
    }
}
