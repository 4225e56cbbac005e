//! The part of the index in use that is in memory: what was recorded lately, newest first.

use std::sync::Arc;

use super::apply::Changes;
use super::record::Reached;

/// What an entry costs beside its key and value, about.
const ENTRY: usize = 64;
/// A commit group with so many changes is not put among `recent` while those who wait for it are kept waiting.
const MANY: usize = 64;

fn size(key: &[u8], value: Option<&[u8]>) -> usize {
    ENTRY + key.len() + value.map_or(0, <[u8]>::len)
}

#[derive(Default)]
pub(super) struct Top {
    /// The changes of the last commit group, as they came; the time in which the next group is flushed is there to fold
    /// them.
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
        let fresh = std::mem::take(&mut self.fresh);
        self.put(fresh);
    }

    fn put(&mut self, newer: Changes) {
        for (key, value) in newer {
            self.recent_bytes += size(&key, value.as_deref());
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

    /// Puts the frozen layer back under the others, which are read as before: it did not go into the store.
    pub fn thaw(&mut self) {
        let Some(frozen) = self.frozen.take() else { return };
        self.fold();
        let newer = std::mem::replace(&mut self.recent, Arc::unwrap_or_clone(frozen));
        self.recent_bytes = self.recent.iter().map(|(key, value)| size(key, value.as_deref())).sum();
        self.put(newer);
    }

    /// About how many bytes there are to put into the store.
    pub fn bytes(&self) -> usize {
        let fresh = self.fresh.iter().map(|(key, value)| size(key, value.as_deref()));
        self.recent_bytes + fresh.sum::<usize>()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes(of: &[(u8, Option<u8>)]) -> Changes {
        of.iter().map(|(key, value)| (vec![*key], value.map(|value| vec![value; 3]))).collect()
    }

    fn bytes(recent: &Changes) -> usize {
        recent.iter().map(|(key, value)| size(key, value.as_deref())).sum()
    }

    fn some() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((any::<u8>(), any::<Option<u8>>()), 0..3 * MANY)
    }

    proptest! {
        /// Whether a group's changes were folded, or frozen, or not yet: what was put in last is what is read.
        #[test]
        fn what_was_put_in_last_is_read(groups in prop::collection::vec((some(), 0..4u8), 1..12)) {
            let (mut top, mut model) = (Top::default(), Changes::new());
            for (group, then) in groups {
                model.extend(changes(&group));
                top.add(changes(&group));
                match then {
                    0 => top.fold(),
                    // All of it would be in the store by then; here nothing is, so it stays.
                    1 if top.frozen.is_none() => {
                        let frozen = top.freeze();
                        prop_assert!(!top.is_fresh() && top.frozen.as_deref() == Some(&*frozen));
                    }
                    2 => {
                        top.thaw();
                        prop_assert!(top.frozen.is_none());
                    }
                    _ => {}
                }
                for key in 0..=u8::MAX {
                    let found = top.layers().find_map(|layer| layer.get(&vec![key]));
                    prop_assert_eq!(found, model.get(&vec![key]));
                }
                prop_assert_eq!(top.recent_bytes, bytes(&top.recent));
            }
        }
    }

    #[test]
    fn a_small_group_is_folded_at_once_and_a_large_one_counts_before_it_is() {
        let mut top = Top::default();
        top.add(changes(&[(1, Some(1))]));
        assert!(!top.is_fresh());
        let many: Vec<_> = (0..=u8::MAX).map(|key| (key, Some(key))).collect();
        top.add(changes(&many));
        assert!(top.is_fresh());
        assert_eq!((top.size(128, usize::MAX), top.pending()), (2, 257));
        top.fold();
        assert_eq!((top.size(128, usize::MAX), top.pending()), (2, 256));
    }
}
