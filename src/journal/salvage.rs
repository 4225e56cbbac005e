//! Reading a journal that may be damaged: everything readable, in order, and where something is wrong. An archive is read
//! as the segment that it was; what is wrong with the archive is told instead of what that makes of its records.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::archive::{self, Archive};
use super::chain::Chain;
use super::error::{JournalError, Result};
use super::files::{File, Files, read_full};
use super::reader::{Step, Walk, recorded};
use super::record::{self, Flaw, Hash, Header, Position};
use super::segment::{self, Names};
use super::view::Recorded;
use crate::domain::event::Entry;
use crate::domain::id::{DocId, Key};

/// What a walk through a journal meets.
pub(crate) enum Met {
    /// Records, in order; the last one may end its commit group, in which case its hash and group are given.
    Record { recorded: Recorded, position: Position, previous: Position, hash: Hash, group: u64, ends_group: bool },
    /// Something wrong; with the document concerned, as far as that can be made out.
    Damage { at: Position, what: String, of: Option<Of> },
}

/// What damage is about.
pub(crate) enum Of {
    Key(Key),
    Document(DocId),
}

impl Of {
    /// What a record is about.
    pub fn entry(entry: Option<Entry>) -> Option<Of> {
        match entry? {
            Entry::Enqueued(taken) => Some(Of::Key(taken.key)),
            Entry::Document { id, .. } => Some(Of::Document(id)),
            _ => None,
        }
    }
}

/// How a walk ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// The last record of the last whole commit group.
    pub seq_whole: u64,
    /// Where the torn tail begins, or would.
    pub at: Position,
    /// Its length.
    pub torn: u64,
}

/// The journal's id, by the first segment that says one.
pub(crate) fn id_of(files: &dyn Files, dir: &Path, names: &Names) -> Option<Uuid> {
    names.all.iter().find_map(|name| Some(segment::read_header(files, dir, *name).ok()?.1.journal))
}

/// Walks through all segments, whatever is in them.
pub(crate) fn walk(
    files: &dyn Files,
    dir: &Path,
    id: Uuid,
    names: &Names,
    each: &mut dyn FnMut(Met) -> Result<()>,
) -> Result<Ended> {
    let mut salvage = Salvage { id, chain: Chain::beginning(), lost: false, group: Vec::new(), whole: 0, each };
    let mut ended = Ended { seq_whole: 0, at: Position { segment: 0, offset: 0 }, torn: 0 };
    let mut before = None;
    for (index, name) in names.all.iter().copied().enumerate() {
        let at = Position { segment: name, offset: 0 };
        // Of a journal in use it may have become one since.
        let opened = if names.archived.contains(&name) { None } else { open_segment(files, dir, name)? };
        let archived = opened.is_none();
        let path = if archived { archive::path(dir, name) } else { segment::path(dir, name) };
        let (file, flaws) = match opened.map_or_else(|| open_archive(files, dir, name), |file| Ok((file, Flaws::new())))
        {
            Ok(opened) => opened,
            Err(JournalError::Damaged { what, .. }) => {
                salvage.lost = true;
                salvage.damage(at, what, None)?;
                before = Some((name, 0));
                continue;
            }
            Err(error) => return Err(error),
        };
        let length = file.length().map_err(|error| JournalError::io("measure", &path, error))?;
        salvage.enter(at, segment::read_header(files, dir, name).map(|(_, header, _)| header), before)?;
        before = Some((name, length));
        let good = salvage
            .segment(&file, name, index + 1 == names.all.len() && !archived, flaws)
            .map_err(|error| error.unwrap_or_else(|error| JournalError::io("read", &path, error)))?;
        ended = Ended {
            seq_whole: salvage.whole,
            at: Position { segment: name, offset: good },
            torn: length.saturating_sub(good),
        };
    }
    Ok(ended)
}

/// What is wrong with an archive, by the place in its segment.
type Flaws = BTreeMap<u64, Vec<archive::Flaw>>;

/// A segment; `None` when it is there as an archive only.
fn open_segment(files: &dyn Files, dir: &Path, name: u64) -> Result<Option<Arc<dyn File>>> {
    let path = segment::path(dir, name);
    match files.open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let there = files.open(&archive::path(dir, name)).is_ok();
            if there { Ok(None) } else { Err(JournalError::io("open", &path, error)) }
        }
        Err(error) => Err(JournalError::io("open", &path, error)),
    }
}

fn open_archive(files: &dyn Files, dir: &Path, name: u64) -> Result<(Arc<dyn File>, Flaws)> {
    let archive = Archive::open(files, dir, name)?;
    let flaws = archive.flaws().map_err(|error| JournalError::io("read", &archive::path(dir, name), error))?;
    Ok((Arc::new(archive.lenient()), flaws))
}

struct Salvage<'a> {
    id: Uuid,
    chain: Chain,
    /// Something was damaged just before: what follows need not connect.
    lost: bool,
    /// The records of the commit group that is not complete yet: at the very end they are a torn tail.
    group: Vec<Met>,
    /// The last record of the last whole commit group.
    whole: u64,
    each: &'a mut dyn FnMut(Met) -> Result<()>,
}

/// An error of the journal, or of the file being read.
type Trouble = std::result::Result<JournalError, std::io::Error>;

impl Salvage<'_> {
    fn damage(&mut self, at: Position, what: String, of: Option<Of>) -> Result<()> {
        self.let_go()?;
        (self.each)(Met::Damage { at, what, of })
    }

    /// Tells what is wrong with an archive at a place of its segment, once for each document concerned.
    fn flaws(&mut self, at: Position, flaws: Vec<archive::Flaw>) -> Result<()> {
        for archive::Flaw { what, keys } in flaws {
            let of: Vec<_> = keys.iter().filter_map(|key| Some(Of::Key(key.parse().ok()?))).collect();
            if of.is_empty() {
                self.damage(at, what.clone(), None)?;
            }
            of.into_iter().try_for_each(|of| self.damage(at, what.clone(), Some(of)))?;
        }
        Ok(())
    }

    fn let_go(&mut self) -> Result<()> {
        std::mem::take(&mut self.group).into_iter().try_for_each(|met| (self.each)(met))
    }

    fn enter(&mut self, at: Position, header: Result<segment::Header>, before: Option<(u64, u64)>) -> Result<()> {
        match header {
            Err(error @ JournalError::Version { .. }) => Err(error),
            Err(JournalError::Damaged { what, .. }) => {
                self.lost = true;
                self.damage(at, what, None)
            }
            Err(error) => Err(error),
            Ok(header) => match self.chain.enter(self.id, &header, before) {
                Ok(()) => Ok(()),
                Err(_) if self.lost && header.journal == self.id => Ok(()),
                Err(what) => {
                    self.lost = true;
                    self.damage(at, what, None)
                }
            },
        }
    }

    /// Reads one segment; returns where its last whole commit group ends.
    fn segment(&mut self, file: &Arc<dyn File>, name: u64, is_last: bool, mut flaws: Flaws) -> Result<u64, Trouble> {
        if let Some(elsewhere) = flaws.remove(&0) {
            self.flaws(Position { segment: name, offset: 0 }, elsewhere).map_err(Ok)?;
        }
        let mut walk = Walk::new(file.clone(), self.id, segment::HEADER as u64);
        let mut good = walk.offset();
        loop {
            let at = Position { segment: name, offset: walk.offset() };
            let flaw = match walk.step().map_err(Err)? {
                Step::Record(frame) => {
                    let ends_group = frame.header.last_of_group;
                    let (header, payload) = (frame.header, frame.payload.to_vec());
                    let hash = record::hash(frame.bytes);
                    let recorded = recorded(&frame, at);
                    self.record(at, &header, hash, recorded, &payload).map_err(Ok)?;
                    if ends_group {
                        good = walk.offset();
                    }
                    continue;
                }
                Step::End => None,
                Step::Flaw(flaw @ Flaw::Version(_)) => return Err(Ok(JournalError::Version { what: flaw.words() })),
                Step::Flaw(flaw) => Some(flaw),
            };
            if is_last && !follows(&mut walk, self.chain.next_group()).map_err(Err)? {
                self.group.clear(); // a torn tail
                return Ok(good);
            }
            let Some(flaw) = flaw else {
                if !self.chain.at_group_end() {
                    self.damage(at, "the segment ends inside a commit group".to_owned(), None).map_err(Ok)?;
                }
                return Ok(walk.offset());
            };
            let found = walk.resync_from(at.offset).map_err(Err)?;
            let (next, entry) = (walk.offset(), self.make_out(&**file, at, walk.offset(), found).map_err(Err)?);
            self.lost = true;
            let later = flaws.split_off(&if found { next } else { u64::MAX });
            match std::mem::replace(&mut flaws, later) {
                here if here.is_empty() => self.damage(at, flaw.words(), Of::entry(entry)).map_err(Ok)?,
                here => here.into_iter().try_for_each(|(offset, flaws)| {
                    self.flaws(Position { segment: name, offset }, flaws).map_err(Ok)
                })?,
            }
            if !found {
                return Ok(next);
            }
        }
    }

    fn record(
        &mut self,
        position: Position,
        header: &Header,
        hash: Hash,
        recorded: Result<Recorded>,
        payload: &[u8],
    ) -> Result<()> {
        if self.lost {
            self.chain.jump(header, hash);
        } else if let Err(what) = self.chain.follow(header, hash) {
            self.chain.jump(header, hash);
            self.damage(position, what, Of::entry(record::decode_entry(payload)))?;
        }
        self.lost = false;
        match recorded {
            Ok(recorded) => self.group.push(Met::Record {
                recorded,
                position,
                previous: header.previous_of_document,
                hash,
                group: header.group,
                ends_group: header.last_of_group,
            }),
            Err(JournalError::Damaged { what, .. }) => self.damage(position, what, None)?,
            Err(error) => return Err(error),
        }
        if header.last_of_group {
            self.whole = header.seq;
            self.let_go()?;
        }
        Ok(())
    }

    /// What a damaged record between two places may have been.
    fn make_out(&self, file: &dyn File, at: Position, next: u64, found: bool) -> std::io::Result<Option<Entry>> {
        let most = (record::HEADER + crate::domain::limits::MAX_RECORD) as u64;
        let length = if found { next.saturating_sub(at.offset).min(most) } else { most };
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let there = read_full(file, &mut bytes, at.offset)?;
        bytes.truncate(there);
        let stated =
            record::stated_length(&bytes).and_then(|length| bytes.get(record::HEADER..record::HEADER + length));
        let between = bytes.get(record::HEADER..);
        Ok([stated, between].into_iter().flatten().find_map(record::decode_entry))
    }
}

/// Whether after the flaw at this place there is a record that is not of this commit group: then the place was whole
/// once, and what is wrong with it is damage.
pub(crate) fn follows(walk: &mut Walk, group: u64) -> std::io::Result<bool> {
    let begin = walk.offset();
    let mut at = begin;
    let mut found = false;
    while !found && walk.resync_from(at)? {
        at = walk.offset();
        // A payload might hold what looks like a record: nothing is left out.
        found = match walk.step()? {
            Step::Record(frame) => frame.header.group != group,
            Step::Flaw(Flaw::Version(_)) => true,
            Step::Flaw(_) | Step::End => false,
        };
    }
    walk.seek(begin);
    Ok(found)
}
