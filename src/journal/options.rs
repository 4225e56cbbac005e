//! How a journal is opened, and what opening found.

use std::sync::Arc;

use super::files::{Files, RealFiles};
use crate::clock::{Clock, SystemClock};
use crate::domain::id::DocId;
use crate::domain::limits::{RESERVE_BYTES, SEGMENT_BYTES};

/// How to open a journal.
#[derive(Clone)]
pub struct Options {
    /// The clock whose time is written down.
    pub clock: Arc<dyn Clock>,
    /// The file system that holds the journal (the index's files are always on the machine's own).
    pub files: Arc<dyn Files>,
    /// Bytes after which a segment is sealed and a new one begun.
    pub segment_bytes: u64,
    /// Bytes of disk kept aside for what becomes of documents already taken when the disk is full.
    pub reserve_bytes: u64,
    /// Changed index entries that are kept in memory before they go to the index's files together. More is fewer bytes
    /// written, more memory, and more records read again after a kill.
    pub index_batch: usize,
    /// Keeps the index in memory: every open reads the whole journal, and memory grows with it. For tests and repairs.
    pub index_in_memory: bool,
    /// What this process does with the journal, for those who find it locked: `run`. May be empty.
    pub role: &'static str,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Arc::new(SystemClock),
            files: Arc::new(RealFiles),
            segment_bytes: SEGMENT_BYTES,
            reserve_bytes: RESERVE_BYTES,
            index_batch: 80 * 1024,
            index_in_memory: false,
            role: "",
        }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The journal was made now.
    pub created: bool,
    /// The last process closed it in good order.
    pub clean: bool,
    /// Bytes of a torn tail that were cut; they had never been acknowledged.
    pub cut: u64,
    /// Records read again to bring the index up.
    pub replayed: u64,
    /// Why the index was rebuilt, if it was.
    pub rebuilt: Option<String>,
    /// Documents found `sending`: nobody knows what became of them.
    pub interrupted: Vec<DocId>,
}
