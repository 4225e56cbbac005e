//! Reading: what the journal and a transaction in it both can be asked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::apply::{self, Entries, Pair};
use super::error::{JournalError, Result};
use super::record::Position;
use super::{keys, stored};
use crate::domain::document::Kind;
use crate::domain::event::{Enqueued, Entry, Hold};
use crate::domain::id::{AccountName, DocId, FiscalId, Key};
use crate::domain::state::{Progress, State};

/// A fact with its place in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its sequence number, from 1 without gaps: the order in which things happened.
    pub seq: u64,
    /// What the clock said; informative only.
    pub at: DateTime<Utc>,
    /// The fact.
    pub entry: Entry,
}

/// Documents that are sent with the same credentials for the same VAT number: its sales, which go one after the other, or
/// all else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// The account, once known.
    pub account: Option<AccountName>,
    /// The VAT number, where there is one.
    pub fiscal_id: Option<FiscalId>,
    /// Whether these are its sales: then they are all on one lane.
    pub sales: bool,
}

/// Which documents are meant; by default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Of this account.
    pub account: Option<AccountName>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Sold (`issued_at`) at or after this moment.
    pub since: Option<DateTime<Utc>>,
}

impl Filter {
    /// Whether this document is meant.
    pub(crate) fn takes(&self, doc: &Progress) -> bool {
        self.state.is_none_or(|state| doc.state == state)
            && self.account.as_ref().is_none_or(|account| doc.account.as_ref() == Some(account))
            && self.kind.is_none_or(|kind| doc.kind == kind)
            && self.since.is_none_or(|since| doc.issued_at >= since)
    }
}

/// How many entries a long walk reads at a time: it must not keep the writer waiting.
const STEP: usize = 1_000;

pub(crate) mod source {
    use super::{Entries, Position, Recorded, Result};

    /// What a view is made of.
    pub trait Source {
        /// The index entries.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "this trait is sealed: its module is private")]
        fn entries(&self) -> &dyn Entries;
        /// The record at a position, and the record before of the same document.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "this trait is sealed: its module is private")]
        fn read(&self, at: Position) -> Result<(Recorded, Position)>;
        /// Up to `limit` records with a sequence number above `seq`, the first of them at or after `near`.
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "this trait is sealed: its module is private")]
        fn read_after(&self, seq: u64, near: Option<Position>, limit: usize) -> Result<Vec<Recorded>>;
    }
}

/// Everything that can be asked of a journal. On [`Journal`](super::Journal): what is durable. On
/// [`Transaction`](super::Transaction): that, and what went before in the same commit group and transaction.
///
/// Every method fails with [`JournalError::Index`], [`JournalError::Damaged`] or [`JournalError::Io`] when what it needs
/// cannot be read, and with [`JournalError::Closed`] after the journal was closed.
pub trait View: source::Source {
    /// The document with this key.
    fn find(&self, key: &Key) -> Result<Option<DocId>> {
        self.entries().get(&keys::of_key(key))?.map(|bytes| Ok(DocId(apply::decode(&bytes)?))).transpose()
    }

    /// What a document's events have made of it.
    fn progress(&self, id: DocId) -> Result<Option<Progress>> {
        Ok(apply::document(self.entries(), id)?.map(|document| document.progress))
    }

    /// A document as it was taken.
    fn document(&self, id: DocId) -> Result<Option<Enqueued>> {
        let Some(document) = apply::document(self.entries(), id)? else { return Ok(None) };
        match self.read(document.first)?.0 {
            Recorded { seq, entry: Entry::Enqueued(taken), .. } if seq == id.0 => Ok(Some(*taken)),
            _ => Err(misplaced(document.first)),
        }
    }

    /// Everything recorded of a document, oldest first.
    fn history(&self, id: DocId) -> Result<Vec<Recorded>> {
        let Some(document) = apply::document(self.entries(), id)? else { return Ok(Vec::new()) };
        let (mut records, mut at) = (Vec::new(), document.last);
        let mut below = u64::MAX;
        loop {
            let (record, previous) = self.read(at)?;
            let last = match &record.entry {
                Entry::Enqueued(_) if record.seq == id.0 => true,
                Entry::Document { id: of, .. } if *of == id && !previous.is_none() => false,
                _ => return Err(misplaced(at)),
            };
            if record.seq >= below {
                return Err(misplaced(at)); // would go round for ever
            }
            below = record.seq;
            records.push(record);
            if last {
                records.reverse();
                return Ok(records);
            }
            at = previous;
        }
    }

    /// The documents about a document, in order of intake.
    fn children(&self, id: DocId) -> Result<Vec<DocId>> {
        let from = keys::child(id, DocId(0));
        let to = keys::after(from.get(..9).unwrap_or_default().to_vec());
        ids(self.entries().scan(&from, &to, usize::MAX)?)
    }

    /// The documents about a document issued elsewhere, by the provider's id of that one, in order of intake.
    fn children_of_remote(&self, parent: &str) -> Result<Vec<DocId>> {
        let from = keys::remote_child(parent, DocId(0));
        let entries = self.entries().scan(&from, &keys::remote_child(parent, DocId(u64::MAX)), usize::MAX)?;
        ids(entries.into_iter().filter(|(key, _)| key.len() == from.len()))
    }

    /// The documents whose last submission has no known end: being sent, or in doubt.
    fn open_calls(&self) -> Result<Vec<Progress>> {
        let mut open = Vec::new();
        for state in [State::Sending, State::InDoubt] {
            for id in self.in_state(state, None, usize::MAX)? {
                open.extend(self.progress(id)?);
            }
        }
        Ok(open)
    }

    /// As [`timers`](View::timers), up to and including `until`, and after one already seen: for paging.
    fn timers_after(
        &self,
        after: Option<(DateTime<Utc>, DocId)>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<(DateTime<Utc>, DocId)>> {
        let from = match after {
            Some((at, id)) => keys::after(keys::timer(at, id)),
            None => b"t".to_vec(),
        };
        let to = keys::after(keys::timer(until, DocId(u64::MAX)));
        if from >= to { Ok(Vec::new()) } else { moments(self.entries().scan(&from, &to, limit)?) }
    }

    /// The document of an account that has this id at the provider; the first if there are several.
    fn by_remote(&self, account: &AccountName, remote_id: &str) -> Result<Option<DocId>> {
        let from = keys::remote(Some(account), remote_id, DocId(0));
        let entries =
            self.entries().scan(&from, &keys::remote(Some(account), remote_id, DocId(u64::MAX)), usize::MAX)?;
        // An id with a zero byte in it could have been taken for a shorter one.
        ids(entries.into_iter().filter(|(key, _)| key.len() == from.len()).take(1)).map(|ids| ids.first().copied())
    }

    /// The documents of these accounts that have this id at the provider, one of each account at most.
    fn owners(&self, accounts: &[AccountName], remote_id: &str) -> Result<Vec<DocId>> {
        accounts.iter().filter_map(|account| self.by_remote(account, remote_id).transpose()).collect()
    }

    /// The newest document of an account (or of none yet) with this invoice name.
    fn by_invoice_name(&self, account: Option<&AccountName>, name: &str) -> Result<Option<DocId>> {
        let from = keys::invoice(name, DocId(0));
        let entries = self.entries().scan(&from, &keys::invoice(name, DocId(u64::MAX)), usize::MAX)?;
        for id in ids(entries.into_iter().filter(|(key, _)| key.len() == from.len()))?.into_iter().rev() {
            if self.progress(id)?.is_some_and(|doc| doc.account.as_ref() == account) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// How many documents of each account are in each state; none are left out.
    fn counts(&self) -> Result<BTreeMap<(Option<AccountName>, State), u64>> {
        let entries = self.entries().scan(b"c", b"d", usize::MAX)?;
        entries
            .into_iter()
            .map(|(key, value)| Ok((keys::count_of(&key).ok_or_else(unreadable)?, apply::decode(&value)?)))
            .collect()
    }

    /// The groups that have ready documents.
    fn groups(&self) -> Result<Vec<Group>> {
        let (mut groups, mut from) = (Vec::new(), b"r".to_vec());
        while let Some((key, _)) = self.entries().scan(&from, b"s", 1)?.pop() {
            let (account, fiscal_id, sales) = keys::group_of(&key).ok_or_else(unreadable)?;
            from = keys::after(keys::ready(account.as_ref(), fiscal_id.as_ref(), sales, DocId(u64::MAX)));
            groups.push(Group { account, fiscal_id, sales });
        }
        Ok(groups)
    }

    /// The documents of a group that may be sent now, in order of intake: queued, with no due time, not waiting for a
    /// parent.
    fn ready(&self, group: &Group, after: Option<DocId>, limit: usize) -> Result<Vec<DocId>> {
        let key = |id| keys::ready(group.account.as_ref(), group.fiscal_id.as_ref(), group.sales, DocId(id));
        let Some(first) = next_of(after) else { return Ok(Vec::new()) };
        ids(self.entries().scan(&key(first), &key(u64::MAX), limit)?)
    }

    /// The documents with something to do at a time in `from..until`, earliest first: queued with a due time, in doubt,
    /// accepted, and registered with a due time. What is in doubt or accepted without a due time is due at once and listed
    /// at the beginning of 1970.
    fn timers(&self, from: DateTime<Utc>, until: DateTime<Utc>, limit: usize) -> Result<Vec<(DateTime<Utc>, DocId)>> {
        moments(self.entries().scan(&keys::timer(from, DocId(0)), &keys::timer(until, DocId(0)), limit)?)
    }

    /// The queued documents that have a deadline before `until`, nearest first.
    fn deadlines(&self, until: DateTime<Utc>, limit: usize) -> Result<Vec<(DateTime<Utc>, DocId)>> {
        moments(self.entries().scan(b"d", &keys::deadline(until, DocId(0)), limit)?)
    }

    /// The queued documents that wait for their parent, in order of intake.
    fn waiting(&self, limit: usize) -> Result<Vec<DocId>> {
        ids(self.entries().scan(b"w", b"x", limit)?)
    }

    /// The oldest document that may not have reached its provider: queued, sending or in doubt.
    fn oldest_unsent(&self) -> Result<Option<DocId>> {
        let mut oldest = None;
        for state in [State::Queued, State::Sending, State::InDoubt] {
            let first = self.in_state(state, None, 1)?.first().copied();
            oldest = oldest.into_iter().chain(first).min();
        }
        Ok(oldest)
    }

    /// The documents in a state, in order of intake.
    fn in_state(&self, state: State, after: Option<DocId>, limit: usize) -> Result<Vec<DocId>> {
        let Some(first) = next_of(after) else { return Ok(Vec::new()) };
        let to = keys::state(state, DocId(u64::MAX));
        let mut found = ids(self.entries().scan(&keys::state(state, DocId(first)), &to, limit)?)?;
        if state == State::Queued {
            // Those that are ready are only among their group.
            for group in self.groups()? {
                found.extend(self.ready(&group, after, limit)?);
            }
            found.sort_unstable();
            found.dedup();
            found.truncate(limit);
        }
        Ok(found)
    }

    /// The documents that a person should look at, in order of intake: refused, failed, held, or with attention raised.
    fn needing_attention(&self, limit: usize) -> Result<Vec<DocId>> {
        ids(self.entries().scan(b"a", b"b", limit)?)
    }

    /// The holds, by account and VAT number.
    fn holds(&self) -> Result<Vec<Hold>> {
        let entries = self.entries().scan(b"o", b"p", usize::MAX)?;
        entries.into_iter().map(|(_, value)| apply::decode(&value)).collect()
    }

    /// The documents that `filter` takes, in order of intake.
    fn list(&self, filter: &Filter, after: Option<DocId>, limit: usize) -> Result<Vec<Progress>> {
        let (mut found, mut after) = (Vec::new(), after);
        while found.len() < limit {
            let step = match filter.state {
                Some(state) => self
                    .in_state(state, after, STEP)?
                    .into_iter()
                    .filter_map(|id| self.progress(id).transpose())
                    .collect::<Result<Vec<_>>>()?,
                None => {
                    let Some(first) = next_of(after) else { break };
                    let entries = self.entries().scan(&keys::document(DocId(first)), b"q", STEP)?;
                    let read = |(key, value): Pair| {
                        let id = keys::id_at_end(&key).ok_or_else(unreadable)?;
                        Ok(stored::read(id, &value)?.progress)
                    };
                    entries.into_iter().map(read).collect::<Result<Vec<_>>>()?
                }
            };
            let Some(last) = step.last() else { break };
            after = Some(last.id);
            let room = limit - found.len();
            found.extend(step.into_iter().filter(|doc| filter.takes(doc)).take(room));
        }
        Ok(found)
    }

    /// All facts above a sequence number, in order.
    fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<Recorded>> {
        let next = seq.saturating_add(1);
        let sampled = keys::sample(next - next % keys::SAMPLE);
        let near = self.entries().get(&sampled)?.map(|bytes| apply::decode(&bytes)).transpose()?;
        self.read_after(seq, near, limit)
    }
}

fn next_of(after: Option<DocId>) -> Option<u64> {
    after.map_or(Some(0), |id| id.0.checked_add(1))
}

fn ids(entries: impl IntoIterator<Item = Pair>) -> Result<Vec<DocId>> {
    entries.into_iter().map(|(key, _)| keys::id_at_end(&key).ok_or_else(unreadable)).collect()
}

fn moments(entries: Vec<Pair>) -> Result<Vec<(DateTime<Utc>, DocId)>> {
    let read = |(key, _): Pair| Some((keys::moment_of(&key)?, keys::id_at_end(&key)?));
    entries.into_iter().map(|pair| read(pair).ok_or_else(unreadable)).collect()
}

fn unreadable() -> JournalError {
    JournalError::index("an entry cannot be read")
}

fn misplaced(at: Position) -> JournalError {
    JournalError::damaged(at.segment, at.offset, "this is not the record that the index says is here")
}
