//! What `verify` and `archive` found and did in the journal.

use serde::{Deserialize, Serialize};

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

/// What `archive` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedView {
    /// Segments that became archives.
    pub segments: u64,
    /// Their bytes before.
    pub bytes: u64,
    /// And after.
    pub archive_bytes: u64,
    /// Sealed segments that stay: not all of their documents are done with for so long.
    pub kept: u64,
    /// Bytes of the index's files before; null when they were left as they are.
    pub index_bytes_before: Option<u64>,
    /// And after.
    pub index_bytes: Option<u64>,
    /// Bytes of the table of what the index says of archived documents, which is with the archives.
    pub table_bytes: Option<u64>,
    /// Why the index's files are as they were, if making them anew failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_kept: Option<String>,
    /// Segments that stay because they are damaged.
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
    /// It is in the index or the table of the archives: nothing is lost, both are made anew of the records.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub view: bool,
}
