//! How entries lie in sled: in blocks of neighbours ([`blocks`]), each under the key that it begins with.

use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use super::{META, Sled, UNDERWAY, block_of, next_after};
use crate::journal::apply::{Changes, Pair};
use crate::journal::blocks::{self, Entry};
use crate::journal::error::Result;
use crate::journal::near::Run;

impl Sled {
    /// All that is here around a key's place.
    pub(super) fn run(&self, key: &[u8]) -> Result<Arc<Run>> {
        let turn = match self.near.find(key) {
            Ok(run) => return Ok(run),
            Err(turn) => turn,
        };
        let moving = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let (block, next) = self.guarded(|db| Ok((block_of(db, key)?, next_after(db, key)?)))?;
        drop(moving);
        // Without a block of its kind before it there is nothing of that kind before the next one.
        let (from, bytes) =
            block.as_ref().map_or((key.get(..1).unwrap_or(key), [].as_slice()), |(from, block)| (from, block));
        let entries = blocks::decode(from, bytes).ok_or_else(|| self.fail("a block cannot be read"))?;
        let run = Arc::new(Run { from: from.to_vec(), to: next.map(|next| next.to_vec()), entries });
        self.near.keep(turn, &run);
        Ok(run)
    }

    /// The first `limit` entries of a range that are here.
    pub(super) fn stored(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.beyond(&*self.run(from)?, from, to, limit)
    }

    /// The same, with the run that it begins in, which answers most. The others are not kept near: a long list would
    /// drive out all else.
    pub(super) fn beyond(&self, run: &Run, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        let mut found: Vec<Pair> = run.within(from, to).take(limit).cloned().collect();
        let Some(next) = run.goes_on(to).filter(|_| found.len() < limit) else { return Ok(found) };
        // A run that was cut in two meanwhile has some of these entries too.
        let from = found.last().map_or_else(|| from.to_vec(), |(last, _)| [last.as_slice(), &[0]].concat());
        let _moving = self.moving.read().unwrap_or_else(PoisonError::into_inner);
        let readable = self.guarded(|db| {
            for block in db.range::<&[u8], _>((Bound::Included(next), Bound::Excluded(to))) {
                let (begin, block) = block?;
                if blocks::within((&begin, &block), (&from, to), limit, &mut found).is_none() {
                    return Ok(false);
                }
                if found.len() >= limit {
                    break;
                }
            }
            Ok(true)
        })?;
        if readable { Ok(found) } else { Err(self.fail("a block cannot be read")) }
    }

    /// Puts a batch in, block by block, and hands it to the system.
    pub(super) fn put_all(&self, changes: &Changes, meta: &[u8]) -> Result<()> {
        self.near.begin_change();
        self.guarded(|db| db.insert(UNDERWAY, &[]).map(|_| ()))?;
        let mut changes = changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).peekable();
        while let Some((key, value)) = changes.next() {
            let block = self.guarded(|db| block_of(db, key))?;
            let (begin, block) = block.as_ref().map_or((key, [].as_slice()), |(begin, block)| (begin, block));
            let next = self.guarded(|db| next_after(db, begin))?;
            let mut together = vec![(key, value)];
            let inside =
                |other: &[u8]| other.first() == key.first() && next.as_ref().is_none_or(|next| other < next.as_ref());
            while let Some(change) = changes.next_if(|(other, _)| inside(other)) {
                together.push(change);
            }
            let old = blocks::decode(begin, block).ok_or_else(|| self.fail("a block cannot be read"))?;
            self.put_block(begin, &blocks::merge(&old, &together), together.len())?;
        }
        self.guarded(|db| {
            db.insert(META, meta)?;
            db.remove(UNDERWAY)?;
            db.flush().map(|_| ())
        })?;
        self.near.end_change();
        Ok(())
    }

    /// Writes the entries from a block's beginning to the next one's, of which so many have changed.
    fn put_block(&self, begin: &[u8], entries: &[Entry<'_>], changes: usize) -> Result<()> {
        let Some((key, _)) = entries.first() else { return self.guarded(|db| db.remove(begin).map(|_| ())) };
        // What comes later may lie between the beginning and the first entry there is now.
        let begin = if *key < begin { key } else { begin };
        let blocks = blocks::split(entries, changes);
        if let [block] = blocks.as_slice() {
            return self.guarded(|db| db.insert(begin, blocks::encode(begin, block.iter().copied())).map(|_| ()));
        }
        self.put_together(blocks.into_iter().enumerate().map(|(index, block)| {
            let first = block.first().filter(|_| index > 0).map_or(begin, |(key, _)| *key);
            (first, blocks::encode(first, block.iter().copied()))
        }))
    }
}
