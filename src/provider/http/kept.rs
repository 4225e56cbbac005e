//! Which connection a submission takes: one of its own, or one that an earlier submission left open.
//!
//! A server that closes a connection at the moment it is used again leaves open whether it processed the request. So a
//! submission uses one again only at a server that was seen to leave one open for longer than any lies idle here
//! ([`IDLE`]), and has its own for a while after one had no answer. What lies idle for longer is not used again: a till
//! that sells once a minute always connects, and so knows before the request leaves whether the line is up.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;

/// A connection that lay idle for longer is not used again. Servers wait for 2 s at the least before they close one.
pub(super) const IDLE: Duration = Duration::from_millis(100);
/// A connection that is used to find out whether the server leaves it open has lain idle for [`IDLE`] to this long.
const LOOKED_AT: Duration = Duration::from_millis(300);
/// Such a connection is given up after so long.
pub(super) const WATCHED: Duration = Duration::from_millis(500);
/// After so long none is left of those that lay idle.
const NONE_LEFT: Duration = Duration::from_secs(1);
/// Each submission has a connection of its own for so long after one had no answer, or found its connection closed.
const WARY: Duration = Duration::from_secs(600);
/// Clocks that differ by more say that the machine slept: connections died meanwhile.
const SLEPT: TimeDelta = TimeDelta::seconds(1);

/// How a submission travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// On a connection of its own.
    Own,
    /// So as to find out whether the server leaves connections open; nobody else goes this way meanwhile.
    Watched,
    /// On one that was used before, if there is one.
    Kept,
}

/// A moment by both clocks.
type Moment = (DateTime<Utc>, Duration);

/// What is known of the server.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing, and nobody tries to know before this moment of the monotonic clock.
    Strange(Duration),
    /// One is under way that leaves its connection open.
    First,
    /// That connection, by its end here, lies idle since then.
    Idle(SocketAddr, Moment),
    /// One more is under way that takes it, if it is still open.
    Second(SocketAddr),
    /// It leaves connections open; last used then.
    Keeps(Moment),
}

/// What is known of an account's server.
pub(super) struct Habit {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

impl Habit {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Habit {
        Habit { state: Mutex::new(State::Strange(Duration::ZERO)), clock }
    }

    /// The way of a submission that is about to leave.
    pub(super) fn begin(&self) -> Trip<'_> {
        let now = self.moment();
        let mut state = self.state();
        let (way, then) = way(*state, now);
        *state = then;
        Trip { habit: self, way, ended: false }
    }

    fn moment(&self) -> Moment {
        (self.clock.now(), self.clock.monotonic())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way of a submission that leaves now, and what is known then.
fn way(state: State, now: Moment) -> (Way, State) {
    let mono = now.1;
    match state {
        State::Strange(until) if mono >= until => (Way::Watched, State::First),
        State::Idle(_, since) | State::Keeps(since) if slept(since, now) => {
            (Way::Own, State::Strange(mono.saturating_add(NONE_LEFT)))
        }
        State::Idle(end, since) => match mono.saturating_sub(since.1) {
            idle if idle < IDLE => (Way::Own, state),
            idle if idle <= LOOKED_AT => (Way::Watched, State::Second(end)),
            _ => (Way::Own, State::Strange(since.1.saturating_add(NONE_LEFT))),
        },
        State::Keeps(_) => (Way::Kept, State::Keeps(now)),
        State::Strange(_) | State::First | State::Second(_) => (Way::Own, state),
    }
}

/// Whether the clock went on by more or less than the time that passed.
fn slept(since: Moment, now: Moment) -> bool {
    let passed = TimeDelta::from_std(now.1.saturating_sub(since.1)).unwrap_or(TimeDelta::MAX);
    ((now.0 - since.0) - passed).abs() > SLEPT
}

/// A submission under way. One that is dropped had no answer.
pub(super) struct Trip<'a> {
    habit: &'a Habit,
    way: Way,
    ended: bool,
}

impl Trip<'_> {
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// It was answered, on a connection with this end here, if that is known.
    pub(super) fn answered(mut self, end: Option<SocketAddr>) {
        self.ended = true;
        if self.way != Way::Watched {
            return;
        }
        let now = self.habit.moment();
        let mut state = self.habit.state();
        *state = match (*state, end) {
            (State::First, Some(end)) => State::Idle(end, now),
            (State::Second(known), Some(end)) if known == end => State::Keeps(now),
            (State::First | State::Second(_), _) => State::Strange(now.1.saturating_add(WARY)),
            // Another one had no answer meanwhile.
            (known, _) => known,
        };
    }

    /// There was no connection for it: others may have died with the line.
    pub(super) fn not_sent(mut self) {
        self.ended = true;
        self.wary(NONE_LEFT);
    }

    fn wary(&self, wait: Duration) {
        let until = self.habit.moment().1.saturating_add(wait);
        let mut state = self.habit.state();
        *state = match *state {
            State::Strange(known) => State::Strange(known.max(until)),
            _ => State::Strange(until),
        };
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.wary(WARY);
        }
    }
}

#[cfg(test)]
mod tests;
