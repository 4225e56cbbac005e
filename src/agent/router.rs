//! Which call does what.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::reply::{self, Answer};
use super::{Desk, callbacks, decisions, documents, events, export, intake, metrics, wait};

/// Every path that is served; `openapi.json` describes each.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/documents", post(intake::take).get(documents::page))
        .route("/v1/documents/{key}", get(documents::one))
        .route("/v1/documents/{key}/retry", post(decisions::retry))
        .route("/v1/documents/{key}/cancel", post(decisions::cancel))
        .route("/v1/documents/{key}/resolve", post(decisions::resolve))
        .route("/v1/accounts/{account}/release", post(decisions::release))
        .route("/v1/status", get(documents::status))
        .route("/v1/events", get(events::follow))
        .route("/v1/callbacks/{account}", post(callbacks::take))
        .route("/v1/export", get(export::export))
        .route("/v1/verify", get(export::verify))
        .route("/v1/archive", post(export::archive))
        .route("/v1/drained", get(wait::drained))
        .route("/v1/openapi.json", get(description))
        .route("/metrics", get(metrics::show))
        .route("/healthz", get(health))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .with_state(desk)
}

async fn description() -> Answer {
    reply::with(StatusCode::OK, "application/json", include_str!("openapi.json"))
}

/// Whether documents are taken now.
async fn health(State(desk): State<Arc<Desk>>) -> Answer {
    let taken = desk.read(|queue| Ok(queue.takes())).await;
    match taken {
        Ok(Ok(())) => reply::json(StatusCode::OK, &serde_json::json!({"ok": true})),
        Ok(Err(why)) => reply::error(StatusCode::SERVICE_UNAVAILABLE, "journal", &why),
        Err(error) => reply::trouble(&error),
    }
}

async fn nothing_here() -> Answer {
    let why = "nothing here: see /v1/openapi.json; a key in a path is percent-encoded (`/` is %2F)";
    reply::error(StatusCode::NOT_FOUND, "not_found", why)
}

async fn other_method() -> Answer {
    reply::error(StatusCode::METHOD_NOT_ALLOWED, "method", "this path takes another method: see /v1/openapi.json")
}
