//! `GET /v1/events`: every change, as server-sent events, from any sequence number on. Each reader reads the journal by
//! position when it has sent what it had: a slow one costs nobody anything.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::reply::{self, Answer};
use super::{Desk, told};
use crate::error::Error;
use crate::view::Change;

/// Records read at a time.
const PAGE: usize = 256;
/// Silence after which a sign of life is sent: a proxy or a client must not take it for the end.
const ALIVE: Duration = Duration::from_secs(15);

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<String>,
}

/// One who follows.
struct Reader {
    desk: Arc<Desk>,
    seq: u64,
    changes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    /// Said before anything else.
    greeting: Option<String>,
    ended: bool,
    _room: OwnedSemaphorePermit,
}

/// `GET /v1/events`.
pub(super) async fn follow(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<From>, QueryRejection>,
    headers: HeaderMap,
) -> Answer {
    let Query(from) = match query {
        Ok(query) => query,
        Err(error) => return reply::bad(&error.body_text()),
    };
    let last = desk.queue.last_seq();
    // A browser or a library that lost the connection says where it was; that is newer than what the address says.
    let seen = headers.get("last-event-id").map(|seen| seen.to_str().unwrap_or("?").to_owned());
    let seq = match seen.or(from.after).map(|after| after.parse::<u64>()) {
        None => last,
        Some(Ok(seq)) if seq <= last => seq,
        Some(Ok(seq)) => {
            let why = format!("this journal has come to {last}, not to {seq}: is it another one?");
            return reply::error(StatusCode::CONFLICT, "ahead", &why);
        }
        Some(Err(_)) => return reply::bad("after: a sequence number, as an event's `id` has it"),
    };
    let Ok(room) = Arc::clone(&desk.streams).try_acquire_owned() else {
        return reply::busy("too many follow already: come again in a moment");
    };
    let reader = Reader {
        seq,
        changes: desk.queue.changes(),
        stopping: desk.stopping.clone(),
        greeting: Some(format!("retry: 1000\n: after {seq}\n\n")),
        ended: false,
        _room: room,
        desk,
    };
    let parts = stream::unfold(reader, |reader| async { reader.next().await });
    reply::with(StatusCode::OK, "text/event-stream", Body::from_stream(parts))
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Bytes, Error>, Reader)> {
        if let Some(greeting) = self.greeting.take() {
            return Some((Ok(greeting.into()), self));
        }
        loop {
            if self.ended || *self.stopping.borrow() {
                return None;
            }
            self.changes.borrow_and_update();
            let seq = self.seq;
            match self.desk.read(move |queue| queue.changes_after(seq, PAGE)).await {
                Ok((changes, reached)) => {
                    let moved = reached > seq;
                    self.seq = reached;
                    match text(&changes) {
                        Ok(text) if !text.is_empty() => return Some((Ok(text.into()), self)),
                        Ok(_) if moved => continue,
                        Ok(_) => {}
                        Err(error) => return self.broken(error),
                    }
                }
                Err(error) => return self.broken(error),
            }
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() { return None },
                () = told(&mut self.stopping) => return None,
                () = tokio::time::sleep(ALIVE) => return Some((Ok(Bytes::from_static(b":\n\n")), self)),
            }
        }
    }

    /// The connection breaks off: the reader comes again with the last number it saw.
    fn broken(mut self, error: Error) -> Option<(Result<Bytes, Error>, Reader)> {
        tracing::warn!(%error, "the events could not be read");
        self.ended = true;
        Some((Err(error), self))
    }
}

fn text(changes: &[Change]) -> Result<String, Error> {
    let mut text = String::new();
    for change in changes {
        let data = serde_json::to_string(change).map_err(|error| Error::Dispatcher(error.to_string()))?;
        text.push_str(&format!("id: {}\nevent: {}\ndata: {data}\n\n", change.seq, change.event));
    }
    Ok(text)
}
