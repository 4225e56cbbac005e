//! The stored part of the index, and the only file that knows sled.
//!
//! sled never makes anything durable on Linux (its `flush` is a `sync_file_range`), so nothing rests on it but speed:
//! an index is only trusted after a clean stop, when its files were really synced, or when this machine has not stopped
//! since. Within that, a killed process must not leave half of a change: a batch is first written to a redo file, then
//! put into sled block by block (one large sled batch would stop every reader for as long as it takes), then flushed to
//! the system, and only then is the redo file removed. Doing a batch twice is doing it once. A clean stop leaves
//! checksums of all files, because sled does not notice every damage; any failure leaves a mark that it is broken.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::apply::{self, Changes, INDEX_VERSION, Pair};
use super::error::{JournalError, Result, panic_words};
use super::folders::{make_private, missing, names, protect, remove_folder, size, sync_tree};
use super::record::{Hash, Position};
use super::{blocks, redo, sums};

/// sled's own folder in the index's: one of these, said by the file `current`; without that file it is the first. sled
/// never gives room back, so that now and then all of it is put into the other one.
const DATA: [&str; 2] = ["sled", "sled-2"];
const CURRENT: &str = "current";
/// Files in the index's folder.
const REDO: &str = "redo";
const SUMS: &str = "sums";
const BROKEN: &str = "broken";
/// Bytes of sled's cache. Its memory peaks at about three times that.
const CACHE: u64 = 16 * 1024 * 1024;
/// Entries that are copied at a time.
const COPIED: usize = 16 * 1024;
/// The entry that says how far the index has come; sorts before all others.
const META: &[u8] = b"!";
/// The entry that says that a batch is being put in; gone when it is whole.
const UNDERWAY: &[u8] = b"!!";
/// Where the entries proper begin.
pub(crate) const FIRST_ENTRY: &[u8] = b"\"";

/// How far in the journal the index has come: its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub seq: u64,
    pub group: u64,
    pub position: Position,
    pub hash: Hash,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    version: u32,
    journal: Uuid,
    reached: Option<Reached>,
}

/// Where index entries are kept.
pub(crate) enum Store {
    Sled(Sled),
    Memory(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>),
}

pub(crate) struct Sled {
    db: sled::Db,
    folder: PathBuf,
    data: PathBuf,
    /// Where a failure is marked.
    broken: PathBuf,
}

impl Store {
    pub fn memory() -> Store {
        Store::Memory(RwLock::default())
    }

    /// Opens the index in `folder`, or makes a new one there. `clean`: the last stop was, and left checksums. The answer
    /// says how far it had come; `None` for a new one.
    ///
    /// # Errors
    /// Anything about it that is not as it should be. The caller removes it and makes a new one.
    pub fn open(folder: &Path, journal: Uuid, clean: bool) -> Result<(Store, Option<Reached>)> {
        let (redo, sums) = (folder.join(REDO), folder.join(SUMS));
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", folder.display()));
        make_private(folder).map_err(problem)?;
        let (data, other) = data_folders(folder).map_err(problem)?;
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
        let sled = Sled::open(folder, data.clone(), folder.join(BROKEN))?;
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
            return if empty { Ok((Store::Sled(sled), None)) } else { Err(JournalError::index("it has no beginning")) };
        };
        let meta: Meta = apply::decode(&bytes)?;
        if meta.version != INDEX_VERSION {
            return Err(JournalError::index(format_args!("it is of version {}", meta.version)));
        }
        if meta.journal != journal {
            return Err(JournalError::index("it belongs to another journal"));
        }
        Ok((Store::Sled(sled), meta.reached))
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self {
            Store::Sled(sled) => match sled.block_of(key)? {
                Some((begin, block)) => {
                    blocks::find(&begin, &block, key).ok_or_else(|| sled.fail("a block cannot be read"))
                }
                None => Ok(None),
            },
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
        let meta = apply::encode(&Meta { version: INDEX_VERSION, journal, reached: Some(reached) })?;
        let path = sled.folder.join(REDO);
        redo::write(&path, changes, &meta).map_err(|error| sled.fail(format_args!("{}: {error}", path.display())))?;
        sled.put_all(changes, &meta)?;
        fs::remove_file(&path).map_err(|error| sled.fail(format_args!("{}: {error}", path.display())))
    }

    /// A copy of all entries in the folder that is not in use, without the room that is lost in this one. Nothing may be
    /// put into this one meanwhile. `None` for one in memory.
    ///
    /// # Errors
    /// This one is as it was, and the next open removes what there is of the copy.
    pub fn copy(&self, journal: Uuid, reached: Reached) -> Result<Option<Store>> {
        let Store::Sled(old) = self else { return Ok(None) };
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", old.folder.display()));
        let (_, other) = data_folders(&old.folder).map_err(problem)?;
        remove_folder(&other)?;
        make_private(&other).map_err(problem)?;
        let new = Sled::open(&old.folder, other.clone(), other.join(BROKEN))?;
        protect(&other).map_err(problem)?;
        let meta = apply::encode(&Meta { version: INDEX_VERSION, journal, reached: Some(reached) })?;
        let mut from = FIRST_ENTRY.to_vec();
        loop {
            let entries = old.range(&from, &[0xff], COPIED)?;
            let Some((last, _)) = entries.last() else { break };
            from.clone_from(last);
            from.push(0);
            new.put_all(&entries.into_iter().map(|(key, value)| (key, Some(value))).collect(), &meta)?;
        }
        new.put_all(&Changes::new(), &meta)?;
        Ok(Some(Store::Sled(new)))
    }

    /// Makes a copy the one that is opened from now on, and says how many bytes the files of both have.
    pub fn exchange(&mut self, copy: Store) -> Result<(u64, u64)> {
        let (Store::Sled(old), Store::Sled(mut new)) = (&mut *self, copy) else { return Ok((0, 0)) };
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", new.folder.display()));
        let sizes = (size(&old.data).map_err(problem)?, size(&new.data).map_err(problem)?);
        let name = new.data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (temporary, current) = (new.folder.join("current.tmp"), new.folder.join(CURRENT));
        fs::write(&temporary, name).and_then(|()| fs::rename(&temporary, &current)).map_err(problem)?;
        new.broken = new.folder.join(BROKEN);
        let Sled { db, data, .. } = std::mem::replace(old, new);
        guarded(move || {
            drop(db);
            Ok(())
        })?;
        remove_folder(&data)?;
        Ok(sizes)
    }

    /// Closes the index and makes its files truly durable: it survives the end of the machine.
    pub fn close(self) -> Result<()> {
        let Store::Sled(sled) = self else { return Ok(()) };
        sled.guarded(|db| db.flush().map(|_| ()))?;
        let Sled { db, folder, data, .. } = sled;
        guarded(move || {
            drop(db);
            Ok(())
        })?;
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", folder.display()));
        let sums = sums::of(&data).and_then(|sums| sums::write(&sums, &folder.join(SUMS)));
        sums.and_then(|()| sync_tree(&folder)).map_err(problem)
    }
}

/// sled's folder in use, and the other one.
fn data_folders(folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let current = match fs::read_to_string(folder.join(CURRENT)) {
        Ok(name) => name,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let [first, second] = DATA;
    let (one, other) = if current == second { (second, first) } else { (first, second) };
    Ok((folder.join(one), folder.join(other)))
}

impl Sled {
    fn open(folder: &Path, data: PathBuf, broken: PathBuf) -> Result<Sled> {
        let config = sled::Config::new().path(&data).cache_capacity(CACHE).flush_every_ms(None);
        Ok(Sled { db: guarded(|| config.open())?, folder: folder.to_owned(), data, broken })
    }

    /// A failure is for good: the next open makes the index anew.
    fn guarded<T>(&self, f: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        guarded(|| f(&self.db)).inspect_err(|error| self.mark_broken(&error.to_string()))
    }

    fn fail(&self, why: impl std::fmt::Display) -> JournalError {
        self.mark_broken(&why.to_string());
        JournalError::index(why)
    }

    fn mark_broken(&self, why: &str) {
        // If not even this can be written, the next open meets the failure itself.
        let _ = fs::write(&self.broken, why);
    }

    /// The block that has this key, if there is one, with its beginning.
    fn block_of(&self, key: &[u8]) -> Result<Option<Pair>> {
        let block = self.guarded(|db| db.range::<&[u8], _>(..=key).next_back().transpose())?;
        let owned = block.map(|(begin, block)| (begin.to_vec(), block.to_vec()));
        Ok(owned.filter(|(begin, _)| begin.first() == key.first()))
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        let begin = self.block_of(from)?.map_or_else(|| from.to_vec(), |(begin, _)| begin);
        let mut found = Vec::new();
        self.guarded(|db| {
            for block in db.range(begin.as_slice()..to) {
                let (begin, block) = block?;
                let entries = blocks::decode(&begin, &block);
                let entries = entries.ok_or_else(|| sled::Error::Unsupported("a block cannot be read".to_owned()))?;
                let inside = |(key, _): &Pair| key.as_slice() >= from && key.as_slice() < to;
                found.extend(entries.into_iter().filter(inside));
                if found.len() >= limit {
                    break;
                }
            }
            Ok(())
        })?;
        found.truncate(limit);
        Ok(found)
    }

    /// Puts a batch in, block by block, and hands it to the system.
    fn put_all(&self, changes: &Changes, meta: &[u8]) -> Result<()> {
        self.guarded(|db| db.insert(UNDERWAY, &[]).map(|_| ()))?;
        let mut changes = changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).peekable();
        while let Some((key, value)) = changes.next() {
            let (begin, block) = self.block_of(key)?.unwrap_or_else(|| (key.to_vec(), Vec::new()));
            let next = (Bound::Excluded(begin.as_slice()), Bound::Unbounded);
            let next = self.guarded(|db| db.range::<&[u8], _>(next).next().transpose())?.map(|(next, _)| next);
            let mut together = vec![(key, value)];
            let inside =
                |other: &[u8]| other.first() == key.first() && next.as_ref().is_none_or(|next| other < next.as_ref());
            while let Some(change) = changes.next_if(|(other, _)| inside(other)) {
                together.push(change);
            }
            let old = blocks::decode(&begin, &block).ok_or_else(|| self.fail("a block cannot be read"))?;
            self.put_block(&begin, &blocks::merge(old, &together), together.len())?;
        }
        self.guarded(|db| {
            db.insert(META, meta)?;
            db.remove(UNDERWAY)?;
            db.flush().map(|_| ())
        })
    }

    /// Writes the entries from a block's beginning to the next one's, of which so many have changed.
    fn put_block(&self, begin: &[u8], entries: &[Pair], changes: usize) -> Result<()> {
        let Some((key, _)) = entries.first() else { return self.guarded(|db| db.remove(begin).map(|_| ())) };
        // What comes later may lie between the beginning and the first entry there is now.
        let begin = if key.as_slice() < begin { key } else { begin };
        let blocks = blocks::split(entries, changes);
        if let [block] = blocks.as_slice() {
            return self.guarded(|db| db.insert(begin, blocks::encode(begin, block)).map(|_| ()));
        }
        let mut batch = sled::Batch::default();
        for (index, block) in blocks.into_iter().enumerate() {
            let first = block.first().filter(|_| index > 0).map_or(begin, |(key, _)| key.as_slice());
            batch.insert(first, blocks::encode(first, block));
        }
        self.guarded(|db| db.apply_batch(batch))
    }
}

/// sled panics on some damage; that is one more way of failing.
fn guarded<T>(f: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(JournalError::index(error)),
        Err(panic) => Err(JournalError::index(panic_words(&*panic))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    const JOURNAL: Uuid = Uuid::from_u128(7);

    fn reached(seq: u64) -> Reached {
        Reached { seq, group: seq, position: Position { segment: 1, offset: seq }, hash: [seq as u8; 32] }
    }

    fn batch(numbers: std::ops::Range<u32>, value: Option<&str>) -> Changes {
        numbers.map(|n| (format!("p{n:05}").into_bytes(), value.map(|value| value.as_bytes().to_vec()))).collect()
    }

    fn sled(store: &Store) -> &Sled {
        match store {
            Store::Sled(sled) => sled,
            Store::Memory(_) => panic!("not in memory"),
        }
    }

    fn all(store: &Store) -> Vec<Pair> {
        store.range(b"p", b"q", usize::MAX).unwrap()
    }

    /// A batch that was interrupted at some point: the redo file as given, and a part of it in sled.
    fn interrupted(redo: impl Fn(&Path), underway: bool) -> (tempfile::TempDir, Changes) {
        let dir = tempdir().unwrap();
        let (store, fresh) = Store::open(dir.path(), JOURNAL, false).unwrap();
        assert_eq!(fresh, None);
        store.apply(JOURNAL, &batch(0..500, Some("one")), reached(1)).unwrap();
        let mut second = batch(100..300, None);
        second.extend(batch(200..900, Some("two")));
        let meta = Meta { version: INDEX_VERSION, journal: JOURNAL, reached: Some(reached(2)) };
        let path = dir.path().join(REDO);
        redo::write(&path, &second, &apply::encode(&meta).unwrap()).unwrap();
        redo(&path);
        if underway {
            let part: Changes = second.iter().take(250).map(|(key, value)| (key.clone(), value.clone())).collect();
            sled(&store).put_all(&part, &apply::encode(&Meta { reached: Some(reached(1)), ..meta }).unwrap()).unwrap();
            sled(&store).guarded(|db| db.insert(UNDERWAY, &[]).and_then(|_| db.flush())).unwrap();
        }
        (dir, second)
    }

    #[test]
    fn an_interrupted_batch_is_done_again_or_was_never_begun() {
        let (dir, second) = interrupted(|_| (), true);
        let (store, at) = Store::open(dir.path(), JOURNAL, false).unwrap();
        let mut expected: BTreeMap<_, _> = batch(0..500, Some("one"));
        expected.extend(second);
        let expected: Vec<Pair> = expected.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        assert_eq!((all(&store), at), (expected, Some(reached(2))));
        // Half a redo file: killed before sled was touched, …
        let half = |path: &Path| fs::write(path, &fs::read(path).unwrap()[..1_000]).unwrap();
        let (dir, _) = interrupted(half, false);
        let (store, at) = Store::open(dir.path(), JOURNAL, false).unwrap();
        assert_eq!((all(&store).len(), at), (500, Some(reached(1))));
        // … or damaged after it was.
        let (dir, _) = interrupted(half, true);
        assert!(Store::open(dir.path(), JOURNAL, false).is_err());
    }

    #[test]
    fn an_index_of_something_else_is_refused() {
        let dir = tempdir().unwrap();
        let (store, _) = Store::open(dir.path(), JOURNAL, false).unwrap();
        let other = apply::encode(&Meta { version: INDEX_VERSION + 1, journal: JOURNAL, reached: None }).unwrap();
        store.apply(JOURNAL, &batch(0..5, Some("one")), reached(1)).unwrap();
        store.close().unwrap();
        assert!(Store::open(dir.path(), Uuid::nil(), false).is_err());
        let (store, at) = Store::open(dir.path(), JOURNAL, false).unwrap();
        assert_eq!(at, Some(reached(1)));
        sled(&store).put_all(&Changes::new(), &other).unwrap();
        store.close().unwrap();
        assert!(Store::open(dir.path(), JOURNAL, true).is_err());
        // Checksums are good for one open.
        assert!(Store::open(dir.path(), JOURNAL, true).is_err());
    }

    /// By their checksums, before sled is asked: it does not notice everything.
    #[test]
    fn files_that_are_not_those_that_were_left_are_refused() {
        let dir = tempdir().unwrap();
        let (store, _) = Store::open(dir.path(), JOURNAL, false).unwrap();
        store.apply(JOURNAL, &batch(0..5, Some("one")), reached(1)).unwrap();
        store.close().unwrap();
        let db = dir.path().join(DATA[0]).join("db");
        let mut bytes = fs::read(&db).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&db, bytes).unwrap();
        assert!(Store::open(dir.path(), JOURNAL, true).is_err_and(|error| error.to_string().contains("not those")));
    }

    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What an earlier program left in good order costs a rebuild and one line in the log.
    #[test]
    fn an_index_of_an_older_form_is_made_anew_with_one_line_in_the_log() {
        let dir = tempdir().unwrap();
        let open = || crate::journal::Journal::open(dir.path(), crate::journal::Options::default()).unwrap();
        open().0.close().unwrap();
        let (data, sums) = (dir.path().join("index").join(DATA[0]), dir.path().join("index").join(SUMS));
        let db = sled::open(&data).unwrap();
        let meta: Meta = apply::decode(&db.get(META).unwrap().unwrap()).unwrap();
        db.insert(META, apply::encode(&Meta { version: 1, ..meta }).unwrap()).unwrap();
        db.insert(b"p\0\0\0\0\0\0\0\x01", b"an entry by itself").unwrap();
        drop(db);
        sums::write(&sums::of(&data).unwrap(), &sums).unwrap();

        let log = Log::default();
        let pen = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || pen.clone()).finish();
        let (journal, recovery) = tracing::subscriber::with_default(subscriber, open);
        assert_eq!((recovery.clean, recovery.rebuilt.as_deref()), (true, Some("it is of version 1")));
        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains("WARN") && log.contains("rebuilt") && log.contains("it is of version 1"), "{log}");
        journal.close().unwrap();
        assert_eq!(open().1.rebuilt, None);
    }

    #[test]
    fn entries_are_found_in_any_order_they_came() {
        let dir = tempdir().unwrap();
        let (store, _) = Store::open(dir.path(), JOURNAL, false).unwrap();
        let mut expected = BTreeMap::new();
        let mut state = 1_u32;
        for round in 0..60 {
            let changes: Changes = (0..40)
                .map(|n| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let close = if round % 2 == 0 { state >> 20 } else { round * 40 + n };
                    let kind = if state & 1 == 0 { 'k' } else { 'r' };
                    let value = (state & 0x700 != 0).then(|| state.to_le_bytes().repeat((state >> 25) as usize % 20));
                    (format!("{kind}{close:04}").into_bytes(), value)
                })
                .collect();
            for (key, value) in &changes {
                match value {
                    Some(value) => drop(expected.insert(key.clone(), value.clone())),
                    None => drop(expected.remove(key)),
                }
            }
            store.apply(JOURNAL, &changes, reached(u64::from(round))).unwrap();
        }
        assert!(store.range(b"a", b"z", usize::MAX).unwrap().into_iter().eq(expected.clone()));
        for (key, value) in &expected {
            assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
            let mut beside = key.clone();
            beside.push(b'!');
            assert_eq!(store.get(&beside).unwrap(), None);
            let next = store.range(&beside, b"z", 3).unwrap();
            assert!(next.into_iter().eq(expected.range(beside..).take(3).map(|(a, b)| (a.clone(), b.clone()))));
        }
        assert_eq!(store.get(b"c").unwrap(), None);
    }
}
