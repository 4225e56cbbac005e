//! The answers to a person's decisions.

use serde::{Deserialize, Serialize};

use crate::domain::state::State;

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
