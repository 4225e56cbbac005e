//! What happened, in a document's history and in the agent's feed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::check::Violation;
use crate::domain::document::Kind;
use crate::domain::state::State;

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
    pub violations: Vec<Violation>,
}
