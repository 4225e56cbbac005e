//! The dispatcher's one loop: look at the queue, plan, start, take in what ended, sleep until something changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::holds;
use super::lane::Lane;
use super::office::{self, Done, Health, Office};
use super::plan::Candidate;
use super::settings::{Managed, Settings};
use super::shared::{Shared, Taken};
use crate::domain::event::{DocEvent, Hold};
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::outcome::{HoldAnswer, HoldReason, HoldScope};
use crate::domain::state::State;
use crate::domain::trust;
use crate::error::Error;
use crate::journal::View;
use crate::queue::Queue;

/// How the engine is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    No,
    Gently,
    Now,
}

/// How often tokens are looked after.
const FRESHEN_EVERY: Duration = Duration::from_secs(5 * 60);
/// The longest that a lane is left alone.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How long a lane is left alone.
pub(super) struct Rest {
    pub(super) until: Duration,
    times: u32,
}

/// What a task is about.
pub(super) struct Work {
    pub(super) account: AccountName,
    pub(super) ids: Vec<DocId>,
    pub(super) tracking: bool,
    /// Of a submission.
    pub(super) lane: Option<Lane>,
    /// The provider took the document: its lane and its place were given back, only its outcome is still being written.
    pub(super) taken: bool,
}

pub(super) struct Engine {
    pub(super) shared: Shared,
    pub(super) offices: HashMap<AccountName, Office>,
    /// Lanes with an open call, and whose it is.
    pub(super) busy: HashMap<Lane, DocId>,
    /// Documents under way.
    pub(super) under_way: HashSet<DocId>,
    /// Lanes on which nothing can be sent before something else has happened; looked at again now and then all the same.
    pub(super) resting: HashMap<Lane, Rest>,
    /// The last document of a lane whose outcome is still being written.
    pub(super) unwritten: HashMap<Lane, DocId>,
    /// Accounts that cannot be asked anything, when last looked.
    pub(super) shut: HashSet<AccountName>,
    /// What could be sent when last looked, and had no place: most urgent first, no more than may be under way.
    pub(super) stock: Vec<Candidate>,
    /// Something changed that the stock does not know of.
    pub(super) stale: bool,
    /// A place or a lane became free.
    pub(super) moved: bool,
    /// When to look again at the latest.
    pub(super) look_at: Duration,
    /// What others had recorded when last looked.
    pub(super) foreign: i64,
    taken: mpsc::UnboundedReceiver<Taken>,
    pub(super) tasks: JoinSet<Done>,
    /// What nobody waits for.
    chores: JoinSet<()>,
    fresh_until: Duration,
    /// What each task is about.
    pub(super) work: HashMap<tokio::task::Id, Work>,
    stop: watch::Receiver<Stop>,
    pub(super) idle: watch::Sender<u64>,
    /// The journal refused to write: nothing is started until it is reopened.
    halted: bool,
}

impl Engine {
    pub(super) fn prepare(
        queue: Queue,
        accounts: Vec<Managed>,
        settings: Settings,
        stop: watch::Receiver<Stop>,
        idle: watch::Sender<u64>,
    ) -> Result<Engine, Error> {
        queue.set_accounts(accounts.iter().map(|managed| managed.account.clone()).collect())?;
        let journal_id = *queue.journal().id().as_bytes();
        let (shared, taken) = Shared::new(queue, settings);
        let mut offices = HashMap::new();
        for managed in accounts {
            let name = managed.account.name.clone();
            if let Some(changed) = managed.credentials_changed {
                shared.queue.set_credentials_changed(&name, changed);
            }
            holds::renew(&shared.queue, &managed, office::secret_of(&managed, &journal_id))?;
            offices.insert(name, Office::new(managed, &journal_id, &shared.settings));
        }
        let mut engine = Engine {
            shared,
            offices,
            busy: HashMap::new(),
            under_way: HashSet::new(),
            resting: HashMap::new(),
            unwritten: HashMap::new(),
            shut: HashSet::new(),
            stock: Vec::new(),
            stale: true,
            moved: false,
            look_at: Duration::ZERO,
            foreign: 0,
            taken,
            tasks: JoinSet::new(),
            chores: JoinSet::new(),
            fresh_until: Duration::ZERO,
            work: HashMap::new(),
            stop,
            idle,
            halted: false,
        };
        engine.find_open_calls()?;
        Ok(engine)
    }

    /// The lanes that are open. A document still `sending` that no task of ours waits for is in doubt. Looked at on the
    /// writer's thread: after everything that was handed over before.
    fn find_open_calls(&mut self) -> Result<(), Error> {
        let under_way = self.under_way.clone();
        let open = self.shared.queue.journal().transact(move |txn| -> Result<_, Error> {
            let open = txn.open_calls()?;
            for lost in open.iter().filter(|one| one.state == State::Sending && !under_way.contains(&one.id)) {
                let why = "the dispatcher stopped while sending".to_owned();
                txn.record(lost.id, DocEvent::Unknown { why, status: None, due_at: None })?;
            }
            Ok(open)
        })??;
        for progress in open {
            if let Some(lane) = Lane::of(&progress) {
                self.busy.insert(lane, progress.id);
            }
        }
        Ok(())
    }

    pub(super) async fn run(mut self) {
        let mut changes = self.shared.queue.changes();
        let mut stop = self.stop.clone();
        loop {
            let seq = *changes.borrow_and_update();
            let sleep = if self.halted { self.shared.settings.longest_sleep } else { self.look(seq).await };
            tokio::select! {
                biased;
                () = told(&mut stop, Stop::Gently) => break,
                Some(taken) = self.taken.recv() => self.give_back(taken),
                Some(done) = self.tasks.join_next_with_id() => self.take_in(done).await,
                changed = changes.changed() => {
                    if changed.is_err() {
                        break; // the journal is closed
                    }
                }
                () = tokio::time::sleep(sleep) => self.stale = true,
            }
            // What came together is looked at together.
            while let Some(done) = self.tasks.try_join_next_with_id() {
                self.take_in(done).await;
            }
            self.give_back_all();
        }
        self.wind_down().await;
    }

    /// Finishes what is on the wire, at most the answer's time-out; a second word stops it at once.
    async fn wind_down(&mut self) {
        let mut stop = self.stop.clone();
        let patience = tokio::time::sleep(self.shared.settings.on_the_wire());
        tokio::pin!(patience);
        loop {
            tokio::select! {
                biased;
                // An error means that the handle is gone: the same as a word to stop.
                () = told(&mut stop, Stop::Now) => break,
                done = self.tasks.join_next_with_id() => match done {
                    Some(done) => self.take_in(done).await,
                    None => return,
                },
                () = &mut patience => break,
            }
        }
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        self.under_way.clear();
        if let Err(error) = self.find_open_calls() {
            tracing::warn!(%error, "documents that were on the wire stay `sending` until the next start, which looks them up");
        }
    }

    /// Tokens are renewed before they end, so that no sale waits for a login.
    pub(super) fn keep_fresh(&mut self, ticks: Duration) {
        if ticks < self.fresh_until {
            return;
        }
        self.fresh_until = ticks + FRESHEN_EVERY;
        for office in self.offices.values().filter(|office| !office.gate.is_down()) {
            if let Some(provider) = office.provider.clone() {
                self.chores.spawn(async move { provider.keep_fresh().await });
            }
        }
        while self.chores.try_join_next().is_some() {}
    }

    /// Where our clock shows an impossible time, the providers say what time it is before anything is submitted.
    pub(super) async fn ask_the_time(&mut self, now: DateTime<Utc>) {
        if !trust::is_impossible(now) {
            return;
        }
        for (name, office) in &mut self.offices {
            let Some(provider) = office.provider.clone().filter(|_| office.skew_ms.is_none() && !office.asked_the_time)
            else {
                continue;
            };
            office.asked_the_time = true;
            office.skew_ms = provider.clock_skew_ms().await;
            match office.skew_ms {
                Some(skew) => self.shared.queue.set_skew(name, skew),
                None => {
                    tracing::warn!(account = %name, "this machine's clock is wrong and the provider does not tell the time")
                }
            }
        }
    }

    /// A provider took a document: its place and its lane are given back, while its outcome is written.
    fn give_back(&mut self, taken: Taken) {
        let Some(work) = self.work.values_mut().find(|work| work.ids == [taken.id] && !work.taken) else { return };
        work.taken = true;
        let (account, lane) = (work.account.clone(), work.lane.clone());
        if let Some(lane) = lane {
            self.unwritten.insert(lane.clone(), taken.id);
            self.free(&lane, taken.id);
        }
        let ticks = self.shared.ticks();
        if let Some(office) = self.offices.get_mut(&account) {
            // What waited because the line was down is due now.
            self.stale |= office.gate.is_down() || !office.gate.backed_off.is_empty();
            office.heard(&Health::Answered, ticks, &self.shared.settings);
            if let Some(skew) = taken.clock_skew_ms {
                office.skew_ms = Some(skew);
                self.shared.queue.set_skew(&account, skew);
            }
        }
        if let Some(due) = taken.due_at {
            self.look_at = self.look_at.min(ticks + (due - self.shared.now()).to_std().unwrap_or_default());
        }
        self.moved = true;
    }

    fn give_back_all(&mut self) {
        while let Ok(taken) = self.taken.try_recv() {
            self.give_back(taken);
        }
    }

    async fn take_in(&mut self, joined: Result<(tokio::task::Id, Done), tokio::task::JoinError>) {
        let (task, done) = match joined {
            Ok(joined) => joined,
            Err(error) => {
                // A defect of ours. What was on the wire may have arrived: it is looked up.
                tracing::error!(%error, "a dispatcher task ended abnormally");
                (error.id(), Done { broken: true, ..Done::of(Health::Failed) })
            }
        };
        self.give_back_all(); // told before the task ended
        let Some(work) = self.work.remove(&task) else { return };
        if work.taken {
            self.written(&work, done.error.is_some() || done.broken);
        }
        self.moved = true;
        // After anything but a success all may be different.
        self.stale |= !work.taken || done.error.is_some() || done.broken;
        let now = self.shared.ticks();
        let settings = Arc::clone(&self.shared.settings);
        self.under_way.retain(|id| !work.ids.contains(id));
        self.wake_lanes(&work.ids);
        if let Some(lane) = done.rests {
            let rest = self.resting.entry(lane).or_insert(Rest { until: now, times: 0 });
            rest.until = now + LONGEST_REST.min(Duration::from_secs(1 << rest.times.min(10)));
            rest.times += 1;
        }
        if let Some(lane) = done.frees.filter(|_| !work.taken) {
            work.ids.first().iter().for_each(|id| self.free(&lane, **id));
        }
        if let Some((lane, open)) = work.lane.clone().zip(done.behind) {
            self.busy.insert(lane, open);
        }
        let mut hold = done.hold;
        if let Some(office) = self.offices.get_mut(&work.account) {
            if !work.taken {
                office.heard(&done.health, now, &settings);
            }
            office.gate.backed_off.extend(done.backed_off);
            if work.tracking {
                office.tracking = false;
            }
            if let Some(skew) = done.clock_skew_ms {
                office.skew_ms = Some(skew);
                self.shared.queue.set_skew(&work.account, skew);
            }
            if let Some((fiscal_id, message)) = done.refusal {
                hold = hold.or(office.count_refusal(fiscal_id, message));
            }
        }
        if let Some((fiscal_id, answer)) = hold
            && let Err(error) = self.place_hold(&work.account, fiscal_id, answer).await
        {
            self.trouble(&error);
        }
        if let Some(error) = done.error {
            self.trouble(&error);
        }
        if done.broken
            && let Err(error) = self.find_open_calls()
        {
            self.trouble(&error);
        }
    }

    /// A lane is free again, if this is the document whose call was open on it.
    fn free(&mut self, lane: &Lane, id: DocId) {
        if self.busy.get(lane) == Some(&id) {
            self.busy.remove(lane);
        }
    }

    /// The outcome of a document that was taken is durable, or could not be recorded: then its call is still open.
    fn written(&mut self, work: &Work, failed: bool) {
        for (lane, id) in work.lane.iter().zip(&work.ids) {
            if self.unwritten.get(lane) == Some(id) {
                self.unwritten.remove(lane);
            }
            // Also where the next one has begun: its intent is refused, and it must not free this one's lane.
            if failed {
                self.busy.insert(lane.clone(), *id);
            }
        }
    }

    /// Something happened to these documents: what waited for it, on their own lanes or on those of their children, is
    /// looked at again.
    fn wake_lanes(&mut self, ids: &[DocId]) {
        if self.resting.is_empty() {
            return;
        }
        for id in ids {
            self.resting.remove(&Lane::Parent(*id));
            if let Ok(Some(progress)) = self.shared.queue.journal().progress(*id)
                && let Some(lane) = Lane::of(&progress)
            {
                self.resting.remove(&lane);
            }
        }
    }

    async fn place_hold(
        &self,
        account: &AccountName,
        fiscal_id: Option<FiscalId>,
        answer: HoldAnswer,
    ) -> Result<(), Error> {
        let secret = self.offices.get(account).and_then(|office| office.secret);
        let fiscal_id = fiscal_id.filter(|_| answer.scope == HoldScope::FiscalId);
        let hold = Hold {
            account: account.clone(),
            cure: holds::cure(answer.reason, account, fiscal_id.as_ref()),
            fiscal_id,
            reason: answer.reason,
            detail: answer.detail,
            since: self.shared.now(),
            secret: secret.filter(|_| answer.reason == HoldReason::Credentials),
        };
        tracing::warn!(account = %hold.account, reason = hold.reason.name(), "held");
        self.shared.hand_over(move |txn| holds::place(txn, hold)).await
    }

    pub(super) fn trouble(&mut self, error: &Error) {
        if matches!(error, Error::Journal(journal) if journal.is_fatal()) {
            self.halted = true;
            tracing::error!(%error, "the journal takes nothing more until it is reopened; nothing is sent");
        } else {
            tracing::warn!(%error, "could not record or read; tried again");
        }
    }
}

/// Waits for the word to stop, at least in this way.
async fn told(stop: &mut watch::Receiver<Stop>, how: Stop) {
    let _ = stop.wait_for(|stop| *stop >= how).await;
}
