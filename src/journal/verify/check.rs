//! The judge: each record in turn, whether it can follow, and the index where it says it has come to.

use super::report::{Damage, Report, disagrees, in_view};
use crate::domain::event::Entry;
use crate::domain::id::Key;
use crate::journal::apply::{self, At, Changes};
use crate::journal::checkpoint::Checkpoint;
use crate::journal::error::{JournalError, Result};
use crate::journal::index::{self, Store};
use crate::journal::layers::{Layers, Under};
use crate::journal::record::{Position, Reached};
use crate::journal::replay::{Replayed, apply_one};
use crate::journal::salvage::{Ended, Met, Of};

/// Entries compared at a time.
const STEP: usize = 1_000;

/// Entries above which the records' index goes to the store.
pub(super) const FLUSH: usize = 64 * 1024;

pub(super) struct Check {
    pub report: Report,
    pub layers: Layers,
    changes: Changes,
    known: Option<Checkpoint>,
    index: Option<(Store, Reached)>,
    /// A fact could not follow: those after it are no longer judged.
    pub failed: bool,
}

impl Check {
    pub fn new(report: Report, layers: Layers, known: Option<Checkpoint>, index: Option<(Store, Reached)>) -> Check {
        Check { report, layers, changes: Changes::new(), known, index, failed: false }
    }

    fn under<'a>(&'a self, over: &'a [&'a Changes]) -> Under<'a> {
        Under { layers: &self.layers, over }
    }

    fn damage(&mut self, at: Position, key: Option<Key>, what: impl Into<String>) {
        self.report.damage.push(Damage { segment: at.segment, offset: at.offset, key, what: what.into(), view: false });
    }

    pub fn meet(&mut self, met: Met) -> Result<()> {
        match met {
            Met::Damage { at, what, of } => {
                let key = of.and_then(|of| self.key(of));
                self.damage(at, key, what);
                self.failed = true;
                Ok(())
            }
            Met::Record { recorded, position, previous, hash, group, ends_group } => {
                let reached = Reached { seq: recorded.seq, group, position, hash };
                let at = At { seq: recorded.seq, time: recorded.at, position };
                self.record(Replayed { at, entry: recorded.entry, previous })?;
                if self.known.as_ref().is_some_and(|known| known.seq == reached.seq && known.hash != hash) {
                    self.damage(position, None, "this is not the record that was durable by the file `checkpoint`");
                }
                if ends_group { self.group_end(reached) } else { Ok(()) }
            }
        }
    }

    fn key(&self, of: Of) -> Option<Key> {
        match of {
            Of::Key(key) => Some(key),
            Of::Document(id) => {
                let document = apply::document(&self.under(&[&self.changes]), id).ok().flatten();
                document.map(|document| document.progress.key)
            }
        }
    }

    fn record(&mut self, replayed: Replayed) -> Result<()> {
        self.report.records += 1;
        self.report.documents += u64::from(matches!(replayed.entry, Entry::Enqueued(_)));
        match apply_one(&replayed, &self.under(&[&self.changes])) {
            Ok(changes) => self.changes.extend(changes),
            Err(JournalError::Damaged { what, .. }) => {
                if !self.failed {
                    let key = Of::entry(Some(replayed.entry)).and_then(|of| self.key(of));
                    self.damage(replayed.at.position, key, what);
                }
                self.failed = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn group_end(&mut self, reached: Reached) -> Result<()> {
        self.layers.publish(std::mem::take(&mut self.changes), reached, true)?;
        if self.layers.pending() > FLUSH {
            self.layers.flush_here()?;
        }
        match self.index.take_if(|(_, index)| index.seq == reached.seq) {
            Some((_, index)) if index != reached => {
                self.damage(
                    reached.position,
                    None,
                    "the index was made of another record here; the next open makes it anew",
                );
            }
            Some((store, _)) if !self.failed => self.compare(&store)?,
            _ => {}
        }
        Ok(())
    }

    /// Compares the index with what the records say it should be.
    fn compare(&mut self, store: &Store) -> Result<()> {
        let mut from = index::FIRST_ENTRY.to_vec();
        loop {
            let (ours, theirs) =
                (self.layers.scan_under(&[], &from, &[0xff], STEP)?, store.range(&from, &[0xff], STEP)?);
            let wrong = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            let wrong = wrong.or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())));
            if let Some(wrong) = wrong {
                let entry = ours.get(wrong).into_iter().chain(theirs.get(wrong)).map(|(key, _)| key).min();
                self.report.damage.push(in_view(disagrees(entry.map(Vec::as_slice))));
                return Ok(());
            }
            let Some((last, _)) = ours.last() else { return Ok(()) };
            from.clone_from(last);
            from.push(0);
        }
    }

    pub fn finish(mut self, ended: Ended) -> Result<Report> {
        let beyond = |seq| format!("the journal ends with record {}, but record {seq} was durable", ended.seq_whole);
        let known = self.known.as_ref().map_or(0, |known| known.seq);
        let index = self.index.take().map_or(0, |(_, reached)| reached.seq);
        if known.max(index) > ended.seq_whole && !self.failed {
            self.damage(ended.at, None, beyond(known.max(index)));
        }
        self.report.torn = ended.torn;
        self.report.sound = self.report.damage.is_empty();
        Ok(self.report)
    }
}
