//! The index in use: what was recorded lately in memory, over what is stored. Newest on top:
//! `recent` takes the changes of each commit group; when it is large it becomes `frozen`, and is put into the store by
//! the flusher's thread while a new `recent` goes on. A reader never sees the store change under a `frozen` layer:
//! what the flusher puts in is what `frozen` says anyway.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use super::apply::{Changes, Entries, Pair};
use super::error::{JournalError, Result};
use super::index::{Reached, Store};
use super::shared::lock;

/// Bytes of `recent` beyond which it is put into the store, however few entries they are.
const FLUSH_BYTES: usize = 16 * 1024 * 1024;
/// What an entry costs beside its key and value, about.
const ENTRY: usize = 64;
/// When `recent` is so many times as large and the flusher still busy, the writer waits for it.
const BEHIND: usize = 4;

#[derive(Default)]
struct Top {
    recent: Changes,
    recent_bytes: usize,
    /// The last record whose changes are in `recent`.
    reached: Option<Reached>,
    frozen: Option<Arc<Changes>>,
}

/// The layers.
pub(crate) struct Layers {
    journal: Uuid,
    /// Entries of `recent` beyond which it is put into the store.
    batch: usize,
    top: RwLock<Top>,
    /// `None` once closed. The lock is only ever held for writing to close.
    store: RwLock<Option<Store>>,
    work: Mutex<Work>,
    changed: Condvar,
    /// The first failure of the store.
    broken: OnceLock<JournalError>,
}

/// What the flusher has to do.
#[derive(Default)]
struct Work {
    wanted: bool,
    busy: bool,
    stop: bool,
    /// Nothing is put into the store unless all of it must be: there is no room on the disk.
    held: bool,
}

impl Layers {
    pub fn new(journal: Uuid, store: Store, batch: usize) -> Layers {
        let (top, store) = (RwLock::default(), RwLock::new(Some(store)));
        let (work, changed, broken) = (Mutex::default(), Condvar::new(), OnceLock::new());
        Layers { journal, batch: batch.max(1), top, store, work, changed, broken }
    }

    fn top(&self) -> RwLockReadGuard<'_, Top> {
        self.top.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn top_mut(&self) -> RwLockWriteGuard<'_, Top> {
        self.top.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, work: MutexGuard<'a, Work>) -> MutexGuard<'a, Work> {
        self.changed.wait(work).unwrap_or_else(PoisonError::into_inner)
    }

    /// How many times as large as it should be `recent` is.
    fn size(&self) -> usize {
        let top = self.top();
        (top.recent.len() / self.batch).max(top.recent_bytes / FLUSH_BYTES)
    }

    /// Makes a group's changes visible. `reached` is its last record. With `hold` nothing goes into the store for now.
    ///
    /// # Errors
    /// When the store has failed: the index can no longer be kept.
    pub fn publish(&self, changes: Changes, reached: Reached, hold: bool) -> Result<()> {
        let mut top = self.top_mut();
        for (key, value) in changes {
            let bytes = |value: &Option<Vec<u8>>| ENTRY + key.len() + value.as_ref().map_or(0, Vec::len);
            let (new, length) = (bytes(&value), key.len());
            // What no layer below knows is simply gone: a mark for it would be stepped over by every scan, and a queue
            // puts in and takes out at the same place all day.
            let gone = value.is_none() && !self.is_below(top.frozen.as_deref(), &key)?;
            let old = if gone { top.recent.remove(&key) } else { top.recent.insert(key, value) };
            top.recent_bytes += if gone { 0 } else { new };
            if let Some(old) = old {
                top.recent_bytes -= ENTRY + length + old.map_or(0, |old| old.len());
            }
        }
        top.reached = Some(reached);
        drop(top);
        let large = self.size();
        let mut work = lock(&self.work);
        work.held = hold;
        if large > 0 && !hold {
            work.wanted = true;
            self.changed.notify_all();
            while large >= BEHIND && (work.busy || work.wanted) && !work.stop && self.broken.get().is_none() {
                work = self.wait(work);
            }
        }
        drop(work);
        self.failure()
    }

    /// Whether a layer under `recent` may have a value for this key.
    fn is_below(&self, frozen: Option<&Changes>, key: &[u8]) -> Result<bool> {
        match frozen.and_then(|frozen| frozen.get(key)) {
            Some(Some(_)) => Ok(true),
            // Gone in `frozen`, but perhaps not yet in the store.
            Some(None) | None => Ok(self.with_store(|store| store.get(key))?.is_some()),
        }
    }

    /// Whether the index still works. Once it has failed only a new open helps, which makes it anew.
    pub fn failure(&self) -> Result<()> {
        self.broken.get().cloned().map_or(Ok(()), Err)
    }

    /// The flusher's thread: puts `recent` into the store whenever it is large, until told to stop.
    pub fn flush_until_stopped(&self) {
        let mut work = lock(&self.work);
        loop {
            if !std::mem::take(&mut work.wanted) {
                if work.stop {
                    return;
                }
                work = self.wait(work);
                continue;
            }
            work.busy = true;
            drop(work);
            if let Err(error) = self.flush_here() {
                tracing::error!(%error, "the index cannot be written; it is made anew when the journal is opened again");
            }
            let still_large = self.size() > 0;
            work = lock(&self.work);
            work.busy = false;
            work.wanted |= still_large && !work.held && self.broken.get().is_none();
            self.changed.notify_all();
        }
    }

    /// Puts everything into the store, on this thread. Only one may do so at a time.
    pub fn flush_here(&self) -> Result<()> {
        self.failure()?;
        let mut top = self.top_mut();
        let Some(reached) = top.reached else { return Ok(()) };
        let frozen = Arc::new(std::mem::take(&mut top.recent));
        top.recent_bytes = 0;
        top.frozen = Some(frozen.clone());
        drop(top);
        self.with_store(|store| store.apply(self.journal, &frozen, reached))?;
        self.top_mut().frozen = None;
        Ok(())
    }

    /// Has the flusher put everything into the store, and waits for it.
    pub fn flush(&self) -> Result<()> {
        let mut work = lock(&self.work);
        work.wanted = true;
        self.changed.notify_all();
        while (work.busy || work.wanted) && self.broken.get().is_none() {
            work = self.wait(work);
        }
        drop(work);
        self.failure()
    }

    /// Ends the flusher's thread once it has done what it has.
    pub fn stop_flusher(&self) {
        lock(&self.work).stop = true;
        self.changed.notify_all();
    }

    /// Takes the store away: reads fail from now on.
    pub fn take_store(&self) -> Option<Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The last record whose changes are in the index.
    pub fn reached(&self) -> Option<Reached> {
        self.top().reached
    }

    /// Entries that are not in the store yet.
    pub fn pending(&self) -> usize {
        let top = self.top();
        top.recent.len() + top.frozen.as_ref().map_or(0, |frozen| frozen.len())
    }

    fn with_store<T>(&self, f: impl FnOnce(&Store) -> Result<T>) -> Result<T> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        f(store.as_ref().ok_or(JournalError::Closed)?).inspect_err(|error| {
            self.broken.get_or_init(|| error.clone());
        })
    }

    /// The first `limit` entries of a range under these layers, newest first.
    pub fn scan_under(&self, over: &[&Changes], from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        if from >= to || limit == 0 {
            return Ok(Vec::new());
        }
        let top = self.top();
        let mut layers: Vec<&Changes> = over.to_vec();
        layers.push(&top.recent);
        layers.extend(top.frozen.as_deref());
        self.with_store(|store| merge(&layers, store, from, to, limit))
    }

    /// A value under these layers, newest first.
    pub fn get_under(&self, over: &[&Changes], key: &[u8]) -> Result<Option<Vec<u8>>> {
        for layer in over {
            if let Some(value) = layer.get(key) {
                return Ok(value.clone());
            }
        }
        let top = self.top();
        for layer in [Some(&top.recent), top.frozen.as_deref()].into_iter().flatten() {
            if let Some(value) = layer.get(key) {
                return Ok(value.clone());
            }
        }
        // Read before the layers are let go: else this key could be frozen, stored and changed again in between.
        self.with_store(|store| store.get(key))
    }
}

impl Entries for Layers {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get_under(&[], key)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.scan_under(&[], from, to, limit)
    }
}

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

fn merge(layers: &[&Changes], store: &Store, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
    let bounds = (Bound::Included(from), Bound::Excluded(to));
    let mut ranges: Vec<LayerRange<'_>> =
        layers.iter().map(|layer| layer.range::<[u8], _>(bounds).peekable()).collect();
    let size = limit.clamp(1, CHUNK);
    let mut stored = Stored { store, from: from.to_vec(), to, piece: Vec::new().into_iter(), size, ended: false };
    let mut below = stored.next()?;
    let mut found = Vec::new();
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
                && let Some(value) = value
            {
                found.push((key.clone(), value.clone()));
            }
        }
    }
    Ok(found)
}
