//! What happens, for those who follow it: every change in the order of the journal, and hints from outside.

use std::sync::{Arc, Weak};

use super::telling::event;
use super::{Inner, Queue};
use crate::domain::event::{DocEvent, Entry};
use crate::domain::id::{AccountName, DocId, Key};
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::{JournalError, Recorded, Stats, View};
use crate::view::{ArchivedView, Change, Damaged, Verified};

/// Hints that one callback may give: more is no callback.
const MAX_HINTS: usize = 64;
/// Documents in doubt that are looked through for the oldest doubt.
const MAX_DOUBTS: usize = 1_000;

/// A queue that may be gone.
pub(crate) struct WeakQueue(Weak<Inner>);

impl WeakQueue {
    /// The journal's numbers, while it is there.
    pub(crate) fn stats(&self) -> Option<Stats> {
        Some(self.0.upgrade()?.journal.stats())
    }
}

impl Queue {
    /// What happened after a sequence number, in order, at most `limit` records of the journal; and the number up to which
    /// this tells. Nothing is left out and nothing told twice, across restarts too.
    ///
    /// # Errors
    /// The journal's own trouble.
    pub fn changes_after(&self, seq: u64, limit: usize) -> Result<(Vec<Change>, u64), Error> {
        let records = self.journal().events_after(seq, limit)?;
        let reached = records.last().map_or(seq, |last| last.seq);
        let mut changes = Vec::with_capacity(records.len());
        for recorded in &records {
            changes.extend(self.change(recorded)?);
        }
        Ok((changes, reached))
    }

    /// The sequence number of the last record.
    pub fn last_seq(&self) -> u64 {
        self.journal().last_seq()
    }

    /// Numbers for those who watch the journal.
    pub fn stats(&self) -> Stats {
        self.journal().stats()
    }

    /// Calls `f` after each commit group; it must be short, and must not wait for the queue.
    pub(crate) fn on_commit(&self, f: impl Fn() + Send + Sync + 'static) {
        self.journal().on_commit(move |_| f());
    }

    /// A handle that does not keep the journal open.
    pub(crate) fn clone_weakly(&self) -> WeakQueue {
        WeakQueue(Arc::downgrade(&self.inner))
    }

    /// Whether documents are taken now, or why not.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn takes(&self) -> Result<(), String> {
        let answer = self.journal().transact(|txn| match txn.no_room() {
            Some(why) => Err(JournalError::Full { why }),
            None => Ok(()),
        });
        answer.flatten().map_err(|error| error.to_string())
    }

    /// Seconds since the oldest doubt began; 0 without one.
    ///
    /// # Errors
    /// The journal's own trouble.
    pub fn oldest_doubt_s(&self) -> Result<i64, Error> {
        let mut oldest = None;
        for id in self.journal().in_state(State::InDoubt, None, MAX_DOUBTS)? {
            let since = self.journal().progress(id)?.map(|progress| progress.changed_at);
            oldest = oldest.into_iter().chain(since).min();
        }
        Ok(oldest.map_or(0, |since| (self.clock().now() - since).num_seconds().max(0)))
    }

    /// Reads the whole journal while it goes on.
    ///
    /// # Errors
    /// The journal's own trouble. Damage is no error: it is in the answer.
    pub fn verify(&self) -> Result<Verified, Error> {
        Ok(self.journal().verify()?.into())
    }

    /// A provider says that something happened to a document: what is open about it is asked now. Nothing else follows
    /// from it. Tells how many documents are asked about.
    ///
    /// # Errors
    /// The journal's own trouble.
    pub fn hint(&self, account: &AccountName, remote_ids: &[String], keys: &[String]) -> Result<u32, Error> {
        let journal = self.journal();
        let mut ids: Vec<DocId> = Vec::new();
        for remote_id in remote_ids.iter().take(MAX_HINTS) {
            ids.extend(journal.by_remote(account, remote_id)?);
        }
        for key in keys.iter().take(MAX_HINTS).filter_map(|key| key.parse::<Key>().ok()) {
            ids.extend(journal.find(&key)?);
        }
        ids.sort_unstable();
        ids.dedup();
        let now = self.clock().now();
        let waits = |progress: &Progress| {
            progress.account.as_ref() == Some(account)
                && matches!(progress.state, State::InDoubt | State::Accepted)
                && progress.due_at.is_some_and(|due| due > now)
        };
        let mut asked = 0;
        for id in ids {
            if !journal.progress(id)?.is_some_and(|progress| waits(&progress)) {
                continue;
            }
            let account = account.clone();
            let recorded = journal.transact(move |txn| -> Result<bool, Error> {
                let still = txn.progress(id)?.is_some_and(|progress| {
                    progress.account == Some(account) && matches!(progress.state, State::InDoubt | State::Accepted)
                });
                if still {
                    let (who, why) = ("callback".to_owned(), "the provider called back".to_owned());
                    txn.record(id, DocEvent::Retried { who, why })?;
                }
                Ok(still)
            })??;
            asked += u32::from(recorded);
        }
        Ok(asked)
    }

    fn change(&self, recorded: &Recorded) -> Result<Option<Change>, Error> {
        let view = event(recorded);
        let mut change = Change {
            seq: recorded.seq,
            at: recorded.at,
            event: view.event,
            key: None,
            id: None,
            kind: None,
            account: None,
            fiscal_id: None,
            state: None,
            attempt: view.attempt,
            status: view.status,
            code: view.code,
            remote_id: view.remote_id,
            document_number: view.document_number,
        };
        let id = match &recorded.entry {
            Entry::Opened { .. } | Entry::Closed => return Ok(None),
            Entry::Hold(hold) => {
                change.account = Some(hold.account.to_string());
                change.fiscal_id = hold.fiscal_id.as_ref().map(ToString::to_string);
                change.code = Some(hold.reason.name().to_owned());
                return Ok(Some(change));
            }
            Entry::Released { account, fiscal_id, .. } => {
                change.account = Some(account.to_string());
                change.fiscal_id = fiscal_id.as_ref().map(ToString::to_string);
                return Ok(Some(change));
            }
            Entry::Enqueued(_) => DocId(recorded.seq),
            Entry::Document { id, .. } => *id,
        };
        let Some(progress) = self.journal().progress(id)? else { return Ok(None) };
        change.key = Some(progress.key.to_string());
        change.id = Some(id.to_string());
        change.kind = Some(progress.kind);
        change.account = progress.account.as_ref().map(ToString::to_string);
        change.fiscal_id = progress.fiscal_id.as_ref().map(ToString::to_string);
        change.state = match leads_to(&recorded.entry) {
            Some(state) => Some(state),
            None => self.state_at(id, recorded.seq)?,
        };
        Ok(Some(change))
    }

    /// Where a document was after the record with this number.
    fn state_at(&self, id: DocId, seq: u64) -> Result<Option<State>, Error> {
        let mut progress: Option<Progress> = None;
        for recorded in self.journal().history(id)?.iter().filter(|recorded| recorded.seq <= seq) {
            progress = match (&recorded.entry, progress) {
                (Entry::Enqueued(taken), _) => Some(Progress::begin(id, recorded.at, taken)),
                (Entry::Document { event, .. }, Some(before)) => {
                    Some(before.apply(event, recorded.at).map_err(JournalError::from)?)
                }
                (_, before) => before,
            };
        }
        Ok(progress.map(|progress| progress.state))
    }
}

/// Where a record brings a document, if that does not depend on where it was: most of them, without reading its history.
fn leads_to(entry: &Entry) -> Option<State> {
    let event = match entry {
        Entry::Document { event, .. } => event,
        _ => return Some(State::Queued),
    };
    match event {
        DocEvent::Routed { .. } | DocEvent::NotSent { .. } | DocEvent::NotThere { .. } => Some(State::Queued),
        DocEvent::Sending { .. } => Some(State::Sending),
        DocEvent::Unknown { .. } | DocEvent::LookedUp { .. } => Some(State::InDoubt),
        DocEvent::Accepted { .. } => Some(State::Accepted),
        DocEvent::Registered { .. } => Some(State::Registered),
        DocEvent::Refused { .. } => Some(State::Refused),
        DocEvent::Failed { .. } => Some(State::Failed),
        DocEvent::Held { .. } => Some(State::Held),
        DocEvent::Cancelled { .. } => Some(State::Cancelled),
        DocEvent::Resolved { accepted, .. } => Some(if accepted.is_some() { State::Accepted } else { State::Queued }),
        DocEvent::Tracked { .. } | DocEvent::Retried { .. } | DocEvent::Attention { .. } => None,
    }
}

impl From<crate::journal::Archived> for ArchivedView {
    fn from(done: crate::journal::Archived) -> ArchivedView {
        let (index_bytes_before, index_bytes) = done.index.unzip();
        let damage = done.unsound.into_iter();
        let damage =
            damage.map(|one| Damaged { segment: one.segment, offset: 0, key: None, what: one.why, view: false });
        ArchivedView {
            segments: done.segments,
            bytes: done.bytes,
            archive_bytes: done.archive_bytes,
            kept: done.kept,
            index_bytes_before,
            index_bytes,
            table_bytes: done.table,
            index_kept: done.index_kept,
            damage: damage.collect(),
        }
    }
}

impl From<crate::journal::Report> for Verified {
    fn from(report: crate::journal::Report) -> Verified {
        let damage = report.damage.into_iter().map(|damage| Damaged {
            segment: damage.segment,
            offset: damage.offset,
            key: damage.key.map(String::from),
            what: damage.what,
            view: damage.view,
        });
        Verified {
            sound: report.sound,
            records: report.records,
            documents: report.documents,
            torn: report.torn,
            index_left_out: report.index_left_out,
            damage: damage.collect(),
        }
    }
}
