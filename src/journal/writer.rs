//! The one writer. It takes the transactions that wait, decides them in order of arrival, writes what they record, flushes
//! it with one flush, makes it visible, and only then lets those go who wait. While it flushes, others gather: that
//! is group commit. Those who were just told come again soon: for them the next group waits a fraction of a flush, else
//! they and those who gathered meanwhile would take turns, each with half a group. One producer alone never waits. A
//! group is written only after the one before is durable, so that a torn tail can only lie in the last one.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::checkpoint::{self, Checkpoint};
use super::error::{JournalError, Result, panic_words};
use super::files::{File, is_full, write_full};
use super::gate::Gates;
use super::record::Reached;
use super::reserve::Reserve;
use super::sealed::Sealed;
use super::segment;
use super::shared::{Job, Shared, Verdict, lock};
use super::transaction::{Staging, Transaction};
use crate::domain::event::Entry;
use crate::domain::limits::{MAX_GROUP, MAX_GROUP_BYTES};

/// A group waits for more at most this share of the time that the last flush took, …
const PATIENCE: u32 = 2;
/// … and at most so long, however slow the disk is.
const LONGEST_PATIENCE: Duration = Duration::from_millis(2);

/// Those who are missing are waited for half by half, so that most are decided by the time that the last comes; so many
/// at once.
const FEW: usize = 4;

/// So many bytes of a group are worth a write of their own.
const AHEAD: usize = 8 * 1024;

/// The segment that is written to.
pub(crate) struct Active {
    pub first_seq: u64,
    pub file: Arc<dyn File>,
    pub length: u64,
}

pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    pub active: Active,
    pub last: Reached,
    pub reserve: Reserve,
    /// Of those whose transactions are in the group in hand.
    pub gates: Gates,
    /// The bytes of the group in hand.
    pub sealed: Sealed,
    pub segment_bytes: u64,
    /// Transactions that waited when the last group was flushed, before those in it were told.
    pub waiting: usize,
}

/// How many may come to a group, and how long it waits for them.
#[derive(Debug, Clone, Copy)]
struct Come {
    expected: usize,
    patience: Duration,
}

/// Why a group was not written.
enum Failure {
    /// There was no room, and nothing of it is left behind.
    Full(JournalError),
    /// Nobody knows what is on the disk.
    Poison(JournalError),
}

/// A transaction decided in the group in hand.
struct Decided {
    verdict: Verdict,
    /// Its records in the group.
    records: std::ops::Range<usize>,
    /// Whether it takes a new document.
    takes: bool,
}

impl Writer {
    /// The writer's thread.
    pub fn run(mut self) -> Writer {
        self.shared.writer.get_or_init(|| std::thread::current().id());
        let mut jobs = VecDeque::new();
        let mut come = Come { expected: 0, patience: Duration::ZERO };
        loop {
            // Nobody is waited for beside what the group before had no room for.
            let expect = if jobs.is_empty() { come } else { Come { expected: 0, ..come } };
            let room = MAX_GROUP - jobs.len().min(MAX_GROUP);
            jobs.extend(self.shared.line.take(room, jobs.is_empty(), &mut self.gates));
            if jobs.is_empty() {
                return self;
            }
            // No panic is known here. Should there be one, those who wait must hear of it.
            let commit = AssertUnwindSafe(|| self.commit(&mut jobs, expect));
            let taken = catch_unwind(commit).unwrap_or_else(|panic| {
                self.shared.poison(&JournalError::Panicked(panic_words(&*panic)));
                0
            });
            self.gates.open();
            // Those who were told may come again, beside those who waited already.
            come.expected = taken + self.waiting;
            come.patience = (lock(&self.shared.stats).last_flush / PATIENCE).min(LONGEST_PATIENCE);
        }
    }

    /// Decides and writes one commit group from the front of `jobs` and of those that come; how many it took.
    fn commit(&mut self, jobs: &mut VecDeque<Job>, expect: Come) -> usize {
        if let Some(error) = self.shared.poisoned() {
            let taken = jobs.len();
            jobs.drain(..).for_each(|job| drop(job(Err(error.clone()))));
            return taken;
        }
        self.reserve.new_group();
        self.waiting = 0;
        if let Err(error) = self.shared.layers.failure().and_then(|()| self.roll_if_long()) {
            self.shared.poison(&error);
            return 0;
        }
        let (mut staging, decided, taken) = self.decide(jobs, expect);
        if staging.records.is_empty() {
            decided.into_iter().for_each(|one| (one.verdict.answer)(Ok(())));
            return taken;
        }
        match self.write(&mut staging) {
            Ok(()) => {
                decided.into_iter().for_each(|one| (one.verdict.answer)(Ok(())));
                self.gates.open();
            }
            Err(Failure::Poison(error)) => {
                self.shared.poison(&error);
                decided.into_iter().for_each(|one| (one.verdict.answer)(Err(error.clone())));
                return taken;
            }
            Err(Failure::Full(error)) => self.write_what_must_be(&staging, decided, error),
        }
        self.tell();
        taken
    }

    /// Decides what is there, and what comes meanwhile: with many producers the last ones still check their documents
    /// while those of the first are decided here.
    fn decide(&mut self, jobs: &mut VecDeque<Job>, expect: Come) -> (Staging, Vec<Decided>, usize) {
        let mut staging = self.staging();
        let (mut decided, mut taken) = (Vec::with_capacity(jobs.len().max(expect.expected)), 0);
        let began = self.shared.clock.monotonic();
        loop {
            while decided.len() < MAX_GROUP && staging.bytes < MAX_GROUP_BYTES as u64 {
                let Some(job) = jobs.pop_front() else { break };
                taken += 1;
                let first = staging.records.len();
                let now = self.shared.clock.now();
                let mut transaction = Transaction::new(&self.shared, &mut staging, &mut self.reserve, now);
                let Some(verdict) = job(Ok(&mut transaction)) else { continue };
                let takes = verdict.keep && transaction.keep();
                decided.push(Decided { verdict, records: first..staging.records.len(), takes });
            }
            let full = decided.len() >= MAX_GROUP || staging.bytes >= MAX_GROUP_BYTES as u64;
            let missing = expect.expected.min(MAX_GROUP).saturating_sub(taken);
            if full || missing == 0 {
                return (staging, decided, taken);
            }
            // Now, while others are at work: the last ones then have little before them.
            self.sealed.follow(self.shared.id, &staging, false);
            self.write_ahead();
            *jobs = self.shared.line.take_more(
                missing,
                if missing <= FEW { missing } else { missing / 2 },
                expect.patience.saturating_sub(self.shared.clock.monotonic().saturating_sub(began)),
                &mut self.gates,
            );
            if jobs.is_empty() {
                return (staging, decided, taken);
            }
        }
    }

    fn staging(&mut self) -> Staging {
        self.sealed.begin(self.last);
        Staging::new(self.active.first_seq, self.active.length, self.last.seq + 1)
    }

    /// Records one fact alone.
    pub fn record(&mut self, entry: &Entry) -> Result<()> {
        let mut staging = self.staging();
        self.reserve.new_group();
        let now = self.shared.clock.now();
        let mut transaction = Transaction::new(&self.shared, &mut staging, &mut self.reserve, now);
        transaction.stage(entry)?;
        transaction.keep();
        let mut result = self.write(&mut staging);
        if let Err(Failure::Full(error)) = &result {
            self.make_room(error);
            let (mut again, _) = self.restage(&staging, std::slice::from_ref(&(0..1)))?;
            result = self.write(&mut again);
        }
        let result = result.map_err(|(Failure::Full(error) | Failure::Poison(error))| error);
        result.inspect_err(|error| self.shared.poison(error))
    }

    /// The disk is full: with the reserve given up, writes again what is about documents already taken.
    fn write_what_must_be(&mut self, staging: &Staging, decided: Vec<Decided>, error: JournalError) {
        self.make_room(&error);
        let must = |one: &Decided| !one.takes && !one.records.is_empty();
        let ranges: Vec<_> = decided.iter().filter(|one| must(one)).map(|one| one.records.clone()).collect();
        let written = match self.restage(staging, &ranges) {
            Ok((mut again, kept)) if !again.records.is_empty() => match self.write(&mut again) {
                Ok(()) => kept,
                Err(Failure::Full(_)) => Vec::new(),
                Err(Failure::Poison(error)) => {
                    self.shared.poison(&error);
                    Vec::new()
                }
            },
            Ok(_) | Err(_) => Vec::new(),
        };
        // What recorded nothing may have been told of what is not there now: then it must ask again.
        let mut doubtful = false;
        for one in decided {
            let kept = if one.records.is_empty() { !doubtful } else { written.contains(&one.records) };
            doubtful |= !kept;
            (one.verdict.answer)(if kept { Ok(()) } else { Err(error.clone()) });
        }
    }

    fn make_room(&mut self, error: &JournalError) {
        tracing::warn!(%error, "no new documents are taken until there is room; what becomes of those taken still is recorded");
        self.reserve.release(error.to_string());
        lock(&self.shared.stats).full = true;
    }

    /// Puts some of a group's transactions into a new one, without those that no longer can be.
    fn restage(
        &mut self,
        old: &Staging,
        ranges: &[std::ops::Range<usize>],
    ) -> Result<(Staging, Vec<std::ops::Range<usize>>)> {
        let (mut staging, mut kept) = (self.staging(), Vec::new());
        for range in ranges {
            let records = old.records.get(range.clone()).unwrap_or_default();
            let Some(first) = records.first() else { continue };
            let mut transaction = Transaction::new(&self.shared, &mut staging, &mut self.reserve, first.at);
            let staged = records.iter().try_for_each(|old| transaction.stage(&old.entry()?).map(|_| ()));
            if staged.is_ok() {
                transaction.keep();
                kept.push(range.clone());
            }
        }
        Ok((staging, kept))
    }

    /// Writes a group, flushes it, makes it visible.
    fn write(&mut self, staging: &mut Staging) -> Result<(), Failure> {
        let started = self.shared.clock.monotonic();
        self.sealed.follow(self.shared.id, staging, true);
        let (length, last) = (self.sealed.bytes.len() as u64, self.sealed.last);
        if let Err(error) = self.write_rest() {
            return Err(self.undo(error));
        }
        self.shared.layers.fold_meanwhile();
        if let Err(error) = self.active.file.sync_data() {
            // Never sync again: the system may have dropped what it could not write and call it clean.
            self.cut_off();
            return Err(Failure::Poison(self.io("sync", error)));
        }
        let took = self.shared.clock.monotonic().saturating_sub(started);
        self.waiting = self.shared.line.waiting();
        self.active.length += length;
        self.last = last;
        {
            let mut stats = lock(&self.shared.stats);
            stats.journal_bytes += length;
            stats.written_bytes += length;
            stats.flushes += 1;
            stats.last_flush = took;
            stats.total_flush += took;
            stats.full = self.reserve.is_full();
        }
        // The index's files need room too; while there is none they wait.
        let published = self.shared.layers.publish(std::mem::take(&mut staging.changes), last, self.reserve.is_full());
        self.shared.last_seq.store(last.seq, Ordering::Release);
        if let Err(error) = published {
            self.shared.poison(&error); // this group is durable all the same
        }
        Ok(())
    }

    /// Writes what is certain of the group while others still check their documents, so that the last ones have less to
    /// wait for. What could not be written is written again, or fails again, with the rest.
    fn write_ahead(&mut self) {
        if self.sealed.rest().len() >= AHEAD {
            let _ = self.write_rest();
        }
    }

    fn write_rest(&mut self) -> std::io::Result<()> {
        write_full(&*self.active.file, self.sealed.rest(), self.active.length + self.sealed.written as u64)?;
        self.sealed.written = self.sealed.bytes.len();
        Ok(())
    }

    /// After a failed write: cuts off what was written of it, if the disk is only full.
    fn undo(&self, error: std::io::Error) -> Failure {
        if !is_full(&error) {
            self.cut_off();
            return Failure::Poison(self.io("write", error));
        }
        let file = &self.active.file;
        match file.set_len(self.active.length).and_then(|()| file.sync_all()) {
            Ok(()) => Failure::Full(JournalError::Full { why: error.to_string() }),
            Err(error) => Failure::Poison(self.io("cut", error)),
        }
    }

    /// Tries to take back what was begun, so that it is not found when the journal is opened again: found there, it
    /// would be taken for written, and built upon.
    fn cut_off(&self) {
        // Durable or not, it was not acknowledged. If even this fails, the next open decides.
        let _ = self.active.file.set_len(self.active.length);
    }

    fn io(&self, what: &'static str, error: std::io::Error) -> JournalError {
        JournalError::io(what, &segment::path(&self.shared.dir, self.active.first_seq), error)
    }

    /// Begins a new segment when the present one is long enough. When there is no room for one, it goes on.
    fn roll_if_long(&mut self) -> Result<()> {
        let wanted = self.shared.seal_wanted.swap(false, Ordering::AcqRel);
        let short = self.active.length < self.segment_bytes && !wanted;
        if short || self.active.length <= segment::HEADER as u64 {
            return Ok(());
        }
        let header = segment::Header {
            journal: self.shared.id,
            first_seq: self.last.seq + 1,
            first_group: self.last.group + 1,
            previous_segment: self.active.first_seq,
            previous_length: self.active.length,
            previous_hash: self.last.hash,
            made_micros: self.shared.clock.now().timestamp_micros(),
        };
        let file = match segment::create(&*self.shared.files, &self.shared.dir, &header) {
            Ok(file) => file,
            Err(JournalError::Io { what: "make", source, .. }) if is_full(&source) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.active = Active { first_seq: header.first_seq, file, length: segment::HEADER as u64 };
        self.shared.segments.add(header.first_seq);
        {
            let mut stats = lock(&self.shared.stats);
            stats.segments += 1;
            stats.journal_bytes += segment::HEADER as u64;
            stats.written_bytes += segment::HEADER as u64;
        }
        self.mark(false).unwrap_or_else(|error| tracing::warn!(%error, "the checkpoint stays as it was"));
        Ok(())
    }

    /// Writes the checkpoint.
    pub fn mark(&self, clean: bool) -> Result<()> {
        let files = &*self.shared.files;
        let checkpoint = Checkpoint::new(self.shared.id, clean, files.boot_id(), self.last);
        checkpoint::write(files, &self.shared.dir, &checkpoint)
    }

    /// Calls those who want to know of each group.
    fn tell(&self) {
        let callbacks = self.shared.callbacks.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        for callback in callbacks {
            let call = AssertUnwindSafe(|| callback(self.last.seq));
            if let Err(panic) = catch_unwind(call) {
                tracing::error!(panic = panic_words(&*panic), "a callback of the journal panicked");
            }
        }
    }
}
