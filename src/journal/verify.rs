//! Reading everything and believing nothing: `verify`, and reading what is readable of a damaged journal.

mod check;
mod report;
mod scratch;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use self::check::Check;
pub use self::report::{Damage, Found, Report};
use self::report::{anew, disagrees, elsewhere, in_view};
use self::scratch::{Scratch, layers_for};

use super::checkpoint::{self, Checkpoint};
use super::error::{JournalError, Result};
use super::files::Files;
use super::folders;
use super::handle::take_lock;
use super::index::Store;
use super::record::Reached;
use super::recovery::{INDEX, distrust};
use super::salvage::{self, Met, Of};
use super::segment::{self, Names};
use super::shared::lock;
use super::{Journal, live};

/// Reads the whole journal in `dir` and changes nothing in it: checksums, the chain of hashes, whether each fact can
/// follow from those before, and the index against the facts.
///
/// # Errors
/// [`JournalError::Locked`] while a process has it open; [`JournalError::Io`]; [`JournalError::Version`].
pub fn verify(dir: &Path, files: Arc<dyn Files>) -> Result<Report, JournalError> {
    let (names, _lock) = begin(dir, &*files)?;
    let scratch = Scratch::new(dir)?;
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
            report.damage.push(in_view(what));
            None
        }
    };
    let layers = layers_for(dir, &*files, &names, id, &scratch)?;
    let mut check = Check::new(report, layers, known, index);
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
    let scratch = Scratch::new(dir)?;
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
    let mut names = Names { all: shared.segments.names(), archived: shared.segments.archived(), ..Names::default() };
    names.all.retain(|name| *name <= end.position.segment);
    let layers = layers_for(dir, &files, &names, id, &scratch)?;
    let mut check = Check::new(report, layers, known, None);
    let ended = salvage::walk(&files, dir, id, &names, &mut |met| check.meet(met))?;
    if let Some(what) = shared.layers.check_table()? {
        check.report.damage.push(in_view(anew(&what)));
    } else if !check.failed {
        let wrong = live::compare(journal, end, &check.layers)?;
        check.report.damage.extend(wrong.map(|key| in_view(disagrees(Some(&key)))));
    }
    let report = check.finish(ended)?;
    scratch.remove()?;
    Ok(report)
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
            Met::Damage { at, what, of } => {
                let key = match of {
                    Some(Of::Key(key)) => Some(key),
                    Some(Of::Document(_)) | None => None,
                };
                Found::Damage(Damage { segment: at.segment, offset: at.offset, key, what, view: false })
            }
        });
        Ok(())
    })?;
    Ok(())
}

type Lock = Box<dyn std::any::Any + Send + Sync>;

fn begin(dir: &Path, files: &dyn Files) -> Result<(Names, Lock)> {
    // Asked first, so that a wrong path is told and not made into an empty journal.
    files.names(&segment::folder(dir)).map_err(|error| JournalError::io("read", dir, error))?;
    let lock = take_lock(dir, files, "verify")?;
    Ok((segment::names(files, dir)?, lock))
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
    let damaged = |error: JournalError| match error.is_full() {
        true => NoIndex::LeftOut(format!("there is no room to read it: {error}")),
        false => NoIndex::Damaged(format!("{error}; the next open makes it anew")),
    };
    let copy = scratch.join("index");
    folders::copy(&dir.join(INDEX), &copy).map_err(damaged)?;
    match Store::open(&copy, dir, id, known.is_some_and(|known| known.clean)).map_err(damaged)? {
        (store, Some(reached)) => match store.check_table(id) {
            Some(what) => Err(NoIndex::Damaged(anew(&what))),
            None => Ok((store, reached)),
        },
        (_, None) => Err(NoIndex::LeftOut("it is empty".to_owned())),
    }
}
