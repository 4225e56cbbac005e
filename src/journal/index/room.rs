//! How much sled writes at a time: its segments.
//!
//! It fills one up whenever it is opened, so that a till which opens the journal for each sale needs small ones. But while
//! more than half of its segments are free it moves what is last in its file, one segment for each that it has filled,
//! which fills another: with more than a few in use, what is put in is written some twenty times. So a store of
//! many documents is moved into one with few large segments.

use std::fs;
use std::io;
use std::path::Path;

use crate::journal::folders::size;

/// Bytes of a segment.
const SMALL: usize = 512 * 1024;
/// The most that sled takes.
const LARGE: usize = 16 * 1024 * 1024;
/// From so many bytes of small segments on large ones are better.
const LONG: u64 = 8 * 1024 * 1024;
/// A batch of so many bytes is a large one.
const LARGE_BATCH: u64 = 32 * 1024 * 1024;
/// The file beside sled's own that says that they are large.
const MARK: &str = "large";

/// Bytes of the segments in this folder.
pub(super) fn segment(data: &Path) -> usize {
    if data.join(MARK).exists() { LARGE } else { SMALL }
}

/// Whether what is in this folder would be better off with large segments.
pub(super) fn is_outgrown(data: &Path) -> bool {
    segment(data) == SMALL && fs::metadata(data.join("db")).is_ok_and(|file| file.len() > LONG)
}

/// Bytes that should be free before a batch of so many is put into this folder: it is written to the redo file, and block
/// by block, some of them several times; and sled's file grows by whole segments. A guess; should it be wrong sled is stuck.
pub(super) fn wanted(data: &Path, bytes: usize) -> u64 {
    let bytes = bytes as u64;
    // Of a very large batch most blocks are written once: else it would wait for ever more room, and grow.
    (2 * bytes).saturating_add(2 * bytes.min(LARGE_BATCH)).saturating_add(4 * segment(data) as u64)
}

/// And before all that is in this folder is copied to another one.
pub(super) fn wanted_by_copy(data: &Path) -> u64 {
    size(data).unwrap_or(0).saturating_add(4 * segment_of_copy(data) as u64)
}

/// Chooses for a new folder what is right for all that is in the old one.
pub(super) fn choose(old: &Path, new: &Path) -> io::Result<()> {
    if segment_of_copy(old) == LARGE { fs::write(new.join(MARK), []) } else { Ok(()) }
}

fn segment_of_copy(data: &Path) -> usize {
    if is_outgrown(data) { LARGE } else { segment(data) }
}
