//! Reading records from segments: one at a place, or one after the other.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use uuid::Uuid;

use super::apply::At;
use super::error::{JournalError, Result};
use super::files::{File, Files, read_there};
use super::record::{self, Flaw, Frame, Position};
use super::replay::Replayed;
use super::segment;
use super::tabling::Spans;
use super::view::Recorded;
use crate::domain::limits::MAX_RECORD;

/// What is read first of a record at a place: most are shorter.
const GUESS: usize = 4 * 1024;
/// What is read at a time when records are read one after the other.
const CHUNK: usize = 256 * 1024;
/// Files kept open for reading; beyond it all are closed and opened again as needed.
const OPEN_FILES: usize = 64;

/// The segments of a journal, for reading.
pub(crate) struct Segments {
    files: Arc<dyn Files>,
    dir: PathBuf,
    journal: Uuid,
    /// First sequence numbers, in order.
    names: RwLock<Vec<u64>>,
    archived: RwLock<BTreeSet<u64>>,
    open: Mutex<HashMap<u64, Arc<dyn File>>>,
}

impl Segments {
    pub fn new(files: Arc<dyn Files>, dir: &Path, journal: Uuid, names: Vec<u64>, archived: BTreeSet<u64>) -> Segments {
        let (names, archived) = (RwLock::new(names), RwLock::new(archived));
        Segments { files, dir: dir.to_owned(), journal, names, archived, open: Mutex::default() }
    }

    /// Takes in a segment just made.
    pub fn add(&self, first_seq: u64) {
        self.names.write().unwrap_or_else(PoisonError::into_inner).push(first_seq);
    }

    pub fn names(&self) -> Vec<u64> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that are archives.
    pub fn archived(&self) -> BTreeSet<u64> {
        self.archived.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sequence numbers of the records in archives.
    pub fn archived_spans(&self) -> Spans {
        let (names, archived) = (self.names(), self.archived());
        let ends = names.iter().skip(1);
        let spans = names.iter().zip(ends).filter(|(name, _)| archived.contains(name));
        Spans(spans.map(|(first, end)| (*first, *end)).collect())
    }

    /// From now on this segment is read from its archive.
    pub fn now_archived(&self, segment: u64) {
        self.archived.write().unwrap_or_else(PoisonError::into_inner).insert(segment);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&segment);
    }

    pub fn file(&self, segment: u64) -> Result<Arc<dyn File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&segment) {
            return Ok(file.clone());
        }
        let (file, _) = segment::open(&*self.files, &self.dir, segment)?;
        if open.len() >= OPEN_FILES {
            open.clear();
        }
        open.insert(segment, file.clone());
        Ok(file)
    }

    /// The whole record at `at`, header and payload.
    pub fn bytes_at(&self, at: Position) -> Result<Vec<u8>> {
        let file = self.file(at.segment)?;
        let mut bytes = vec![0; GUESS];
        loop {
            // A bad sector does not heal: it is damage like any other.
            let there = read_there(&*file, &mut bytes, at.offset)
                .map_err(|error| JournalError::damaged(at.segment, at.offset, format!("it cannot be read: {error}")))?;
            let ended = there < bytes.len();
            bytes.truncate(there);
            match record::decode(self.journal, &bytes) {
                Ok(frame) => {
                    let length = frame.bytes.len();
                    bytes.truncate(length);
                    return Ok(bytes);
                }
                Err(Flaw::Short(need)) if !ended && need > there => bytes.resize(need, 0),
                Err(flaw @ Flaw::Version(_)) => return Err(JournalError::Version { what: flaw.words() }),
                Err(flaw) => {
                    // Where a place that cannot be read cut it short, say so.
                    let read = file.read_at(&mut [0], at.offset + there as u64);
                    let failed = read.err().filter(|_| matches!(flaw, Flaw::Short(_)));
                    let what = failed.map_or_else(|| flaw.words(), |error| format!("it cannot be read: {error}"));
                    return Err(JournalError::damaged(at.segment, at.offset, what));
                }
            }
        }
    }

    /// The record at `at` and the one before of the same document.
    pub fn read(&self, at: Position) -> Result<(Recorded, Position)> {
        let bytes = self.bytes_at(at)?;
        let frame = record::decode(self.journal, &bytes)
            .map_err(|flaw| JournalError::damaged(at.segment, at.offset, flaw.words()))?;
        Ok((recorded(&frame, at)?, frame.header.previous_of_document))
    }

    /// Up to `limit` records with `after` < sequence number <= `last`, beginning the search at `near` if that helps.
    pub fn read_after(&self, after: u64, last: u64, near: Option<Position>, limit: usize) -> Result<Vec<Recorded>> {
        let mut found = Vec::new();
        if after >= last {
            return Ok(found);
        }
        let names = self.names();
        let first = names.partition_point(|name| *name <= after.saturating_add(1)).saturating_sub(1);
        for (index, segment) in names.iter().copied().enumerate().skip(first) {
            let start = near.filter(|near| index == first && near.segment == segment).map(|near| near.offset);
            let mut walk = Walk::new(self.file(segment)?, self.journal, start.unwrap_or(segment::HEADER as u64));
            loop {
                let at = Position { segment, offset: walk.offset() };
                if found.len() >= limit || found.last().is_some_and(|found: &Recorded| found.seq >= last) {
                    return Ok(found);
                }
                match walk
                    .step()
                    .map_err(|error| JournalError::io("read", &segment::path(&self.dir, segment), error))?
                {
                    Step::Record(frame) if frame.header.seq > last => return Ok(found),
                    Step::Record(frame) if frame.header.seq > after => found.push(recorded(&frame, at)?),
                    Step::Record(_) => {}
                    Step::End => break,
                    Step::Flaw(flaw) => return Err(JournalError::damaged(at.segment, at.offset, flaw.words())),
                }
            }
        }
        Ok(found)
    }
}

impl Segments {
    /// Hands over every record after the one at `after`, up to the sequence number `last`, with its place.
    pub fn each_after(&self, after: Position, last: u64, each: &mut dyn FnMut(Replayed) -> Result<()>) -> Result<()> {
        for segment in self.names().into_iter().filter(|name| *name >= after.segment) {
            let begins = segment == after.segment;
            let start = if begins { after.offset } else { segment::HEADER as u64 };
            let mut walk = Walk::new(self.file(segment)?, self.journal, start);
            let mut skip = begins;
            loop {
                let position = Position { segment, offset: walk.offset() };
                match walk
                    .step()
                    .map_err(|error| JournalError::io("read", &segment::path(&self.dir, segment), error))?
                {
                    Step::Record(frame) if frame.header.seq > last => return Ok(()),
                    Step::Record(_) if std::mem::take(&mut skip) => {}
                    Step::Record(frame) => {
                        let Recorded { seq, at, entry } = recorded(&frame, position)?;
                        let at = At { seq, time: at, position };
                        each(Replayed { at, entry, previous: frame.header.previous_of_document })?;
                        if seq == last {
                            return Ok(());
                        }
                    }
                    Step::End => break,
                    Step::Flaw(flaw) => return Err(JournalError::damaged(segment, position.offset, flaw.words())),
                }
            }
        }
        Ok(())
    }
}

/// A frame's content.
pub(crate) fn recorded(frame: &Frame<'_>, at: Position) -> Result<Recorded> {
    let damaged = |what| JournalError::damaged(at.segment, at.offset, what);
    Ok(Recorded {
        seq: frame.header.seq,
        at: record::time(frame.header.at_micros).ok_or_else(|| damaged("the record's time is none"))?,
        entry: record::decode_entry(frame.payload).ok_or_else(|| damaged("the record's content cannot be read"))?,
    })
}

/// What comes next in a segment.
pub(crate) enum Step<'a> {
    Record(Frame<'a>),
    /// The file ends here, where a record ended.
    End,
    /// Something else is here.
    Flaw(Flaw),
}

/// Reads a segment's records one after the other.
pub(crate) struct Walk {
    file: Arc<dyn File>,
    journal: Uuid,
    buffer: Vec<u8>,
    /// Where the buffer begins in the file, and where the next record begins in the buffer.
    base: u64,
    next: usize,
    ended: bool,
}

impl Walk {
    pub fn new(file: Arc<dyn File>, journal: Uuid, offset: u64) -> Walk {
        Walk { file, journal, buffer: Vec::new(), base: offset, next: 0, ended: false }
    }

    /// Where the next record begins.
    pub fn offset(&self) -> u64 {
        self.base + self.next as u64
    }

    /// Goes on at another place.
    pub fn seek(&mut self, offset: u64) {
        match usize::try_from(offset.saturating_sub(self.base)) {
            Ok(next) if offset >= self.base && next <= self.buffer.len() => self.next = next,
            _ => *self = Walk::new(self.file.clone(), self.journal, offset),
        }
    }

    /// Makes at least `need` bytes from the next record on ready, if the file has them.
    fn fill(&mut self, need: usize) -> std::io::Result<()> {
        if self.buffer.len() - self.next >= need || self.ended {
            return Ok(());
        }
        self.buffer.drain(..self.next);
        self.base += self.next as u64;
        self.next = 0;
        let have = self.buffer.len();
        let begin = self.base + have as u64;
        let left = self.file.length()?.saturating_sub(begin);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(need + CHUNK - have);
        let mut more = vec![0; wanted];
        let there = read_there(&*self.file, &mut more, begin)?;
        self.buffer.extend_from_slice(more.get(..there).unwrap_or_default());
        self.ended = there as u64 == left;
        Ok(())
    }

    /// The next record; after a flaw the place stays.
    pub fn step(&mut self) -> std::io::Result<Step<'_>> {
        let mut need = record::HEADER;
        let length = loop {
            self.fill(need)?;
            let rest = self.buffer.get(self.next..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(Step::End);
            }
            match record::decode(self.journal, rest) {
                Ok(frame) => break frame.bytes.len(),
                Err(Flaw::Short(more)) if rest.len() < more && !self.ended => need = more,
                Err(flaw) => return Ok(Step::Flaw(flaw)),
            }
        };
        let start = self.next;
        self.next += length;
        let bytes = self.buffer.get(start..self.next).unwrap_or_default();
        // Decoded a second time only because the loop above may not keep a borrow of what it grows.
        Ok(record::decode(self.journal, bytes).map_or_else(Step::Flaw, Step::Record))
    }

    /// Goes to the next place after `offset` where a whole record is, if there is one: for what comes after damage.
    pub fn resync_from(&mut self, offset: u64) -> std::io::Result<bool> {
        self.seek(offset + 1);
        loop {
            self.fill(record::HEADER + MAX_RECORD)?;
            let rest = self.buffer.get(self.next..).unwrap_or_default();
            let marker = rest.windows(record::MARKER.len()).position(|bytes| bytes == record::MARKER);
            let Some(skip) = marker else {
                self.next = self.buffer.len();
                return Ok(false);
            };
            self.next += skip;
            let rest = self.buffer.get(self.next..).unwrap_or_default();
            match record::decode(self.journal, rest) {
                Ok(_) | Err(Flaw::Version(_)) => return Ok(true),
                Err(_) => self.next += 1,
            }
        }
    }
}
