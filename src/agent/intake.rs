//! `POST /v1/documents`: one document, or JSON Lines. Nothing is begun before the body is there whole, and what was begun
//! goes to its end whether or not somebody waits.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Desk;
use super::reply::{self, Answer};
use crate::domain::document::NewDocument;
use crate::domain::limits::{MAX_BATCH, MAX_GROUP, MAX_LINE};
use crate::domain::line;
use crate::error::{Error, Rejection};
use crate::journal::JournalError;
use crate::queue::lines::Lines;
use crate::view::{Taken, Ticket};

/// A body in memory, and the room that it takes there.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// The content's kind, without its parameters.
pub(super) fn kind(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Reads a body of at most `limit` bytes, when there is room for it.
pub(super) async fn body(desk: &Desk, request: Request<Body>, limit: usize) -> Result<Held, Answer> {
    let said = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let too_large = || {
        let why = format!("the body has more than {limit} bytes: send it in several");
        let mut answer = reply::error(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &why);
        answer.headers_mut().insert("connection", axum::http::HeaderValue::from_static("close"));
        answer
    };
    if said.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let room = u32::try_from(said.unwrap_or(limit).div_ceil(1024)).unwrap_or(u32::MAX);
    let Ok(room) = Arc::clone(&desk.bodies).try_acquire_many_owned(room) else {
        return Err(reply::busy("too much is being handed over at once: come again in a moment; nothing was taken"));
    };
    let mut bytes = Vec::with_capacity(said.unwrap_or(0));
    let mut parts = request.into_body().into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| reply::bad("the body broke off"))?;
        if bytes.len() + part.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Held { bytes: bytes.into(), _room: room })
}

/// `POST /v1/documents`.
pub(super) async fn take(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Answer {
    let lines = match kind(request.headers()).as_deref() {
        Some("application/json") => false,
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => true,
        _ => {
            let why = "send one document as `Content-Type: application/json`, or JSON Lines as `application/x-ndjson`";
            return reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", why);
        }
    };
    let held = match body(&desk, request, if lines { MAX_BATCH } else { MAX_LINE }).await {
        Ok(held) => held,
        Err(answer) => return answer,
    };
    // On its own: whoever goes away now changes nothing any more.
    let work = if lines {
        tokio::spawn(async move { batch(&desk, held).await })
    } else {
        tokio::spawn(async move { one(&desk, held).await })
    };
    match work.await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%error, "a task of the agent ended abnormally");
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a defect of the agent: see its log")
        }
    }
}

async fn one(desk: &Desk, held: Held) -> Answer {
    // The same reader as a line's, which may not have a line break inside; a body may.
    let document = match line::read(held.bytes.trim_ascii()) {
        Ok(document) => document,
        Err(error) => {
            let line::LineError { key, code, message, violations } = error;
            return reply::refusal(key, Rejection { code, message, violations });
        }
    };
    drop(held);
    let key = document.said_key();
    match hand_over(desk, document).await {
        Ok(ticket) => {
            let status = if ticket.duplicate { StatusCode::OK } else { StatusCode::CREATED };
            reply::json(status, &Taken::new(ticket, None, None))
        }
        Err(error) => reply::refusal(key, rejection(error)),
    }
}

/// Line by line, in order; those of one piece share commit groups. A line that is none stops nobody.
async fn batch(desk: &Desk, held: Held) -> Answer {
    let mut out = Vec::new();
    let mut lines = Lines::new(&held.bytes[..]);
    let mut ended = false;
    while !ended {
        let mut waiting = Vec::new();
        while waiting.len() < MAX_GROUP / 4 {
            let Ok(Some((number, content))) = lines.next() else {
                ended = true; // reading from memory does not fail
                break;
            };
            waiting.push(match content.document() {
                None => continue,
                Some(Err((key, rejection))) => (number, key, Err(rejection)),
                Some(Ok(document)) => {
                    let key = document.said_key();
                    (number, key, Ok(begin(desk, document).await))
                }
            });
        }
        for (number, key, begun) in waiting {
            let result = match begun {
                Ok(begun) => finish(begun).await.map_err(rejection),
                Err(rejection) => Err(rejection),
            };
            let written = match result {
                Ok(ticket) => serde_json::to_writer(&mut out, &Taken::new(ticket, Some(number), None)),
                Err(rejection) => serde_json::to_writer(&mut out, &reply::not_taken(key, Some(number), rejection)),
            };
            if let Err(error) = written {
                tracing::error!(%error, "an answer could not be written");
            }
            out.push(b'\n');
        }
    }
    reply::with(StatusCode::OK, "application/x-ndjson", out)
}

/// A document handed to the journal.
type Begun = oneshot::Receiver<Result<Ticket, Error>>;

async fn begin(desk: &Desk, document: NewDocument) -> Begun {
    // The semaphore is never closed.
    let permit = Arc::clone(&desk.handed).acquire_owned().await.ok();
    let (sender, receiver) = oneshot::channel();
    desk.queue.take_then(document, move |answer| {
        // As soon as it waits there no longer: batches that kept theirs until they are whole would wait for each other.
        drop(permit);
        drop(sender.send(answer)); // who no longer waits needs no answer
    });
    receiver
}

async fn finish(answer: Begun) -> Result<Ticket, Error> {
    answer.await.unwrap_or(Err(Error::Journal(JournalError::Closed)))
}

async fn hand_over(desk: &Desk, document: NewDocument) -> Result<Ticket, Error> {
    finish(begin(desk, document).await).await
}

/// An error as a document is refused with.
fn rejection(error: Error) -> Rejection {
    match error {
        Error::Rejected(rejection) => rejection,
        other => Rejection::new("journal", format!("not taken, try again: {other}")),
    }
}

#[cfg(test)]
mod tests;
