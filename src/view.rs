//! What the outside sees of documents and queue: the objects of `--json`, of the agent and of the library (CONTRACT.md 5).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::document::Kind;
use crate::domain::state::State;

/// What `enqueue` gives back: the document is safe on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its key.
    pub key: String,
    /// The journal's number of it, as text.
    pub id: String,
    /// Where it is now.
    pub state: State,
    /// Whether it was there already, with the same content.
    pub duplicate: bool,
}

/// A line that was taken, as `enqueue` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its key.
    pub key: String,
    /// The journal's number of it, as text.
    pub id: String,
    /// Where it is now.
    pub state: State,
    /// Whether it was there already, with the same content.
    pub duplicate: bool,
    /// The line, from 1; absent where there was only one document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The file, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Taken {
    /// A ticket's line.
    pub fn new(ticket: Ticket, line: Option<u64>, file: Option<&str>) -> Taken {
        let Ticket { key, id, state, duplicate } = ticket;
        Taken { key, id, state, duplicate, line, file: file.map(str::to_owned) }
    }
}

/// A line that was not taken, as `enqueue` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotTaken {
    /// Its key, as far as it could be made out.
    pub key: Option<String>,
    /// The line, from 1; absent where there was only one document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The file, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why.
    pub error: ErrorView,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// A short name for programs (CONTRACT.md 5).
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
    /// The rules broken.
    #[serde(default)]
    pub violations: Vec<crate::domain::check::Violation>,
}

/// Documents in short, as many as were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// In order of intake.
    pub documents: Vec<Summary>,
    /// What to ask for after these; absent when these are the last.
    pub next: Option<String>,
}

/// Something that happened, as the agent tells it: what became of which document. What is in the document is asked there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Sequence number in the journal.
    pub seq: u64,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// What happened; `account_held` and `account_released` are about an account.
    pub event: String,
    /// The document's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The journal's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The VAT number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fiscal_id: Option<String>,
    /// Where this brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Number of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// A short name (of a hold, an attention, a refusal).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's id that became known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// The authority's number that became known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_number: Option<String>,
}

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Nothing is damaged.
    pub sound: bool,
    /// Records read.
    pub records: u64,
    /// Documents among them.
    pub documents: u64,
    /// Bytes of a torn tail: never acknowledged, cut at the next start, no damage.
    pub torn: u64,
    /// Why the index was not compared, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_left_out: Option<String>,
    /// Every place that is not as it was written.
    pub damage: Vec<Damaged>,
}

/// A place that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// The segment, by its first sequence number; 0: it is not about one.
    pub segment: u64,
    /// The byte in it.
    pub offset: u64,
    /// The document, if it can be made out.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
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

/// A parent, as the till named it.
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

/// One event of a document's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// Sequence number in the journal.
    pub seq: u64,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: String,
    /// What belongs to it: attempt, outcome, HTTP status, who and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// A person's or the program's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// A short name (`code` of a hold, an attention, a refusal).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's id that became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// The authority's number that became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_number: Option<String>,
    /// How an acceptance became known: `answer`, `look_up`, `tracking`, `person`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Whether it counted as an attempt or a negative look-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<bool>,
    /// When the next step is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Violations of a refusal.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub violations: Vec<crate::domain::check::Violation>,
}

/// `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Documents by state.
    pub counts: BTreeMap<State, u64>,
    /// Whether somebody must do something.
    pub needs_person: bool,
    /// The oldest document not yet at its provider.
    pub oldest_unsent: Option<OldestUnsent>,
    /// When the next thing is due.
    pub next_due: Option<DateTime<Utc>>,
    /// What a person should see, at most some hundreds.
    pub attention: Vec<AttentionLine>,
    /// By account.
    pub accounts: Vec<AccountView>,
}

/// The oldest unsent document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestUnsent {
    /// Its key.
    pub key: String,
    /// Seconds since it was taken.
    pub age_s: i64,
}

/// Something a person should see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionLine {
    /// The document, if it is about one.
    pub key: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// What, and what to do.
    pub what: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// An account in `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its name; empty for documents that no account takes yet.
    pub name: String,
    /// Its provider.
    pub provider: Option<String>,
    /// Its documents by state.
    pub counts: BTreeMap<State, u64>,
    /// The blackout.
    pub blackout: BlackoutView,
    /// What is held.
    pub holds: Vec<HoldView>,
    /// The provider's clock minus ours, as last seen, by this process or an earlier one.
    pub clock_skew_ms: Option<i64>,
    /// Days since the authority's password was changed, if the configuration says when.
    pub credentials_age_days: Option<i64>,
}

/// The blackout in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlackoutView {
    /// Whether nothing may be submitted now.
    pub active: bool,
    /// Until when.
    pub until: Option<DateTime<Utc>>,
}

/// A hold in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldView {
    /// The VAT number, or null: the whole account.
    pub fiscal_id: Option<String>,
    /// Why.
    pub reason: String,
    /// What ends it.
    pub cure: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// The answer to `cancel`, `retry`, `resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The document.
    pub key: String,
    /// Where it is now; absent when the key is unknown.
    pub state: Option<State>,
    /// Whether it was done.
    pub done: bool,
    /// What was done, or why not.
    pub why: String,
}

/// The answer to `release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseDecision {
    /// The account.
    pub account: String,
    /// The VAT number, if one was named.
    pub fiscal_id: Option<String>,
    /// `released` or `not_held`.
    pub state: String,
    /// Whether something was released.
    pub done: bool,
    /// What was done, or why not.
    pub why: String,
}

/// A document that `drain` leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its key.
    pub key: String,
    /// Where it is.
    pub state: State,
    /// Why.
    pub reason: String,
}

/// The end of `drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainReport {
    /// Documents in the journal that are `registered`.
    pub registered: u64,
    /// Documents in the journal that are `cancelled`.
    pub cancelled: u64,
    /// Everything else, with its reason.
    pub left: Vec<Left>,
}

/// What `list` selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this account.
    pub account: Option<String>,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only taken at or after this moment.
    pub since: Option<DateTime<Utc>>,
    /// Only taken before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Only after this document number.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: Option<usize>,
}
