//! Waiting for the queue to have nothing left that the program can do alone: `drain` beside a running agent.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use super::reply::{self, Answer};
use super::{Desk, told};

/// How long one call waits at most; the caller asks again.
const PATIENCE: Duration = Duration::from_secs(20);

/// `GET /v1/drained`: answers when nothing is left, or that something is.
pub(super) async fn drained(State(desk): State<Arc<Desk>>) -> Answer {
    let mut stopping = desk.stopping.clone();
    let drained = match &desk.dispatcher {
        None => false,
        Some(dispatcher) => tokio::select! {
            biased;
            // One that stops leaves what it could still have done.
            () = dispatcher.ended() => false,
            () = dispatcher.drained() => true,
            () = tokio::time::sleep(PATIENCE) => false,
            () = told(&mut stopping) => false,
        },
    };
    reply::json(StatusCode::OK, &serde_json::json!({"drained": drained}))
}
