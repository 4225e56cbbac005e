//! Looking: one document, a page of them, the whole queue in one object.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

use super::Desk;
use super::reply::{self, Answer};
use crate::domain::document::Kind;
use crate::domain::id::AccountName;
use crate::domain::limits::MAX_PAGE;
use crate::error::Error;
use crate::view::{ListFilter, NotTaken, Page};

/// Documents in a page when nobody says how many.
const PAGE: usize = 100;

/// The largest limit that makes sense; a page has less all the same.
const MOST: usize = 1_000_000_000;

/// What `GET /v1/documents` and `GET /v1/export` select.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Selection {
    #[serde(deserialize_with = "given")]
    state: Option<String>,
    #[serde(deserialize_with = "given")]
    account: Option<String>,
    #[serde(deserialize_with = "given")]
    kind: Option<String>,
    #[serde(deserialize_with = "given")]
    since: Option<String>,
    #[serde(deserialize_with = "given")]
    until: Option<String>,
    #[serde(deserialize_with = "given")]
    limit: Option<String>,
    #[serde(deserialize_with = "given")]
    after: Option<String>,
}

/// A form's empty field selects nothing: `state=` is no state.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(deserializer)?).filter(|text| !text.is_empty()))
}

impl Selection {
    /// As the queue understands it.
    pub(super) fn filter(&self) -> Result<ListFilter, String> {
        let limit = read("limit", &self.limit)?;
        if limit.is_some_and(|limit| limit > MOST) {
            return Err(format!("limit: at most {MOST}"));
        }
        Ok(ListFilter {
            state: read("state", &self.state)?,
            account: read::<AccountName>("account", &self.account)?.map(String::from),
            kind: read::<Kind>("kind", &self.kind)?,
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
            after: read("after", &self.after)?,
            limit,
        })
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &Option<String>) -> Result<Option<T>, String> {
    text.as_ref().map(|text| text.parse().map_err(|error| format!("{name}: {error}"))).transpose()
}

fn time(name: &str, text: &Option<String>) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = text else { return Ok(None) };
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| Some(time.to_utc())).map_err(|_| format!("{name}: write a time like 2026-11-22T10:30:00Z"))
}

/// `GET /v1/documents`.
pub(super) async fn page(State(desk): State<Arc<Desk>>, query: Result<Query<Selection>, QueryRejection>) -> Answer {
    let filter = match query.map_err(|error| error.body_text()).and_then(|Query(selection)| selection.filter()) {
        Ok(filter) => filter,
        Err(why) => return reply::bad(&why),
    };
    let limit = filter.limit.unwrap_or(PAGE).min(MAX_PAGE);
    let listed = desk.read(move |queue| queue.list(&ListFilter { limit: Some(limit), ..filter })).await;
    match listed {
        Ok(documents) => {
            let last = documents.last().filter(|_| documents.len() == limit);
            let next = last.map(|last| last.id.clone());
            reply::json(StatusCode::OK, &Page { documents, next })
        }
        Err(error) => reply::trouble(&error),
    }
}

/// `GET /v1/documents/{key}`.
pub(super) async fn one(State(desk): State<Arc<Desk>>, key: Result<Path<String>, PathRejection>) -> Answer {
    let key = match key {
        Ok(Path(key)) => key,
        Err(error) => return reply::bad(&error.body_text()),
    };
    let asked = key.clone();
    match desk.read(move |queue| queue.show(&asked)).await {
        Ok(Some(document)) => reply::json(StatusCode::OK, &document),
        Ok(None) => unknown(key),
        Err(error) => reply::trouble(&error),
    }
}

/// No document has this key.
pub(super) fn unknown(key: String) -> Answer {
    let error = crate::view::ErrorView {
        code: "unknown_key".to_owned(),
        message: Error::UnknownKey(key.clone()).to_string(),
        violations: Vec::new(),
    };
    reply::json(StatusCode::NOT_FOUND, &NotTaken { key: Some(key), line: None, file: None, error })
}

/// `GET /v1/status`.
pub(super) async fn status(State(desk): State<Arc<Desk>>) -> Answer {
    match desk.read(|queue| queue.status()).await {
        Ok(status) => reply::json(StatusCode::OK, &status),
        Err(error) => reply::trouble(&error),
    }
}
