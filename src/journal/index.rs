//! The stored part of the index, and the only file that knows sled.
//!
//! sled never makes anything durable on Linux (its `flush` is a `sync_file_range`), so nothing rests on it but speed:
//! an index is only trusted after a clean stop, when its files were really synced, or when this machine has not stopped
//! since. Within that, a killed process must not leave half of a change: a batch is first written to a redo file, then
//! put into sled in small steps (sled's own batches would stop every reader for as long as they take), then flushed to
//! the system, and only then is the redo file removed. Doing a batch twice is doing it once.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::apply::{self, Changes, INDEX_VERSION};
use super::error::{JournalError, Result, panic_words};
use super::record::{Hash, Position};

/// Bytes of sled's cache. Its memory peaks at about three times that.
const CACHE: u64 = 16 * 1024 * 1024;
/// The entry that says how far the index has come; sorts before all others.
const META: &[u8] = b"!";
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
}

/// sled panics on some damage; that is one more way of failing.
fn guarded<T>(f: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(JournalError::index(error)),
        Err(panic) => Err(JournalError::index(panic_words(&*panic))),
    }
}

impl Store {
    pub fn memory() -> Store {
        Store::Memory(RwLock::default())
    }

    /// Opens the index in `folder`, or makes a new one there. The answer says how far it had come; `None` for a new one.
    ///
    /// # Errors
    /// Anything about it that is not as it should be. The caller removes it and makes a new one.
    pub fn open(folder: &Path, journal: Uuid) -> Result<(Store, Option<Reached>)> {
        let (data, redo) = (folder.join("sled"), folder.join("redo"));
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", folder.display()));
        make_private(folder).map_err(problem)?;
        if data.is_dir() && names(&data).map_err(problem)?.iter().any(|name| name.ends_with(".generating")) {
            return Err(JournalError::index("it was left half written"));
        }
        let config = sled::Config::new().path(&data).cache_capacity(CACHE).flush_every_ms(None);
        let store = Store::Sled(Sled { db: guarded(|| config.open())?, folder: folder.to_owned() });
        protect(&data).map_err(problem)?;
        if let Some(batch) = read_redo(&redo).map_err(problem)? {
            store.put(batch)?;
            store.flush()?;
            fs::remove_file(&redo).map_err(problem)?;
        }
        let Some(bytes) = store.get(META)? else {
            return if store.is_empty()? { Ok((store, None)) } else { Err(JournalError::index("it has no beginning")) };
        };
        let meta: Meta = apply::decode(&bytes)?;
        if meta.version != INDEX_VERSION {
            return Err(JournalError::index(format_args!("it is of version {}", meta.version)));
        }
        if meta.journal != journal {
            return Err(JournalError::index("it belongs to another journal"));
        }
        Ok((store, meta.reached))
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.range(&[], &[0xff], 1)?.is_empty())
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self {
            Store::Sled(sled) => guarded(|| Ok(sled.db.get(key)?.map(|value| value.to_vec()))),
            Store::Memory(map) => Ok(map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()),
        }
    }

    /// The first `limit` entries with `from` <= key < `to`, in order. `from` must not be above `to`.
    pub fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let range = from.to_vec()..to.to_vec();
        match self {
            Store::Sled(sled) => guarded(|| {
                let owned = |(key, value): (sled::IVec, sled::IVec)| (key.to_vec(), value.to_vec());
                sled.db.range(range).take(limit).map(|pair| pair.map(owned)).collect()
            }),
            Store::Memory(map) => {
                let map = map.read().unwrap_or_else(PoisonError::into_inner);
                Ok(map.range(range).take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
            }
        }
    }

    /// Puts a batch in, whole or not at all should the process be killed, and says how far the index has come with it.
    pub fn apply(&self, journal: Uuid, changes: &Changes, reached: Reached) -> Result<()> {
        let meta = apply::encode(&Meta { version: INDEX_VERSION, journal, reached: Some(reached) })?;
        let Store::Sled(sled) = self else {
            return self.put(changes.iter().map(|(key, value)| (key.clone(), value.clone())));
        };
        let redo = sled.folder.join("redo");
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", redo.display()));
        write_redo(&redo, changes, &meta).map_err(problem)?;
        self.put(changes.iter().map(|(key, value)| (key.clone(), value.clone())))?;
        self.put([(META.to_vec(), Some(meta))])?;
        self.flush()?;
        fs::remove_file(&redo).map_err(problem)
    }

    fn put(&self, changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Result<()> {
        match self {
            Store::Sled(sled) => guarded(|| {
                for (key, value) in changes {
                    match value {
                        Some(value) => sled.db.insert(key, value)?,
                        None => sled.db.remove(key)?,
                    };
                }
                Ok(())
            }),
            Store::Memory(map) => {
                let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
                for (key, value) in changes {
                    match value {
                        Some(value) => map.insert(key, value),
                        None => map.remove(&key),
                    };
                }
                Ok(())
            }
        }
    }

    /// Hands everything to the system: it survives the end of the process.
    fn flush(&self) -> Result<()> {
        match self {
            Store::Sled(sled) => guarded(|| sled.db.flush().map(|_| ())),
            Store::Memory(_) => Ok(()),
        }
    }

    /// Closes the index and makes its files truly durable: it survives the end of the machine.
    pub fn close(self) -> Result<()> {
        self.flush()?;
        let Store::Sled(Sled { db, folder }) = self else { return Ok(()) };
        guarded(move || {
            drop(db);
            Ok(())
        })?;
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", folder.display()));
        sync_tree(&folder).map_err(problem)
    }
}

/// Removes the index in `folder`. It is renamed first, so that one half removed is never taken for one.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    let old = folder.with_extension("old");
    remove_folder(&old)?;
    let renamed = fs::rename(folder, &old).map(|()| true).or_else(missing);
    renamed.map_err(|error| JournalError::io("remove", folder, error))?;
    remove_folder(&old)
}

/// Removes a folder with everything in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    let removed = fs::remove_dir_all(folder).map(|()| true).or_else(missing);
    removed.map(|_| ()).map_err(|error| JournalError::io("remove", folder, error))
}

/// Copies a folder with everything in it to one for this user alone.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let problem = |error| JournalError::io("copy", from, error);
    make_private(to).map_err(problem)?;
    for entry in fs::read_dir(from).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(problem)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).map_err(problem)?;
        }
    }
    Ok(())
}

fn missing(error: io::Error) -> io::Result<bool> {
    if error.kind() == io::ErrorKind::NotFound { Ok(false) } else { Err(error) }
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    set_mode(folder, 0o700)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}
#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// sled's files are readable by all; its folder already is not.
fn protect(folder: &Path) -> io::Result<()> {
    set_mode(folder, 0o700)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            protect(&entry.path())?;
        } else {
            set_mode(&entry.path(), 0o600)?;
        }
    }
    Ok(())
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    protect(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Length, then the entries; a CRC of all of it at the end says that it is whole.
fn write_redo(path: &Path, changes: &Changes, meta: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = Summed { out: io::BufWriter::with_capacity(1 << 18, options.open(path)?), crc: Default::default() };
    let meta = (META.to_vec(), Some(meta.to_vec()));
    let entries = changes.iter().chain([(&meta.0, &meta.1)]);
    for (key, value) in entries {
        out.part(Some(key))?;
        out.part(value.as_deref())?;
    }
    let crc = out.crc.finalize();
    out.out.write_all(&crc.to_le_bytes())?;
    out.out.flush()
}

struct Summed<W> {
    out: W,
    crc: crc32fast::Hasher,
}

impl<W: Write> Summed<W> {
    fn part(&mut self, bytes: Option<&[u8]>) -> io::Result<()> {
        let length = bytes.map_or(u32::MAX, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        for part in [&length.to_le_bytes()[..], bytes.unwrap_or_default()] {
            self.crc.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }
}

type Redo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The batch in a redo file; `None` when there is none or it is not whole: then nothing of it has reached sled.
fn read_redo(path: &Path) -> io::Result<Option<Redo>> {
    let mut bytes = Vec::new();
    match fs::File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(parse_redo(&bytes))
}

fn parse_redo(bytes: &[u8]) -> Option<Redo> {
    let (mut rest, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let key = take_part(&mut rest)??;
        entries.push((key, take_part(&mut rest)?));
    }
    Some(entries)
}

/// `None`: the bytes end. `Some(None)`: no value.
fn take_part(rest: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    if length == u32::MAX {
        *rest = after;
        return Some(None);
    }
    let (part, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(part.to_vec()))
}
