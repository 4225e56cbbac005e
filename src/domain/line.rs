//! One line of JSON Lines into a [`NewDocument`].

use super::check::Violation;
use super::document::NewDocument;

/// Why a line was not taken, as printed (CONTRACT.md 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The key, if the line had a readable one.
    pub key: Option<String>,
    /// `malformed`, `unknown_field`, `invalid` or `too_large`.
    pub code: &'static str,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// For `invalid`: every rule broken.
    pub violations: Vec<Violation>,
}

/// Reads one line.
pub fn parse(line: &[u8]) -> Result<NewDocument, LineError> {
    let _ = line;
    todo!("domain helper")
}
