//! What a person decides: `retry`, `cancel`, `resolve`, `release`. Done to the end even if nobody waits for the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Desk;
use super::documents::unknown;
use super::intake::{body, kind};
use super::reply::{self, Answer};
use crate::domain::limits::MAX_REQUEST;
use crate::error::Error;
use crate::queue::Queue;
use crate::view::Decision;

/// Who decides when the caller does not say.
const WHO: &str = "agent";

/// `retry`, `cancel`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: Option<String>,
    who: Option<String>,
}

/// `resolve`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    accepted: Option<String>,
    #[serde(default)]
    not_accepted: bool,
    reason: Option<String>,
    who: Option<String>,
}

/// `release`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    fiscal_id: Option<String>,
    reason: Option<String>,
    who: Option<String>,
}

type Named = Result<Path<String>, PathRejection>;

/// `POST /v1/documents/{key}/retry`.
pub(super) async fn retry(State(desk): State<Arc<Desk>>, key: Named, request: Request<Body>) -> Answer {
    match read::<Reason>(&desk, key, request).await {
        Ok((key, said)) => {
            let reason = said.reason.filter(|reason| !reason.trim().is_empty());
            let reason = reason.unwrap_or_else(|| "retried by hand".to_owned());
            let who = by(said.who);
            decide(&desk, key, move |queue, key| queue.retry(key, &who, &reason)).await
        }
        Err(answer) => answer,
    }
}

/// `POST /v1/documents/{key}/cancel`.
pub(super) async fn cancel(State(desk): State<Arc<Desk>>, key: Named, request: Request<Body>) -> Answer {
    match read::<Reason>(&desk, key, request).await {
        Ok((key, said)) => match needed(said.reason) {
            Ok(reason) => {
                let who = by(said.who);
                decide(&desk, key, move |queue, key| queue.cancel(key, &who, &reason)).await
            }
            Err(answer) => *answer,
        },
        Err(answer) => answer,
    }
}

/// `POST /v1/documents/{key}/resolve`.
pub(super) async fn resolve(State(desk): State<Arc<Desk>>, key: Named, request: Request<Body>) -> Answer {
    let (key, said) = match read::<Finding>(&desk, key, request).await {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    if said.accepted.is_some() == said.not_accepted {
        let why = "say either `\"accepted\": \"REMOTE_ID\"` or `\"not_accepted\": true`";
        return reply::error(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why);
    }
    match needed(said.reason) {
        Ok(reason) => {
            let (who, accepted) = (by(said.who), said.accepted);
            decide(&desk, key, move |queue, key| queue.resolve(key, accepted.as_deref(), &who, &reason)).await
        }
        Err(answer) => *answer,
    }
}

/// `POST /v1/accounts/{account}/release`.
pub(super) async fn release(State(desk): State<Arc<Desk>>, account: Named, request: Request<Body>) -> Answer {
    let (account, said) = match read::<Release>(&desk, account, request).await {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let reason = said.reason.filter(|reason| !reason.trim().is_empty());
    let reason = reason.unwrap_or_else(|| "released by hand".to_owned());
    let (who, fiscal_id) = (by(said.who), said.fiscal_id);
    let released = desk.read(move |queue| queue.release(&account, fiscal_id.as_deref(), &who, &reason)).await;
    match released {
        Ok(decision) => reply::json(if decision.done { StatusCode::OK } else { StatusCode::CONFLICT }, &decision),
        Err(error) => reply::trouble(&error),
    }
}

async fn decide(
    desk: &Desk,
    key: String,
    act: impl FnOnce(&Queue, &str) -> Result<Decision, Error> + Send + 'static,
) -> Answer {
    let asked = key.clone();
    match desk.read(move |queue| act(queue, &asked)).await {
        Ok(decision) => reply::json(if decision.done { StatusCode::OK } else { StatusCode::CONFLICT }, &decision),
        Err(Error::UnknownKey(_)) => unknown(key),
        Err(error) => reply::trouble(&error),
    }
}

fn by(who: Option<String>) -> String {
    who.map(|who| who.trim().to_owned()).filter(|who| !who.is_empty()).unwrap_or_else(|| WHO.to_owned())
}

fn needed(reason: Option<String>) -> Result<String, Box<Answer>> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    reason.ok_or_else(|| {
        let why = "say why, for the record: `{\"reason\": \"…\"}`";
        Box::new(reply::error(StatusCode::UNPROCESSABLE_ENTITY, "invalid", why))
    })
}

/// The name in the path, and the object in the body; no body is an empty object.
async fn read<T: DeserializeOwned + Default>(
    desk: &Desk,
    name: Named,
    request: Request<Body>,
) -> Result<(String, T), Answer> {
    let Path(name) = name.map_err(|error| reply::bad(&error.body_text()))?;
    Ok((name, said(desk, request).await?))
}

/// The object in the body; no body is an empty object.
pub(super) async fn said<T: DeserializeOwned + Default>(desk: &Desk, request: Request<Body>) -> Result<T, Answer> {
    let kind = kind(request.headers());
    let held = body(desk, request, MAX_REQUEST).await?;
    if held.bytes.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    // A web page can send a form or plain text without asking anybody; JSON it cannot.
    if kind.as_deref() != Some("application/json") {
        let why = "send `Content-Type: application/json`";
        return Err(reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", why));
    }
    if held.bytes.trim_ascii().first() != Some(&b'{') {
        return Err(reply::bad("the body must be a JSON object"));
    }
    serde_json::from_slice(&held.bytes).map_err(|error| reply::bad(&format!("the body: {error}")))
}
