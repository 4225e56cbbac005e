//! What can still be read of a queue whose journal is damaged, so that it does not open.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reason::Surroundings;
use super::story::Story;
use super::telling;
use crate::domain::event::{Entry, Hold, ParentRef};
use crate::domain::id::DocId;
use crate::domain::state::Progress;
use crate::error::Error;
use crate::journal::{self, Damage, Files, Found, Recorded};
use crate::view::{DocumentView, ListFilter, ParentView, Summary};

/// A damaged queue, read without being opened. Nothing in it is changed. What is said of a document is what its readable
/// records say: of one with a damaged record it may be less than had happened.
pub struct Salvage {
    folder: PathBuf,
    files: Arc<dyn Files>,
    documents: BTreeMap<DocId, Known>,
    damage: Vec<Damage>,
    surroundings: Surroundings,
}

/// A document but for its body, which is read again when it is wanted: memory holds no bodies.
struct Known {
    progress: Progress,
    events: Vec<Recorded>,
    children: Vec<DocId>,
}

impl Salvage {
    /// Reads everything that can be read.
    ///
    /// # Errors
    /// When the folder cannot be read, or a process has it open.
    pub fn read(folder: &Path, files: Arc<dyn Files>) -> Result<Salvage, Error> {
        let surroundings = Surroundings::timeless(Vec::new());
        let (documents, damage) = (BTreeMap::new(), Vec::new());
        let mut salvage = Salvage { folder: folder.to_owned(), files, documents, damage, surroundings };
        journal::read_all(folder, Arc::clone(&salvage.files), |found| match found {
            Found::Record(recorded) => salvage.take_in(recorded),
            Found::Damage(damage) => salvage.damage.push(damage),
        })?;
        Ok(salvage)
    }

    fn take_in(&mut self, recorded: Recorded) {
        let Recorded { seq, at, entry } = recorded;
        match entry {
            Entry::Enqueued(taken) => {
                let (id, children) = (DocId(seq), Vec::new());
                if let Some(ParentRef::Local(parent)) = taken.parent
                    && let Some(parent) = self.documents.get_mut(&parent)
                {
                    parent.children.push(id);
                }
                let progress = Progress::begin(id, at, &taken);
                self.documents.insert(id, Known { progress, events: Vec::new(), children });
            }
            Entry::Document { id, event } => match self.documents.get_mut(&id) {
                Some(known) => {
                    // After a lost record the next one may not follow: the document stays what it was known to be.
                    if let Ok(progress) = known.progress.apply(&event, at) {
                        known.progress = progress;
                    }
                    known.events.push(Recorded { seq, at, entry: Entry::Document { id, event } });
                }
                None => {
                    let what = format!("record {seq} is about document {id}, whose own record cannot be read");
                    self.damage.push(Damage { segment: 0, offset: 0, key: None, what, view: false });
                }
            },
            Entry::Hold(hold) => {
                self.surroundings.holds.retain(|known| !same(known, &hold));
                self.surroundings.holds.push(hold);
            }
            Entry::Released { account, fiscal_id, .. } => {
                self.surroundings.holds.retain(|hold| hold.account != account || hold.fiscal_id != fiscal_id);
            }
            Entry::Opened { .. } | Entry::Closed => {}
        }
    }

    /// What is wrong, in order.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// As [`Queue::list`](super::Queue::list).
    pub fn list(&self, filter: &ListFilter) -> Vec<Summary> {
        let selected = self.documents.values().filter(|known| selects(filter, &known.progress));
        selected.take(filter.limit.unwrap_or(usize::MAX)).map(|known| self.short(&known.progress)).collect()
    }

    /// As [`Queue::show`](super::Queue::show).
    ///
    /// # Errors
    /// As [`Salvage::export`].
    pub fn show(&self, key: &str) -> Result<Option<DocumentView>, Error> {
        let mut shown = None;
        self.each(&|progress| progress.key.as_str() == key, &mut |view| {
            shown = Some(view);
            ControlFlow::Break(())
        })?;
        Ok(shown)
    }

    /// As [`Queue::export`](super::Queue::export).
    ///
    /// # Errors
    /// When the folder cannot be read any more.
    pub fn export(&self, filter: &ListFilter, f: &mut dyn FnMut(DocumentView) -> ControlFlow<()>) -> Result<(), Error> {
        self.each(&|progress| selects(filter, progress), f)
    }

    /// Reads again, now for the bodies.
    fn each(
        &self,
        wanted: &dyn Fn(&Progress) -> bool,
        f: &mut dyn FnMut(DocumentView) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let (mut over, mut failed, mut given) = (false, None, HashSet::new());
        journal::read_all(&self.folder, Arc::clone(&self.files), |found| {
            let Found::Record(recorded) = found else { return };
            let known = self.documents.get(&DocId(recorded.seq)).filter(|known| wanted(&known.progress));
            // A record may be there twice.
            if over || !matches!(recorded.entry, Entry::Enqueued(_)) || !given.insert(recorded.seq) {
                return;
            }
            match known.map(|known| self.whole(known, recorded)) {
                Some(Ok(Some(view))) => over = f(view).is_break(),
                Some(Err(error)) => failed = Some(error),
                Some(Ok(None)) | None => {}
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn whole(&self, known: &Known, first: Recorded) -> Result<Option<DocumentView>, Error> {
        let mut events = vec![first];
        events.extend(known.events.iter().cloned());
        let progress = &known.progress;
        let Some(story) = Story::of(progress.id, events)? else { return Ok(None) };
        let key = |id: &DocId| self.documents.get(id).map(|known| known.progress.key.to_string());
        let parent = match &progress.parent {
            Some(ParentRef::Local(parent)) => key(parent).map(ParentView::Key),
            Some(ParentRef::Remote(id)) => Some(ParentView::Remote(id.clone())),
            None => None,
        };
        let children = known.children.iter().filter_map(key).collect();
        telling::document(progress, story, self.short(progress), parent, children, &self.surroundings).map(Some)
    }

    fn short(&self, progress: &Progress) -> Summary {
        let parent = match &progress.parent {
            Some(ParentRef::Local(parent)) => self.documents.get(parent).map(|known| &known.progress),
            _ => None,
        };
        telling::short(progress, parent, &self.surroundings)
    }
}

fn same(one: &Hold, other: &Hold) -> bool {
    one.account == other.account && one.fiscal_id == other.fiscal_id
}

fn selects(filter: &ListFilter, progress: &Progress) -> bool {
    telling::filter(filter).is_some_and(|inner| inner.takes(progress))
        && filter.until.is_none_or(|until| progress.issued_at < until)
        && filter.after.is_none_or(|after| progress.id.0 > after)
}
