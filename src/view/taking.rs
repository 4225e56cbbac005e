//! What is said of a document that is handed over: its ticket, or why it was not taken.

use serde::{Deserialize, Serialize};

use crate::domain::check::Violation;
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
    pub violations: Vec<Violation>,
}
