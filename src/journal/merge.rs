//! Reading layers as if they were one.

use std::iter::Peekable;
use std::ops::Bound;

use super::apply::{Changes, Pair};
use super::error::Result;
use super::index::Store;

/// What the store is read at a time while merging.
const CHUNK: usize = 256;

/// Reads the store in pieces, so that a short answer from a long range stays cheap.
struct Stored<'a> {
    store: &'a Store,
    from: Vec<u8>,
    to: &'a [u8],
    piece: std::vec::IntoIter<Pair>,
    size: usize,
    ended: bool,
}

impl Stored<'_> {
    fn next(&mut self) -> Result<Option<Pair>> {
        if let Some(pair) = self.piece.next() {
            return Ok(Some(pair));
        }
        if self.ended {
            return Ok(None);
        }
        let piece = self.store.range(&self.from, self.to, self.size)?;
        self.ended = piece.len() < self.size;
        self.size = CHUNK;
        if let Some((last, _)) = piece.last() {
            self.from = last.clone();
            self.from.push(0);
            self.ended |= self.from.as_slice() >= self.to;
        }
        self.piece = piece.into_iter();
        Ok(self.piece.next())
    }
}

type LayerRange<'a> = Peekable<std::collections::btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>>;

/// The first `limit` entries with `from` <= key < `to` of the layers, newest first, over the store; and how many entries
/// that are gone had to be passed over.
pub(crate) fn merge(
    layers: &[&Changes],
    store: &Store,
    from: &[u8],
    to: &[u8],
    limit: usize,
) -> Result<(Vec<Pair>, usize)> {
    let bounds = (Bound::Included(from), Bound::Excluded(to));
    let mut ranges: Vec<LayerRange<'_>> =
        layers.iter().map(|layer| layer.range::<[u8], _>(bounds).peekable()).collect();
    let size = limit.clamp(1, CHUNK);
    let mut stored = Stored { store, from: from.to_vec(), to, piece: Vec::new().into_iter(), size, ended: false };
    let mut below = stored.next()?;
    let (mut found, mut passed) = (Vec::new(), 0);
    while found.len() < limit {
        let top = ranges.iter_mut().filter_map(|range| range.peek().map(|(key, _)| *key)).min();
        let Some(key) = top.filter(|key| below.as_ref().is_none_or(|(stored, _)| *key <= stored)).cloned() else {
            let Some(pair) = below.take() else { break };
            found.push(pair);
            below = stored.next()?;
            continue;
        };
        if below.as_ref().is_some_and(|(stored, _)| *stored == key) {
            below = stored.next()?;
        }
        // The newest layer that knows the key decides; the others only move on.
        let mut decided = false;
        for range in &mut ranges {
            if let Some((_, value)) = range.next_if(|(other, _)| **other == key)
                && !std::mem::replace(&mut decided, true)
            {
                match value {
                    Some(value) => found.push((key.clone(), value.clone())),
                    None => passed += 1,
                }
            }
        }
    }
    Ok((found, passed))
}
