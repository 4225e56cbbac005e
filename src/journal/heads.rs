//! Where a range of the index really begins. What is first in a queue goes first: until the next time the index is put
//! into its store, a queue's beginning is a growing heap of entries that are gone, and whoever asks for the first one
//! there would step over all of them each time. So it is remembered how far nothing is.

use std::collections::BTreeMap;

use super::apply::Changes;

/// Ranges remembered; those asked for always are few.
const MAX: usize = 64;
/// Fewer entries gone than this are not worth remembering.
const WORTH: usize = 16;

/// For some keys, a later one with nothing from the one up to before the other.
#[derive(Default)]
pub(crate) struct Heads(BTreeMap<Vec<u8>, Vec<u8>>);

impl Heads {
    /// Where a range that begins here may as well begin.
    pub fn begin(&self, from: &[u8]) -> Option<&[u8]> {
        self.0.get(from).map(Vec::as_slice)
    }

    /// Remembers that there is nothing between, if that cost something to find out.
    pub fn remember(&mut self, from: &[u8], first: &[u8], passed: usize) {
        if passed < WORTH {
            return;
        }
        if self.0.len() >= MAX && !self.0.contains_key(from) {
            self.0.clear();
        }
        self.0.insert(from.to_vec(), first.to_vec());
    }

    /// Takes notice of what comes.
    pub fn changed(&mut self, changes: &Changes) {
        for (from, first) in &mut self.0 {
            let mut between = changes.range::<Vec<u8>, _>(from..&*first);
            let come = between.find(|(_, value)| value.is_some()).map(|(key, _)| key.clone());
            if let Some(key) = come {
                *first = key;
            }
        }
    }
}
