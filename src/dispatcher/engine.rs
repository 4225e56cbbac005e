//! The dispatcher's one loop: look at the queue, plan, start, take in what ended, sleep until something changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::lane::Lane;
use super::office::{self, Done, Health, Office};
use super::plan::{self, Action};
use super::settings::{Managed, Settings};
use super::shared::Shared;
use super::{holds, reconcile, submit, track};
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
struct Work {
    account: AccountName,
    ids: Vec<DocId>,
    tracking: bool,
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
    tasks: JoinSet<Done>,
    /// What nobody waits for.
    chores: JoinSet<()>,
    fresh_until: Duration,
    /// What each task is about.
    work: HashMap<tokio::task::Id, Work>,
    stop: watch::Receiver<Stop>,
    idle: watch::Sender<u64>,
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
        let shared = Shared { queue, settings: Arc::new(settings) };
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

    /// The lanes that are open. A document still `sending` that no task of ours waits for is in doubt.
    fn find_open_calls(&mut self) -> Result<(), Error> {
        let queue = self.shared.queue.clone();
        let mut lost = Vec::new();
        for progress in queue.journal().open_calls()? {
            if let Some(lane) = Lane::of(&progress) {
                self.busy.insert(lane, progress.id);
            }
            if progress.state == State::Sending && !self.under_way.contains(&progress.id) {
                lost.push(progress.id);
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        queue.journal().transact(move |txn| -> Result<(), Error> {
            for id in lost {
                let why = "the dispatcher stopped while sending".to_owned();
                txn.record(id, DocEvent::Unknown { why, status: None, due_at: None })?;
            }
            Ok(())
        })?
    }

    pub(super) async fn run(mut self) {
        let mut changes = self.shared.queue.changes();
        let mut stop = self.stop.clone();
        loop {
            let seq = *changes.borrow_and_update();
            let sleep =
                if self.halted { self.shared.settings.longest_sleep } else { self.start_what_can_start(seq).await };
            tokio::select! {
                biased;
                () = told(&mut stop, Stop::Gently) => break,
                Some(done) = self.tasks.join_next_with_id() => self.take_in(done).await,
                changed = changes.changed() => {
                    if changed.is_err() {
                        break; // the journal is closed
                    }
                }
                () = tokio::time::sleep(sleep) => {}
            }
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
    fn keep_fresh(&mut self, ticks: Duration) {
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
    async fn ask_the_time(&mut self, now: DateTime<Utc>) {
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

    /// Gathers, plans and starts; returns how long to sleep if nothing changes.
    async fn start_what_can_start(&mut self, seq: u64) -> Duration {
        let now = self.shared.now();
        let longest = self.shared.settings.longest_sleep;
        let ticks = self.shared.ticks();
        self.keep_fresh(ticks);
        self.ask_the_time(now).await;
        let gathered = match self.gather(now, ticks) {
            Ok(gathered) => gathered,
            Err(error) => {
                self.trouble(&error);
                return longest;
            }
        };
        for (id, events) in gathered.decided {
            if let Err(error) = self.shared.record(id, State::Queued, events).await {
                self.trouble(&error);
                return longest;
            }
        }
        let actions = plan::plan(now, gathered.board, gathered.candidates);
        let nothing = actions.is_empty();
        for action in actions {
            self.start(action);
        }
        let idle = nothing && self.tasks.is_empty() && self.nothing_left().unwrap_or(false);
        let reached = if idle { seq } else { 0 };
        self.idle.send_if_modified(|was| std::mem::replace(was, reached) != reached);
        gathered.wake.unwrap_or(longest).max(Duration::from_millis(1)).min(longest)
    }

    fn start(&mut self, action: Action) {
        let account = match &action {
            Action::Submit(_, account, _) | Action::LookUp(_, account) | Action::Track(account, _) => account.clone(),
        };
        let Some(office) = self.offices.get_mut(&account) else { return };
        let Some(provider) = office.provider.clone() else { return };
        office.gate.started(self.shared.ticks());
        let (shared, account, skew) = (self.shared.clone(), office.account.clone(), office.skew_ms.unwrap_or(0));
        let (handle, ids, tracking) = match action {
            Action::Submit(id, _, lane) => {
                self.busy.insert(lane.clone(), id);
                let desk = office.desk(self.shared.ticks());
                (self.tasks.spawn(submit::submit(shared, provider, account.clone(), id, lane, desk)), vec![id], false)
            }
            Action::LookUp(id, _) => {
                (self.tasks.spawn(reconcile::look_up(shared, provider, account.clone(), id, skew)), vec![id], false)
            }
            Action::Track(_, ids) => {
                office.tracking = true;
                (self.tasks.spawn(track::track(shared, provider, account.clone(), ids.clone())), ids, true)
            }
        };
        self.under_way.extend(&ids);
        self.work.insert(handle.id(), Work { account: account.name, ids, tracking });
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
        let Some(work) = self.work.remove(&task) else { return };
        let now = self.shared.ticks();
        let settings = Arc::clone(&self.shared.settings);
        self.under_way.retain(|id| !work.ids.contains(id));
        self.wake_lanes(&work.ids);
        if let Some(lane) = done.rests {
            let rest = self.resting.entry(lane).or_insert(Rest { until: now, times: 0 });
            rest.until = now + LONGEST_REST.min(Duration::from_secs(1 << rest.times.min(10)));
            rest.times += 1;
        }
        if let Some(lane) = done.frees {
            self.busy.remove(&lane);
        }
        let mut hold = done.hold;
        if let Some(office) = self.offices.get_mut(&work.account) {
            office.heard(&done.health, now, &settings);
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
        self.shared.transact(move |txn| holds::place(txn, hold)).await
    }

    fn trouble(&mut self, error: &Error) {
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
