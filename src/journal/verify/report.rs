//! What is found in a journal that may be damaged, and the words it is told in.

use crate::domain::id::Key;
use crate::journal::recovery::INDEX;
use crate::journal::view::Recorded;

/// Something in a journal that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment, by its first sequence number; 0 when it is not about one.
    pub segment: u64,
    /// The byte in it.
    pub offset: u64,
    /// The document concerned, if that can be made out.
    pub key: Option<Key>,
    /// What is wrong.
    pub what: String,
    /// It is in the index or the table of the archives: nothing is lost, both are made anew of the records.
    pub view: bool,
}

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Nothing is damaged. A torn tail is no damage: it was never acknowledged, and the next open cuts it.
    pub sound: bool,
    /// Records read.
    pub records: u64,
    /// Documents among them.
    pub documents: u64,
    /// Bytes of a torn tail.
    pub torn: u64,
    /// Why the index was not compared with the records, if it was not: there is none, or the next open makes it anew.
    pub index_left_out: Option<String>,
    /// Everything that is wrong.
    pub damage: Vec<Damage>,
}

/// Something met while reading a journal that may be damaged.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A fact.
    Record(Recorded),
    /// A place where something is wrong; what follows is still read.
    Damage(Damage),
}

pub(super) fn elsewhere(what: String) -> Damage {
    Damage { segment: 0, offset: 0, key: None, what, view: false }
}

pub(super) fn in_view(what: String) -> Damage {
    Damage { view: true, ..elsewhere(what) }
}

pub(super) fn disagrees(entry: Option<&[u8]>) -> String {
    let what = match entry {
        Some(key) => format!("the index disagrees with the records at entry {}", key.escape_ascii()),
        None => "the index disagrees with the records".to_owned(),
    };
    anew(&what)
}

pub(super) fn anew(what: &str) -> String {
    format!("{what}; remove the folder `{INDEX}` to have it made anew")
}
