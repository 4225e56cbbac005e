//! A document in short and whole, and what `list` selects by.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event::EventView;
use crate::domain::document::Kind;
use crate::domain::state::State;

/// What `list` selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this account.
    pub account: Option<String>,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only of sales at or after this moment (`issued_at`).
    pub since: Option<DateTime<Utc>>,
    /// Only of sales before this moment (`issued_at`).
    pub until: Option<DateTime<Utc>>,
    /// Only after this document number.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Documents in short, as many as were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// In order of intake.
    pub documents: Vec<Summary>,
    /// What to ask for after these; absent when these are the last.
    pub next: Option<String>,
}

/// One document in short: a line of `list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its key.
    pub key: String,
    /// The journal's number of it.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// Its account.
    pub account: Option<String>,
    /// The VAT number.
    pub fiscal_id: Option<String>,
    /// Where it is.
    pub state: State,
    /// Why it is there, in a sentence.
    pub reason: Option<String>,
    /// Time of the sale.
    pub issued_at: DateTime<Utc>,
    /// When it was taken.
    pub enqueued_at: DateTime<Utc>,
    /// When something is done next.
    pub due_at: Option<DateTime<Utc>>,
    /// Submissions that counted.
    pub attempts: u32,
}

/// One document whole: `show`, and a line of `export`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in Summary")]
pub struct DocumentView {
    pub key: String,
    pub id: String,
    pub kind: Kind,
    pub account: Option<String>,
    pub fiscal_id: Option<String>,
    pub state: State,
    pub reason: Option<String>,
    pub issued_at: DateTime<Utc>,
    pub enqueued_at: DateTime<Utc>,
    pub due_at: Option<DateTime<Utc>>,
    pub attempts: u32,
    /// After this moment it must not be sent.
    pub deadline: Option<DateTime<Utc>>,
    /// The document's canonical JSON.
    pub body: Box<RawValue>,
    /// Its totals, computed once when it was taken.
    pub totals: Option<Box<RawValue>>,
    /// The key of its parent, or `{"remote_id": …}`.
    pub parent: Option<ParentView>,
    /// The keys of returns, voids and notes about it.
    pub children: Vec<String>,
    /// What a person should see.
    pub attention: Vec<AttentionView>,
    /// Things worth a look that did not stop it.
    pub warnings: Vec<String>,
    /// What provider and authority said.
    pub remote: RemoteView,
    /// Its whole history.
    pub events: Vec<EventView>,
}

/// A parent: by its key if it was in this journal when the document was taken, however the till named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParentView {
    /// By key.
    Key(String),
    /// By the provider's id.
    Remote(String),
}

impl Serialize for ParentView {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ParentView::Key(key) => serializer.serialize_str(key),
            ParentView::Remote(id) => BTreeMap::from([("remote_id", id)]).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ParentView {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(key) => Ok(ParentView::Key(key)),
            serde_json::Value::Object(map) => match map.get("remote_id").and_then(|id| id.as_str()) {
                Some(id) => Ok(ParentView::Remote(id.to_owned())),
                None => Err(D::Error::missing_field("remote_id")),
            },
            _ => Err(D::Error::custom("a parent is a key or {\"remote_id\": …}")),
        }
    }
}

/// Something a person should see of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionView {
    /// A short name.
    pub what: String,
    /// In words.
    pub why: String,
}

/// What provider and authority said of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in domain::outcome::Remote")]
pub struct RemoteView {
    pub remote_id: Option<String>,
    pub status: Option<String>,
    pub document_number: Option<String>,
    pub document_date: Option<String>,
    pub transaction_id: Option<String>,
    pub draft_id: Option<String>,
    pub invoice_id: Option<String>,
    pub portal_url: Option<String>,
    pub otello_id: Option<String>,
    pub customs: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub items: Vec<RemoteItemView>,
}

/// A line with the authority's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteItemView {
    /// The 0-based line of the document in this journal, where it is known.
    pub line: Option<u32>,
    /// The authority's item id.
    pub id: String,
    /// Its text.
    pub description: String,
    /// How many.
    pub quantity: String,
}
