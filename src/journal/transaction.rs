//! Deciding and recording: what a transaction's closure can do, on the writer's thread.

use chrono::{DateTime, SubsecRound, Utc};

use super::apply::{self, Applied, At, Changes, Entries, Pair};
use super::error::{JournalError, Result};
use super::record::{self, Position};
use super::reserve::Reserve;
use super::shared::Shared;
use super::view::{Recorded, View, source::Source};
use crate::domain::event::{DocEvent, Enqueued, Entry, Hold};
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::state::Progress;

/// A record that is decided but not written.
pub(crate) struct Staged {
    pub seq: u64,
    pub offset: u64,
    pub at: DateTime<Utc>,
    pub previous: Position,
    pub payload: Vec<u8>,
    pub last_of_transaction: bool,
}

impl Staged {
    pub fn length(&self) -> u64 {
        (record::HEADER + self.payload.len()) as u64
    }

    pub fn entry(&self) -> Result<Entry> {
        // Only ever what was encoded a moment ago.
        record::decode_entry(&self.payload).ok_or(JournalError::TooLarge)
    }

    fn recorded(&self) -> Result<Recorded> {
        Ok(Recorded { seq: self.seq, at: self.at, entry: self.entry()? })
    }
}

/// A document whose record was made before its turn came: on the one thread that all wait for it is only put in its place.
pub(crate) struct Ready {
    entry: Entry,
    payload: Vec<u8>,
}

impl Ready {
    /// # Errors
    /// [`JournalError::TooLarge`].
    pub fn new(taken: Enqueued) -> Result<Ready> {
        let entry = Entry::Enqueued(Box::new(taken));
        let payload = record::encode_entry(&entry).ok_or(JournalError::TooLarge)?;
        Ok(Ready { entry, payload })
    }
}

/// A commit group being put together.
pub(crate) struct Staging {
    pub segment: u64,
    /// Where the group's first record goes.
    pub start: u64,
    pub first_seq: u64,
    pub bytes: u64,
    pub changes: Changes,
    pub records: Vec<Staged>,
}

impl Staging {
    pub fn new(segment: u64, start: u64, first_seq: u64) -> Staging {
        Staging { segment, start, first_seq, bytes: 0, changes: Changes::new(), records: Vec::new() }
    }
}

/// A transaction: sees everything before it, and records facts that are kept all or none.
pub struct Transaction<'a> {
    shared: &'a Shared,
    group: &'a mut Staging,
    reserve: &'a mut Reserve,
    now: DateTime<Utc>,
    changes: Changes,
    records: Vec<Staged>,
    bytes: u64,
    takes: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        group: &'a mut Staging,
        reserve: &'a mut Reserve,
        now: DateTime<Utc>,
    ) -> Transaction<'a> {
        // Records keep microseconds: what is decided here must be what is read later.
        let now = now.trunc_subsecs(6);
        Transaction {
            shared,
            group,
            reserve,
            now,
            changes: Changes::new(),
            records: Vec::new(),
            bytes: 0,
            takes: false,
        }
    }

    /// Why no new document can be taken now, if so.
    pub fn no_room(&mut self) -> Option<String> {
        self.reserve.full()
    }

    /// Makes what was recorded part of the group. Whether it takes a new document.
    pub(crate) fn keep(mut self) -> bool {
        if let Some(last) = self.records.last_mut() {
            last.last_of_transaction = true;
        }
        self.group.bytes += self.bytes;
        add(&mut self.group.changes, std::mem::take(&mut self.changes));
        self.group.records.append(&mut self.records);
        self.takes
    }

    pub(crate) fn stage(&mut self, entry: &Entry) -> Result<Option<Progress>> {
        self.stage_as(entry, || record::encode_entry(entry).ok_or(JournalError::TooLarge))
    }

    fn stage_as(&mut self, entry: &Entry, payload: impl FnOnce() -> Result<Vec<u8>>) -> Result<Option<Progress>> {
        let (segment, offset) = (self.group.segment, self.group.start + self.group.bytes + self.bytes);
        let seq = self.next_seq();
        let at = At { seq, time: self.now, position: Position { segment, offset } };
        let Applied { changes, previous, progress } = apply::apply(at, entry, &*self)?;
        let payload = payload()?;
        let staged = Staged { seq, offset, at: self.now, previous, payload, last_of_transaction: false };
        self.bytes += staged.length();
        self.records.push(staged);
        add(&mut self.changes, changes);
        Ok(progress)
    }

    fn next_seq(&self) -> u64 {
        self.group.first_seq + (self.group.records.len() + self.records.len()) as u64
    }

    /// The time of everything recorded here, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// How many facts this transaction has recorded so far.
    pub(crate) fn recorded(&self) -> u64 {
        self.records.len() as u64
    }

    /// Takes a document. Its number is that of the record.
    ///
    /// # Errors
    /// [`JournalError::KeyTaken`]; [`JournalError::NoDocument`] when its parent is not in the journal;
    /// [`JournalError::Full`] while the disk is; [`JournalError::TooLarge`].
    pub fn enqueue(&mut self, taken: Enqueued) -> Result<DocId> {
        if let Some(why) = self.reserve.full() {
            return Err(JournalError::Full { why });
        }
        let id = DocId(self.next_seq());
        self.stage(&Entry::Enqueued(Box::new(taken)))?;
        self.takes = true;
        Ok(id)
    }

    /// Takes a document whose record is ready, as [`enqueue`](Self::enqueue) does, once. A key that is taken is told
    /// even while the disk is full.
    pub(crate) fn enqueue_ready(&mut self, ready: &mut Ready) -> Result<DocId> {
        if let Some(why) = self.reserve.full() {
            let Entry::Enqueued(taken) = &ready.entry else { return Err(JournalError::Full { why }) };
            return Err(self.find(&taken.key)?.map_or(JournalError::Full { why }, JournalError::KeyTaken));
        }
        let id = DocId(self.next_seq());
        let payload = &mut ready.payload;
        self.stage_as(&ready.entry, || Ok(std::mem::take(payload)))?;
        self.takes = true;
        Ok(id)
    }

    /// Records that something happened to a document, and returns what it has become.
    ///
    /// # Errors
    /// [`JournalError::NoDocument`]; [`JournalError::Illegal`] when it cannot happen now; [`JournalError::TooLarge`].
    pub fn record(&mut self, id: DocId, event: DocEvent) -> Result<Progress> {
        self.stage(&Entry::Document { id, event })?.ok_or(JournalError::NoDocument(id))
    }

    /// Holds an account or a VAT number of it; a hold of the same is replaced.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`].
    pub fn hold(&mut self, hold: Hold) -> Result<()> {
        self.stage(&Entry::Hold(hold)).map(|_| ())
    }

    /// Ends a hold. Returns whether there was one; if not, nothing is recorded.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`].
    pub fn release(
        &mut self,
        account: &AccountName,
        fiscal_id: Option<&FiscalId>,
        who: impl Into<String>,
        why: impl Into<String>,
    ) -> Result<bool> {
        if self.get(&super::keys::hold(account, fiscal_id))?.is_none() {
            return Ok(false);
        }
        let (account, fiscal_id) = (account.clone(), fiscal_id.cloned());
        self.stage(&Entry::Released { account, fiscal_id, who: who.into(), why: why.into() })?;
        Ok(true)
    }

    fn staged(&self) -> impl DoubleEndedIterator<Item = &Staged> {
        self.group.records.iter().chain(&self.records)
    }
}

/// Puts newer changes over others; into none they are moved whole, which is what most transactions need.
fn add(to: &mut Changes, newer: Changes) {
    if to.is_empty() {
        *to = newer;
    } else {
        to.extend(newer);
    }
}

impl Entries for Transaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.shared.layers.get_under(&[&self.changes, &self.group.changes], key)
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.shared.layers.scan_under(&[&self.changes, &self.group.changes], from, to, limit)
    }
}

#[allow(private_interfaces, reason = "the trait is sealed")]
impl Source for Transaction<'_> {
    fn entries(&self) -> &dyn Entries {
        self
    }

    fn read(&self, at: Position) -> Result<(Recorded, Position)> {
        if at.segment != self.group.segment || at.offset < self.group.start {
            return self.shared.segments.read(at);
        }
        // Records are staged in the order of their offsets.
        let records = if at.offset < self.group.start + self.group.bytes { &self.group.records } else { &self.records };
        let found = records.binary_search_by_key(&at.offset, |staged| staged.offset).ok();
        let staged = found.and_then(|index| records.get(index));
        let staged = staged.ok_or_else(|| JournalError::damaged(at.segment, at.offset, "there is no record here"))?;
        Ok((staged.recorded()?, staged.previous))
    }

    fn read_after(&self, seq: u64, near: Option<Position>, limit: usize) -> Result<Vec<Recorded>> {
        let near = near.filter(|near| near.segment != self.group.segment || near.offset < self.group.start);
        let mut found = self.shared.segments.read_after(seq, self.group.first_seq.saturating_sub(1), near, limit)?;
        let room = limit - found.len();
        for staged in self.staged().filter(|staged| staged.seq > seq).take(room) {
            found.push(staged.recorded()?);
        }
        Ok(found)
    }
}

impl View for Transaction<'_> {}
