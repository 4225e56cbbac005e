//! How the queue stands: `status`, and what `drain` leaves behind.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::state::State;

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
    /// What, as a short name: `held`, `refused`, `failed`, `debit_note_needed`, `account_missing`, …
    pub what: String,
    /// In words, and what to do.
    #[serde(default)]
    pub why: String,
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
