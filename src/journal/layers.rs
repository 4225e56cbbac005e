//! The index in use: what was recorded lately in memory (`top.rs`), over what is stored. Newest on top:
//! `recent` takes the changes of each commit group, of a large one while the next is flushed; when it is large it becomes
//! `frozen`, and is put into the store by the flusher's thread while a new `recent` goes on. A reader never sees the
//! store change under a `frozen` layer: what the flusher puts in is what `frozen` says anyway.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use super::apply::{Changes, Entries, Pair};
use super::error::{JournalError, Result};
use super::heads::Heads;
use super::index::Store;
use super::merge::merge;
use super::record::Reached;
use super::shared::lock;
use super::table::Which;
use super::tabling::{Compacted, Spans};
use super::top::Top;

/// Bytes of `recent` beyond which it is put into the store, however few entries they are.
const FLUSH_BYTES: usize = 16 * 1024 * 1024;
/// When `recent` is so many times as large and the flusher still busy, the writer waits for it.
const BEHIND: usize = 4;

/// The layers.
pub(crate) struct Layers {
    journal: Uuid,
    /// Entries of `recent` beyond which it is put into the store.
    batch: usize,
    top: RwLock<Top>,
    /// Changed only with `top` locked.
    heads: Mutex<Heads>,
    /// `None` once closed. The lock is held for writing only to close, and to exchange the files.
    store: RwLock<Option<Store>>,
    /// The last record whose changes are in the store, once any were put in.
    stored: Mutex<Option<Reached>>,
    work: Mutex<Work>,
    changed: Condvar,
    /// The first failure of the store.
    broken: OnceLock<JournalError>,
    /// The bytes that are free on the store's disk; only where a flusher sees to a stuck store.
    free: Option<Free>,
}

/// Asks how many bytes are free.
pub(crate) type Free = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// What the flusher has to do.
#[derive(Default)]
struct Work {
    wanted: bool,
    /// The last group's changes are to be put among the others.
    fold: bool,
    busy: bool,
    stop: bool,
    /// Nothing is put into the store unless all of it must be: there is no room on the disk.
    held: bool,
    /// The last batch had no room: how large the layers were, and why. It is tried again when they are larger by another
    /// batch, and when all of it must be.
    full: Option<(usize, JournalError)>,
    /// The store's files are to be made anew, with these archives in its table.
    compact: Option<Spans>,
    /// How often that was asked for, and up to which time it was done, with what became of it.
    asked: u64,
    compacted: Option<(u64, Result<Option<Compacted>>)>,
}

impl Layers {
    pub fn new(journal: Uuid, store: Store, batch: usize, free: Option<Free>) -> Layers {
        let (top, store) = (RwLock::default(), RwLock::new(Some(store)));
        let (work, changed, broken) = (Mutex::default(), Condvar::new(), OnceLock::new());
        let (heads, stored) = (Mutex::default(), Mutex::default());
        Layers { journal, batch: batch.max(1), top, heads, store, stored, work, changed, broken, free }
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
        self.top().size(self.batch, FLUSH_BYTES)
    }

    /// Makes a group's changes visible. `reached` is its last record. With `hold` nothing goes into the store for now.
    ///
    /// # Errors
    /// When the store has failed: the index can no longer be kept.
    pub fn publish(&self, changes: Changes, reached: Reached, hold: bool) -> Result<()> {
        let mut top = self.top_mut();
        lock(&self.heads).changed(&changes);
        top.add(changes);
        top.reached = Some(reached);
        drop(top);
        let large = self.size();
        let mut work = lock(&self.work);
        work.held = hold;
        if large > 0 && !hold && work.full.as_ref().is_none_or(|(size, _)| large > *size) {
            work.wanted = true;
            self.changed.notify_all();
            while large >= BEHIND && (work.busy || work.wanted) && !work.stop && self.broken.get().is_none() {
                work = self.wait(work);
            }
        }
        drop(work);
        self.failure()
    }

    /// Has the flusher put the last group's changes among the others, so that the writer need not while others wait for
    /// it. Should the flusher have something else to do, the next group's changes find them and they are put there then.
    pub fn fold_meanwhile(&self) {
        if self.top().is_fresh() {
            lock(&self.work).fold = true;
            self.changed.notify_all();
        }
    }

    /// Whether the index still works. Once it has failed only a new open helps, which makes it anew.
    pub fn failure(&self) -> Result<()> {
        self.broken.get().cloned().map_or(Ok(()), Err)
    }

    /// As if its store had met a full disk.
    #[cfg(test)]
    pub fn get_stuck(&self) {
        self.with_store(|store| {
            store.get_stuck();
            Ok(())
        })
        .unwrap();
    }

    /// Reads with `f`, from the other store if this one is stuck. No layer may be locked.
    fn steadily<T>(&self, f: impl Fn() -> Result<T>) -> Result<T> {
        let found = f();
        if !matches!(found, Err(JournalError::Full { .. })) || self.free.is_none() || self.reached().is_none() {
            return found;
        }
        let mut work = lock(&self.work);
        while self.is_stuck() && !work.stop {
            work.wanted = true;
            self.changed.notify_all();
            work = self.wait(work);
        }
        drop(work);
        f()
    }

    /// Has the flusher put everything into the store, and waits for it.
    pub fn flush(&self) -> Result<()> {
        let mut work = lock(&self.work);
        work.wanted = true;
        self.changed.notify_all();
        while (work.busy || work.wanted) && self.broken.get().is_none() {
            work = self.wait(work);
        }
        let full = work.full.clone();
        drop(work);
        self.failure()?;
        full.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Has the flusher put everything into the store and then make the store's files anew, and waits for it. Reading and
    /// recording go on meanwhile; what is recorded gathers in memory, and with very much of it the writer waits. Returns
    /// the bytes; `None` for a store in memory. One at a time.
    ///
    /// # Errors
    /// The store is as it was, unless it has [failed](Self::failure).
    pub fn compact(&self, spans: Spans) -> Result<Option<Compacted>> {
        let asked = self.begin_compacting(spans)?;
        let mut work = lock(&self.work);
        loop {
            match &work.compacted {
                Some((done, compacted)) if *done >= asked => return compacted.clone(),
                _ => work = self.wait(work),
            }
        }
    }

    /// The same without waiting for it.
    ///
    /// # Errors
    /// When it is closed.
    pub fn begin_compacting(&self, spans: Spans) -> Result<u64> {
        let mut work = lock(&self.work);
        if work.stop {
            return Err(JournalError::Closed);
        }
        work.asked += 1;
        (work.wanted, work.compact) = (true, Some(spans));
        self.changed.notify_all();
        Ok(work.asked)
    }

    /// The store's table, and of how many archives it was made; `None` for a store in memory.
    pub fn table(&self) -> Result<Option<(Option<Which>, u64)>> {
        self.with_store(|store| Ok(store.table()))
    }

    /// Reads all of the store's table; what is wrong with it, if anything is.
    pub fn check_table(&self) -> Result<Option<String>> {
        self.with_store(|store| Ok(store.check_table(self.journal)))
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
        self.top().pending()
    }

    fn with_store<T>(&self, f: impl FnOnce(&Store) -> Result<T>) -> Result<T> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        f(store.as_ref().ok_or(JournalError::Closed)?).inspect_err(|error| {
            if !matches!(error, JournalError::Full { .. }) {
                self.broken.get_or_init(|| error.clone());
            }
        })
    }

    /// The first `limit` entries of a range under these layers, newest first.
    pub fn scan_under(&self, over: &[&Changes], from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.steadily(|| self.try_scan(over, from, to, limit))
    }

    fn try_scan(&self, over: &[&Changes], from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        if from >= to || limit == 0 {
            return Ok(Vec::new());
        }
        let top = self.top();
        let mut layers: Vec<&Changes> = over.to_vec();
        layers.extend(top.layers());
        let mut heads = lock(&self.heads);
        let begin = heads.begin(from).filter(|_| over.is_empty()).unwrap_or(from);
        if begin >= to {
            return Ok(Vec::new());
        }
        let begin = begin.to_vec();
        drop(heads);
        let (found, passed) = self.with_store(|store| merge(&layers, store, &begin, to, limit))?;
        if over.is_empty() {
            heads = lock(&self.heads);
            heads.remember(from, found.first().map_or(to, |(key, _)| key), passed);
        }
        Ok(found)
    }

    /// A value under these layers, newest first.
    pub fn get_under(&self, over: &[&Changes], key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.steadily(|| self.try_get(over, key))
    }

    fn try_get(&self, over: &[&Changes], key: &[u8]) -> Result<Option<Vec<u8>>> {
        for layer in over {
            if let Some(value) = layer.get(key) {
                return Ok(value.clone());
            }
        }
        let top = self.top();
        for layer in top.layers() {
            if let Some(value) = layer.get(key) {
                return Ok(value.clone());
            }
        }
        // Read before the layers are let go: else this key could be frozen, stored and changed again in between.
        self.with_store(|store| store.get(key))
    }
}

/// Layers with more changes over them.
pub(crate) struct Under<'a> {
    pub layers: &'a Layers,
    /// Newest first.
    pub over: &'a [&'a Changes],
}

impl Entries for Under<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.layers.get_under(self.over, key)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.layers.scan_under(self.over, from, to, limit)
    }
}

mod flusher;
