//! The stored part of the index. This is the only file that knows sled.
//!
//! sled never makes anything durable on Linux (its `flush` is a `sync_file_range`), so nothing rests on it but speed:
//! an index is only trusted after a clean stop, when its files were really synced, or when this machine has not stopped
//! since. Within that, a killed process must not leave half of a change: a batch is first written to a redo file, then
//! put into sled block by block (one large sled batch would stop every reader for as long as it takes), then flushed to
//! the system, and only then is the redo file removed. Doing a batch twice is doing it once. A clean stop leaves
//! checksums of all files, because sled does not notice every damage; any failure leaves a mark that it is broken.
//!
//! What is said of archived documents is in a [table](super::table) beside it. An entry here is newer than one there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::apply::{self, Changes, INDEX_VERSION, Pair};
use super::error::{JournalError, Result, panic_words};
use super::files::is_full;
use super::folders::{make_private, missing, names, protect, remove, remove_folder, sync_tree, wait_for_lock};
use super::near::Near;
use super::record::Reached;
use super::table::{Table, Which};
use super::{redo, sums, table};

/// Files in the index's folder.
const REDO: &str = "redo";
const SUMS: &str = "sums";
const BROKEN: &str = "broken";
/// Bytes of sled's cache. Its memory peaks at about three times that.
const CACHE: u64 = 16 * 1024 * 1024;
/// The entry that says how far the index has come; sorts before all others.
const META: &[u8] = b"!";
/// The entry that says that a batch is being put in; gone when it is whole.
const UNDERWAY: &[u8] = b"!!";
/// The entry that says which table belongs to it, and of how many archives that was made.
const TABLE: &[u8] = b"!t";
/// The value of an entry that is in the table and gone. No encoded value is that, nor begins so.
const GONE: &[u8] = b"\xff";
/// Where the entries proper begin.
pub(crate) const FIRST_ENTRY: &[u8] = b"\"";

#[derive(Serialize, Deserialize)]
struct Meta {
    version: u32,
    journal: Uuid,
    reached: Option<Reached>,
}

/// Where index entries are kept.
pub(crate) enum Store {
    Sled(Box<Sled>),
    Memory(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>),
}

pub(crate) struct Sled {
    db: sled::Db,
    folder: PathBuf,
    data: PathBuf,
    /// Where a failure is marked.
    broken: PathBuf,
    /// The journal's folder.
    home: PathBuf,
    near: Near,
    table: Option<Table>,
    /// Archives that the table was made of.
    covered: u64,
    /// It met a full disk, after which sled takes nothing more and is not to be relied on for reading.
    stuck: AtomicBool,
    /// Held for writing while entries move between blocks: where that ends half way nobody reads any more.
    moving: RwLock<()>,
}

impl Store {
    pub fn memory() -> Store {
        Store::Memory(RwLock::default())
    }

    /// Opens the index in `folder` of the journal in `home`, or makes a new one there. `clean`: the last stop was, and left checksums. The answer
    /// says how far it had come; `None` for a new one.
    ///
    /// # Errors
    /// Anything about it that is not as it should be. The caller removes it and makes a new one.
    pub fn open(folder: &Path, home: &Path, journal: Uuid, clean: bool) -> Result<(Store, Option<Reached>)> {
        let (redo, sums) = (folder.join(REDO), folder.join(SUMS));
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", folder.display()));
        make_private(folder).map_err(problem)?;
        let (data, other) = data::folders(folder).map_err(problem)?;
        remove_folder(&other)?; // being filled when the process ended, or no longer needed
        if folder.join(BROKEN).exists() {
            return Err(JournalError::index("it failed when it was last used"));
        }
        if data.is_dir() {
            if names(&data).map_err(problem)?.iter().any(|name| name.ends_with(".generating")) {
                return Err(JournalError::index("it was left half written"));
            }
            if clean && !sums::check(&data, &sums).map_err(problem)? {
                return Err(JournalError::index("its files are not those that were left"));
            }
        }
        fs::remove_file(&sums).map(|()| true).or_else(missing).map_err(problem)?;
        let mut sled = Sled::open(folder, home, data.clone(), folder.join(BROKEN))?;
        protect(&data).map_err(problem)?;
        match redo::read(&redo).map_err(problem)? {
            Some((batch, meta)) => sled.put_all(&batch, &meta)?,
            None if sled.guarded(|db| db.contains_key(UNDERWAY))? => {
                return Err(JournalError::index("a change of it was left half done"));
            }
            None => {}
        }
        fs::remove_file(&redo).map(|()| true).or_else(missing).map_err(problem)?;
        let Some(bytes) = sled.guarded(|db| db.get(META))? else {
            let empty = sled.guarded(|db| Ok(db.is_empty()))?;
            return if empty {
                Ok((Store::Sled(Box::new(sled)), None))
            } else {
                Err(JournalError::index("it has no beginning"))
            };
        };
        let meta: Meta = apply::decode(&bytes)?;
        if meta.version != INDEX_VERSION {
            return Err(JournalError::index(format_args!("it is of version {}", meta.version)));
        }
        if meta.journal != journal {
            return Err(JournalError::index("it belongs to another journal"));
        }
        if let Some(said) = sled.guarded(|db| db.get(TABLE))? {
            let (which, covered): (Which, u64) = apply::decode(&said)?;
            (sled.table, sled.covered) = (Some(Table::open(home, journal, which)?), covered);
        }
        Ok((Store::Sled(Box::new(sled)), meta.reached))
    }

    /// The table that belongs to it, and of how many archives that was made. `None` for one in memory, which has none.
    pub fn table(&self) -> Option<(Option<Which>, u64)> {
        match self {
            Store::Sled(sled) => Some((sled.table.as_ref().map(Table::which), sled.covered)),
            Store::Memory(_) => None,
        }
    }

    /// Reads all of the table; what is wrong with it, if anything is.
    pub fn check_table(&self, journal: Uuid) -> Option<String> {
        match self {
            Store::Sled(sled) => sled.table.as_ref()?.check(journal),
            Store::Memory(_) => None,
        }
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self {
            Store::Sled(sled) => sled.get(key),
            Store::Memory(map) => Ok(map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()),
        }
    }

    /// The first `limit` entries with `from` <= key < `to`, in order. `from` must not be above `to`.
    pub fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        match self {
            Store::Sled(sled) => sled.range(from, to, limit),
            Store::Memory(map) => {
                let map = map.read().unwrap_or_else(PoisonError::into_inner);
                let range = map.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
                Ok(range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
            }
        }
    }

    /// Puts a batch in, whole or not at all should the process be killed, and says how far the index has come with it.
    pub fn apply(&self, journal: Uuid, changes: &Changes, reached: Reached) -> Result<()> {
        let sled = match self {
            Store::Sled(sled) => sled,
            Store::Memory(map) => {
                let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
                for (key, value) in changes {
                    match value {
                        Some(value) => map.insert(key.clone(), value.clone()),
                        None => map.remove(key),
                    };
                }
                return Ok(());
            }
        };
        let hidden = sled.hidden(changes)?;
        let changes = hidden.as_ref().unwrap_or(changes);
        let meta = apply::encode(&Meta { version: INDEX_VERSION, journal, reached: Some(reached) })?;
        let path = sled.folder.join(REDO);
        let words = |error| format!("{}: {error}", path.display());
        redo::write(&path, changes, &meta).map_err(|error| {
            if !is_full(&error) {
                return sled.fail(words(error));
            }
            // What there is of it takes the room of what is being recorded.
            let removed = fs::remove_file(&path).map(|()| true).or_else(missing);
            removed.map_or_else(|error| sled.fail(words(error)), |_| JournalError::Full { why: words(error) })
        })?;
        sled.put_all(changes, &meta)?;
        fs::remove_file(&path).map_err(|error| sled.fail(words(error)))
    }

    /// Bytes that should be free on the disk before a batch of so many is put in.
    pub fn wants(&self, bytes: usize) -> u64 {
        match self {
            Store::Sled(sled) => room::wanted(&sled.data, bytes),
            Store::Memory(_) => 0,
        }
    }

    /// Whether a batch met a full disk in the middle.
    pub fn is_stuck(&self) -> bool {
        matches!(self, Store::Sled(sled) if sled.stuck.load(Ordering::Acquire))
    }

    /// As if it had met a full disk.
    #[cfg(test)]
    pub fn get_stuck(&self) {
        if let Store::Sled(sled) = self {
            sled.stuck.store(true, Ordering::Release);
        }
    }

    /// Lets it go, with its files: what becomes of documents needs the room more. The next open makes it anew.
    pub fn abandon(self) {
        let Store::Sled(sled) = self else { return };
        let Sled { db, folder, table, .. } = *sled;
        end(db).unwrap_or_else(|error| tracing::debug!(%error, "as was known"));
        if let Some(Err(error)) = table.map(Table::remove) {
            tracing::warn!(%error, "the index's table keeps its room");
        }
        remove(&folder).unwrap_or_else(|error| tracing::warn!(%error, "the index's files keep their room"));
    }

    /// Closes the index and makes its files truly durable: it survives the end of the machine.
    pub fn close(self) -> Result<()> {
        let Store::Sled(sled) = self else { return Ok(()) };
        sled.guarded(|db| db.flush().map(|_| ()))?;
        let Sled { db, folder, data, .. } = *sled;
        end(db)?;
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", folder.display()));
        let sums = sums::of(&data).and_then(|sums| sums::write(&sums, &folder.join(SUMS)));
        sums.and_then(|()| sync_tree(&folder)).map_err(problem)
    }
}

impl Sled {
    fn open(folder: &Path, home: &Path, data: PathBuf, broken: PathBuf) -> Result<Sled> {
        let config = sled::Config::new()
            .path(&data)
            .cache_capacity(CACHE)
            .flush_every_ms(None)
            .segment_size(room::segment(&data));
        wait_for_lock(&data.join("db"));
        let (db, folder, home) = (guarded(|| config.open())?, folder.to_owned(), home.to_owned());
        let (near, stuck) = (Near::default(), AtomicBool::new(false));
        let moving = RwLock::default();
        Ok(Sled { db, folder, data, broken, home, near, table: None, covered: 0, stuck, moving })
    }

    /// This table of so many archives is its own from now on.
    fn keep_table(&mut self, table: Table, covered: u64) -> Result<()> {
        let said = apply::encode(&(table.which(), covered))?;
        self.guarded(|db| db.insert(TABLE, said.as_slice()).map(|_| ()))?;
        (self.table, self.covered) = (Some(table), covered);
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(value) = self.run(key)?.get(key) {
            return Ok(Some(value.to_vec()).filter(|value| value != GONE));
        }
        let found = self.table.as_ref().map_or(Ok(None), |table| table.get(key));
        found.inspect_err(|error| self.mark_broken(&error.to_string()))
    }

    /// The first `limit` entries of a range, those of the table too.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        let Some(table) = &self.table else { return self.stored(from, to, limit) };
        let mut wanted = limit;
        loop {
            let kept = table.range(from, to, wanted);
            let kept = kept.inspect_err(|error| self.mark_broken(&error.to_string()))?;
            let own = self.stored(from, to, wanted)?;
            let whole = own.len() < wanted && kept.len() < wanted;
            let mut found = table::over(own, kept, wanted);
            found.retain(|(_, value)| value != GONE);
            if whole || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
            wanted = wanted.saturating_mul(2); // so much of it was gone
        }
    }

    /// The changes with a mark for what goes here and would still be in the table; `None` when there is no such.
    fn hidden(&self, changes: &Changes) -> Result<Option<Changes>> {
        let Some(table) = &self.table else { return Ok(None) };
        let mut hidden = None;
        for key in changes.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key) {
            if table.get(key).inspect_err(|error| self.mark_broken(&error.to_string()))?.is_some() {
                hidden.get_or_insert_with(|| changes.clone()).insert(key.clone(), Some(GONE.to_vec()));
            }
        }
        Ok(hidden)
    }

    /// A failure is for good: the next open makes the index anew. A full disk is not.
    fn guarded<T>(&self, f: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        if self.stuck.load(Ordering::Acquire) {
            return Err(JournalError::Full { why: "the index met a full disk".to_owned() });
        }
        guarded(|| f(&self.db)).inspect_err(|error| match error {
            JournalError::Full { .. } => self.stuck.store(true, Ordering::Release),
            other => self.mark_broken(&other.to_string()),
        })
    }

    /// Writes these, all or none.
    fn put_together<'a>(&self, blocks: impl Iterator<Item = (&'a [u8], Vec<u8>)>) -> Result<()> {
        let mut batch = sled::Batch::default();
        blocks.for_each(|(begin, block)| batch.insert(begin, block));
        let _moving = self.moving.write().unwrap_or_else(PoisonError::into_inner);
        self.guarded(|db| db.apply_batch(batch))
    }

    fn fail(&self, why: impl std::fmt::Display) -> JournalError {
        self.mark_broken(&why.to_string());
        JournalError::index(why)
    }

    fn mark_broken(&self, why: &str) {
        // If not even this can be written, the next open meets the failure itself.
        let _ = fs::write(&self.broken, why);
    }
}

/// The block that has this key, if there is one, with its beginning.
fn block_of(db: &sled::Db, key: &[u8]) -> sled::Result<Option<(sled::IVec, sled::IVec)>> {
    let block = db.range::<&[u8], _>(..=key).next_back().transpose()?;
    Ok(block.filter(|(begin, _)| begin.first() == key.first()))
}

/// Where the first block after this key begins.
fn next_after(db: &sled::Db, key: &[u8]) -> sled::Result<Option<sled::IVec>> {
    let mut after = db.range::<&[u8], _>((Bound::Excluded(key), Bound::Unbounded));
    Ok(after.next().transpose()?.map(|(begin, _)| begin))
}

/// sled's threads end, and its files are let go.
fn end(db: sled::Db) -> Result<()> {
    guarded(move || {
        drop(db);
        Ok(())
    })
}

/// sled panics on some damage; that is one more way of failing.
fn guarded<T>(f: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) if is_full(&error) => Err(JournalError::Full { why: error.to_string() }),
        Ok(Err(error)) => Err(JournalError::index(error)),
        Err(panic) => Err(JournalError::index(panic_words(&*panic))),
    }
}

mod anew;
mod data;
mod in_blocks;
mod room;
#[cfg(test)]
mod tests;
