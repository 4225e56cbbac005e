//! A till's machine in a thimble: the real queue on a simulated disk, a driver that does what the dispatcher does, one
//! action at a time, and a provider that issues what reaches it. Played against the [model](super::model).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Happened;
use super::action::{Action, Arrival, Paper};
use super::clock::HandClock;
use super::disk::{Fault, Sim};
use super::driver::Decide;
use super::invariants;
use super::model::{Model, Step};
use super::power::{Cut, Disk};
use super::random::Random;
use crate::clock::Clock;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar::Window;
use crate::domain::document::{Item, Kind, NewDocument, Parent, Receipt, Return, Void};
use crate::domain::event::{DocEvent, Entry};
use crate::domain::id::DocId;
use crate::domain::money::Decimal;
use crate::domain::state::State;
use crate::domain::vat::VatRate;
use crate::error::Error;
use crate::journal::{self, JournalError, Transaction, View};
use crate::queue::{Options, Queue};

pub(super) const DIR: &str = "/till/journal";
const START: DateTime<Utc> = DateTime::from_timestamp(1_795_000_000, 0).expect("a moment");

/// What is wrong.
pub(super) type Checked<T = ()> = Result<T, String>;

/// What the provider has, and when it takes in what is late.
#[derive(Debug, Default)]
pub(super) struct Provider {
    pub has: BTreeMap<String, Vec<String>>,
    pub late: Vec<(Duration, String)>,
}

impl Provider {
    pub fn issue(&mut self, key: &str) -> String {
        let ids = self.has.entry(key.to_owned()).or_default();
        ids.push(format!("{key}.{}", ids.len() + 1));
        ids.last().cloned().unwrap_or_default()
    }

    pub fn arrive(&mut self, key: &str, how: Arrival, now: Duration) {
        match how {
            Arrival::Never => {}
            Arrival::Already => drop(self.issue(key)),
            Arrival::Late(seconds) => self.late.push((now + Duration::from_secs(seconds.into()), key.to_owned())),
        }
    }

    fn catch_up(&mut self, now: Duration) {
        let (due, later): (Vec<_>, _) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = later;
        due.iter().for_each(|(_, key)| drop(self.issue(key)));
    }

    pub fn id(&self, key: &str) -> Option<String> {
        self.has.get(key)?.first().cloned()
    }
}

/// The last thing written: from which operation on, by which it was acknowledged, and what was true before.
struct Last {
    from: usize,
    told: usize,
    before: Model,
}

pub(super) struct Machine {
    pub clock: Arc<HandClock>,
    pub model: Model,
    pub provider: Provider,
    /// The documents whose request is on the wire.
    pub wire: Vec<String>,
    queue: Option<Queue>,
    sim: Sim,
    disk: Disk,
    boots: u32,
    last: Option<Last>,
    /// A write failed, and nobody knows whether this is true now.
    perhaps: Option<(usize, Model)>,
    /// Whether the disk was told to fail, so that errors are no surprise.
    trouble: bool,
    /// Since when each document is in doubt.
    pub doubts: BTreeMap<String, Duration>,
    finals: BTreeMap<String, State>,
    papers: u32,
    happened: Happened,
}

impl Machine {
    pub fn start() -> Checked<Machine> {
        let mut machine = Machine {
            clock: Arc::new(HandClock::starting_at(START)),
            model: Model::default(),
            provider: Provider::default(),
            wire: Vec::new(),
            queue: None,
            sim: Sim::default(),
            disk: Disk::default(),
            boots: 0,
            last: None,
            perhaps: None,
            trouble: false,
            doubts: BTreeMap::new(),
            finals: BTreeMap::new(),
            papers: 0,
            happened: Happened::new(),
        };
        machine.open(vec![Model::default()])?;
        Ok(machine)
    }

    pub fn queue(&self) -> Checked<&Queue> {
        self.queue.as_ref().ok_or_else(|| "there is no queue".to_owned())
    }

    pub fn files(&self) -> Arc<Sim> {
        Arc::new(self.sim.clone())
    }

    /// One action, and then everything that must be true.
    pub fn act(&mut self, action: Action) -> Checked {
        self.pass(Duration::from_secs(1));
        self.find_orphans()?;
        self.perform(action)?;
        self.check()
    }

    pub fn check(&mut self) -> Checked {
        invariants::once(&self.provider, &self.model)?;
        invariants::same(self.queue()?, &self.model)?;
        invariants::index(self.queue()?)?;
        invariants::finals(&self.model, &mut self.finals)
    }

    pub fn pass(&mut self, time: Duration) {
        self.clock.pass(time);
        self.provider.catch_up(self.clock.monotonic());
    }

    fn perform(&mut self, action: Action) -> Checked {
        match action {
            Action::Enqueue(paper) => self.enqueue(paper),
            Action::Again(which) => self.again(which, false),
            Action::Other(which) => self.again(which, true),
            Action::Submit(which) => self.submit_one(which),
            Action::Answer(which, reply) => take(which, &mut self.wire).map_or(Ok(()), |key| self.answer(&key, reply)),
            Action::Lose(which, arrival) => take(which, &mut self.wire).map_or(Ok(()), |key| self.lose(&key, arrival)),
            Action::LookUp(which, sight) => self.look_up_one(which, sight),
            Action::Track(which, verdict) => self.track_one(which, verdict),
            Action::Cancel(which) => self.decide(which, Decide::Cancel),
            Action::Retry(which) => self.decide(which, Decide::Retry),
            Action::Resolve(which) => self.decide(which, Decide::Resolve),
            Action::Release => self.release(),
            Action::Wait(seconds) => {
                self.pass(Duration::from_secs(seconds.into()));
                Ok(())
            }
            Action::ClockJump(minutes) => {
                self.clock.set_forward(TimeDelta::minutes(minutes.into()));
                Ok(())
            }
            Action::Kill(arrived) => self.kill(arrived),
            Action::PowerCut { how, undone, seed } => self.cut(how, undone.into(), seed),
            Action::DiskFull(room) => {
                self.sim.set_room(self.sim.used() + u64::from(room));
                self.trouble = true;
                Ok(())
            }
            Action::DiskFails(nth, fault) => {
                self.fail(nth, fault);
                Ok(())
            }
            Action::DiskHeals => self.heal(),
        }
    }

    fn fail(&mut self, nth: u8, fault: Fault) {
        self.sim.fail(nth.into(), fault, false);
        self.trouble = true;
    }

    /// The disk works again. A journal that had stopped writing is opened again.
    pub fn heal(&mut self) -> Checked {
        self.sim.heal();
        self.trouble = false;
        if self.queue()?.journal().is_poisoned() { self.kill(0) } else { Ok(()) }
    }

    /// Does something that writes, and compares what comes of it with what the model says: `Some` when it is recorded.
    pub fn commit<T>(&mut self, next: Model, write: impl FnOnce(&Queue) -> Result<T, Error>) -> Checked<Option<T>> {
        let from = self.sim.operations();
        let poisoned = self.queue()?.journal().is_poisoned();
        match write(self.queue()?) {
            Ok(value) if !poisoned => {
                let before = std::mem::replace(&mut self.model, next);
                self.last = Some(Last { from, told: self.sim.operations(), before });
                Ok(Some(value))
            }
            Ok(_) => Err("a journal that has failed says that it wrote something".to_owned()),
            Err(Error::Journal(_)) if poisoned => Ok(None),
            Err(Error::Journal(JournalError::Full { .. })) if self.trouble => {
                self.note("disk full");
                self.last = None;
                Ok(None)
            }
            Err(Error::Journal(error)) if self.trouble => {
                if !self.queue()?.journal().is_poisoned() {
                    return Err(format!("{error}, and the journal goes on"));
                }
                self.note("disk failed");
                self.perhaps = Some((from, next));
                Ok(None)
            }
            Err(error) => Err(format!("nothing is wrong with the disk, and yet: {error}")),
        }
    }

    /// Records one thing about a document; whether that was written.
    pub fn record(&mut self, key: &str, step: Option<Step>, events: Vec<DocEvent>) -> Checked<bool> {
        let mut next = self.model.clone();
        if let Some(step) = step
            && !next.happens(key, step.clone())
        {
            return Err(format!("{step:?} cannot happen to {key}: {:?}", self.model.docs.get(key)));
        }
        let id = self.id(key)?;
        let act = move |txn: &mut Transaction<'_>| -> Result<(), Error> {
            for event in events {
                txn.record(id, event)?;
            }
            Ok(())
        };
        let written = self.commit(next, |queue| queue.journal().transact(act)?)?;
        Ok(written.is_some())
    }

    pub fn id(&self, key: &str) -> Checked<DocId> {
        self.queue()?.id_of(key).map_err(|error| format!("{key}: {error}"))
    }

    fn document(&self, key: &str, kind: Kind, parent: Option<&str>, price: &str) -> Checked<NewDocument> {
        let parent = || Parent::Key(parent.unwrap_or_default().parse().expect("a key"));
        Ok(match kind {
            Kind::Return => Return::of(parent()).line(0, 1).into(),
            Kind::Void => Void::of(parent()).into(),
            _ => {
                // Three VAT numbers: three lanes.
                let issuer = format!("it-{}", key.bytes().map(u32::from).sum::<u32>() % 3);
                let price: Decimal = price.parse().expect("an amount");
                let due = price.checked_add(price).ok_or("too much")?;
                let sale = Receipt::new(issuer.parse().expect("a VAT number"));
                let sale = sale.item(Item::new("Caffè", price, VatRate::Ten).quantity(2)).cash(due).build();
                sale.map_err(|violations| violations.to_string())?.into()
            }
        })
    }

    fn enqueue(&mut self, paper: Paper) -> Checked {
        let sales = || {
            let sales = self.model.docs.iter().filter(|(_, doc)| doc.kind == Kind::Receipt);
            sales.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        let (kind, parent) = match paper {
            Paper::Sale => (Kind::Receipt, None),
            Paper::Return(which) => (Kind::Return, pick(which, sales())),
            Paper::Void(which) => (Kind::Void, pick(which, sales())),
        };
        if kind != Kind::Receipt && parent.is_none() {
            return Ok(());
        }
        self.papers += 1;
        let key = format!("k{:03}", self.papers);
        let document = self.document(&key, kind, parent.as_deref(), "1.20")?;
        let mut next = self.model.clone();
        let expected = next.take(&key, kind, parent.as_deref());
        if expected.is_err() {
            next = self.model.clone();
        }
        let said = self.commit(next, |queue| match queue.enqueue(&key, document) {
            Ok(ticket) => Ok(Ok(ticket)),
            Err(Error::Rejected(rejection)) => Ok(Err(rejection)),
            Err(other) => Err(other),
        })?;
        match (said, expected) {
            (None, _) => Ok(()),
            (Some(Ok(ticket)), Ok(())) if !ticket.duplicate && Some(ticket.state) == self.state(&key) => Ok(()),
            (Some(Err(rejection)), Err(code)) if rejection.code == code => Ok(()),
            (Some(said), expected) => Err(format!("{key} as {kind} of {parent:?}: {said:?}, expected {expected:?}")),
        }
    }

    pub fn state(&self, key: &str) -> Option<State> {
        self.model.docs.get(key).map(|doc| doc.state)
    }

    /// The same key once more.
    fn again(&mut self, which: u8, other_content: bool) -> Checked {
        let Some((key, doc)) = pick(which, self.model.docs.iter().collect()) else { return Ok(()) };
        let (key, doc) = (key.clone(), doc.clone());
        let kind = if other_content { Kind::Receipt } else { doc.kind };
        let price = if other_content { "7.50" } else { "1.20" };
        let document = self.document(&key, kind, doc.parent.as_deref(), price)?;
        let id = self.id(&key)?.to_string();
        match self.queue()?.enqueue(&key, document) {
            Ok(ticket) if !other_content && ticket.duplicate && ticket.id == id && ticket.state == doc.state => Ok(()),
            Err(Error::Rejected(rejection)) if other_content && rejection.code == "key_reused" => Ok(()),
            Err(Error::Journal(_)) if self.trouble => Ok(()),
            said => Err(format!("{key} once more (other content: {other_content}): {said:?}, and it is {doc:?}")),
        }
    }

    /// The process ends without a word, and another one begins.
    pub fn kill(&mut self, arrived: u8) -> Checked {
        self.lose_wire(arrived);
        self.sim.log().iter().for_each(|op| self.disk.play(op));
        self.queue = None; // closes in good order, but on a disk that nobody looks at any more
        self.sim = Sim::after_kill(&self.disk);
        self.sim.set_boot(&self.boots.to_string());
        let perhaps = self.perhaps.take().map(|(_, model)| model);
        self.open(std::iter::once(self.model.clone()).chain(perhaps).collect())
    }

    /// The power goes. Of what was acknowledged everything must be there; of the last thing that was not, all or nothing.
    fn cut(&mut self, how: Cut, undone: usize, seed: u8) -> Checked {
        let log = self.sim.log();
        let (mut least, mut allowed) = (log.len(), vec![self.model.clone()]);
        if let Some((from, model)) = self.perhaps.take() {
            least = from;
            allowed.push(model);
        } else if let Some(Last { from, told, before }) = self.last.take() {
            least = from;
            if log.len().saturating_sub(undone).max(from) < told {
                // It was not acknowledged, so what follows from it has not happened either.
                self.wire.retain(|key| before.docs.get(key).is_some_and(|doc| doc.state == State::Sending));
                self.note("cut within a write");
                self.finals.retain(|key, state| before.docs.get(key).is_some_and(|doc| doc.state == *state));
                allowed.push(before);
            }
        }
        self.lose_wire(seed);
        let kept = log.len().saturating_sub(undone).max(least);
        log.iter().take(kept).for_each(|op| self.disk.play(op));
        let image = self.disk.cut(how, &mut Random::new(seed.into()));
        self.queue = None;
        self.disk = Disk::of(&image);
        self.sim = Sim::of(&image);
        self.boots += 1;
        self.sim.set_boot(&self.boots.to_string());
        self.open(allowed)
    }

    fn lose_wire(&mut self, arrived: u8) {
        let now = self.clock.monotonic();
        for (bit, key) in std::mem::take(&mut self.wire).iter().enumerate() {
            let how = if arrived >> (bit % 8) & 1 == 1 { Arrival::Already } else { Arrival::Never };
            self.provider.arrive(key, how, now);
        }
    }

    /// Closes the journal in good order, looks at all of it once more, and tells what has happened.
    pub fn end(mut self) -> Checked<Happened> {
        let mut happened = std::mem::take(&mut self.happened);
        let recorded = self.queue()?.journal().events_after(0, usize::MAX).map_err(|error| error.to_string())?;
        for record in recorded {
            let name = match &record.entry {
                Entry::Document { event, .. } => event.name(),
                Entry::Enqueued(_) => "enqueued",
                Entry::Hold(_) => "hold",
                Entry::Released { .. } => "released",
                Entry::Opened { .. } | Entry::Closed => continue,
            };
            *happened.entry(name).or_default() += 1;
        }
        self.queue()?.close().map_err(|error| format!("it does not close: {error}"))?;
        let report = journal::verify(Path::new(DIR), self.files()).map_err(|error| format!("verify: {error}"))?;
        if report.sound { Ok(happened) } else { Err(format!("verify: {:?}", report.damage)) }
    }

    fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// Opens what is on the disk; it must be as one of these.
    fn open(&mut self, allowed: Vec<Model>) -> Checked {
        (self.last, self.perhaps, self.trouble) = (None, None, false);
        self.doubts.clear(); // the new process knows nothing of the old one's time
        let journal = journal::Options {
            files: self.files(),
            segment_bytes: 4_000,
            reserve_bytes: 3_000,
            index_in_memory: true,
            ..journal::Options::default()
        };
        let account = Account {
            name: "shop".parse().expect("a name"),
            provider: ProviderKind::SmartReceipt,
            fiscal_ids: Vec::new(),
            blackout: Window::NONE,
        };
        let options = Options { clock: self.clock.clone(), accounts: vec![account], journal };
        let queue = Queue::open_with(DIR, options).map_err(|error| format!("it does not open: {error}"))?;
        let mut wrong = Vec::new();
        for (number, mut model) in allowed.into_iter().enumerate() {
            model.reopened();
            match invariants::same(&queue, &model) {
                Ok(()) => {
                    self.model = model;
                    self.queue = Some(queue);
                    self.note(if number == 0 { "opened" } else { "opened with the other of two truths" });
                    return Ok(());
                }
                Err(why) => wrong.push(why),
            }
        }
        Err(format!("after opening: {}", wrong.join("; nor: ")))
    }
}

/// The chosen one.
pub(super) fn pick<T>(which: u8, mut of: Vec<T>) -> Option<T> {
    take(which, &mut of)
}

pub(super) fn take<T>(which: u8, of: &mut Vec<T>) -> Option<T> {
    if of.is_empty() { None } else { Some(of.remove(usize::from(which) % of.len())) }
}
