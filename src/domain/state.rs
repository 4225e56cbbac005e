//! The state machine: what a document's events have made of it. One `match`, total and pure, used alike by the live
//! path, by replay and by the tests.

mod machine;
mod progress;

use serde::{Deserialize, Serialize};

pub use progress::{Attempt, Progress};

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

/// The attention, and the reason of a hold, of a document whose records cannot be read.
pub(crate) const UNREADABLE: &str = "unreadable";

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
