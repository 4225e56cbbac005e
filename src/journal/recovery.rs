//! Opening: finds out what is there, refuses what is damaged, and brings the index up to it. What is read again is in
//! `replay.rs`, the end of it in `seal.rs`.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use uuid::Uuid;

use super::apply::Changes;
use super::archive;
use super::checkpoint::{self, Checkpoint, Found};
use super::error::{JournalError, Result};
use super::files::{File, Files};
use super::folders;
use super::index::Store;
use super::layers::{Free, Layers, Under};
use super::reader::Segments;
use super::record::{self, Position, Reached};
use super::replay::{End, NOTHING, Replayed, apply_group, apply_one, walk};
use super::resolve;
use super::seal::{mark, seal};
use super::segment::{self, Header};
use super::shared::Shared;
use super::table;
use super::writer::Writer;
use super::{Options, Recovery};

/// The index's folder in the journal's.
pub(crate) const INDEX: &str = "index";
/// Changes that are put into one in memory at a time.
const BATCH: usize = 1_000;

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
    /// Bytes, not compressed.
    pub length: u64,
    /// It is there as an archive.
    pub archived: bool,
}

/// Brings a journal up; the caller holds its lock.
pub(crate) fn open(dir: &Path, options: &Options) -> Result<Brought> {
    let files = &*options.files;
    let found = checkpoint::read(files, dir)?;
    let mut names = segment::names(files, dir)?;
    for path in &names.unfinished {
        files.remove(path).map_err(|error| JournalError::io("remove", path, error))?;
    }
    resolve::resolve(files, dir, &mut names)?;
    let created = names.all.is_empty();
    if created {
        if let Found::Whole(known) = &found
            && known.seq > 0
        {
            let what = format!("there are no segments, but {} records were durable", known.seq);
            return Err(JournalError::damaged(0, 0, what));
        }
        names.all = vec![create(dir, options)?];
    }
    // A process before this one may have failed to make these names durable.
    let archives = (!names.archived.is_empty()).then(|| archive::folder(dir));
    for folder in [Some(dir), Some(&segment::folder(dir)), archives.as_deref()].into_iter().flatten() {
        files.sync_dir(folder).map_err(|error| JournalError::io("sync", folder, error))?;
    }
    let segments = headers(files, dir, &names.all)?;
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
        folders::remove(&dir.join(INDEX))?;
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
    match seal(dir, options, &up, &segments, known) {
        Ok((writer, mut recovery)) => {
            settle_table(dir, &up.shared).unwrap_or_else(|error| {
                tracing::warn!(%error, "what the index says of archived documents is left as it is");
            });
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

/// Removes tables that belong to no index, and has the index's made anew if it is of other archives than there are.
fn settle_table(dir: &Path, shared: &Shared) -> Result<()> {
    let Some((table, covered)) = shared.layers.table()? else { return Ok(()) };
    table::clean(dir, table)?;
    let spans = shared.segments.archived_spans();
    if covered != spans.0.len() as u64 {
        shared.layers.begin_compacting(spans)?;
    }
    Ok(())
}

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
        let (file, header, archived) = segment::read_header(files, dir, *name)?;
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
                segments.push(Segment { file, header, length, archived });
                continue;
            }
        };
        return Err(JournalError::damaged(*name, 0, wrong));
    }
    Ok(segments)
}

/// The index brought up to the journal.
pub(crate) struct Up {
    pub shared: Arc<Shared>,
    pub flusher: JoinHandle<()>,
    pub end: End,
    pub replayed: u64,
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
        let (store, reached) = Store::open(&folder, dir, id, clean)?;
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
        Err(JournalError::Index { why } | JournalError::Full { why }) => why,
        Err(error) => return Err(error),
    };
    folders::remove(&folder)?;
    match attempt(false) {
        Ok((up, _)) => {
            tracing::warn!(why, records = up.replayed, "the journal's index was rebuilt");
            Ok((up, Some(why)))
        }
        Err(JournalError::Index { why } | JournalError::Full { why }) => {
            tracing::error!(
                why,
                "the journal's index cannot be kept on the disk; until the next start it is kept in memory"
            );
            folders::remove(&folder)
                .unwrap_or_else(|error| tracing::error!(%error, "nor can what is there be removed"));
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
    let archived = found.iter().filter(|segment| segment.archived).map(|segment| segment.header.first_seq).collect();
    let segments = Segments::new(options.files.clone(), dir, id, names, archived);
    let free: Free = {
        let (files, dir) = (options.files.clone(), dir.to_owned());
        Box::new(move || files.free(&dir))
    };
    let layers = Layers::new(id, store, options.index_batch, Some(free));
    let (files, clock) = (options.files.clone(), options.clock.clone());
    let shared = Arc::new(Shared::new(dir.to_owned(), files, clock, id, segments, layers));
    let flusher = {
        let shared = shared.clone();
        let thread = std::thread::Builder::new().name("journal-index".to_owned());
        thread
            .spawn(move || shared.layers.flush_until_stopped(|reached| in_memory(&shared, reached)))
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

/// The index made in memory of the records up to this one.
fn in_memory(shared: &Shared, reached: Reached) -> Result<Store> {
    let layers = Layers::new(shared.id, Store::memory(), 1, None);
    let mut changes = Changes::new();
    shared.segments.each_after(Position::NONE, reached.seq, &mut |replayed| {
        changes.extend(apply_one(&replayed, &Under { layers: &layers, over: &[&changes] })?);
        if changes.len() >= BATCH || replayed.at.seq == reached.seq {
            layers.publish(std::mem::take(&mut changes), reached, true)?;
            layers.flush_here()?;
        }
        Ok(())
    })?;
    layers.take_store().ok_or(JournalError::Closed)
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
    let frame = record::decode(shared.id, &bytes).ok().filter(|_| record::hash(&bytes) == reached.hash);
    let same = frame.is_some_and(|frame| (frame.header.seq, frame.header.group) == (reached.seq, reached.group));
    if same { Ok(()) } else { Err(JournalError::index("it does not belong to this journal as it is now")) }
}
