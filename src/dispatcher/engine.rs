//! The dispatcher's one loop: look at the queue, plan, start, take in what ended, sleep until something changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::gate::Gate;
use super::lane::Lane;
use super::plan::{self, Action};
use super::settings::{Managed, Settings};
use super::{holds, reconcile, submit, track};
use crate::clock::Clock;
use crate::domain::account::Account;
use crate::domain::event::{DocEvent, Hold};
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::outcome::{HoldAnswer, HoldReason, HoldScope};
use crate::domain::state::State;
use crate::domain::trust;
use crate::error::Error;
use crate::journal::View;
use crate::provider::Provider;
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
/// Equal permanent refusals in a row after which a VAT number is held (PROVIDERS.md 5).
const REFUSALS_IN_A_ROW: usize = 3;

/// What every task needs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) settings: Arc<Settings>,
}

impl Shared {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.queue.clock().now()
    }

    /// Time that only goes forward.
    pub(super) fn ticks(&self) -> Duration {
        self.queue.clock().monotonic()
    }

    /// Journals one event of a document, if it is still in `expected`; tells whether it was.
    pub(super) async fn record(&self, id: DocId, expected: State, events: Vec<DocEvent>) -> Result<bool, Error> {
        self.transact(move |txn| {
            match txn.progress(id)? {
                Some(progress) if progress.state == expected => {}
                _ => return Ok(false),
            }
            for event in events {
                txn.record(id, event)?;
            }
            Ok(true)
        })
        .await
    }

    /// A transaction from async code. The wait is on a blocking thread: the journal knows no runtime.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut crate::journal::Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let queue = self.queue.clone();
        let joined = tokio::task::spawn_blocking(move || queue.journal().transact(act)).await;
        joined.map_err(|error| Error::Dispatcher(format!("a journal task ended: {error}")))??
    }

    /// A read that may touch the disk, from async code.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Queue) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let queue = self.queue.clone();
        let joined = tokio::task::spawn_blocking(move || look(&queue)).await;
        joined.map_err(|error| Error::Dispatcher(format!("a journal task ended: {error}")))?
    }
}

/// What a finished task says about the provider, for the account's gate.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Health {
    /// It answered.
    Answered,
    /// No trustworthy answer.
    Failed,
    /// It wants a pause, and may say for how long.
    Pause(Option<Duration>),
    /// Nothing was asked.
    Nothing,
}

/// What a finished task brought.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) health: Health,
    pub(super) clock_skew_ms: Option<i64>,
    /// The lane that is free again.
    pub(super) frees: Option<Lane>,
    /// A document that waits because the line is down.
    pub(super) backed_off: Option<DocId>,
    pub(super) hold: Option<(Option<FiscalId>, HoldAnswer)>,
    /// A permanent refusal, for the count of equal ones in a row; `Some(None)` is a success.
    pub(super) refusal: Option<(Option<FiscalId>, Option<String>)>,
    /// The lane on which nothing can be sent now, because of a document's parent or sibling.
    pub(super) rests: Option<Lane>,
    pub(super) error: Option<Error>,
    /// The task did not come to an end by itself.
    pub(super) broken: bool,
}

impl Done {
    pub(super) fn of(health: Health) -> Done {
        Done {
            health,
            clock_skew_ms: None,
            frees: None,
            backed_off: None,
            hold: None,
            refusal: None,
            rests: None,
            error: None,
            broken: false,
        }
    }
}

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

/// An account at work.
pub(super) struct Office {
    pub(super) account: Account,
    pub(super) provider: Option<Arc<dyn Provider>>,
    pub(super) gate: Gate,
    /// The provider's clock minus ours; none: not heard yet.
    pub(super) skew_ms: Option<i64>,
    /// Our clock shows an impossible time, and the provider was asked what time it is.
    pub(super) asked_the_time: bool,
    pub(super) spread: Duration,
    pub(super) tracking: bool,
    secret: Option<[u8; 16]>,
    refusals: HashMap<Option<FiscalId>, Vec<String>>,
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
            let secret = managed.secret.map(|secret| keyed(&journal_id, &secret));
            holds::renew(&shared.queue, &managed, secret)?;
            let who = number(&keyed(&journal_id, name.as_str().as_bytes()));
            let share = who % 1_000;
            offices.insert(
                name,
                Office {
                    gate: Gate::new(managed.requests_per_minute, who),
                    account: managed.account,
                    provider: managed.provider.ok(),
                    skew_ms: None,
                    asked_the_time: false,
                    spread: shared.settings.blackout_spread.mul_f64(share as f64 / 1_000.0),
                    tracking: false,
                    secret,
                    refusals: HashMap::new(),
                },
            );
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
            match done.health {
                Health::Answered => office.gate.answered(settings.in_flight),
                Health::Failed => office.gate.failed(now, &settings.backoff),
                Health::Pause(wanted) => office.gate.pause(now, wanted, &settings.backoff),
                Health::Nothing => office.gate.ended(),
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
                let run = office.refusals.entry(fiscal_id.clone()).or_default();
                match message {
                    None => run.clear(),
                    Some(message) => {
                        run.retain(|earlier| *earlier == message);
                        run.push(message.clone());
                        if run.len() >= REFUSALS_IN_A_ROW {
                            run.clear();
                            let detail = format!("{REFUSALS_IN_A_ROW} documents in a row were refused: {message}");
                            let scope = if fiscal_id.is_some() { HoldScope::FiscalId } else { HoldScope::Account };
                            hold = hold.or(Some((
                                fiscal_id,
                                HoldAnswer { scope, reason: HoldReason::RepeatedRefusals, detail },
                            )));
                        }
                    }
                }
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

/// A hash of `what` that is only comparable within this journal.
fn keyed(journal: &[u8; 16], what: &[u8]) -> [u8; 16] {
    let digest = Sha256::new().chain_update(journal).chain_update(what).finalize();
    let mut short = [0; 16];
    short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    short
}

/// A number from bytes, for jitter.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
