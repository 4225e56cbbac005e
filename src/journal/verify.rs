//! Reading everything and believing nothing: `verify`, and reading what is readable of a damaged journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apply::{self, At, Changes};
use super::checkpoint::{self, Checkpoint};
use super::error::{JournalError, Result};
use super::files::Files;
use super::folders;
use super::index::{self, Reached, Store};
use super::layers::{Layers, Under};
use super::record::Position;
use super::recovery::{INDEX, distrust};
use super::replay::{Replayed, apply_one};
use super::salvage::{self, Ended, Met};
use super::shared::lock;
use super::view::Recorded;
use super::{Journal, live, segment};
use crate::domain::event::Entry;
use crate::domain::id::Key;

/// Something in a journal that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment, by its first sequence number; 0 when it is not about one.
    pub segment: u64,
    /// The byte in it.
    pub offset: u64,
    /// The document concerned, if that can be made out.
    pub key: Option<Key>,
    /// What is wrong.
    pub what: String,
}

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Nothing is damaged. A torn tail is no damage: it was never acknowledged, and the next open cuts it.
    pub sound: bool,
    /// Records read.
    pub records: u64,
    /// Documents among them.
    pub documents: u64,
    /// Bytes of a torn tail.
    pub torn: u64,
    /// Why the index was not compared with the records, if it was not: there is none, or the next open makes it anew.
    pub index_left_out: Option<String>,
    /// Everything that is wrong.
    pub damage: Vec<Damage>,
}

/// Something met while reading a journal that may be damaged.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A fact.
    Record(Recorded),
    /// A place where something is wrong; what follows is still read.
    Damage(Damage),
}

/// Bytes of journal up to which the records' index is made in memory to compare; above, in a folder of its own.
const IN_MEMORY: u64 = 128 * 1024 * 1024;
/// Entries compared at a time.
const STEP: usize = 1_000;
/// Entries above which the records' index goes to the store.
const FLUSH: usize = 64 * 1024;

/// Reads the whole journal in `dir` and changes nothing in it: checksums, the chain of hashes, whether each fact can
/// follow from those before, and the index against the facts.
///
/// # Errors
/// [`JournalError::Locked`] while a process has it open; [`JournalError::Io`]; [`JournalError::Version`].
pub fn verify(dir: &Path, files: Arc<dyn Files>) -> Result<Report, JournalError> {
    let (names, _lock) = begin(dir, &*files)?;
    let scratch = Scratch(dir.join(SCRATCH));
    scratch.remove()?;
    let checkpoint = checkpoint::read(&*files, dir)?;
    let known = match &checkpoint {
        checkpoint::Found::Whole(known) => Some(known.clone()),
        checkpoint::Found::Missing | checkpoint::Found::Damaged(_) => None,
    };
    let id = salvage::id_of(&*files, dir, &names).or(known.as_ref().map(|known| known.journal)).unwrap_or_default();
    let mut report = Report::default();
    if let checkpoint::Found::Damaged(why) = checkpoint {
        report.damage.push(elsewhere(format!("the file `checkpoint` is damaged: {why}")));
    }
    if let Some(known) = known.as_ref().filter(|known| known.journal != id) {
        report.damage.push(elsewhere(format!("the file `checkpoint` belongs to journal {}, not {id}", known.journal)));
    }
    let index = match open_index(dir, &*files, &scratch, id, known.as_ref()) {
        Ok(index) => Some(index),
        Err(NoIndex::LeftOut(why)) => {
            report.index_left_out = Some(why);
            None
        }
        Err(NoIndex::Damaged(what)) => {
            report.damage.push(elsewhere(what));
            None
        }
    };
    let layers = layers_for(dir, &*files, &names, id, &scratch)?;
    let mut check = Check { report, layers, changes: Changes::new(), known, index, failed: false };
    let ended = salvage::walk(&*files, dir, id, &names, &mut |met| check.meet(met))?;
    let report = check.finish(ended)?;
    scratch.remove()?;
    Ok(report)
}

/// The same of a journal that this process has open, up to what is durable now.
pub(crate) fn open_journal(journal: &Journal) -> Result<Report> {
    let shared = &journal.handle.shared;
    let (dir, id) = (&shared.dir, shared.id);
    let _alone = lock(&shared.verifying);
    let scratch = Scratch(dir.join(SCRATCH));
    scratch.remove()?;
    let mut report = Report::default();
    // Read before the end is looked at: it never speaks of what comes later.
    let known = match checkpoint::read(&*shared.files, dir)? {
        checkpoint::Found::Whole(known) => Some(known),
        checkpoint::Found::Missing => None,
        checkpoint::Found::Damaged(why) => {
            report.damage.push(elsewhere(format!("the file `checkpoint` is damaged: {why}")));
            None
        }
    };
    let Some(end) = shared.layers.reached() else {
        return Err(JournalError::index("it does not say how far it has come"));
    };
    let length = end.position.offset + shared.segments.bytes_at(end.position)?.len() as u64;
    let last = segment::path(dir, end.position.segment);
    let files = live::UpTo { files: shared.files.clone(), last, length };
    let names: Vec<u64> = shared.segments.names().into_iter().filter(|name| *name <= end.position.segment).collect();
    let layers = layers_for(dir, &files, &names, id, &scratch)?;
    let mut check = Check { report, layers, changes: Changes::new(), known, index: None, failed: false };
    let ended = salvage::walk(&files, dir, id, &names, &mut |met| check.meet(met))?;
    if !check.failed {
        let wrong = live::compare(journal, end, &check.layers)?;
        check.report.damage.extend(wrong.map(|key| elsewhere(disagrees(Some(&key)))));
    }
    let report = check.finish(ended)?;
    scratch.remove()?;
    Ok(report)
}

/// The folder that is there only while verifying.
const SCRATCH: &str = "verify.tmp";

/// Where the records' index is made to compare.
fn layers_for(dir: &Path, files: &dyn Files, names: &[u64], id: uuid::Uuid, scratch: &Scratch) -> Result<Layers> {
    let store = if size(dir, files, names)? <= IN_MEMORY {
        Store::memory()
    } else {
        Store::open(&scratch.0.join("records"), id, false)?.0
    };
    Ok(Layers::new(id, store, FLUSH))
}

fn disagrees(entry: Option<&[u8]>) -> String {
    let what = match entry {
        Some(key) => format!("the index disagrees with the records at entry {}", key.escape_ascii()),
        None => "the index disagrees with the records".to_owned(),
    };
    format!("{what}; remove the folder `{INDEX}` to have it made anew")
}

/// Reads every fact in the journal in `dir` that can be read, in order, damaged or not. Changes nothing.
///
/// # Errors
/// As [`verify`].
pub fn read_all(dir: &Path, files: Arc<dyn Files>, mut each: impl FnMut(Found)) -> Result<(), JournalError> {
    let (names, _lock) = begin(dir, &*files)?;
    let id = match (salvage::id_of(&*files, dir, &names), checkpoint::read(&*files, dir)?) {
        (Some(id), _) => id,
        (None, checkpoint::Found::Whole(known)) => known.journal,
        (None, _) => return Err(JournalError::damaged(0, 0, "no segment says which journal this is")),
    };
    salvage::walk(&*files, dir, id, &names, &mut |met| {
        each(match met {
            Met::Record { recorded, .. } => Found::Record(recorded),
            Met::Damage { at, what, entry } => {
                let key = match entry {
                    Some(Entry::Enqueued(taken)) => Some(taken.key),
                    _ => None,
                };
                Found::Damage(Damage { segment: at.segment, offset: at.offset, key, what })
            }
        });
        Ok(())
    })?;
    Ok(())
}

type Lock = Box<dyn std::any::Any + Send + Sync>;

fn begin(dir: &Path, files: &dyn Files) -> Result<(Vec<u64>, Lock)> {
    // Asked first, so that a wrong path is told and not made into an empty journal.
    files.names(&segment::folder(dir)).map_err(|error| JournalError::io("read", dir, error))?;
    let lock = super::take_lock(dir, files, "verify")?;
    Ok((segment::names(files, dir)?.0, lock))
}

fn elsewhere(what: String) -> Damage {
    Damage { segment: 0, offset: 0, key: None, what }
}

fn size(dir: &Path, files: &dyn Files, names: &[u64]) -> Result<u64> {
    names.iter().try_fold(0, |sum, name| {
        let path = segment::path(dir, *name);
        let length = files.open(&path).and_then(|file| file.length());
        Ok(sum + length.map_err(|error| JournalError::io("measure", &path, error))?)
    })
}

/// A folder for what is needed only while verifying.
struct Scratch(PathBuf);

impl Scratch {
    fn remove(&self) -> Result<()> {
        folders::remove_folder(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(%error, "a folder used while verifying is left behind");
        }
    }
}

enum NoIndex {
    LeftOut(String),
    Damaged(String),
}

/// Opens a copy of the index, because opening one changes its files.
fn open_index(
    dir: &Path,
    files: &dyn Files,
    scratch: &Scratch,
    id: uuid::Uuid,
    known: Option<&Checkpoint>,
) -> Result<(Store, Reached), NoIndex> {
    if !dir.join(INDEX).is_dir() {
        return Err(NoIndex::LeftOut("there is none".to_owned()));
    }
    if let Some(why) = distrust(known, false, files.boot_id()) {
        return Err(NoIndex::LeftOut(why));
    }
    let damaged = |error| NoIndex::Damaged(format!("{error}; the next open makes it anew"));
    let copy = scratch.0.join("index");
    folders::copy(&dir.join(INDEX), &copy).map_err(damaged)?;
    match Store::open(&copy, id, known.is_some_and(|known| known.clean)).map_err(damaged)? {
        (store, Some(reached)) => Ok((store, reached)),
        (_, None) => Err(NoIndex::LeftOut("it is empty".to_owned())),
    }
}

struct Check {
    report: Report,
    layers: Layers,
    changes: Changes,
    known: Option<Checkpoint>,
    index: Option<(Store, Reached)>,
    /// A fact could not follow: those after it are no longer judged.
    failed: bool,
}

impl Check {
    fn under<'a>(&'a self, over: &'a [&'a Changes]) -> Under<'a> {
        Under { layers: &self.layers, over }
    }

    fn damage(&mut self, at: Position, key: Option<Key>, what: impl Into<String>) {
        self.report.damage.push(Damage { segment: at.segment, offset: at.offset, key, what: what.into() });
    }

    fn meet(&mut self, met: Met) -> Result<()> {
        match met {
            Met::Damage { at, what, entry } => {
                let key = entry.as_ref().and_then(|entry| self.key(entry));
                self.damage(at, key, what);
                self.failed = true;
                Ok(())
            }
            Met::Record { recorded, position, previous, hash, group, ends_group } => {
                let reached = Reached { seq: recorded.seq, group, position, hash };
                let at = At { seq: recorded.seq, time: recorded.at, position };
                self.record(Replayed { at, entry: recorded.entry, previous })?;
                if self.known.as_ref().is_some_and(|known| known.seq == reached.seq && known.hash != hash) {
                    self.damage(position, None, "this is not the record that was durable by the file `checkpoint`");
                }
                if ends_group { self.group_end(reached) } else { Ok(()) }
            }
        }
    }

    fn key(&self, entry: &Entry) -> Option<Key> {
        match entry {
            Entry::Enqueued(taken) => Some(taken.key.clone()),
            Entry::Document { id, .. } => {
                let document = apply::document(&self.under(&[&self.changes]), *id).ok().flatten();
                document.map(|document| document.progress.key)
            }
            _ => None,
        }
    }

    fn record(&mut self, replayed: Replayed) -> Result<()> {
        self.report.records += 1;
        self.report.documents += u64::from(matches!(replayed.entry, Entry::Enqueued(_)));
        match apply_one(&replayed, &self.under(&[&self.changes])) {
            Ok(changes) => self.changes.extend(changes),
            Err(JournalError::Damaged { what, .. }) => {
                if !self.failed {
                    let key = self.key(&replayed.entry);
                    self.damage(replayed.at.position, key, what);
                }
                self.failed = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn group_end(&mut self, reached: Reached) -> Result<()> {
        self.layers.publish(std::mem::take(&mut self.changes), reached, true)?;
        if self.layers.pending() > FLUSH {
            self.layers.flush_here()?;
        }
        match self.index.take_if(|(_, index)| index.seq == reached.seq) {
            Some((_, index)) if index != reached => {
                self.damage(
                    reached.position,
                    None,
                    "the index was made of another record here; the next open makes it anew",
                );
            }
            Some((store, _)) if !self.failed => self.compare(&store)?,
            _ => {}
        }
        Ok(())
    }

    /// Compares the index with what the records say it should be.
    fn compare(&mut self, store: &Store) -> Result<()> {
        let mut from = index::FIRST_ENTRY.to_vec();
        loop {
            let (ours, theirs) =
                (self.layers.scan_under(&[], &from, &[0xff], STEP)?, store.range(&from, &[0xff], STEP)?);
            let wrong = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            let wrong = wrong.or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())));
            if let Some(wrong) = wrong {
                let entry = ours.get(wrong).into_iter().chain(theirs.get(wrong)).map(|(key, _)| key).min();
                self.report.damage.push(elsewhere(disagrees(entry.map(Vec::as_slice))));
                return Ok(());
            }
            let Some((last, _)) = ours.last() else { return Ok(()) };
            from.clone_from(last);
            from.push(0);
        }
    }

    fn finish(mut self, ended: Ended) -> Result<Report> {
        let beyond = |seq| format!("the journal ends with record {}, but record {seq} was durable", ended.seq_whole);
        let known = self.known.as_ref().map_or(0, |known| known.seq);
        let index = self.index.take().map_or(0, |(_, reached)| reached.seq);
        if known.max(index) > ended.seq_whole && !self.failed {
            self.damage(ended.at, None, beyond(known.max(index)));
        }
        self.report.torn = ended.torn;
        self.report.sound = self.report.damage.is_empty();
        Ok(self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;
    use crate::domain::document::Kind;
    use crate::domain::event::Enqueued;
    use crate::domain::totals::Kept;
    use crate::journal::{Journal, Options, RealFiles};

    /// Any entry too many, missing or other than the records say.
    #[test]
    fn an_index_that_disagrees_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
        let (id, name): (_, Key) = (journal.id(), "till/1".parse().unwrap());
        let taken = Enqueued {
            key: name.clone(),
            kind: Kind::Receipt,
            account: None,
            fiscal_id: None,
            parent: None,
            issued_at: chrono::DateTime::UNIX_EPOCH,
            body: "{}".to_owned(),
            totals: Kept::default(),
            fingerprint: [0; 32],
            deadline: None,
            invoice_name: None,
            warnings: Vec::new(),
        };
        journal.transact(move |tx| tx.enqueue(taken)).unwrap().unwrap();
        journal.close().unwrap();
        let verified = || verify(dir.path(), Arc::new(RealFiles)).unwrap();
        assert!(verified().sound && verified().index_left_out.is_none());
        for (key, value) in
            [(keys::of_key(&name), Some(vec![9])), (keys::of_key(&name), None), (b"zz".to_vec(), Some(vec![]))]
        {
            let change = |key: &Vec<u8>, value| {
                let (store, reached) = Store::open(&dir.path().join(INDEX), id, true).unwrap();
                let before = store.get(key).unwrap();
                store.apply(id, &Changes::from([(key.clone(), value)]), reached.unwrap()).unwrap();
                store.close().unwrap();
                before
            };
            let before = change(&key, value);
            let report = verified();
            assert_eq!(report.damage.len(), 1, "{report:?}");
            assert!(report.damage[0].what.contains("the index disagrees"), "{report:?}");
            change(&key, before);
            assert!(verified().sound);
        }
    }
}
