//! What the dispatcher does, one step at a time and without a runtime: finds what is due by the index, writes the intent
//! before a request leaves and the outcome after, looks up what is in doubt.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;

use super::action::{Arrival, Reply, Sight, Verdict};
use super::invariants;
use super::machine::{Checked, Machine, pick};
use super::model::Step;
use crate::clock::Clock;
use crate::dispatcher::bind::{self, Binding};
use crate::dispatcher::plan::{self, Action, Board, Candidate, Desk};
use crate::dispatcher::{Lanes, plan as planning};
use crate::domain::calendar::Window;
use crate::domain::event::{DocEvent, Hold, How};
use crate::domain::outcome::{HoldReason, Refusal, Remote, RemoteItem};
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::{Transaction, View};

/// A look-up that finds nothing counts only so long after the answer was lost, by time that only goes forward.
const SETTLE: Duration = Duration::from_secs(120);
/// No pause of the dispatcher is longer: what is due later than that is due by a clock that was wrong.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(3);

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decide {
    Cancel,
    Retry,
    Resolve,
}

impl Machine {
    /// What the index says is to be done now.
    fn due(&self, state: State) -> Checked<Vec<Progress>> {
        if self.model.held {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let places = invariants::places(self.queue()?)?;
        let due =
            |at: &Option<chrono::DateTime<chrono::Utc>>| at.is_none_or(|at| at <= now || at > now + LONGEST_PAUSE);
        let mut found = Vec::new();
        for (id, place) in places {
            if let invariants::Place::At(at) = place
                && due(&at)
            {
                found.extend(self.queue()?.journal().progress(id).map_err(|error| error.to_string())?);
            }
        }
        found.retain(|progress| progress.state == state);
        Ok(found)
    }

    /// Submits one of those that may be submitted: one call a lane.
    pub fn submit_one(&mut self, which: u8) -> Checked {
        let due = self.due(State::Queued)?;
        let journal = self.queue()?.journal();
        let open = journal.open_calls().map_err(|error| error.to_string())?;
        let lanes = Lanes::new(self.queue()?.accounts().iter().map(|account| &**account));
        let desk = Desk::of(8, Window::NONE);
        let board = Board {
            free: 8,
            on_the_wire: Duration::from_secs(35),
            desks: due
                .iter()
                .filter_map(|progress| Some((progress.account.clone()?, desk.clone())))
                .collect::<HashMap<_, _>>(),
            busy: open.iter().filter_map(|one| lanes.of(one)).collect::<HashSet<_>>(),
        };
        let candidate = |progress: &Progress| {
            Some(Candidate {
                id: progress.id,
                account: progress.account.clone()?,
                lane: lanes.of(progress)?,
                step: planning::Step::Submit,
                deadline: progress.deadline,
            })
        };
        let actions = plan::plan(self.clock.now(), board, due.iter().filter_map(candidate).collect());
        let planned = actions.into_iter().filter_map(|action| match action {
            Action::Submit(id, ..) => due.iter().find(|progress| progress.id == id),
            _ => None,
        });
        match pick(which, planned.cloned().collect()) {
            Some(progress) => self.submit(&progress),
            None => Ok(()),
        }
    }

    fn submit(&mut self, progress: &Progress) -> Checked {
        let key = progress.key.to_string();
        let queue = self.queue()?;
        let account = queue.accounts().first().cloned().ok_or("no account")?;
        let company = queue.of_one_company(&account.name).map_err(|error| error.to_string())?;
        match bind::bind(queue.journal(), progress, (&account, &company)).map_err(|error| error.to_string())? {
            Binding::Wait(_) => Ok(()),
            Binding::Hold { code, why } => {
                let held = DocEvent::Held { code: code.to_owned(), why };
                self.record(&key, Some(Step::Held), vec![held]).map(drop)
            }
            Binding::Ready(_) => {
                self.model.may_leave(&key)?;
                let attempt = progress.attempt.as_ref().map_or(0, |attempt| attempt.number) + 1;
                if self.record(&key, Some(Step::Sent), vec![DocEvent::Sending { attempt }])? {
                    self.wire.push(key);
                }
                Ok(())
            }
        }
    }

    fn later(&self, seconds: i64) -> Option<chrono::DateTime<chrono::Utc>> {
        Some(self.clock.now() + TimeDelta::seconds(seconds))
    }

    pub fn answer(&mut self, key: &str, reply: Reply) -> Checked {
        let why = "said so".to_owned();
        let back = |counts, due_at| DocEvent::NotSent { why: why.clone(), status: None, counts, due_at };
        let (step, event) = match reply {
            Reply::Accepted => {
                let id = self.provider.issue(key);
                let remote = Box::new(Remote { remote_id: Some(id.clone()), ..Remote::default() });
                (Step::Has(id), DocEvent::Accepted { remote, how: How::Answer, due_at: self.later(5) })
            }
            Reply::Refused => {
                let refusal = Refusal { code: None, message: why.clone(), violations: Vec::new() };
                (Step::Refused, DocEvent::Refused { status: Some(422), refusal })
            }
            Reply::NotSent => (Step::Back, back(true, self.later(10))),
            Reply::NotNow | Reply::Held => (Step::Back, back(false, None)),
        };
        self.record(key, Some(step), vec![event])?;
        if reply != Reply::Held {
            return Ok(());
        }
        let mut next = self.model.clone();
        next.held = true;
        let hold = Hold {
            account: "shop".parse().expect("a name"),
            fiscal_id: None,
            reason: HoldReason::Credentials,
            detail: String::new(),
            cure: String::new(),
            since: self.clock.now(),
            secret: None,
        };
        let place = move |txn: &mut Transaction<'_>| -> Result<(), Error> { Ok(txn.hold(hold)?) };
        self.commit(next, |queue| queue.journal().transact(place)?).map(drop)
    }

    pub fn lose(&mut self, key: &str, arrival: Arrival) -> Checked {
        self.provider.arrive(key, arrival, self.clock.monotonic());
        self.doubt(key)
    }

    /// Requests that nobody waits for: their outcome could not be written when it came.
    pub fn find_orphans(&mut self) -> Checked {
        let sending =
            self.model.docs.iter().filter(|(key, doc)| doc.state == State::Sending && !self.wire.contains(key));
        for key in sending.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.doubt(&key)?;
        }
        Ok(())
    }

    fn doubt(&mut self, key: &str) -> Checked {
        let unknown = DocEvent::Unknown { why: "no answer".to_owned(), status: None, due_at: self.later(5) };
        self.doubts.insert(key.to_owned(), self.clock.monotonic());
        self.record(key, Some(Step::Lost), vec![unknown]).map(drop)
    }

    pub fn look_up_one(&mut self, which: u8, sight: Sight) -> Checked {
        let Some(progress) = pick(which, self.due(State::InDoubt)?) else { return Ok(()) };
        let (key, now) = (progress.key.to_string(), self.clock.monotonic());
        let since = *self.doubts.entry(key.clone()).or_insert(now);
        let looked = |counts, due_at| DocEvent::LookedUp { counts, why: "nothing".to_owned(), due_at };
        let (step, event) = match (sight, self.provider.id(&key)) {
            (Sight::None, _) => (None, looked(false, self.later(30))),
            (Sight::Several, _) => {
                (Some(Step::Held), DocEvent::Held { code: "ambiguous".to_owned(), why: "several".to_owned() })
            }
            (Sight::Clear, Some(id)) => {
                let remote = Box::new(Remote { remote_id: Some(id.clone()), ..Remote::default() });
                (Some(Step::Has(id)), DocEvent::Accepted { remote, how: How::LookUp, due_at: None })
            }
            (Sight::Clear, None) if now < since + SETTLE => (None, looked(false, self.later(60))),
            (Sight::Clear, None) if progress.attempt.as_ref().is_none_or(|attempt| attempt.negatives == 0) => {
                (None, looked(true, self.later(60)))
            }
            (Sight::Clear, None) => {
                (Some(Step::NotThere), DocEvent::NotThere { why: "twice".to_owned(), due_at: self.later(10) })
            }
        };
        self.record(&key, step, vec![event]).map(drop)
    }

    pub fn track_one(&mut self, which: u8, verdict: Verdict) -> Checked {
        let Some(progress) = pick(which, self.due(State::Accepted)?) else { return Ok(()) };
        let key = progress.key.to_string();
        let tracked = |due_at| DocEvent::Tracked { remote: Box::default(), why: String::new(), due_at };
        let (step, events) = match verdict {
            Verdict::Pending | Verdict::None => (None, vec![tracked(self.later(60))]),
            Verdict::Registered => {
                let item =
                    RemoteItem { id: format!("{key}/0"), description: "Caffè".to_owned(), ..RemoteItem::default() };
                let remote = Box::new(Remote {
                    document_number: Some(format!("DCW/{key}")),
                    items: vec![item],
                    ..Remote::default()
                });
                (Some(Step::Registered), vec![DocEvent::Registered { remote, how: How::Tracking, due_at: None }])
            }
            Verdict::Failed => {
                let failed = DocEvent::Failed { code: None, message: "no".to_owned(), remote: Box::default() };
                (Some(Step::Failed), vec![failed])
            }
            Verdict::Uncertain => {
                let held = DocEvent::Held { code: "authority_uncertain".to_owned(), why: "gave up".to_owned() };
                (Some(Step::Held), vec![tracked(None), held])
            }
        };
        self.record(&key, step, events).map(drop)
    }

    /// A person decides about any document: what is not possible must be refused.
    pub fn decide(&mut self, which: u8, what: Decide) -> Checked {
        match pick(which, self.model.docs.keys().cloned().collect()) {
            Some(key) => self.decide_about(&key, what),
            None => Ok(()),
        }
    }

    fn decide_about(&mut self, key: &str, what: Decide) -> Checked {
        let truth = self.provider.id(key);
        if what == Decide::Resolve && self.provider.late.iter().any(|(_, late)| late == key) {
            return Ok(()); // nobody can say yet
        }
        let mut next = self.model.clone();
        let step = match what {
            Decide::Cancel => Step::Cancelled,
            Decide::Retry => Step::Retried,
            Decide::Resolve => Step::Resolved(truth.clone()),
        };
        let possible = next.happens(key, step);
        if !possible {
            next = self.model.clone();
        }
        let said = self.commit(next, |queue| match what {
            Decide::Cancel => queue.cancel(key, "anna", "why"),
            Decide::Retry => queue.retry(key, "anna", "why"),
            Decide::Resolve => queue.resolve(key, truth.as_deref(), "anna", "why"),
        })?;
        match said {
            Some(decision) if decision.done != possible || decision.state != self.state(key) => {
                Err(format!("{what:?} of {key}: {decision:?}; possible: {possible}, {:?}", self.model.docs.get(key)))
            }
            _ => Ok(()),
        }
    }

    pub fn release(&mut self) -> Checked {
        let mut next = self.model.clone();
        let held = std::mem::take(&mut next.held);
        let said = self.commit(next, |queue| queue.release("shop", None, "anna", "why"))?;
        match said {
            Some(decision) if decision.done != held => Err(format!("{decision:?}, and held was {held}")),
            _ => Ok(()),
        }
    }

    /// The line is up, the disk works, every question is answered, and a person decides what is a person's to decide:
    /// then everything comes to its end.
    pub fn drain(&mut self) -> Checked {
        self.heal()?;
        let rounds = 40 + 20 * self.model.docs.len();
        for _ in 0..rounds {
            if self.model.docs.values().all(|doc| doc.state.is_final()) {
                return Ok(());
            }
            self.pass(Duration::from_secs(600));
            self.find_orphans()?;
            if self.model.held {
                self.release()?;
            }
            while let Some(key) = self.wire.pop() {
                self.answer(&key, Reply::Accepted)?;
            }
            for state in [State::InDoubt, State::Accepted, State::Queued] {
                for _ in self.due(state)? {
                    match state {
                        State::InDoubt => self.look_up_one(0, Sight::Clear)?,
                        State::Accepted => self.track_one(0, Verdict::Registered)?,
                        _ => self.submit_one(0)?,
                    }
                }
            }
            let held = self.model.docs.iter().filter(|(_, doc)| doc.state == State::Held);
            for (key, left) in held.map(|(key, doc)| (key.clone(), doc.may_have_left())).collect::<Vec<_>>() {
                self.decide_about(&key, if left { Decide::Resolve } else { Decide::Cancel })?;
            }
            self.check()?;
        }
        let left: Vec<_> = self.model.docs.iter().filter(|(_, doc)| !doc.state.is_final()).collect();
        Err(format!("stuck after {rounds} rounds: {left:?}"))
    }
}
