//! What an agent answers, in the queue's words.

use crate::agent::client::Failed;
use crate::cli::trouble::Trouble;
use crate::error::{Error, Rejection};
use crate::view::{Decision, ErrorView, NotTaken, Taken, Ticket};

/// A decision about an unknown key is one that was not taken.
pub(super) fn known(key: &str, decided: Result<Decision, Error>) -> Result<Decision, Error> {
    let not = |why: String| Decision { key: key.to_owned(), state: None, done: false, why };
    match decided {
        Err(error @ Error::UnknownKey(_)) => Ok(not(error.to_string())),
        Err(Error::Rejected(rejection)) => Ok(not(rejection.message)),
        other => other,
    }
}

pub(super) fn ticket(taken: Taken) -> Ticket {
    let Taken { key, id, state, duplicate, .. } = taken;
    Ticket { key, id, state, duplicate }
}

/// Every code of a refusal (CONTRACT.md 5).
const CODES: [&str; 8] = [
    "malformed",
    "unknown_field",
    "invalid",
    "key_reused",
    "unknown_account",
    "unknown_parent",
    "parent_conflict",
    "too_large",
];

pub(super) fn rejected(not: NotTaken) -> Error {
    let ErrorView { code, message, violations } = not.error;
    let code = CODES.into_iter().find(|known| *known == code).unwrap_or("journal");
    Error::Rejected(Rejection { code, message, violations })
}

pub(super) fn trouble_of_agent(failed: &Failed) -> Trouble {
    let code = match failed {
        Failed::Said(_, error) if error.code == "journal_damaged" => "journal_damaged",
        Failed::Said(_, error) if error.code == "journal" => "journal",
        _ => "agent",
    };
    Trouble::new(code, failed.to_string())
}
