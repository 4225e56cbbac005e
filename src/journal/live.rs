//! Verifying a journal while it is in use: what is durable now never changes, so it is read as if it ended here; and the
//! index, which goes on, is compared where it can be.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::Journal;
use super::apply::Entries;
use super::error::{JournalError, Result};
use super::files::{File, Files};
use super::index::FIRST_ENTRY;
use super::layers::{Layers, Under};
use super::record::Reached;
use super::replay::apply_one;

/// Entries compared at a time.
const STEP: usize = 1_000;
/// Entries above which the records' index goes to its store.
const MAX_PENDING: usize = 64 * 1024;
/// Entries that may differ because the index went on meanwhile; more is not looked at again while others wait.
const MAX_MOVED: usize = 200_000;

/// The files as they are, but the last segment ends at `length`.
pub(crate) struct UpTo {
    pub files: Arc<dyn Files>,
    pub last: PathBuf,
    pub length: u64,
}

/// A file that ends before it does.
struct Cut {
    file: Arc<dyn File>,
    length: u64,
}

impl Files for UpTo {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.files.create_dir(dir)
    }
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.files.names(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.files.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = self.files.open(path)?;
        if path == self.last { Ok(Arc::new(Cut { file, length: self.length })) } else { Ok(file) }
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.files.sync_dir(dir)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Result<Box<dyn Any + Send + Sync>, String>> {
        self.files.lock(path, holder)
    }
    fn boot_id(&self) -> Option<String> {
        self.files.boot_id()
    }
}

/// Only ever read.
impl File for Cut {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        self.file.read_at(buffer.get_mut(..most).unwrap_or_default(), offset)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn sync_all(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.length()?.min(self.length))
    }
}

/// Compares the index in use with `ours`, made of the records up to `end`: the first entry that is wrong. What differs at
/// first sight may only be newer: it is looked at again on the writer's thread, where nothing moves, after the records
/// that came since.
pub(crate) fn compare(journal: &Journal, end: Reached, ours: &Layers) -> Result<Option<Vec<u8>>> {
    let ours_alone = Under { layers: ours, over: &[] };
    let theirs = Under { layers: &journal.handle.shared.layers, over: &[] };
    let mut moved = Vec::new();
    let mut from = FIRST_ENTRY.to_vec();
    loop {
        let mine = ours_alone.scan(&from, &[0xff], STEP)?;
        let to = match mine.last() {
            Some((last, _)) if mine.len() == STEP => [last.as_slice(), &[0]].concat(),
            _ => vec![0xff],
        };
        let other: BTreeMap<Vec<u8>, Vec<u8>> = theirs.scan(&from, &to, usize::MAX)?.into_iter().collect();
        let mine: BTreeMap<Vec<u8>, Vec<u8>> = mine.into_iter().collect();
        moved.extend(mine.iter().filter(|(key, value)| other.get(*key) != Some(*value)).map(|(key, _)| key.clone()));
        moved.extend(other.into_keys().filter(|key| !mine.contains_key(key)));
        if moved.len() > MAX_MOVED {
            return Err(JournalError::index("it changes too fast to be compared: verify when less is going on"));
        }
        if to == [0xff] {
            break;
        }
        from = to;
    }
    if moved.is_empty() {
        return Ok(None);
    }
    // Most of what came since is read before the writer has to stand still.
    let shared = &journal.handle.shared;
    let reached = catch_up(journal, end, ours)?;
    let (here, arrived) = sync_channel(0);
    let (go_on, finished) = sync_channel::<()>(0);
    journal.begin_then(
        move |_| -> Result<()> {
            let _ = here.send(()); // whoever gave up waiting holds nothing up
            let _ = finished.recv();
            Ok(())
        },
        drop,
    );
    if arrived.recv().is_err() {
        return Err(shared.poisoned().unwrap_or(JournalError::Closed));
    }
    let looked = catch_up(journal, reached, ours).and_then(|_| {
        for key in moved {
            if ours_alone.get(&key)? != theirs.get(&key)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    });
    drop(go_on);
    looked
}

/// Applies the records after `reached` that are durable now to `ours`; says how far it came.
fn catch_up(journal: &Journal, reached: Reached, ours: &Layers) -> Result<Reached> {
    let shared = &journal.handle.shared;
    let Some(now) = shared.layers.reached() else { return Ok(reached) };
    shared.segments.each_after(reached.position, now.seq, &mut |replayed| {
        let applied = apply_one(&replayed, &Under { layers: ours, over: &[] })?;
        // Nobody flushes it in the background: here, when it is large.
        ours.publish(applied, now, true)?;
        if ours.pending() > MAX_PENDING { ours.flush_here() } else { Ok(()) }
    })?;
    Ok(now)
}
