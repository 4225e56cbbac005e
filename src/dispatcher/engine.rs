//! The dispatcher's one loop: look at the queue, plan, start, take in what ended, sleep until something changes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::holds;
use super::lane::Lane;
use super::office::{self, Done, Office};
use super::plan;
use super::settings::{Managed, Settings};
use super::shared::{Shared, Taken};
use super::stock::Stock;
use super::submit;
use crate::domain::event::DocEvent;
use crate::domain::id::{AccountName, DocId};
use crate::domain::state::{Progress, State};
use crate::domain::trust;
use crate::error::Error;
use crate::journal::{Group, JournalError, View};
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

/// What is said of a document that was being sent.
const STOPPED: &str = "the dispatcher stopped while sending";
/// What is said of one that was sent, and what became of it could not be recorded.
const NOT_RECORDED: &str = "what became of it could not be recorded";

/// The longest that something is left alone.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How long something is left alone.
#[derive(Default)]
pub(super) struct Rest {
    pub(super) until: Duration,
    pub(super) times: u32,
}

impl Rest {
    /// From now on, longer each time.
    pub(super) fn begin(&mut self, now: Duration) {
        self.until = now + LONGEST_REST.min(Duration::from_secs(1 << self.times.min(10)));
        self.times += 1;
    }
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
    /// When what was taken has to be looked at again.
    pub(super) due_at: Option<DateTime<Utc>>,
}

pub(super) struct Engine {
    pub(super) shared: Shared,
    pub(super) offices: HashMap<AccountName, Office>,
    /// Lanes with an open call, and whose it is.
    pub(super) busy: HashMap<Lane, DocId>,
    /// Others in doubt on lanes that are busy: a person had them looked up again.
    pub(super) next_open: HashMap<Lane, DocId>,
    /// What was known of the provider's clock, in milliseconds, when the last document of a lane was sent.
    pub(super) skews: HashMap<Lane, (DocId, i64)>,
    /// Documents under way.
    pub(super) under_way: HashSet<DocId>,
    /// Lanes on which nothing can be sent before something else has happened; looked at again now and then all the same.
    pub(super) resting: HashMap<Lane, Rest>,
    /// Documents of which the journal could not be told, for a reason that may be theirs alone.
    pub(super) set_back: HashMap<DocId, Rest>,
    /// The journal had no room: nothing is started for a while, then one task alone, until something is recorded again.
    pub(super) full: Rest,
    /// What was recorded then.
    full_at: u64,
    /// The last document of a lane whose outcome is still being written.
    pub(super) unwritten: HashMap<Lane, DocId>,
    /// Accounts that cannot be asked anything, when last looked.
    pub(super) shut: HashSet<AccountName>,
    /// What can be sent as soon as there is a place.
    pub(super) stock: Stock,
    /// What comes next of an account's sales of a VAT number, after what was sent; as old as the stock.
    pub(super) ahead: HashMap<Group, VecDeque<DocId>>,
    /// Something changed that the stock does not know of.
    pub(super) stale: bool,
    /// A place or a lane became free.
    pub(super) moved: bool,
    /// When to look again at the latest, …
    pub(super) look_at: Duration,
    /// … unless that was done just now.
    pub(super) not_before: Duration,
    /// When a gate opens for what waits.
    pub(super) opens_at: Duration,
    /// What others had recorded when last looked.
    pub(super) foreign: i64,
    pub(super) taken: mpsc::UnboundedReceiver<Taken>,
    pub(super) tasks: JoinSet<Done>,
    /// What nobody waits for; what a provider's clock shows beside ours, where it was asked.
    chores: JoinSet<Option<(AccountName, i64)>>,
    fresh_until: Duration,
    /// What each task is about.
    pub(super) work: HashMap<tokio::task::Id, Work>,
    stop: watch::Receiver<Stop>,
    pub(super) idle: watch::Sender<u64>,
    /// The journal refused to write: nothing more is started.
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
        queue.set_guard(settings.on_the_wire().saturating_add(plan::GUARD));
        let journal_id = *queue.journal().id().as_bytes();
        let (shared, taken) = Shared::new(queue, settings)?;
        let mut offices = HashMap::new();
        for managed in accounts {
            let name = managed.account.name.clone();
            if let Some(changed) = managed.credentials_changed {
                shared.queue.set_credentials_changed(&name, changed);
            }
            holds::renew(&shared.queue, &managed, office::secret_of(&managed, &journal_id))?;
            offices.insert(name, Office::new(managed, &shared));
        }
        let mut engine = Engine {
            shared,
            offices,
            busy: HashMap::new(),
            next_open: HashMap::new(),
            skews: HashMap::new(),
            under_way: HashSet::new(),
            resting: HashMap::new(),
            set_back: HashMap::new(),
            full: Rest::default(),
            full_at: 0,
            unwritten: HashMap::new(),
            shut: HashSet::new(),
            stock: Stock::new(),
            ahead: HashMap::new(),
            stale: true,
            moved: false,
            look_at: Duration::ZERO,
            not_before: Duration::ZERO,
            opens_at: Duration::MAX,
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
        engine.find_open_calls(STOPPED)?;
        Ok(engine)
    }

    /// The lanes that are open. A document still `sending` that no task of ours waits for is in doubt. Looked at on the
    /// writer's thread: after everything that was handed over before.
    fn find_open_calls(&mut self, why: &'static str) -> Result<(), Error> {
        let (under_way, not_sent) = (self.under_way.clone(), self.shared.wire.not_begun());
        let open = self.shared.queue.journal().transact(move |txn| -> Result<_, Error> {
            let mut open = txn.open_calls()?;
            let lost = |one: &Progress| one.state == State::Sending && !under_way.contains(&one.id);
            for one in open.extract_if(.., |one| lost(one) && not_sent.contains(&one.id)) {
                txn.record(one.id, submit::not_begun(why))?;
            }
            for one in open.iter().filter(|one| lost(one)) {
                txn.record(one.id, DocEvent::Unknown { why: why.to_owned(), status: None, due_at: None })?;
            }
            Ok(open)
        })??;
        for progress in open {
            if let Some(lane) = self.shared.lanes.of(&progress) {
                self.busy.insert(lane, progress.id);
            }
        }
        Ok(())
    }

    /// A document that is still `sending` and that no task waits for any more is in doubt.
    pub(super) fn find_lost(&mut self) -> Result<(), Error> {
        self.find_open_calls(NOT_RECORDED)
    }

    pub(super) async fn run(mut self) {
        let mut changes = self.shared.queue.changes();
        let mut stop = self.stop.clone();
        while !self.is_halted() {
            let seq = *changes.borrow_and_update();
            let sleep = match self.waits_for_room(seq) {
                Some(left) => left,
                None => self.look(seq).await,
            };
            if self.is_halted() {
                break;
            }
            tokio::select! {
                biased;
                () = told(&mut stop, Stop::Gently) => break,
                Some(taken) = self.taken.recv() => self.give_back(taken),
                Some(done) = self.tasks.join_next_with_id() => self.take_in(done).await,
                Some(Ok(told)) = self.chores.join_next() => self.hear_time(told),
                changed = changes.changed() => {
                    if changed.is_err() {
                        break; // the journal is closed
                    }
                }
                () = tokio::time::sleep(sleep) => {
                    // For a gate, or because it was time to look: also by a clock that does not go on.
                    self.moved = true;
                    self.stale |= self.look_at <= self.opens_at;
                }
            }
            // What came together is looked at together.
            while let Some(done) = self.tasks.try_join_next_with_id() {
                self.take_in(done).await;
            }
            self.give_back_all();
        }
        // Also of a journal that takes nothing more: a request that is cut off in the middle leaves more to find out than one
        // that came to its end, and at the next start both are looked up.
        self.wind_down().await;
        // Gone before anybody hears that this has ended, and takes a runtime away under them.
        self.chores.shutdown().await;
    }

    /// Finishes what is on the wire, at most the answer's time-out; a second word stops it at once.
    async fn wind_down(&mut self) {
        self.offices.values().for_each(|office| office.closings.close());
        let mut stop = self.stop.clone();
        let patience = tokio::time::sleep(self.shared.settings.answer_timeout);
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
        self.shared.reads_end().await; // one of them may hand over an intent
        self.under_way.clear();
        if let Err(error) = self.find_open_calls(STOPPED) {
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
                self.chores.spawn(async move {
                    provider.keep_fresh().await;
                    None
                });
            }
        }
    }

    /// Where our clock shows an impossible time, the providers say what time it is before anything is submitted.
    pub(super) fn ask_the_time(&mut self, now: DateTime<Utc>) {
        if !trust::is_impossible(now) {
            return;
        }
        for (name, office) in &mut self.offices {
            if office.skew_ms.is_some() || office.asking.as_ref().is_some_and(|asking| !asking.is_finished()) {
                continue;
            }
            if let Some(provider) = office.provider.clone() {
                office.asking =
                    Some(self.chores.spawn(time_of(self.shared.clone(), provider, name.clone(), office.gate.who)));
            }
        }
    }

    fn hear_time(&mut self, told: Option<(AccountName, i64)>) {
        if let Some((account, skew)) = told {
            self.hear_clock(&account, Some(skew));
            self.stale = true;
        }
    }

    /// How long nothing is started, because the journal had no room. Where more was recorded since, there is some again.
    fn waits_for_room(&mut self, seq: u64) -> Option<Duration> {
        if seq > self.full_at {
            self.full.times = 0;
        }
        self.full.until.checked_sub(self.shared.ticks()).filter(|left| !left.is_zero())
    }

    /// Whether the journal takes nothing more: then the dispatcher ends, for whoever has it to open the journal again.
    fn is_halted(&self) -> bool {
        self.halted || self.shared.queue.journal().is_poisoned()
    }

    pub(super) fn trouble(&mut self, error: &Error) {
        match error {
            Error::Journal(journal) if journal.is_fatal() => {
                self.halted = true;
                tracing::error!(%error, "the journal takes nothing more until it is reopened; nothing is sent");
            }
            Error::Journal(JournalError::Full { .. }) => {
                let now = self.shared.ticks();
                // What was under way together counts once.
                if self.full.until <= now {
                    self.full.begin(now);
                }
                self.full_at = self.shared.queue.journal().last_seq();
                tracing::warn!(%error, "could not record; nothing is started for a while");
            }
            _ => tracing::warn!(%error, "could not record or read; tried again"),
        }
    }
}

/// Asks a provider what time it is until it says so, or our own clock shows a time that can be.
async fn time_of(
    shared: Shared,
    provider: Arc<dyn Provider>,
    account: AccountName,
    who: u64,
) -> Option<(AccountName, i64)> {
    let mut asked = 0;
    while trust::is_impossible(shared.now()) {
        if let Some(skew) = provider.clock_skew_ms().await {
            return Some((account, skew));
        }
        asked += 1;
        let pause = shared.settings.backoff.delay(asked, who);
        tracing::warn!(%account, ?pause, "this machine's clock is wrong and the provider did not say what time it is: nothing is submitted");
        tokio::time::sleep(pause).await;
    }
    None
}

/// Waits for the word to stop, at least in this way.
async fn told(stop: &mut watch::Receiver<Stop>, how: Stop) {
    let _ = stop.wait_for(|stop| *stop >= how).await;
}
