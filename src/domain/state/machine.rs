//! The machine itself: the one `match`, and what an event changes besides the state.

use chrono::{DateTime, Utc};

use super::{Attempt, IllegalTransition, Progress, State};
use crate::domain::event::DocEvent;
use crate::domain::outcome::Remote;

impl Progress {
    /// What `event`, recorded at `at`, makes of this document.
    ///
    /// # Errors
    /// [`IllegalTransition`] when it cannot happen in this state; nothing changes then.
    pub fn apply(&self, event: &DocEvent, at: DateTime<Utc>) -> Result<Progress, IllegalTransition> {
        use DocEvent as E;
        use State as S;
        let illegal = Err(IllegalTransition { state: self.state, event: event.name() });
        let mut next = self.clone();
        let state = match (self.state, event) {
            (state, E::Attention { code, why, raised }) => {
                next.attention.retain(|(known, _)| known != code);
                if *raised {
                    next.attention.push((code.clone(), why.clone()));
                }
                state
            }
            (S::Queued, E::Routed { account }) if self.account.is_none() => {
                next.account = Some(account.clone());
                S::Queued
            }
            (S::Queued, E::Sending { attempt }) => {
                next.attempt =
                    Some(Attempt { number: *attempt, sent_at: at, ended_at: None, negatives: 0, unresolved: false });
                next.due_at = None;
                S::Sending
            }
            (S::Sending, E::NotSent { why, counts, due_at, .. }) => {
                next.end_attempt(at, false);
                next.attempts += u32::from(*counts);
                next.reason.clone_from(why);
                next.due_at = *due_at;
                S::Queued
            }
            (S::Sending, E::Unknown { why, due_at, .. }) => {
                next.end_attempt(at, true);
                next.attempts += 1;
                next.reason.clone_from(why);
                next.due_at = *due_at;
                S::InDoubt
            }
            (S::InDoubt, E::LookedUp { counts, why, due_at }) => {
                if let Some(attempt) = next.attempt.as_mut() {
                    attempt.negatives += u32::from(*counts);
                }
                next.reason.clone_from(why);
                next.due_at = *due_at;
                next.asked += 1;
                S::InDoubt
            }
            (S::InDoubt, E::NotThere { why, due_at }) => {
                next.resolve_attempt();
                next.reason.clone_from(why);
                next.due_at = *due_at;
                S::Queued
            }
            (S::Sending | S::InDoubt, E::Accepted { remote, due_at, .. }) => {
                next.learn(remote, at, self.state);
                next.due_at = *due_at;
                S::Accepted
            }
            (S::Accepted | S::Registered, E::Tracked { remote, why, due_at }) => {
                next.absorb(remote);
                next.reason.clone_from(why);
                next.due_at = *due_at;
                next.asked += 1;
                self.state
            }
            (S::Sending | S::InDoubt | S::Accepted, E::Registered { remote, due_at, .. }) => {
                next.learn(remote, at, self.state);
                next.due_at = *due_at;
                S::Registered
            }
            (S::Sending | S::InDoubt, E::Refused { refusal, .. }) => {
                next.end_attempt(at, false);
                next.attempts += u32::from(self.state == S::Sending);
                next.reason.clone_from(&refusal.message);
                next.due_at = None;
                S::Refused
            }
            (S::Accepted | S::InDoubt, E::Failed { message, remote, .. }) => {
                next.resolve_attempt();
                next.absorb(remote);
                next.reason.clone_from(message);
                next.due_at = None;
                S::Failed
            }
            (S::Queued | S::InDoubt | S::Accepted, E::Held { code, why }) => {
                next.reason.clone_from(why);
                next.code.clone_from(code);
                next.due_at = None;
                S::Held
            }
            (S::Queued | S::Held, E::Cancelled { who, why }) if !self.may_have_left() => {
                next.reason = format!("{why} ({who})");
                next.due_at = None;
                S::Cancelled
            }
            (S::InDoubt | S::Held, E::Resolved { accepted, who, why, due_at }) => {
                next.resolve_attempt();
                next.reason = format!("{why} ({who})");
                next.due_at = *due_at;
                match accepted {
                    Some(id) => {
                        next.remote_id = Some(id.clone());
                        S::Accepted
                    }
                    None => {
                        next.remote_id = None;
                        next.remote_status = None;
                        S::Queued
                    }
                }
            }
            (S::Queued | S::InDoubt | S::Accepted, E::Retried { .. }) => {
                next.due_at = None;
                self.state
            }
            // A retry never sends what may have left: it goes back to the question that was open.
            (S::Held, E::Retried { .. }) => {
                next.due_at = None;
                if self.attempt.as_ref().is_some_and(|attempt| attempt.unresolved) {
                    S::InDoubt
                } else if self.remote_id.is_some() {
                    S::Accepted
                } else {
                    S::Queued
                }
            }
            _ => return illegal,
        };
        next.state = state;
        if state != self.state {
            next.changed_at = at;
            next.asked = 0;
            if state != S::Held {
                next.code.clear();
            }
        }
        Ok(next)
    }

    fn end_attempt(&mut self, at: DateTime<Utc>, unresolved: bool) {
        if let Some(attempt) = self.attempt.as_mut() {
            attempt.ended_at.get_or_insert(at);
            attempt.unresolved = unresolved;
        }
    }

    fn resolve_attempt(&mut self) {
        if let Some(attempt) = self.attempt.as_mut() {
            attempt.unresolved = false;
        }
    }

    fn learn(&mut self, remote: &Remote, at: DateTime<Utc>, from: State) {
        self.end_attempt(at, false);
        self.attempts += u32::from(from == State::Sending);
        self.reason.clear();
        self.absorb(remote);
    }

    fn absorb(&mut self, remote: &Remote) {
        if remote.remote_id.is_some() {
            self.remote_id.clone_from(&remote.remote_id);
        }
        if remote.status.is_some() {
            self.remote_status.clone_from(&remote.status);
        }
        if remote.created_at.is_some() {
            self.remote_created_at = remote.created_at;
        }
        if remote.customs.is_some() {
            self.customs = remote.customs;
        }
        self.has_items |= !remote.items.is_empty();
    }
}
