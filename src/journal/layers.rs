//! The index in use: what was recorded lately in memory, over what is stored. Newest on top:
//! `recent` takes the changes of each commit group; when it is large it becomes `frozen`, and is put into the store by
//! the flusher's thread while a new `recent` goes on. A reader never sees the store change under a `frozen` layer:
//! what the flusher puts in is what `frozen` says anyway.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock};

use uuid::Uuid;

use super::apply::{Changes, Entries, Pair};
use super::error::{JournalError, Result};
use super::index::{Reached, Store};
use super::shared::lock;

/// Bytes of `recent` beyond which it is put into the store, however few entries they are.
const FLUSH_BYTES: usize = 16 * 1024 * 1024;
/// When `recent` is so many times as large and the flusher still busy, the writer waits for it.
const BEHIND: usize = 4;

#[derive(Default)]
struct Top {
    recent: Changes,
    recent_bytes: usize,
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

/// What the flusher does.
#[derive(Default)]
struct Work {
    /// Up to where the frozen layer goes; taken by the flusher when it begins.
    todo: Option<Reached>,
    busy: bool,
    stop: bool,
    failed: Option<JournalError>,
}

impl Layers {
    pub fn new(journal: Uuid, store: Store, batch: usize) -> Layers {
        let (top, store) = (RwLock::default(), RwLock::new(Some(store)));
        Layers {
            journal,
            batch: batch.max(1),
            top,
            store,
            work: Mutex::default(),
            changed: Condvar::new(),
            broken: OnceLock::new(),
        }
    }

    /// Makes a group's changes visible. `reached` is its last record.
    ///
    /// # Errors
    /// When the flusher has failed: the index can no longer be kept.
    pub fn publish(&self, changes: Changes, reached: Reached, may_flush: bool) -> Result<()> {
        let mut top = self.top.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            // What no layer below knows is simply gone: a mark for it would be stepped over by every scan, and a queue
            // puts in and takes out at the same place all day.
            if value.is_none() && !self.is_below(top.frozen.as_deref(), &key)? {
                top.recent.remove(&key);
                continue;
            }
            top.recent_bytes += key.len() + value.as_ref().map_or(0, Vec::len) + 64;
            top.recent.insert(key, value);
        }
        let size = |top: &Top| (top.recent.len() / self.batch).max(top.recent_bytes / FLUSH_BYTES);
        let large = size(&top);
        drop(top);
        if large == 0 || !may_flush {
            return self.failure();
        }
        self.freeze(reached, large >= BEHIND)
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
        self.broken.get().cloned().or_else(|| lock(&self.work).failed.clone()).map_or(Ok(()), Err)
    }

    /// Hands `recent` to the flusher; when that is busy, later, unless it must be now.
    fn freeze(&self, reached: Reached, now: bool) -> Result<()> {
        let mut work = lock(&self.work);
        while work.failed.is_none() && (work.busy || work.todo.is_some()) {
            if !now {
                return Ok(());
            }
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(error) = &work.failed {
            return Err(error.clone());
        }
        let mut top = self.top.write().unwrap_or_else(PoisonError::into_inner);
        top.frozen = Some(Arc::new(std::mem::take(&mut top.recent)));
        top.recent_bytes = 0;
        drop(top);
        work.todo = Some(reached);
        self.changed.notify_all();
        Ok(())
    }

    /// The flusher's thread: puts frozen layers into the store until told to stop.
    pub fn flush_until_stopped(&self) {
        loop {
            let mut work = lock(&self.work);
            let reached = loop {
                if let Some(reached) = work.todo.take() {
                    break reached;
                }
                if work.stop {
                    return;
                }
                work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
            };
            work.busy = true;
            drop(work);
            let result = self.flush_frozen(reached);
            let mut work = lock(&self.work);
            work.busy = false;
            if let Err(error) = result {
                tracing::error!(%error, "the index cannot be written; it will be rebuilt when the journal is opened again");
                work.failed = Some(error);
            }
            self.changed.notify_all();
        }
    }

    fn flush_frozen(&self, reached: Reached) -> Result<()> {
        let frozen = self.top.read().unwrap_or_else(PoisonError::into_inner).frozen.clone();
        let Some(frozen) = frozen else { return Ok(()) };
        self.with_store(|store| store.apply(self.journal, &frozen, reached))?;
        self.top.write().unwrap_or_else(PoisonError::into_inner).frozen = None;
        Ok(())
    }

    /// Puts everything into the store here and now, where there is no flusher.
    pub fn flush_here(&self, reached: Reached) -> Result<()> {
        self.freeze(reached, true)?;
        lock(&self.work).todo = None;
        self.flush_frozen(reached)
    }

    /// Puts everything into the store and waits for it. The flusher must be running.
    pub fn flush(&self, reached: Reached) -> Result<()> {
        self.freeze(reached, true)?;
        let mut work = lock(&self.work);
        while work.failed.is_none() && (work.busy || work.todo.is_some()) {
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        work.failed.clone().map_or(Ok(()), Err)
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

    /// Entries that are not in the store yet.
    pub fn pending(&self) -> usize {
        let top = self.top.read().unwrap_or_else(PoisonError::into_inner);
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
        let top = self.top.read().unwrap_or_else(PoisonError::into_inner);
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
        let top = self.top.read().unwrap_or_else(PoisonError::into_inner);
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
