//! A document as its events have made it: what is kept of it in the index.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::State;
use crate::domain::document::Kind;
use crate::domain::event::{Enqueued, ParentRef};
use crate::domain::id::{AccountName, DocId, FiscalId, Key};
use crate::domain::outcome::Customs;

/// The submission whose fate is open, or was last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When the intent was written; the request left after.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub sent_at: DateTime<Utc>,
    /// When its answer, or the lack of one, was written.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Look-ups after the settle time that found nothing.
    pub negatives: u32,
    /// Whether the provider may have it: set by a lost answer, cleared by a finding.
    pub unresolved: bool,
}

/// A document as its events have made it: small, kept in the index, rebuilt from the journal at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The journal's number of it.
    pub id: DocId,
    /// The till's key.
    pub key: Key,
    /// What it is.
    pub kind: Kind,
    /// The account, once known.
    pub account: Option<AccountName>,
    /// The VAT number it is issued by.
    pub fiscal_id: Option<FiscalId>,
    /// What it is about.
    pub parent: Option<ParentRef>,
    /// Where it is.
    pub state: State,
    /// Why it is there, in words; empty where the state says it all.
    pub reason: String,
    /// A short name for why it is held.
    pub code: String,
    /// The time of the sale.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub issued_at: DateTime<Utc>,
    /// When it was taken.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub enqueued_at: DateTime<Utc>,
    /// When it came to its state.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub changed_at: DateTime<Utc>,
    /// After this moment it must not be sent.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub deadline: Option<DateTime<Utc>>,
    /// Not before this moment: the next attempt, look-up or question about the verdict.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub due_at: Option<DateTime<Utc>>,
    /// Submissions that counted.
    pub attempts: u32,
    /// Questions asked about the present state (look-ups, polls): the delay to the next grows with it.
    pub asked: u32,
    /// The last submission.
    pub attempt: Option<Attempt>,
    /// The provider's id.
    pub remote_id: Option<String>,
    /// The provider's own word for the state.
    pub remote_status: Option<String>,
    /// When the provider says it took it.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub remote_created_at: Option<DateTime<Utc>>,
    /// Whether the authority's item ids are in the journal.
    pub has_items: bool,
    /// Tax-free: what customs said.
    pub customs: Option<Customs>,
    /// What a person should see: short names, with words.
    pub attention: Vec<(String, String)>,
}

impl Progress {
    /// Whether it is a sale, which no other document is before.
    pub fn is_sale(&self) -> bool {
        self.kind == Kind::Receipt && self.parent.is_none()
    }

    /// A document just taken.
    pub fn begin(id: DocId, at: DateTime<Utc>, taken: &Enqueued) -> Progress {
        Progress {
            id,
            key: taken.key.clone(),
            kind: taken.kind,
            account: taken.account.clone(),
            fiscal_id: taken.fiscal_id.clone(),
            parent: taken.parent.clone(),
            state: State::Queued,
            reason: String::new(),
            code: String::new(),
            issued_at: taken.issued_at,
            enqueued_at: at,
            changed_at: at,
            deadline: taken.deadline,
            due_at: None,
            attempts: 0,
            asked: 0,
            attempt: None,
            remote_id: None,
            remote_status: None,
            remote_created_at: None,
            has_items: false,
            customs: None,
            attention: Vec::new(),
        }
    }

    /// Whether a request with it may have reached the provider, or has.
    pub fn may_have_left(&self) -> bool {
        self.remote_id.is_some()
            || self.state == State::Sending
            || self.attempt.as_ref().is_some_and(|attempt| attempt.unresolved)
    }
}
