//! The part of the index in use that is in memory: what was recorded lately, newest first.

use std::sync::Arc;

use super::apply::Changes;
use super::index::Reached;

/// What an entry costs beside its key and value, about.
const ENTRY: usize = 64;
/// A commit group with so many changes is not put among `recent` while those who wait for it are kept waiting.
const MANY: usize = 64;

#[derive(Default)]
pub(super) struct Top {
    /// The changes of the last commit group, as they came; what the next group is flushed in is time to fold them.
    fresh: Changes,
    recent: Changes,
    recent_bytes: usize,
    /// The last record whose changes are in here.
    pub reached: Option<Reached>,
    pub frozen: Option<Arc<Changes>>,
}

impl Top {
    /// The layers, newest first.
    pub fn layers(&self) -> impl Iterator<Item = &Changes> {
        [Some(&self.fresh), Some(&self.recent), self.frozen.as_deref()].into_iter().flatten()
    }

    /// Puts a commit group's changes over everything else.
    pub fn add(&mut self, changes: Changes) {
        self.fold();
        self.fresh = changes;
        if self.fresh.len() < MANY {
            self.fold();
        }
    }

    /// Whether there is something to fold.
    pub fn is_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Puts `fresh` among `recent`: what is read is the same before and after.
    pub fn fold(&mut self) {
        for (key, value) in std::mem::take(&mut self.fresh) {
            let bytes = |value: &Option<Vec<u8>>| ENTRY + key.len() + value.as_ref().map_or(0, Vec::len);
            self.recent_bytes += bytes(&value);
            let length = key.len();
            if let Some(old) = self.recent.insert(key, value) {
                self.recent_bytes -= ENTRY + length + old.map_or(0, |old| old.len());
            }
        }
    }

    /// Makes what is in memory the layer that goes into the store.
    pub fn freeze(&mut self) -> Arc<Changes> {
        self.fold();
        let frozen = Arc::new(std::mem::take(&mut self.recent));
        self.recent_bytes = 0;
        self.frozen = Some(frozen.clone());
        frozen
    }

    /// How many times as large as it should be it is, with so many entries or bytes to be put into the store at a time.
    pub fn size(&self, entries: usize, bytes: usize) -> usize {
        ((self.recent.len() + self.fresh.len()) / entries).max(self.recent_bytes / bytes)
    }

    /// Entries that are not in the store yet.
    pub fn pending(&self) -> usize {
        self.layers().map(Changes::len).sum()
    }
}
