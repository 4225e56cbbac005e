//! Opening: finds out what is there, brings the index up to it, cuts a torn tail, and refuses what is damaged.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use uuid::Uuid;

use super::apply::{self, At, Changes, Entries};
use super::chain::Chain;
use super::checkpoint::{self, Checkpoint, Found};
use super::error::{JournalError, Result};
use super::files::{File, Files, read_full, write_full};
use super::index::{self, Reached, Store};
use super::layers::{Layers, Under};
use super::reader::{Segments, Step, Walk, recorded};
use super::record::{self, Flaw, Position};
use super::reserve::Reserve;
use super::salvage::follows;
use super::segment::{self, Header};
use super::shared::{Shared, lock};
use super::view::Recorded;
use super::writer::{Active, Writer};
use super::{Options, Recovery};
use crate::domain::event::Entry;

/// The index's folder in the journal's.
pub(crate) const INDEX: &str = "index";

/// A journal brought up, its writer not yet running.
pub(crate) struct Brought {
    pub writer: Writer,
    pub flusher: JoinHandle<()>,
    pub recovery: Recovery,
}

/// A segment as found.
pub(crate) struct Segment {
    pub file: Arc<dyn File>,
    pub header: Header,
    pub length: u64,
}

/// Brings a journal up; the caller holds its lock.
pub(crate) fn open(dir: &Path, options: &Options) -> Result<Brought> {
    let files = &*options.files;
    let found = checkpoint::read(files, dir)?;
    let (mut names, unfinished) = segment::names(files, dir)?;
    for path in unfinished {
        files.remove(&path).map_err(|error| JournalError::io("remove", &path, error))?;
    }
    let created = names.is_empty();
    if created {
        if let Found::Whole(known) = &found
            && known.seq > 0
        {
            let what = format!("there are no segments, but {} records were durable", known.seq);
            return Err(JournalError::damaged(0, 0, what));
        }
        names = vec![create(dir, options)?];
    }
    // A process before this one may have failed to make these names durable.
    for folder in [dir, &segment::folder(dir)] {
        files.sync_dir(folder).map_err(|error| JournalError::io("sync", folder, error))?;
    }
    let segments = headers(files, dir, &names)?;
    let id = segments.first().map_or_else(Uuid::nil, |first| first.header.journal);
    let known = match &found {
        Found::Whole(known) if known.journal != id => {
            return Err(JournalError::damaged(0, 0, "the file `checkpoint` belongs to another journal"));
        }
        Found::Whole(known) => Some(known),
        Found::Missing => None,
        Found::Damaged(why) => {
            tracing::warn!(why, "the journal's checkpoint cannot be read and proves nothing; it is made anew");
            None
        }
    };
    let distrust = if options.index_in_memory { None } else { distrust(known, created, files.boot_id()) };
    if distrust.is_some() {
        index::remove(&dir.join(INDEX))?;
    }
    // From here on the index may change, and must not be taken for the one of a clean stop.
    let last = known.map_or(NOTHING, |known| Reached {
        seq: known.seq,
        group: known.group,
        position: known.position,
        hash: known.hash,
    });
    mark(dir, options, &Checkpoint::new(id, false, files.boot_id(), last))?;
    let clean = known.is_some_and(|known| known.clean);
    let (up, why) = bring_up(dir, options, id, &segments, clean, distrust)?;
    match finish(dir, options, &up, &segments, known) {
        Ok((writer, mut recovery)) => {
            recovery.created = created;
            recovery.rebuilt = why.filter(|_| !created);
            Ok(Brought { writer, flusher: up.flusher, recovery })
        }
        Err(error) => {
            up.abandon();
            Err(error)
        }
    }
}

const NOTHING: Reached = Reached { seq: 0, group: 0, position: Position::NONE, hash: [0; 32] };

/// Why the index cannot be trusted, if so.
pub(crate) fn distrust(known: Option<&Checkpoint>, created: bool, boot: Option<String>) -> Option<String> {
    match known {
        _ if created => Some("the journal is new".to_owned()),
        None => Some("there is no checkpoint".to_owned()),
        Some(known) if known.clean => None,
        Some(known) if known.boot.is_none() || boot.is_none() => {
            Some("the journal was not closed, and the system does not say whether the machine stopped".to_owned())
        }
        Some(known) if known.boot != boot => Some("the machine stopped without the journal being closed".to_owned()),
        Some(_) => None,
    }
}

fn create(dir: &Path, options: &Options) -> Result<u64> {
    let folder = segment::folder(dir);
    let files = &*options.files;
    files.create_dir(&folder).map_err(|error| JournalError::io("make", &folder, error))?;
    files.sync_dir(dir).map_err(|error| JournalError::io("sync", dir, error))?;
    let header = Header {
        journal: Uuid::new_v4(),
        first_seq: 1,
        first_group: 1,
        previous_segment: 0,
        previous_length: 0,
        previous_hash: [0; 32],
        made_micros: options.clock.now().timestamp_micros(),
    };
    segment::create(files, dir, &header)?;
    Ok(1)
}

/// Opens all segments; their headers and lengths must make a chain.
fn headers(files: &dyn Files, dir: &Path, names: &[u64]) -> Result<Vec<Segment>> {
    let mut segments: Vec<Segment> = Vec::with_capacity(names.len());
    for name in names {
        let (file, header) = segment::read_header(files, dir, *name)?;
        let length = file.length().map_err(|error| JournalError::io("measure", &segment::path(dir, *name), error))?;
        let before = segments.last();
        let wrong = match before {
            None if header.first_seq != 1 || header.previous_segment != 0 => "the first segment is missing",
            Some(before) if before.header.journal != header.journal => "the segment belongs to another journal",
            Some(before) if before.header.first_seq != header.previous_segment => "the segment before it is missing",
            Some(before) if before.length != header.previous_length => {
                "the segment before it has not the length it had when it was full"
            }
            _ => {
                segments.push(Segment { file, header, length });
                continue;
            }
        };
        return Err(JournalError::damaged(*name, 0, wrong));
    }
    Ok(segments)
}

/// Writes the checkpoint; when the disk is full, at the cost of the reserve.
fn mark(dir: &Path, options: &Options, checkpoint: &Checkpoint) -> Result<()> {
    let files = &*options.files;
    match checkpoint::write(files, dir, checkpoint) {
        Err(JournalError::Io { source, .. }) if super::files::is_full(&source) => {
            Reserve::give_up(files, dir);
            checkpoint::write(files, dir, checkpoint)
        }
        other => other,
    }
}

/// The index brought up to the journal.
struct Up {
    shared: Arc<Shared>,
    flusher: JoinHandle<()>,
    end: End,
    replayed: u64,
}

impl Up {
    fn abandon(self) {
        stop(&self.shared, self.flusher);
    }
}

fn stop(shared: &Shared, flusher: JoinHandle<()>) {
    shared.layers.stop_flusher();
    let _ = flusher.join(); // it panics nowhere, and if it did the index is not used again
    drop(shared.layers.take_store());
}

/// Brings an index up to the journal: the one there is, else a new one, else one in memory. Also tells why it was
/// rebuilt, if so.
fn bring_up(
    dir: &Path,
    options: &Options,
    id: Uuid,
    segments: &[Segment],
    clean: bool,
    distrust: Option<String>,
) -> Result<(Up, Option<String>)> {
    let folder = dir.join(INDEX);
    if options.index_in_memory {
        let up = try_index(dir, options, id, segments, Store::memory(), None)?;
        return Ok((up, Some("it is kept in memory".to_owned())));
    }
    let had = folder.exists();
    let attempt = |clean| {
        let (store, reached) = Store::open(&folder, id, clean)?;
        let fresh = reached.is_none();
        Ok((try_index(dir, options, id, segments, store, reached)?, fresh))
    };
    let why = match attempt(clean) {
        Ok((up, false)) => return Ok((up, None)),
        Ok((up, true)) => {
            let why = distrust.unwrap_or_else(|| if had { "it was empty" } else { "it was missing" }.to_owned());
            if up.replayed > 0 {
                tracing::info!(why, records = up.replayed, "the journal's index was rebuilt");
            }
            return Ok((up, Some(why)));
        }
        Err(JournalError::Index { why }) => why,
        Err(error) => return Err(error),
    };
    index::remove(&folder)?;
    match attempt(false) {
        Ok((up, _)) => {
            tracing::warn!(why, records = up.replayed, "the journal's index was rebuilt");
            Ok((up, Some(why)))
        }
        Err(JournalError::Index { why }) => {
            tracing::error!(
                why,
                "the journal's index cannot be kept on the disk; until the next start it is kept in memory"
            );
            index::remove(&folder).unwrap_or_else(|error| tracing::error!(%error, "nor can what is there be removed"));
            Ok((try_index(dir, options, id, segments, Store::memory(), None)?, Some(why)))
        }
        Err(error) => Err(error),
    }
}

fn try_index(
    dir: &Path,
    options: &Options,
    id: Uuid,
    found: &[Segment],
    store: Store,
    reached: Option<Reached>,
) -> Result<Up> {
    let names = found.iter().map(|segment| segment.header.first_seq).collect();
    let segments = Segments::new(options.files.clone(), dir, id, names);
    let layers = Layers::new(id, store, options.index_batch);
    let (files, clock) = (options.files.clone(), options.clock.clone());
    let shared = Arc::new(Shared::new(dir.to_owned(), files, clock, id, segments, layers));
    let flusher = {
        let shared = shared.clone();
        let thread = std::thread::Builder::new().name("journal-index".to_owned());
        thread
            .spawn(move || shared.layers.flush_until_stopped())
            .map_err(|error| JournalError::io("start a thread for", dir, error))?
    };
    let mut replayed = 0;
    let apply = |group: Vec<Replayed>, reached| {
        replayed += group.len() as u64;
        apply_group(&shared, group, reached)
    };
    match check_reached(&shared, found, reached).and_then(|()| walk(id, found, reached, apply)) {
        Ok(end) => Ok(Up { shared, flusher, end, replayed }),
        Err(error) => {
            stop(&shared, flusher);
            Err(error)
        }
    }
}

/// Checks that the record up to which the index has come is there.
fn check_reached(shared: &Shared, found: &[Segment], reached: Option<Reached>) -> Result<()> {
    let Some(reached) = reached else { return Ok(()) };
    let Position { segment, offset } = reached.position;
    if !found.iter().any(|known| known.header.first_seq == segment && known.length > offset) {
        let what = format!("record {} was durable and is missing: the journal's end was cut off", reached.seq);
        return Err(JournalError::damaged(segment, offset, what));
    }
    let bytes = shared.segments.bytes_at(reached.position)?;
    let same = record::hash(&bytes) == reached.hash;
    if same { Ok(()) } else { Err(JournalError::index("it does not belong to this journal as it is now")) }
}

/// A record read again, and the one before of the same document.
pub(crate) struct Replayed {
    pub at: At,
    pub entry: Entry,
    pub previous: Position,
}

/// Where a journal ends.
pub(crate) struct End {
    /// The last record of the last whole group.
    pub last: Reached,
    /// Where in the last segment the last group begins, if it was read.
    pub last_group: Option<u64>,
    /// Where in the last segment the next record goes.
    pub length: u64,
    /// Bytes of a torn tail after that.
    pub torn: u64,
}

/// Walks from after `reached` to the end, group by group.
pub(crate) fn walk(
    id: Uuid,
    segments: &[Segment],
    reached: Option<Reached>,
    mut each: impl FnMut(Vec<Replayed>, Reached) -> Result<()>,
) -> Result<End> {
    let mut last = reached.unwrap_or(NOTHING);
    let (mut last_group, mut length) = (None, segment::HEADER as u64);
    let mut before: Option<(u64, u64)> = None;
    for (index, segment) in segments.iter().enumerate() {
        let name = segment.header.first_seq;
        let damaged = |offset, what: &str| JournalError::damaged(name, offset, what);
        let skip = reached.is_some_and(|reached| name < reached.position.segment);
        let begins_here = reached.filter(|reached| name == reached.position.segment);
        let mut chain = Chain::after(last);
        if !skip && begins_here.is_none() {
            chain.enter(id, &segment.header, before).map_err(|what| damaged(0, &what))?;
        }
        before = Some((name, segment.length));
        if skip {
            continue;
        }
        let read = |error| JournalError::damaged(name, 0, format!("the segment cannot be read: {error}"));
        let is_last = index + 1 == segments.len();
        let mut walk =
            Walk::new(segment.file.clone(), id, begins_here.map_or(segment::HEADER as u64, |at| at.position.offset));
        if begins_here.is_some() {
            walk.step().map_err(read)?; // the record reached itself
        }
        length = walk.offset();
        last_group = None;
        let mut group = Vec::new();
        loop {
            let position = Position { segment: name, offset: walk.offset() };
            let flaw = match walk.step().map_err(read)? {
                Step::Record(frame) => {
                    let hash = record::hash(frame.bytes);
                    chain.follow(&frame.header, hash).map_err(|what| damaged(position.offset, &what))?;
                    let Recorded { seq, at: time, entry } = recorded(&frame, position)?;
                    let previous = frame.header.previous_of_document;
                    group.push(Replayed { at: At { seq, time, position }, entry, previous });
                    if chain.at_group_end() {
                        last = chain.reached(position);
                        last_group = Some(length);
                        length = walk.offset();
                        each(std::mem::take(&mut group), last)?;
                    }
                    continue;
                }
                Step::End if group.is_empty() => break,
                Step::End => "the segment ends inside a commit group".to_owned(),
                Step::Flaw(flaw @ Flaw::Version(_)) => return Err(JournalError::Version { what: flaw.words() }),
                Step::Flaw(flaw) => flaw.words(),
            };
            if !is_last {
                return Err(damaged(position.offset, &flaw));
            }
            if follows(&mut walk, last.group + 1).map_err(read)? {
                let what = format!("{flaw}, and records that were written later follow");
                return Err(damaged(position.offset, &what));
            }
            return Ok(End { last, last_group, length, torn: segment.length.saturating_sub(length) });
        }
    }
    Ok(End { last, last_group, length, torn: 0 })
}

fn apply_group(shared: &Shared, group: Vec<Replayed>, reached: Reached) -> Result<()> {
    let mut changes = Changes::new();
    for replayed in group {
        let under = Under { layers: &shared.layers, segments: &shared.segments, over: &[&changes] };
        let applied = apply_one(&replayed, &under)?;
        changes.extend(applied);
    }
    shared.layers.publish(changes, reached, false)
}

/// What a record read again changes; what cannot follow is damage.
pub(crate) fn apply_one(replayed: &Replayed, before: &dyn Entries) -> Result<Changes> {
    let At { seq, position, .. } = replayed.at;
    let damaged = |what: String| JournalError::damaged(position.segment, position.offset, what);
    let applied = apply::apply(replayed.at, &replayed.entry, before).map_err(|error| match error {
        JournalError::Index { .. } | JournalError::Io { .. } | JournalError::Closed => error,
        other => damaged(format!("record {seq} contradicts what came before it: {other}")),
    })?;
    if applied.previous != replayed.previous {
        return Err(damaged(format!("record {seq} does not point to the record before it of the same document")));
    }
    Ok(applied.changes)
}

/// Checks the end against what was known, cuts a torn tail, and seals it all with a record of its own.
fn finish(
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
        stats.segments = segments.len() as u64;
        stats.journal_bytes = segments.iter().map(|segment| segment.length).sum::<u64>().saturating_sub(*torn);
    }
    let mut writer = Writer {
        shared: shared.clone(),
        active: Active { first_seq: name, file: active.file.clone(), length: *length },
        last: *last,
        reserve: Reserve::open(options.files.clone(), dir, options.reserve_bytes),
        segment_bytes: options.segment_bytes,
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
