//! Answers: the objects of `--json`, and what is said when there is none.

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::error::{Error, Rejection};
use crate::journal::JournalError;
use crate::view::{ErrorView, NotTaken};

/// An answer.
pub(super) type Answer = Response<Body>;

/// Seconds after which somebody who was too many may come again.
const AGAIN: &str = "1";

#[derive(Serialize)]
struct Failure {
    error: ErrorView,
}

/// Any answer.
pub(super) fn with(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // What is true now is not in a minute, and may be about a customer.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// One object.
pub(super) fn json(status: StatusCode, object: &impl Serialize) -> Answer {
    match serde_json::to_vec(object) {
        Ok(mut text) => {
            text.push(b'\n');
            with(status, "application/json", text)
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            with(StatusCode::INTERNAL_SERVER_ERROR, "application/json", Bytes::new())
        }
    }
}

/// `{"error": {"code", "message"}}`.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let error = ErrorView { code: code.to_owned(), message: message.to_owned(), violations: Vec::new() };
    let mut answer = json(status, &Failure { error });
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(AGAIN));
    }
    answer
}

/// Too much at once: nothing was done, and may be asked for again.
pub(super) fn busy(why: &str) -> Answer {
    error(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
}

/// A call that makes no sense.
pub(super) fn bad(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "bad_request", message)
}

/// What the queue could not do.
pub(super) fn trouble(trouble: &Error) -> Answer {
    match trouble {
        Error::UnknownKey(_) => error(StatusCode::NOT_FOUND, "unknown_key", &trouble.to_string()),
        Error::Rejected(rejection) => refusal(None, rejection.clone()),
        Error::Journal(JournalError::Damaged { .. } | JournalError::Unreadable { .. }) => {
            error(StatusCode::INTERNAL_SERVER_ERROR, "journal_damaged", &trouble.to_string())
        }
        Error::Journal(_) | Error::Dispatcher(_) => {
            error(StatusCode::SERVICE_UNAVAILABLE, "journal", &trouble.to_string())
        }
    }
}

/// A document that was not taken.
pub(super) fn refusal(key: Option<String>, rejection: Rejection) -> Answer {
    let status = match rejection.code {
        "malformed" => StatusCode::BAD_REQUEST,
        "key_reused" => StatusCode::CONFLICT,
        "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "journal" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut answer = json(status, &not_taken(key, None, rejection));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(AGAIN));
    }
    answer
}

/// The line of a document that was not taken.
pub(super) fn not_taken(key: Option<String>, line: Option<u64>, rejection: Rejection) -> NotTaken {
    let Rejection { code, message, violations } = rejection;
    NotTaken { key, line, file: None, error: ErrorView { code: code.to_owned(), message, violations } }
}
