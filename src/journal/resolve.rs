//! What a process that ended while archiving, or a backup taken meanwhile, leaves: a segment that is there twice, or a
//! journal whose newest segment is an archive. Put right when the journal is opened, before anything is read.

use std::path::Path;
use std::sync::Arc;

use super::archive::{self, Archive};
use super::archiving::sealed;
use super::error::{JournalError, Result};
use super::files::{File, Files, read_full, write_full};
use super::segment::{self, Names};

/// What is compared or copied at a time.
const CHUNK: usize = 256 * 1024;

/// Puts right what is there twice, and makes the newest a segment again.
pub(crate) fn resolve(files: &dyn Files, dir: &Path, names: &mut Names) -> Result<()> {
    for name in std::mem::take(&mut names.twice) {
        if one_of_two(files, dir, name)? {
            names.archived.insert(name);
        }
    }
    let newest = names.all.last().copied();
    if let Some(newest) = newest.filter(|newest| names.archived.contains(newest)) {
        unpack(files, dir, newest)?;
        names.archived.remove(&newest);
    }
    Ok(())
}

/// Decides between a segment and its archive; returns whether the archive stays. A sound archive was made of the whole
/// segment: the segment may be less (copied before it was full), never other.
fn one_of_two(files: &dyn Files, dir: &Path, name: u64) -> Result<bool> {
    let (segment_path, archive_path) = (segment::path(dir, name), archive::path(dir, name));
    let read = |error| JournalError::io("read", &archive_path, error);
    let archive = match Archive::open(files, dir, name) {
        Ok(archive) if archive.flaws().map_err(read)?.is_empty() => Some(archive),
        Ok(_) | Err(JournalError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    let segment = files.open(&segment_path).map_err(|error| JournalError::io("open", &segment_path, error))?;
    match archive {
        Some(archive) if begins_like(&*segment, &archive).map_err(read)? => {
            // The archive's name may not be durable yet: the process ended in between.
            sync(files, &archive::folder(dir))?;
            remove(files, &segment_path, &segment::folder(dir))?;
            Ok(true)
        }
        Some(_) => Err(JournalError::damaged(name, 0, "the segment and its archive differ: keep both, and compare")),
        None => {
            // A damaged archive beside a segment that is as it should be was not finished.
            sealed(&segment, name, |_, _| Ok(()))?;
            remove(files, &archive_path, &archive::folder(dir))?;
            Ok(false)
        }
    }
}

fn begins_like(segment: &dyn File, archive: &Archive) -> std::io::Result<bool> {
    let length = segment.length()?;
    Ok(length <= archive.length()? && same(segment, archive, length)?)
}

/// Whether two files have the same first bytes.
pub(crate) fn same(one: &dyn File, other: &dyn File, length: u64) -> std::io::Result<bool> {
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0;
    while at < length {
        let step = usize::try_from(length - at).unwrap_or(CHUNK).min(CHUNK);
        let (Some(left), Some(right)) = (left.get_mut(..step), right.get_mut(..step)) else { return Ok(false) };
        let there = (read_full(one, left, at)?, read_full(other, right, at)?);
        if there != (step, step) || left != right {
            return Ok(false);
        }
        at += step as u64;
    }
    Ok(true)
}

/// Makes an archive a segment again: the newest one is written to.
fn unpack(files: &dyn Files, dir: &Path, name: u64) -> Result<()> {
    let archive: Arc<dyn File> = Arc::new(Archive::open(files, dir, name)?);
    sealed(&archive, name, |_, _| Ok(()))?;
    let (folder, path) = (segment::folder(dir), segment::path(dir, name));
    let temporary = path.with_extension("seg.tmp");
    let length = archive.length().map_err(|error| JournalError::io("measure", &path, error))?;
    let copy = || {
        files.create_dir(&folder)?;
        let file = files.create(&temporary)?;
        let (mut bytes, mut at) = (vec![0; CHUNK], 0);
        while at < length {
            let there = read_full(&*archive, &mut bytes, at)?;
            write_full(&*file, bytes.get(..there).unwrap_or_default(), at)?;
            at += there as u64;
        }
        file.sync_all()?;
        files.rename(&temporary, &path)?;
        files.sync_dir(&folder)
    };
    copy().map_err(|error| JournalError::io("unpack", &path, error))?;
    remove(files, &archive::path(dir, name), &archive::folder(dir))
}

fn remove(files: &dyn Files, path: &Path, folder: &Path) -> Result<()> {
    files.remove(path).map_err(|error| JournalError::io("remove", path, error))?;
    sync(files, folder)
}

fn sync(files: &dyn Files, folder: &Path) -> Result<()> {
    files.sync_dir(folder).map_err(|error| JournalError::io("sync", folder, error))
}
