//! The end of opening: is the journal's end what was durable? Then a torn tail is cut, the last group made durable, and
//! all of it sealed with a record of its own.

use std::path::Path;

use super::checkpoint::{self, Checkpoint};
use super::error::{JournalError, Result};
use super::files::{File, is_full, read_full, write_full};
use super::gate::Gates;
use super::record::{self, Position, Reached};
use super::recovery::{Segment, Up};
use super::replay::End;
use super::reserve::Reserve;
use super::sealed::Sealed;
use super::segment;
use super::shared::{Shared, lock};
use super::writer::{Active, Writer};
use super::{Options, Recovery};
use crate::domain::event::Entry;

/// Ends opening; the journal can be written to then.
pub(crate) fn seal(
    dir: &Path,
    options: &Options,
    up: &Up,
    segments: &[Segment],
    known: Option<&Checkpoint>,
) -> Result<(Writer, Recovery)> {
    let shared = &up.shared;
    let (Some(active), End { last, last_group, length, torn }) = (segments.last(), &up.end) else {
        return Err(JournalError::damaged(0, 0, "there are no segments"));
    };
    let name = active.header.first_seq;
    if let Some(known) = known.filter(|known| known.seq > 0) {
        check_known(shared, known, last, name, *length)?;
    }
    let path = segment::path(dir, name);
    if *torn > 0 {
        let cut = active.file.set_len(*length).and_then(|()| active.file.sync_all());
        cut.map_err(|error| JournalError::io("cut", &path, error))?;
        tracing::warn!(bytes = torn, segment = name, offset = length, "cut a torn tail that was never acknowledged");
    }
    let clean = !last.position.is_none() && shared.segments.read(last.position)?.0.entry == Entry::Closed;
    let known_durable = known.is_some_and(|known| known.seq == last.seq);
    if let Some(begin) = last_group.filter(|_| !known_durable) {
        settle(&*active.file, begin, *length).map_err(|error| JournalError::io("settle", &path, error))?;
    }
    {
        let mut stats = lock(&shared.stats);
        let live = segments.iter().filter(|segment| !segment.archived);
        (stats.segments, stats.journal_bytes) =
            live.fold((0, 0), |(count, bytes), segment| (count + 1, bytes + segment.length));
        stats.journal_bytes = stats.journal_bytes.saturating_sub(*torn);
    }
    let mut writer = Writer {
        shared: shared.clone(),
        active: Active { first_seq: name, file: active.file.clone(), length: *length },
        last: *last,
        reserve: Reserve::open(options.files.clone(), dir, options.reserve_bytes),
        segment_bytes: options.segment_bytes,
        gates: Gates::default(),
        sealed: Sealed::after(*last),
        waiting: 0,
    };
    writer.record(&Entry::Opened { version: env!("CARGO_PKG_VERSION").to_owned(), cut: *torn })?;
    mark(dir, options, &Checkpoint::new(shared.id, false, options.files.boot_id(), writer.last))?;
    Ok((writer, Recovery { clean, cut: *torn, replayed: up.replayed, ..Recovery::default() }))
}

/// Makes the last group durable before anything is written after it. It may have been written and never flushed by a
/// process that was killed; or its flush failed, and the system takes for written what is not: so it is written again.
fn settle(file: &dyn File, begin: u64, end: u64) -> std::io::Result<()> {
    let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or(0)];
    let there = read_full(file, &mut bytes, begin)?;
    write_full(file, bytes.get(..there).unwrap_or_default(), begin)?;
    file.sync_data()
}

/// Checks that the record that the checkpoint names is there.
fn check_known(shared: &Shared, known: &Checkpoint, last: &Reached, name: u64, length: u64) -> Result<()> {
    if known.seq > last.seq {
        let what = format!(
            "the journal ends with record {}, but record {} was durable: its end was cut off or damaged \
             (after restoring an older copy, remove the file `checkpoint`)",
            last.seq, known.seq
        );
        return Err(JournalError::damaged(name, length, what));
    }
    let Position { segment, offset } = known.position;
    let bytes = shared.segments.bytes_at(known.position)?;
    if record::hash(&bytes) != known.hash {
        let what = format!("record {} is not the one that was durable", known.seq);
        return Err(JournalError::damaged(segment, offset, what));
    }
    Ok(())
}

/// Writes the checkpoint; when the disk is full, at the cost of the reserve.
pub(crate) fn mark(dir: &Path, options: &Options, checkpoint: &Checkpoint) -> Result<()> {
    let files = &*options.files;
    match checkpoint::write(files, dir, checkpoint) {
        Err(JournalError::Io { source, .. }) if is_full(&source) => {
            Reserve::give_up(files, dir);
            checkpoint::write(files, dir, checkpoint)
        }
        other => other,
    }
}
