//! Archiving: sealed segments whose documents are all done with become compressed archives, one each. A segment is
//! removed only when its archive is durable under its name and was read back and found to be the segment; whatever ends
//! the process in between leaves both, and the next open keeps one ([`resolve`](super::resolve)).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};

use super::Journal;
use super::apply;
use super::archive::{self, Archive};
use super::chain::Chain;
use super::durable::Live;
use super::error::{JournalError, Result};
use super::files::{File, is_full, read_full, write_full};
use super::packed::Packer;
use super::reader::{Step, Walk};
use super::record::{self, Frame, Hash, Position, Reached};
use super::resolve::same;
use super::segment::{self, Header};
use super::shared::{Shared, lock};
use crate::domain::event::Entry;
use crate::domain::id::{DocId, Key};
use crate::domain::state::Progress;

/// What [`Journal::archive`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Archived {
    /// Segments that became archives.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes of their archives.
    pub archive_bytes: u64,
    /// Sealed segments that stay, because of a document that is not final, is still followed, or is too young.
    pub kept: u64,
    /// Sealed segments that stay because they are damaged.
    pub unsound: Vec<Unsound>,
    /// Bytes of the index's files before and after it was made anew; `None` when it was not: nothing was archived, or it
    /// is kept in memory.
    pub index: Option<(u64, u64)>,
    /// Bytes of the table of what the index says of archived documents, which is with the archives; `None` like `index`.
    pub table: Option<u64>,
    /// Why the index is as it was, if making it anew failed. It is as good as before.
    pub index_kept: Option<String>,
}

/// A segment that cannot be archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsound {
    /// The segment, by its first sequence number.
    pub segment: u64,
    /// What is wrong with it.
    pub why: String,
}

/// What is to become of a segment.
enum Verdict {
    /// Its documents, by number.
    Ready(HashMap<DocId, Key>),
    Stays,
    Unsound(JournalError),
}

impl Journal {
    /// Makes compressed archives of the sealed segments whose documents are all final, no longer followed, and came to
    /// their state at or before `until`; then makes the index's files anew, without the room that is lost in them and
    /// without what they say of archived documents, which goes into a table with the archives. What
    /// is archived is read as before: nothing changes but the bytes on the disk. Runs on this thread while the journal
    /// goes on taking; one at a time. The newest segment is sealed for it when it is all done with too.
    ///
    /// # Errors
    /// [`JournalError::Full`] or [`JournalError::Io`]: what was archived before that stays archived, the segment in
    /// hand is as it was or is there twice until the next open; [`JournalError::Nested`] inside a transaction;
    /// [`JournalError::Closed`] and [`JournalError::Poisoned`] as everywhere; closing waits for the segment in hand.
    pub fn archive(&self, until: DateTime<Utc>) -> Result<Archived, JournalError> {
        let shared = &self.handle.shared;
        if shared.on_writer_thread() {
            return Err(JournalError::Nested);
        }
        let _one_at_a_time = lock(&shared.archiving);
        // Also finds out whether the journal is open and sound enough to go on.
        self.transact(|_| Ok::<_, JournalError>(()))??;
        let last_seq = self.last_seq();
        if let Some(newest) = shared.segments.names().last().copied()
            && let Verdict::Ready(documents) = examine(shared, newest, Some(last_seq), until)?
            && !documents.is_empty()
        {
            shared.seal_wanted.store(true, Ordering::Release);
            self.transact(|_| Ok::<_, JournalError>(()))??;
        }
        let mut done = Archived::default();
        let (names, archived) = (shared.segments.names(), shared.segments.archived());
        let sealed = names.split_last().map_or(&[][..], |(_, sealed)| sealed);
        for name in sealed.iter().copied().filter(|name| !archived.contains(name)) {
            if shared.line.is_stopping() {
                return Err(JournalError::Closed);
            }
            match examine(shared, name, None, until)? {
                Verdict::Ready(documents) => {
                    let (bytes, packed) = archive_one(shared, name, &documents)?;
                    done.segments += 1;
                    done.bytes += bytes;
                    done.archive_bytes += packed;
                }
                Verdict::Stays => done.kept += 1,
                Verdict::Unsound(error) => {
                    tracing::error!(%error, segment = name, "a damaged segment is not archived");
                    done.unsound.push(Unsound { segment: name, why: error.to_string() });
                }
            }
        }
        let spans = shared.segments.archived_spans();
        let covered = shared.layers.table()?.map(|(_, covered)| covered);
        if covered.is_some_and(|covered| covered != spans.0.len() as u64) {
            match shared.layers.compact(spans) {
                Ok(done_so) => {
                    done.index = done_so.map(|bytes| (bytes.before, bytes.after));
                    done.table = done_so.map(|bytes| bytes.table);
                }
                Err(error) => {
                    tracing::warn!(%error, "the index keeps the files it has");
                    done.index_kept = Some(error.to_string());
                }
            }
        }
        Ok(done)
    }
}

/// Whether nothing will happen to a document any more by the program's doing, and nothing has since `until`.
fn done_with(document: &Progress, until: DateTime<Utc>) -> bool {
    document.state.is_final() && document.due_at.is_none() && document.changed_at <= until
}

/// Reads a sealed segment, or of the newest what is durable: up to this record.
fn examine(shared: &Shared, name: u64, last: Option<u64>, until: DateTime<Utc>) -> Result<Verdict> {
    let file = shared.segments.file(name)?;
    let mut documents = HashMap::new();
    let walked = walk(&file, name, last, |frame, at| {
        let entry = record::decode_entry(frame.payload);
        let entry = entry.ok_or_else(|| damaged(at, "the record's content cannot be read"))?;
        let Some(id) = document_of(&entry, frame.header.seq).filter(|id| !documents.contains_key(id)) else {
            return Ok(true);
        };
        let document = apply::document(&Live(shared), id)?.ok_or(JournalError::NoDocument(id))?.progress;
        let done = done_with(&document, until);
        documents.insert(id, document.key);
        Ok(done)
    });
    match walked {
        Ok(Some(_)) => Ok(Verdict::Ready(documents)),
        Ok(None) => Ok(Verdict::Stays),
        Err(error @ (JournalError::Damaged { .. } | JournalError::NoDocument(_))) => Ok(Verdict::Unsound(error)),
        Err(error) => Err(error),
    }
}

fn document_of(entry: &Entry, seq: u64) -> Option<DocId> {
    match entry {
        Entry::Enqueued(_) => Some(DocId(seq)),
        Entry::Document { id, .. } => Some(*id),
        _ => None,
    }
}

fn damaged(at: Position, what: impl Into<String>) -> JournalError {
    JournalError::damaged(at.segment, at.offset, what)
}

/// Reads a whole sealed segment, or its archive: every checksum, and the chain within. Returns the hash of its last record.
///
/// # Errors
/// [`JournalError::Damaged`] at the first place where it is not as it should be; what `each` says.
pub(crate) fn sealed(
    file: &Arc<dyn File>,
    name: u64,
    mut each: impl FnMut(&Frame<'_>, Position) -> Result<()>,
) -> Result<Hash> {
    let end = walk(file, name, None, |frame, at| each(frame, at).map(|()| true))?;
    end.map_or_else(|| Err(damaged(Position { segment: name, offset: 0 }, "it was not read")), |(_, hash)| Ok(hash))
}

/// Reads a segment up to the record `last`, or its end, for as long as `each` wants to; `None` when it had enough.
fn walk(
    file: &Arc<dyn File>,
    name: u64,
    last: Option<u64>,
    mut each: impl FnMut(&Frame<'_>, Position) -> Result<bool>,
) -> Result<Option<(Header, Hash)>> {
    let unread = |error| damaged(Position { segment: name, offset: 0 }, format!("it cannot be read: {error}"));
    let mut bytes = vec![0; segment::HEADER];
    let there = read_full(&**file, &mut bytes, 0).map_err(unread)?;
    bytes.truncate(there);
    let header = Header::decode(&bytes).map_err(|(_, what)| damaged(Position { segment: name, offset: 0 }, what))?;
    let before = Reached {
        seq: header.first_seq.saturating_sub(1),
        group: header.first_group.saturating_sub(1),
        position: Position::NONE,
        hash: header.previous_hash,
    };
    let (mut chain, mut walk) = (Chain::after(before), Walk::new(file.clone(), header.journal, segment::HEADER as u64));
    while last.is_none_or(|last| chain.seq < last) {
        let at = Position { segment: name, offset: walk.offset() };
        match walk.step().map_err(|error| damaged(at, format!("it cannot be read: {error}")))? {
            Step::Record(frame) => {
                chain.follow(&frame.header, record::hash(frame.bytes)).map_err(|what| damaged(at, what))?;
                if !each(&frame, at)? {
                    return Ok(None);
                }
            }
            Step::End if chain.at_group_end() => break,
            Step::End => return Err(damaged(at, "the segment ends inside a commit group")),
            Step::Flaw(flaw) => return Err(damaged(at, flaw.words())),
        }
    }
    Ok(Some((header, chain.hash)))
}

/// Makes the archive of a sealed segment and removes the segment. Returns the bytes of both.
fn archive_one(shared: &Shared, name: u64, documents: &HashMap<DocId, Key>) -> Result<(u64, u64)> {
    let (files, dir) = (&*shared.files, shared.dir.as_path());
    let (folder, path) = (archive::folder(dir), archive::path(dir, name));
    let temporary = path.with_extension("arc.tmp");
    let file = shared.segments.file(name)?;
    let (bytes, hash) = pack(&file, name, documents)?;
    files.create_dir(&folder).map_err(|error| trouble("make", &folder, error))?;
    let written = (|| {
        let made = files.create(&temporary)?;
        write_full(&*made, &bytes, 0)?;
        made.sync_all()
    })();
    let checked = written.map_err(|error| trouble("write", &temporary, error)).and_then(|()| {
        let made = files.open(&temporary).map_err(|error| trouble("open", &temporary, error))?;
        check(&file, made, name, hash)
    });
    if let Err(error) = checked {
        // Left behind it does no harm: the next open removes it.
        let _ = files.remove(&temporary);
        return Err(error);
    }
    files.rename(&temporary, &path).map_err(|error| trouble("rename", &path, error))?;
    files.sync_dir(&folder).map_err(|error| trouble("sync", &folder, error))?;
    let length = file.length().map_err(|error| trouble("measure", &path, error))?;
    let (old, segments) = (segment::path(dir, name), segment::folder(dir));
    files.remove(&old).map_err(|error| trouble("remove", &old, error))?;
    shared.segments.now_archived(name);
    {
        let mut stats = lock(&shared.stats);
        stats.segments = stats.segments.saturating_sub(1);
        stats.journal_bytes = stats.journal_bytes.saturating_sub(length);
    }
    files.sync_dir(&segments).map_err(|error| trouble("sync", &segments, error))?;
    Ok((length, bytes.len() as u64))
}

fn trouble(what: &'static str, path: &Path, error: std::io::Error) -> JournalError {
    if is_full(&error) { JournalError::Full { why: error.to_string() } } else { JournalError::io(what, path, error) }
}

fn pack(file: &Arc<dyn File>, name: u64, documents: &HashMap<DocId, Key>) -> Result<(Vec<u8>, Hash)> {
    let start = Position { segment: name, offset: 0 };
    let mut packer = Packer::default();
    let hash = sealed(file, name, |frame, at| {
        let entry = record::decode_entry(frame.payload);
        let id = entry.and_then(|entry| document_of(&entry, frame.header.seq));
        let key = id.and_then(|id| documents.get(&id)).map(Key::as_str);
        packer.push(frame.bytes, key).map_err(|error| damaged(at, format!("it cannot be compressed: {error}")))
    })?;
    let mut header = vec![0; segment::HEADER];
    let unread = |error| damaged(start, format!("it cannot be compressed: {error}"));
    read_full(&**file, &mut header, 0).map_err(unread)?;
    Ok((packer.finish(&header).map_err(unread)?, hash))
}

/// Reads an archive just made from its file: is it sound, the same bytes as the segment, and does its chain end alike?
fn check(segment: &Arc<dyn File>, made: Arc<dyn File>, name: u64, hash: Hash) -> Result<()> {
    let wrong =
        |what: String| JournalError::damaged(name, 0, format!("its archive was not written as it should be: {what}"));
    let unread = |error: std::io::Error| wrong(error.to_string());
    let archive = Archive::of(made, name)?;
    if let Some((_, flaws)) = archive.flaws().map_err(unread)?.pop_first() {
        return Err(wrong(flaws.into_iter().map(|flaw| flaw.what).collect::<Vec<_>>().join("; ")));
    }
    let length = segment.length().map_err(unread)?;
    if archive.length().map_err(unread)? != length || !same(&**segment, &archive, length).map_err(unread)? {
        return Err(wrong("it differs from the segment".to_owned()));
    }
    let archive: Arc<dyn File> = Arc::new(archive);
    if sealed(&archive, name, |_, _| Ok(()))? != hash {
        return Err(wrong("the chain of its records ends otherwise".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
