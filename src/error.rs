//! The one public error. An error means: nothing was recorded.

use crate::domain::check::Violation;

/// Why a call did nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The document was not taken.
    #[error("{0}")]
    Rejected(Rejection),
    /// There is no document with this key.
    #[error("no document has the key {0}: see `staffetta list`")]
    UnknownKey(String),
    /// The journal cannot take or give anything.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// The dispatcher cannot start.
    #[error("{0}")]
    Dispatcher(String),
}

/// Why a document was not taken, as printed by `enqueue` (CONTRACT.md 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// `malformed`, `unknown_field`, `invalid`, `key_reused`, `unknown_account`, `unknown_parent`, `parent_conflict`, `too_large`, `journal`.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// For `invalid` and `parent_conflict`: the rules broken.
    pub violations: Vec<Violation>,
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

impl Rejection {
    /// A rejection without violations.
    pub fn new(code: &'static str, message: impl Into<String>) -> Rejection {
        Rejection { code, message: message.into(), violations: Vec::new() }
    }
}
