//! A till's machine in a thimble: the real queue on a simulated disk, a driver that does what the dispatcher does, one
//! action at a time, and a provider that issues what reaches it. Played against the [model](super::model).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Happened;
use super::action::{Action, Arrival};
use super::clock::HandClock;
use super::disk::{Fault, Sim};
use super::driver::Decide;
use super::invariants;
use super::model::{Model, Step};
use super::power::Disk;
use crate::clock::Clock;
use crate::domain::event::DocEvent;
use crate::domain::id::DocId;
use crate::domain::state::State;
use crate::error::Error;
use crate::journal::{JournalError, Transaction};
use crate::queue::Queue;

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
pub(super) struct Last {
    pub from: usize,
    pub told: usize,
    pub before: Model,
}

pub(super) struct Machine {
    pub clock: Arc<HandClock>,
    pub model: Model,
    pub provider: Provider,
    /// The documents whose request is on the wire.
    pub wire: Vec<String>,
    pub queue: Option<Queue>,
    pub sim: Sim,
    pub disk: Disk,
    pub last: Option<Last>,
    /// A write failed, and nobody knows whether this is true now.
    pub perhaps: Option<(usize, Model)>,
    /// Whether the disk was told to fail, so that errors are no surprise.
    pub trouble: bool,
    /// Since when each document is in doubt.
    pub doubts: BTreeMap<String, Duration>,
    pub finals: BTreeMap<String, State>,
    pub papers: u32,
    pub happened: Happened,
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

    pub fn state(&self, key: &str) -> Option<State> {
        self.model.docs.get(key).map(|doc| doc.state)
    }

    pub fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }
}

/// The chosen one.
pub(super) fn pick<T>(which: u8, mut of: Vec<T>) -> Option<T> {
    take(which, &mut of)
}

pub(super) fn take<T>(which: u8, of: &mut Vec<T>) -> Option<T> {
    if of.is_empty() { None } else { Some(of.remove(usize::from(which) % of.len())) }
}
