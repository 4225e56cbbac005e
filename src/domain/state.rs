//! The state machine: what a document's events have made of it. One `match`, total and pure, used alike by the live
//! path, by replay and by the tests.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::document::Kind;
use super::event::{DocEvent, Enqueued, ParentRef};
use super::id::{AccountName, DocId, FiscalId, Key};
use super::outcome::{Customs, Remote};

/// Where a document is (CONTRACT.md 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Safe in the journal, to be sent at or after its due time.
    Queued,
    /// The intent is durable and the request may be on the wire.
    Sending,
    /// The provider may or may not have it.
    InDoubt,
    /// The provider has it and owes the authority's verdict.
    Accepted,
    /// The authority has it. Final.
    Registered,
    /// The provider refused it for good. Final, needs a person.
    Refused,
    /// Accepted, then failed at the authority. Final, needs a person.
    Failed,
    /// A person must decide.
    Held,
    /// Called off before it left. Final.
    Cancelled,
}

impl State {
    /// All of them.
    pub const ALL: [State; 9] = [
        State::Queued,
        State::Sending,
        State::InDoubt,
        State::Accepted,
        State::Registered,
        State::Refused,
        State::Failed,
        State::Held,
        State::Cancelled,
    ];

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Sending => "sending",
            State::InDoubt => "in_doubt",
            State::Accepted => "accepted",
            State::Registered => "registered",
            State::Refused => "refused",
            State::Failed => "failed",
            State::Held => "held",
            State::Cancelled => "cancelled",
        }
    }

    /// Whether it stays for ever.
    pub fn is_final(self) -> bool {
        matches!(self, State::Registered | State::Refused | State::Failed | State::Cancelled)
    }

    /// Whether a person is needed.
    pub fn needs_person(self) -> bool {
        matches!(self, State::Refused | State::Failed | State::Held)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state must be queued, sending, in_doubt, accepted, registered, refused, failed, held or cancelled")]
pub struct UnknownState;

impl std::str::FromStr for State {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<State, UnknownState> {
        State::ALL.into_iter().find(|state| state.name() == text).ok_or(UnknownState)
    }
}

/// Attentions that inform and need nobody.
pub const INFORMS_ONLY: [&str; 1] = ["fiscal_day_moved"];

/// An event that cannot happen in this state. In the journal it is damage; from a caller it is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a document that is {state} cannot be {event}")]
pub struct IllegalTransition {
    /// Where it is.
    pub state: State,
    /// What was to happen.
    pub event: &'static str,
}

/// The submission whose fate is open, or was last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When the intent was written; the request left after.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub sent_at: DateTime<Utc>,
    /// When its answer, or the lack of one, was written.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Look-ups after the settle time that found nothing.
    pub negatives: u32,
    /// Whether the provider may have it: set by a lost answer, cleared by a finding.
    pub unresolved: bool,
}

/// A document as its events have made it: small, kept in the index, rebuilt from the journal at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The journal's number of it.
    pub id: DocId,
    /// The till's key.
    pub key: Key,
    /// What it is.
    pub kind: Kind,
    /// The account, once known.
    pub account: Option<AccountName>,
    /// The VAT number it is issued by.
    pub fiscal_id: Option<FiscalId>,
    /// What it is about.
    pub parent: Option<ParentRef>,
    /// Where it is.
    pub state: State,
    /// Why it is there, in words; empty where the state says it all.
    pub reason: String,
    /// A short name for why it is held.
    pub code: String,
    /// The time of the sale.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub issued_at: DateTime<Utc>,
    /// When it was taken.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub enqueued_at: DateTime<Utc>,
    /// When it came to its state.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub changed_at: DateTime<Utc>,
    /// After this moment it must not be sent.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub deadline: Option<DateTime<Utc>>,
    /// Not before this moment: the next attempt, look-up or question about the verdict.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub due_at: Option<DateTime<Utc>>,
    /// Submissions that counted.
    pub attempts: u32,
    /// Questions asked about the present state (look-ups, polls): the delay to the next grows with it.
    pub asked: u32,
    /// The last submission.
    pub attempt: Option<Attempt>,
    /// The provider's id.
    pub remote_id: Option<String>,
    /// The provider's own word for the state.
    pub remote_status: Option<String>,
    /// When the provider says it took it.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub remote_created_at: Option<DateTime<Utc>>,
    /// Whether the authority's item ids are in the journal.
    pub has_items: bool,
    /// Tax-free: what customs said.
    pub customs: Option<Customs>,
    /// What a person should see: short names, with words.
    pub attention: Vec<(String, String)>,
}

impl Progress {
    /// Whether it is a sale, which no other document is before.
    pub fn is_sale(&self) -> bool {
        self.kind == Kind::Receipt && self.parent.is_none()
    }

    /// A document just taken.
    pub fn begin(id: DocId, at: DateTime<Utc>, taken: &Enqueued) -> Progress {
        Progress {
            id,
            key: taken.key.clone(),
            kind: taken.kind,
            account: taken.account.clone(),
            fiscal_id: taken.fiscal_id.clone(),
            parent: taken.parent.clone(),
            state: State::Queued,
            reason: String::new(),
            code: String::new(),
            issued_at: taken.issued_at,
            enqueued_at: at,
            changed_at: at,
            deadline: taken.deadline,
            due_at: None,
            attempts: 0,
            asked: 0,
            attempt: None,
            remote_id: None,
            remote_status: None,
            remote_created_at: None,
            has_items: false,
            customs: None,
            attention: Vec::new(),
        }
    }

    /// Whether a request with it may have reached the provider, or has.
    pub fn may_have_left(&self) -> bool {
        self.remote_id.is_some()
            || self.state == State::Sending
            || self.attempt.as_ref().is_some_and(|attempt| attempt.unresolved)
    }

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
