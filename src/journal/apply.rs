//! What one fact changes in the index: one pure function, used alike when it is recorded, replayed and verified, so
//! that an index rebuilt from the journal is the index that was there.

use std::collections::BTreeMap;

use bincode::Options as _;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{JournalError, Result};
use super::keys;
use super::place::{self, Place, place};
use super::record::Position;
use super::stored;
use crate::domain::event::{DocEvent, Enqueued, Entry, ParentRef};
use crate::domain::id::{AccountName, DocId};
use crate::domain::limits::MAX_RECORD;
use crate::domain::state::{Progress, State};

/// Version of keys, values and blocks of the index. Another one is rebuilt, so this form may change freely.
/// 1 had an entry of sled's for each entry; 2 has blocks of them; 3 has what is ready apart: sales, and all else;
/// 4 has a table of what is archived; 5 has deadlines only of what is queued: those of held documents stood before all later
/// ones for ever.
pub(crate) const INDEX_VERSION: u32 = 5;

/// What is to become of index entries: a value, or gone.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// An index entry.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Something that has index entries.
pub(crate) trait Entries {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// The first `limit` entries with `from` <= key < `to`, in order.
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>>;
}

/// A document with where its records are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Document {
    /// The record that brought it.
    pub first: Position,
    /// Its newest record.
    pub last: Position,
    /// What its events have made of it.
    pub progress: Progress,
}

/// A record as far as the index cares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub seq: u64,
    pub time: DateTime<Utc>,
    pub position: Position,
}

/// What a fact did.
pub(crate) struct Applied {
    /// The index entries that it changes.
    pub changes: Changes,
    /// The record before of the same document.
    pub previous: Position,
    /// The document as it is now.
    pub progress: Option<Progress>,
}

fn codec() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_limit(MAX_RECORD as u64)
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    // Without a limit it is written in one pass instead of two.
    let mut out = Vec::new();
    codec().with_no_limit().serialize_into(&mut out, value).map_err(|_| JournalError::TooLarge)?;
    if out.len() > MAX_RECORD { Err(JournalError::TooLarge) } else { Ok(out) }
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    codec().deserialize(bytes).map_err(|error| JournalError::index(format_args!("an entry cannot be read: {error}")))
}

/// The document with this number.
pub(crate) fn document(entries: &dyn Entries, id: DocId) -> Result<Option<Document>> {
    entries.get(&keys::document(id))?.map(|bytes| stored::read(id, &bytes)).transpose()
}

/// Applies `entry`, recorded `at`, to the entries that `before` has.
///
/// # Errors
/// When it cannot follow from what is there.
pub(crate) fn apply(at: At, entry: &Entry, before: &dyn Entries) -> Result<Applied> {
    let mut work = Work { before, changes: Changes::new() };
    let (previous, progress) = match entry {
        Entry::Opened { .. } | Entry::Closed => (Position::NONE, None),
        Entry::Enqueued(taken) => (Position::NONE, Some(work.enqueued(at, taken)?)),
        Entry::Document { id, event } => {
            let (previous, progress) = work.document(at, *id, event)?;
            (previous, Some(progress))
        }
        Entry::Hold(hold) => {
            work.put(keys::hold(&hold.account, hold.fiscal_id.as_ref()), encode(hold)?);
            (Position::NONE, None)
        }
        Entry::Released { account, fiscal_id, .. } => {
            work.remove(keys::hold(account, fiscal_id.as_ref()));
            (Position::NONE, None)
        }
    };
    if at.seq.is_multiple_of(keys::SAMPLE) {
        work.put(keys::sample(at.seq), encode(&at.position)?);
    }
    Ok(Applied { changes: work.changes, previous, progress })
}

struct Work<'a> {
    before: &'a dyn Entries,
    changes: Changes,
}

impl Work<'_> {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    fn mark(&mut self, key: Vec<u8>) {
        self.put(key, Vec::new());
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    fn count(&mut self, account: Option<&AccountName>, state: State, up: bool) -> Result<()> {
        let key = keys::count(account, state);
        let known = match self.changes.get(&key) {
            Some(value) => value.clone(),
            None => self.before.get(&key)?,
        };
        let old: u64 = known.map(|bytes| decode(&bytes)).transpose()?.unwrap_or(0);
        let new = if up { old.checked_add(1) } else { old.checked_sub(1) };
        match new.ok_or_else(|| JournalError::index("a count is wrong"))? {
            0 => self.remove(key),
            new => self.put(key, encode(&new)?),
        }
        Ok(())
    }

    fn enqueued(&mut self, at: At, taken: &Enqueued) -> Result<Progress> {
        let key = keys::of_key(&taken.key);
        if let Some(bytes) = self.before.get(&key)? {
            return Err(JournalError::KeyTaken(DocId(decode(&bytes)?)));
        }
        let progress = Progress::begin(DocId(at.seq), at.time, taken);
        let parent = self.parent_of(&progress)?;
        let id = progress.id;
        self.put(key, encode(&id.0)?);
        if let Some(ParentRef::Local(parent)) = progress.parent {
            self.mark(keys::child(parent, id));
        }
        if let Some(ParentRef::Remote(parent)) = &progress.parent {
            self.mark(keys::remote_child(parent, id));
        }
        if let Some(name) = &taken.invoice_name {
            self.mark(keys::invoice(name, id));
        }
        self.marks(None, Some((&progress, parent.as_ref())))?;
        self.put(keys::document(id), stored::fresh(taken, at.time, at.position)?);
        Ok(progress)
    }

    fn document(&mut self, at: At, id: DocId, event: &DocEvent) -> Result<(Position, Progress)> {
        let old = document(self.before, id)?.ok_or(JournalError::NoDocument(id))?;
        let progress = old.progress.apply(event, at.time)?;
        let parent = self.parent_of(&progress)?;
        self.marks(Some((&old.progress, parent.as_ref())), Some((&progress, parent.as_ref())))?;
        if place::for_children(&old.progress) != place::for_children(&progress) {
            self.place_children(&old.progress, &progress)?;
        }
        let document = Document { first: old.first, last: at.position, progress: progress.clone() };
        self.put(keys::document(id), stored::touched(&document)?);
        Ok((old.last, progress))
    }

    fn parent_of(&self, child: &Progress) -> Result<Option<Progress>> {
        let Some(ParentRef::Local(id)) = child.parent else { return Ok(None) };
        let parent = document(self.before, id)?.ok_or(JournalError::NoDocument(id))?;
        Ok(Some(parent.progress))
    }

    /// Takes away the marks that `old` had and sets those of `new`, each with its parent.
    fn marks(&mut self, old: With<'_>, new: With<'_>) -> Result<()> {
        let all = |of: With<'_>| of.map(|(doc, parent)| marks(doc, parent));
        let (gone, come) = (all(old).unwrap_or_default(), all(new).unwrap_or_default());
        for key in gone.into_iter().filter(|key| !come.contains(key)) {
            self.remove(key);
        }
        for key in come {
            self.mark(key);
        }
        let (gone, come) = (counted(old), counted(new));
        if gone != come {
            if let Some((account, state)) = gone {
                self.count(account, state, false)?;
            }
            if let Some((account, state)) = come {
                self.count(account, state, true)?;
            }
        }
        Ok(())
    }

    fn place_children(&mut self, old: &Progress, new: &Progress) -> Result<()> {
        let prefix = keys::child(new.id, DocId(0));
        let to = keys::after(prefix.get(..9).unwrap_or_default().to_vec());
        for (key, _) in self.before.scan(&prefix, &to, usize::MAX)? {
            let id = keys::id_at_end(&key).ok_or_else(|| JournalError::index("a child's entry cannot be read"))?;
            let child = document(self.before, id)?.ok_or(JournalError::NoDocument(id))?.progress;
            self.marks(Some((&child, Some(old))), Some((&child, Some(new))))?;
        }
        Ok(())
    }
}

/// A document with its parent, if it has one here.
type With<'a> = Option<(&'a Progress, Option<&'a Progress>)>;

/// Where a document is counted.
fn counted<'a>(of: With<'a>) -> Option<(Option<&'a AccountName>, State)> {
    of.map(|(doc, _)| (doc.account.as_ref(), doc.state))
}

/// The keys without values that a document has for what it is and where it waits.
fn marks(doc: &Progress, parent: Option<&Progress>) -> Vec<Vec<u8>> {
    let state = || keys::state(doc.state, doc.id);
    let mut keys = match place(doc, parent) {
        // Not with its state too: most documents of a backlog are here.
        Place::Ready => vec![keys::ready(doc.account.as_ref(), doc.fiscal_id.as_ref(), doc.is_sale(), doc.id)],
        Place::Timer(due) => vec![keys::timer(due, doc.id), state()],
        Place::Waiting => vec![keys::waiting(doc.id), state()],
        Place::Nowhere => vec![state()],
    };
    if let Some(deadline) = doc.deadline.filter(|_| doc.state == State::Queued) {
        keys.push(keys::deadline(deadline, doc.id));
    }
    if doc.state.needs_person() || !doc.attention.is_empty() {
        keys.push(keys::attention(doc.id));
    }
    if let Some(remote_id) = &doc.remote_id {
        keys.push(keys::remote(doc.account.as_ref(), remote_id, doc.id));
    }
    keys
}
