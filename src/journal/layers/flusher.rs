//! What the flusher's thread does: it puts the layers into the store, sees to its files, and to a full disk.

use std::sync::PoisonError;
use std::time::Duration;

use super::Layers;
use crate::journal::error::{JournalError, Result};
use crate::journal::index::Store;
use crate::journal::record::Reached;
use crate::journal::shared::lock;
use crate::journal::tabling::{Compacted, Spans};

/// Whoever is woken mostly runs on the core of who woke it, and before it: the flusher lets the writer, who wakes it right
/// before its own flush, go on for so long. Then the core is free.
const A_MOMENT: Duration = Duration::from_micros(100);

impl Layers {
    /// The flusher's thread: puts `recent` into the store whenever it is large, until told to stop. `anew` makes a store in
    /// memory of the records, in place of a stuck one.
    pub fn flush_until_stopped(&self, anew: impl Fn(Reached) -> Result<Store>) {
        let mut work = lock(&self.work);
        let mut growing = true;
        loop {
            if std::mem::take(&mut work.fold) {
                drop(work);
                std::thread::park_timeout(A_MOMENT);
                self.top_mut().fold();
                work = lock(&self.work);
                continue;
            }
            if !std::mem::take(&mut work.wanted) {
                if work.stop {
                    return;
                }
                work = self.wait(work);
                continue;
            }
            work.busy = true;
            drop(work);
            let mut flushed = self.flush_here();
            if let Some(reached) = self.reached().filter(|_| self.is_stuck()) {
                tracing::error!(
                    "the disk ran full while the index was written: until the next start it is kept in memory"
                );
                self.replace_stuck(anew(reached));
                flushed = self.flush_here();
            }
            let (asked, spans) = {
                let mut work = lock(&self.work);
                (work.asked, work.compact.take())
            };
            if let Some(spans) = spans {
                let compacted = flushed.clone().and_then(|()| self.compact_here(&spans));
                lock(&self.work).compacted = Some((asked, compacted));
            }
            if growing && flushed.is_ok() && self.is_outgrown() {
                let grown = self.compact_here(&Spans::default());
                // It goes on as it was, with more bytes to write; and is not copied in vain after each batch.
                growing = grown.inspect_err(|error| tracing::warn!(%error, "the index stays as it is")).is_ok();
            }
            let size = self.size();
            work = lock(&self.work);
            work.busy = false;
            work.wanted |= size > 0 && !work.held && flushed.is_ok();
            let full = match flushed {
                Ok(()) => None,
                Err(error @ JournalError::Full { .. }) => {
                    if work.full.is_none() {
                        tracing::warn!(%error, "the index is kept in memory until there is room");
                    }
                    Some((size, error))
                }
                Err(error) => {
                    tracing::error!(%error, "the index cannot be written; it is made anew when the journal is opened again");
                    None
                }
            };
            work.full = full;
            self.changed.notify_all();
        }
    }

    /// Puts everything into the store, on this thread. Only one may do so at a time.
    ///
    /// # Errors
    /// [`JournalError::Full`]: all of it stays in memory, where it is read as before. Others are for good.
    pub fn flush_here(&self) -> Result<()> {
        self.failure()?;
        let bytes = self.top().bytes();
        self.look_for_room(|store| store.wants(bytes))?;
        let mut top = self.top_mut();
        let Some(reached) = top.reached else { return Ok(()) };
        let frozen = top.freeze();
        drop(top);
        if let Err(error) = self.with_store(|store| store.apply(self.journal, &frozen, reached)) {
            drop(frozen);
            if matches!(error, JournalError::Full { .. }) {
                self.top_mut().thaw();
            }
            return Err(error);
        }
        *lock(&self.stored) = Some(reached);
        self.top_mut().frozen = None;
        Ok(())
    }

    /// A batch that finds no room takes what is left from what is being recorded, and sled is stuck in the middle. So there
    /// should be plenty.
    fn look_for_room(&self, wanted: impl Fn(&Store) -> u64) -> Result<()> {
        let Some(free) = &self.free else { return Ok(()) };
        let wanted = self.with_store(|store| Ok(wanted(store)))?;
        match free() {
            Ok(free) if free < wanted => {
                let why = format!("the index needs {wanted} bytes, {free} are free");
                Err(JournalError::Full { why })
            }
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "the disk does not say how much room it has");
                Ok(())
            }
        }
    }

    /// Whether the store met a full disk in the middle of a batch: it can neither take anything now nor be read for sure.
    pub(super) fn is_stuck(&self) -> bool {
        self.with_store(|store| Ok(store.is_stuck())).unwrap_or(false)
    }

    /// Another store in place of a stuck one: made of all records up to the last one that is in these layers, or of some
    /// fewer, but all of those that the stuck one was whole with.
    fn replace_stuck(&self, other: Result<Store>) {
        let other = other.map_err(|error| drop(self.broken.set(error)));
        let old = std::mem::replace(&mut *self.store.write().unwrap_or_else(PoisonError::into_inner), other.ok());
        if let Some(old) = old {
            old.abandon();
        }
    }

    fn is_outgrown(&self) -> bool {
        self.failure().is_ok() && self.with_store(|store| Ok(store.is_outgrown())).unwrap_or(false)
    }

    /// On the flusher's thread: nobody else puts anything into the store, so that a copy of it is whole.
    fn compact_here(&self, spans: &Spans) -> Result<Option<Compacted>> {
        self.failure()?;
        let Some(reached) = *lock(&self.stored) else { return Ok(None) };
        self.look_for_room(Store::copy_wants)?;
        let copy = {
            let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
            store.as_ref().ok_or(JournalError::Closed)?.copy(self.journal, reached, spans)?
        };
        let Some(copy) = copy else { return Ok(None) };
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        store.as_mut().ok_or(JournalError::Closed)?.exchange(copy).map(Some)
    }
}
