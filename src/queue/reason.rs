//! Why a document is where it is, in a sentence for a person.

use chrono::{DateTime, Utc};

use super::Accounts;
use crate::domain::calendar;
use crate::domain::document::Kind;
use crate::domain::event::Hold;
use crate::domain::outcome::Customs;
use crate::domain::state::{Progress, State};

/// What surrounds a document.
pub(crate) struct Surroundings {
    pub(crate) now: DateTime<Utc>,
    pub(crate) accounts: Accounts,
    pub(crate) holds: Vec<Hold>,
}

impl Surroundings {
    /// For an archive: nothing that passes with time alone, so that an unchanged journal reads the same whenever it is read.
    pub(crate) fn timeless(holds: Vec<Hold>) -> Surroundings {
        Surroundings { now: DateTime::<Utc>::MIN_UTC, accounts: Accounts::default(), holds }
    }

    /// The hold that keeps this document, if any.
    pub(crate) fn hold_of(&self, progress: &Progress) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.covers(progress.account.as_ref(), progress.fiscal_id.as_ref()))
    }

    /// The hold under which the provider cannot even be asked about this document, if any.
    fn unasked(&self, progress: &Progress) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.is_of(progress.account.as_ref()) && hold.stops_reading())
    }
}

/// The sentence; `None` where the state says it all.
pub(crate) fn sentence(progress: &Progress, parent: Option<&Progress>, around: &Surroundings) -> Option<String> {
    let after = |words: &str| match progress.reason.as_str() {
        "" => words.to_owned(),
        reason => format!("{words}, after: {reason}"),
    };
    let said = || (!progress.reason.is_empty()).then(|| progress.reason.clone());
    match progress.state {
        State::Queued => Some(queued(progress, parent, around)),
        State::Sending => Some("the request is on the wire".to_owned()),
        State::InDoubt | State::Accepted if around.unasked(progress).is_some() => {
            let known = match progress.state {
                State::InDoubt => "the answer was lost; looked up at the provider",
                _ => "the provider has it; its verdict is asked for",
            };
            around.unasked(progress).map(|hold| format!("{known} when its account works again: {}", held(hold)))
        }
        State::InDoubt => Some(match progress.due_at {
            Some(at) if at > around.now => {
                after(&format!("the answer was lost; looked up at the provider at {}", local(at)))
            }
            _ => after("the answer was lost; looked up at the provider as soon as it answers"),
        }),
        State::Accepted if progress.kind == Kind::Draft => {
            Some("waits for the merchant to complete it in the portal".to_owned())
        }
        State::Accepted => Some(after("the provider has it; the authority's verdict is awaited")),
        State::Registered => match progress.customs {
            Some(Customs::Pending) => Some("waits for customs".to_owned()),
            Some(Customs::Rejected) => Some("customs refused it: a debit note for the VAT is needed".to_owned()),
            _ => None,
        },
        State::Refused | State::Failed | State::Held | State::Cancelled => said(),
    }
}

fn held(hold: &Hold) -> String {
    let whom = hold.fiscal_id.as_ref().map(|id| format!(", VAT number {id},")).unwrap_or_default();
    format!("the account {}{whom} is held ({}: {}). {}", hold.account, hold.reason.name(), hold.detail, hold.cure)
}

fn queued(progress: &Progress, parent: Option<&Progress>, around: &Surroundings) -> String {
    if let Some(hold) = around.hold_of(progress) {
        return held(hold);
    }
    let Some(name) = &progress.account else {
        return "no account of the configuration takes it yet".to_owned();
    };
    let lacks_items =
        |parent: &&Progress| parent.state == State::Registered && !parent.has_items && progress.kind == Kind::Return;
    if let Some(parent) = parent.filter(lacks_items) {
        return format!("waits for the authority's item ids of its parent {}", parent.key);
    }
    if let Some(parent) = parent.filter(|parent| !parent.state.is_final()) {
        return format!("waits for its parent {}, which is {}", parent.key, parent.state);
    }
    let blackout = around.accounts.iter().find(|account| account.name == *name).map(|account| account.blackout);
    if let Some(end) = blackout.and_then(|blackout| blackout.end_of(around.now)) {
        return format!("waits for the end of the blackout at {}", local(end));
    }
    match (progress.due_at.filter(|at| *at > around.now), progress.reason.as_str()) {
        (Some(at), "") => format!("sent at {}", local(at)),
        (Some(at), reason) => format!("tried again at {}, after: {reason}", local(at)),
        (None, "") => "to be sent".to_owned(),
        (None, reason) => format!("to be sent again, after: {reason}"),
    }
}

fn local(at: DateTime<Utc>) -> String {
    calendar::rome(at).format("%d/%m/%Y %H:%M:%S").to_string()
}
