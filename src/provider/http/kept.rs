//! Which connection a submission takes: one of its own, or one that an earlier submission left open.
//!
//! A server that closes a connection at the moment it is used again leaves open whether it processed the request. So a
//! submission uses one again only at a server that was seen to leave one open for longer than any lies idle here
//! ([`IDLE`], and as long as a busy thread takes to look), but for the one that finds that out, and has its own for a while after one had no answer. What lies
//! idle for longer is not used again: a till that sells once a minute always connects, and so knows before the request
//! leaves whether the line is up.
//!
//! A connection of one's own has one answer. On one that is used again something between us may say one answer twice, and
//! each one after that would be the one before it. So only what has an id of its own in its answer travels so: an id seen
//! before ends the use of that connection ([`Trip::anothers`]), and no answer counts that comes on it still.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::provider::moment::Moment;

/// A connection that lay idle for longer is not used again. Servers close one after 2 s (gunicorn) to 75 s (nginx) by default.
pub(super) const IDLE: Duration = Duration::from_millis(100);
/// A connection that is used to find out whether the server leaves it open has lain idle for [`IDLE`] to this long.
const LOOKED_AT: Duration = Duration::from_millis(300);
/// Such a connection is given up after so long.
pub(super) const WATCHED: Duration = Duration::from_millis(500);
/// After so long none is left of those that lay idle.
const NONE_LEFT: Duration = Duration::from_secs(1);
/// Each submission has a connection of its own for so long after one had no answer, or found its connection closed; twice as
/// long each time where connections were used again for no longer than this before, …
const WARY: Duration = Duration::from_secs(600);
/// … at most.
const WARIEST: Duration = Duration::from_secs(8 * 3_600);

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

/// A connection, by its two ends.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// What is known of the server.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing, and nobody tries to know before this moment of the monotonic clock.
    Strange(Duration),
    /// One is under way that leaves its connection open.
    First,
    /// That connection lies idle since then.
    Idle(Ends, Moment),
    /// One more is under way that takes it, if it is still open.
    Second(Ends),
    /// It leaves connections open.
    Keeps {
        /// When one was used last.
        used: Moment,
        /// Since when this is known.
        since: Duration,
    },
}

#[derive(Debug, Clone)]
struct Known {
    state: State,
    /// Connections with another's answer on them, since connections were last used again.
    mixed: Vec<Option<Ends>>,
    /// One is under way that is watched. What became of it counts only if nothing else happened meanwhile, and until it has
    /// ended no other one is.
    watched: bool,
    /// How long each has its own after the next loss, if it comes soon.
    wary: Duration,
}

/// What is known of an account's server.
pub(super) struct Habit {
    known: Mutex<Known>,
    clock: Arc<dyn Clock>,
}

impl Habit {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Habit {
        let known = Known { state: State::Strange(Duration::ZERO), mixed: Vec::new(), watched: false, wary: WARY };
        Habit { known: Mutex::new(known), clock }
    }

    /// The way of a submission that is about to leave; its own, if it may not use a connection again.
    pub(super) fn begin(&self, again: bool) -> Trip<'_> {
        let now = self.moment();
        let way = if again { self.known().way(now) } else { Way::Own };
        Trip { habit: self, way, on: None, end: End::Silence }
    }

    fn moment(&self) -> Moment {
        Moment::of(&*self.clock)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The way of a submission that leaves now.
    fn way(&mut self, now: Moment) -> Way {
        let (way, then) = match (self.state, now.ticks) {
            (State::Strange(until), mono) if mono >= until && !self.watched => (Way::Watched, State::First),
            (State::Idle(_, since) | State::Keeps { used: since, .. }, mono) if since.slept_until(now) => {
                // Connections died meanwhile.
                (Way::Own, State::Strange(mono.saturating_add(NONE_LEFT)))
            }
            (State::Idle(ends, since), mono) => match mono.saturating_sub(since.ticks) {
                idle if idle < IDLE => (Way::Own, self.state),
                idle if idle <= LOOKED_AT => (Way::Watched, State::Second(ends)),
                _ => (Way::Own, State::Strange(since.ticks.saturating_add(NONE_LEFT))),
            },
            (State::Keeps { since, .. }, _) => (Way::Kept, State::Keeps { used: now, since }),
            (State::Strange(_) | State::First | State::Second(_), _) => (Way::Own, self.state),
        };
        if matches!((self.state, then), (State::Strange(_), State::First)) {
            // The connections there were are gone.
            self.mixed.clear();
        }
        self.state = then;
        self.watched |= way == Way::Watched;
        way
    }

    fn ended(&mut self, way: Way, end: End, now: Moment) {
        if way == Way::Watched {
            self.watched = false;
            // What it leaves open is no part of what comes next.
            if let State::Strange(until) = &mut self.state {
                *until = (*until).max(now.ticks.saturating_add(NONE_LEFT));
            }
        }
        match end {
            End::Answer(ends) if way == Way::Watched => match (self.state, ends) {
                (State::First, Some(ends)) => self.state = State::Idle(ends, now),
                (State::Second(idle), Some(ends)) if idle == ends => {
                    self.state = State::Keeps { used: now, since: now.ticks };
                }
                (State::First | State::Second(_), _) => self.own_for(self.wary, now),
                // Another one had no answer meanwhile.
                (State::Strange(_) | State::Idle(..) | State::Keeps { .. }, _) => {}
            },
            End::Answer(_) => {}
            End::Trouble => self.own_for(NONE_LEFT, now),
            End::Silence | End::Anothers(_) => {
                if let End::Anothers(on) = end {
                    self.mixed.push(on);
                }
                if let State::Keeps { since, .. } = self.state {
                    let soon = now.ticks.saturating_sub(since) < WARY;
                    self.wary = if soon { self.wary.saturating_mul(2).min(WARIEST) } else { WARY };
                }
                self.own_for(self.wary, now);
            }
        }
    }

    fn own_for(&mut self, wait: Duration, now: Moment) {
        let until = now.ticks.saturating_add(wait);
        self.state = State::Strange(match self.state {
            State::Strange(known) => known.max(until),
            _ => until,
        });
    }
}

/// How a submission ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Answered as usual, on this connection, if that is known.
    Answer(Option<Ends>),
    /// There was no connection for it, or an answer that says that something is wrong.
    Trouble,
    /// No answer, or none that is whole; also one that was dropped.
    Silence,
    /// Another's answer, on this connection, if that is known.
    Anothers(Option<Ends>),
}

/// A submission under way. Dropped: it had no answer.
pub(crate) struct Trip<'a> {
    habit: &'a Habit,
    way: Way,
    /// The connection that its answer came on, if that is known.
    on: Option<Ends>,
    end: End,
}

impl Trip<'_> {
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// There is an answer, on this connection, if that is known; what it is worth is still to be said.
    pub(super) fn arrived(mut self, on: Option<Ends>) -> Self {
        self.on = on;
        self
    }

    /// Whether another's answer came on this connection meanwhile.
    pub(super) fn is_mixed(&self) -> bool {
        let known = self.habit.known();
        let same = |mixed: &Option<Ends>| mixed.is_none() || self.on.is_none() || *mixed == self.on;
        self.way != Way::Own && known.mixed.iter().any(same)
    }

    /// It was answered.
    pub(crate) fn answered(mut self) {
        self.end = End::Answer(self.on);
    }

    /// The answer was another's.
    pub(crate) fn anothers(mut self) {
        self.end = if self.way == Way::Own { End::Silence } else { End::Anothers(self.on) };
    }

    /// There was no connection for it, and others may have died with the line; or the answer is one of trouble. None is used
    /// again until those that there are now are gone.
    pub(crate) fn in_trouble(mut self) {
        self.end = End::Trouble;
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        let now = self.habit.moment();
        self.habit.known().ended(self.way, self.end, now);
    }
}

#[cfg(test)]
mod tests;
