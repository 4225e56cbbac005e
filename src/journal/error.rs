//! What can go wrong with a journal. Every error means: of what was asked, nothing was recorded.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::id::DocId;
use crate::domain::state::IllegalTransition;

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process has the journal open.
    #[error("the journal {} is in use by {holder}", path.display())]
    Locked {
        /// The journal's folder.
        path: PathBuf,
        /// Process number and program, as the holder wrote them; `another process` where that cannot be read.
        holder: String,
    },
    /// The journal's own files contradict themselves: something was changed, removed or lost. Nothing is skipped.
    #[error(
        "the journal is damaged: {what} (segment {segment:020}, offset {offset}); `verify` tells more, `export` reads what is readable"
    )]
    Damaged {
        /// First sequence number of the segment, which is its file's name; 0 when it is not about one.
        segment: u64,
        /// Byte offset in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Written by a program newer than this one.
    #[error("the journal was written by a newer version of this program: {what}")]
    Version {
        /// What was met.
        what: String,
    },
    /// The disk is full, or a quota is used up. What was there is safe; taking goes on when there is space again.
    #[error("the disk is full: {why}")]
    Full {
        /// The system's words.
        why: String,
    },
    /// A write or flush failed, so nobody knows what is on the disk: nothing more is written until the journal is
    /// opened again.
    #[error("the journal takes nothing more until it is opened again: {why}")]
    Poisoned {
        /// The first failure.
        why: String,
    },
    /// The system refused an operation.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// Which operation.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// The index failed. It is rebuilt when the journal is opened again.
    #[error("the journal's index failed: {why}")]
    Index {
        /// How.
        why: String,
    },
    /// The journal has been closed.
    #[error("the journal is closed")]
    Closed,
    /// The transaction's closure panicked; the journal goes on.
    #[error("a transaction panicked: {0}")]
    Panicked(String),
    /// A transaction was begun and waited for inside another one, which would wait for ever.
    #[error("a transaction cannot wait for another one")]
    Nested,
    /// No such document.
    #[error("there is no document {0}")]
    NoDocument(DocId),
    /// The key belongs to this document already.
    #[error("the key belongs to document {0} already")]
    KeyTaken(DocId),
    /// The event cannot happen to the document now.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// A record is sound, but what it holds cannot be understood.
    #[error("document {id} cannot be read: {why}")]
    Unreadable {
        /// Which document.
        id: DocId,
        /// What of it.
        why: String,
    },
    /// More than a record may hold ([`MAX_RECORD`](crate::domain::limits::MAX_RECORD)).
    #[error("too large for a record of the journal")]
    TooLarge,
}

impl JournalError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> JournalError {
        JournalError::Io { what, path: path.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn damaged(segment: u64, offset: u64, what: impl Into<String>) -> JournalError {
        JournalError::Damaged { segment, offset, what: what.into() }
    }

    pub(crate) fn unreadable(id: DocId, why: impl Into<String>) -> JournalError {
        JournalError::Unreadable { id, why: why.into() }
    }

    /// Whether the journal records nothing more until it is opened again.
    pub fn is_fatal(&self) -> bool {
        matches!(self, JournalError::Poisoned { .. } | JournalError::Closed)
    }

    /// Whether there was no room on the disk.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            JournalError::Full { .. } => true,
            JournalError::Io { source, .. } => super::files::is_full(source),
            _ => false,
        }
    }

    pub(crate) fn index(why: impl std::fmt::Display) -> JournalError {
        JournalError::Index { why: why.to_string() }
    }
}

/// Shorthand of this room.
pub(crate) type Result<T, E = JournalError> = std::result::Result<T, E>;

/// What a panic said.
pub(crate) fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}
