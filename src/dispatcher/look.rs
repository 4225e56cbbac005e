//! When to look at the queue, and starting what was found. Looking through the journal is dear and a document changes it
//! four times on its way: it is done when something happened that may have made a document ready, not at every change.
//! A sale that was taken makes only the next one of its lane ready: that one is looked for alone and put into the stock,
//! so that a backlog is drained without looking through it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::{AbortHandle, JoinSet};

use super::engine::{Engine, Work};
use super::office::Done;
use super::plan::{self, Action, Step};
use super::reconcile::Skew;
use super::stock::Stock;
use super::submit::Errand;
use super::{reconcile, submit, track};
use crate::domain::state::State;
use crate::provider::turns::{self, Turns};

/// For a timer alone the journal is looked through again only so many times as long later as that took, …
const BETWEEN: u32 = 4;
/// … and at most so long.
const LONGEST_BETWEEN: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts what can start; returns how long to sleep if nothing changes. The journal is only looked through when what
    /// is known no longer fills the places that are free, or something happened that it knows nothing of.
    pub(super) async fn look(&mut self, seq: u64) -> Duration {
        let (now, ticks) = (self.shared.now(), self.shared.ticks());
        self.ask_the_time(now);
        let foreign = self.shared.foreign(seq);
        self.stale |= foreign > self.foreign;
        self.moved |= ticks >= self.opens_at;
        if ticks < self.look_at.max(self.not_before) {
            if !self.stale && !self.moved {
                // All that was recorded since is ours and was seen then: what was idle is.
                self.idle.send_if_modified(|reached| *reached > 0 && std::mem::replace(reached, seq) != seq);
                return self.sleep(ticks);
            }
            let board = self.board(ticks);
            let places = board.places();
            // No place: the next that ends gives one back, or an account's gate opens.
            if places == 0 && !self.tasks.is_empty() {
                return self.sleep(ticks);
            }
            if places > 0 && !self.stale {
                let actions = self.stock.plan(now, board, &self.busy);
                let filled = actions.len() >= places;
                self.start_all(actions);
                // Nothing else is ready while something is under way. After that it is made sure of.
                let all = self.stock.waits_for(&self.busy) && !self.tasks.is_empty();
                if filled || all {
                    self.moved = false;
                    return self.sleep(ticks);
                }
            }
        }
        self.foreign = self.foreign.max(foreign);
        self.look_through(seq, now, ticks).await
    }

    /// How long to sleep if nothing changes: until it is time to look, or a gate opens for what waits.
    fn sleep(&mut self, ticks: Duration) -> Duration {
        let waits = self.stale || !self.stock.is_all_gone();
        let opens = self.gate_opens(ticks).filter(|_| waits);
        self.opens_at = opens.map_or(Duration::MAX, |opens| ticks.saturating_add(opens));
        self.look_at.max(self.not_before).min(self.opens_at).saturating_sub(ticks)
    }

    /// Gathers, plans and starts; returns how long to sleep if nothing changes.
    async fn look_through(&mut self, seq: u64, now: DateTime<Utc>, ticks: Duration) -> Duration {
        let longest = self.shared.settings.longest_sleep;
        (self.stale, self.moved, self.look_at) = (true, false, ticks);
        self.stock = Stock::new();
        self.ahead.clear();
        self.skews.retain(|lane, _| self.busy.contains_key(lane));
        self.keep_fresh(ticks);
        let gathered = match self.gather(now, ticks) {
            Ok(gathered) => gathered,
            Err(error) => {
                self.trouble(&error);
                return longest;
            }
        };
        let undecided = gathered.decided.is_empty();
        for (id, events) in gathered.decided {
            if let Err(error) = self.shared.record(id, State::Queued, events).await {
                self.trouble(&error);
                return longest;
            }
        }
        let mut left = gathered.candidates.clone();
        let actions = plan::plan(now, gathered.board, gathered.candidates);
        let nothing = actions.is_empty();
        left.retain(|candidate| !actions.iter().any(|action| action.ids().contains(&candidate.id)));
        self.start_all(actions);
        // Verdicts of an account are asked for one batch after the other, and the end of each makes the next look; so does
        // the moment from which an account may be asked again.
        left.retain(|candidate| {
            let Some(office) = self.offices.get(&candidate.account) else { return true };
            let hears = office.gate.hears_in(ticks).is_none();
            match candidate.step {
                Step::Submit => true,
                Step::LookUp => hears,
                Step::Track => hears && !office.tracking,
            }
        });
        self.stock = Stock::of(left, gathered.whole);
        let idle = nothing && self.tasks.is_empty() && self.nothing_left().unwrap_or(false);
        let reached = if idle { seq } else { 0 };
        self.idle.send_if_modified(|was| std::mem::replace(was, reached) != reached);
        let sleep = gathered.wake.unwrap_or(longest).max(Duration::from_millis(1)).min(longest);
        // With thousands of documents to follow there is always one that is due: most of the time is for the others.
        let now = self.shared.ticks();
        self.not_before = now + (BETWEEN * now.saturating_sub(ticks)).min(LONGEST_BETWEEN);
        // What was decided changed the queue: it is looked through again.
        if !undecided {
            return sleep;
        }
        (self.stale, self.look_at) = (false, ticks.saturating_add(sleep));
        self.sleep(ticks)
    }

    fn start_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.start(action);
        }
    }

    fn start(&mut self, action: Action) {
        let account = match &action {
            Action::Submit(_, account, _) | Action::LookUp(_, account, _) | Action::Track(account, _) => {
                account.clone()
            }
        };
        let Some(office) = self.offices.get_mut(&account) else { return };
        let Some(provider) = office.provider.clone() else { return };
        office.gate.started(self.shared.ticks());
        office.asked_last = matches!(action, Action::Track(..));
        for id in action.ids() {
            office.gate.backed_off.remove(id);
        }
        let (shared, account, skew_ms) = (self.shared.clone(), office.account.clone(), office.skew_ms);
        let turns = &office.gate.turns;
        let mut work = Work {
            account: account.name.clone(),
            ids: action.ids().to_vec(),
            tracking: false,
            lane: None,
            taken: false,
            due_at: None,
        };
        let handle = match action {
            Action::Submit(id, _, lane) => {
                self.busy.insert(lane.clone(), id);
                match skew_ms {
                    Some(skew_ms) => self.skews.insert(lane.clone(), (id, skew_ms)),
                    None => self.skews.remove(&lane),
                };
                work.lane = Some(lane.clone());
                let behind = self.unwritten.get(&lane).copied();
                let desk = office.desk(&shared, self.shared.ticks());
                let errand = Errand { id, lane, behind, desk, pass: office.closings.pass() };
                spawn(&mut self.tasks, turns, submit::submit(shared, provider, account, errand))
            }
            Action::LookUp(id, _, lane) => {
                self.busy.entry(lane).or_insert(id);
                let noted = self.skews.values().find(|(sent, _)| *sent == id).map(|(_, skew_ms)| *skew_ms);
                let then = noted.or(office.earlier_skew_ms);
                let skew = Skew { now: skew_ms.unwrap_or(0), then, sure: noted.is_some() };
                spawn(&mut self.tasks, turns, reconcile::look_up(shared, provider, account, id, skew))
            }
            Action::Track(_, ids) => {
                office.tracking = true;
                work.tracking = true;
                spawn(&mut self.tasks, turns, track::track(shared, provider, account, ids))
            }
        };
        self.under_way.extend(&work.ids);
        self.work.insert(handle.id(), work);
    }
}

fn spawn(
    tasks: &mut JoinSet<Done>,
    turns: &Arc<Turns>,
    task: impl Future<Output = Done> + Send + 'static,
) -> AbortHandle {
    if turns.are_limited() { tasks.spawn(turns::begun_by(Arc::clone(turns), task)) } else { tasks.spawn(task) }
}

#[cfg(test)]
mod tests;
