//! Why a document is where it is, in a sentence for a person.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Accounts;
use crate::domain::account::Account;
use crate::domain::calendar;
use crate::domain::document::Kind;
use crate::domain::event::Hold;
use crate::domain::id::{AccountName, FiscalId};
use crate::domain::outcome::Customs;
use crate::domain::state::{Progress, State};

/// What surrounds a document.
pub(crate) struct Surroundings {
    pub(crate) now: DateTime<Utc>,
    pub(crate) accounts: Accounts,
    pub(crate) holds: Vec<Hold>,
    /// How long before the blackout nothing starts any more.
    guard: Duration,
    /// The accounts that submit nothing now, and until when: asked of the calendar once, not once a document.
    silent: Vec<(AccountName, DateTime<Utc>)>,
}

impl Surroundings {
    pub(crate) fn new(now: DateTime<Utc>, accounts: Accounts, holds: Vec<Hold>, guard: Duration) -> Surroundings {
        let silence = |account: &Arc<Account>| Some((account.name.clone(), account.blackout.silent_until(now, guard)?));
        let silent = accounts.iter().filter_map(silence).collect();
        Surroundings { now, accounts, holds, guard, silent }
    }

    /// For an archive: nothing that passes with time alone, so that an unchanged journal reads the same whenever it is read.
    pub(crate) fn timeless(holds: Vec<Hold>) -> Surroundings {
        Surroundings::new(DateTime::<Utc>::MIN_UTC, Accounts::default(), holds, Duration::ZERO)
    }

    fn account(&self, name: &AccountName) -> Option<&Arc<Account>> {
        self.accounts.iter().find(|account| account.name == *name)
    }

    /// Whether this account is not in the configuration. A queue that was told of no accounts does not know.
    pub(crate) fn lacks(&self, name: &AccountName) -> bool {
        !self.accounts.is_empty() && self.account(name).is_none()
    }

    /// The hold that keeps what this account and VAT number submit, if any.
    fn hold_of(&self, account: Option<&AccountName>, fiscal_id: Option<&FiscalId>) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.covers(account, fiscal_id))
    }

    /// The hold under which the provider cannot even be asked about this document, if any.
    fn unasked(&self, progress: &Progress) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.is_of(progress.account.as_ref()) && hold.stops_reading())
    }

    /// Whether the provider can be asked about this document.
    pub(crate) fn is_asked(&self, progress: &Progress) -> bool {
        let account = progress.account.as_ref();
        account.is_some_and(|name| !self.lacks(name)) && self.unasked(progress).is_none()
    }

    /// When what may leave at `at` does: then, or after the blackout; never while it is held or has no account.
    pub(crate) fn start(
        &self,
        account: Option<&AccountName>,
        fiscal_id: Option<&FiscalId>,
        at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let name = account.filter(|name| !self.lacks(name))?;
        if self.hold_of(account, fiscal_id).is_some() {
            return None;
        }
        Some(self.account(name).and_then(|account| account.blackout.silent_until(at, self.guard)).unwrap_or(at))
    }
}

/// The sentence, in one line; `None` where the state says it all.
pub(crate) fn sentence(progress: &Progress, parent: Option<&Progress>, around: &Surroundings) -> Option<String> {
    words(progress, parent, around).map(one_line)
}

/// What a provider or a person said in several lines, in one.
pub(super) fn one_line(text: String) -> String {
    if !text.contains(['\n', '\r']) {
        return text;
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn words(progress: &Progress, parent: Option<&Progress>, around: &Surroundings) -> Option<String> {
    let after = |words: &str| match progress.reason.as_str() {
        "" => words.to_owned(),
        reason => format!("{words}, after: {reason}"),
    };
    let said = || (!progress.reason.is_empty()).then(|| progress.reason.clone());
    match progress.state {
        State::Queued => Some(queued(progress, parent, around)),
        State::Sending => Some("the request is on the wire".to_owned()),
        State::InDoubt | State::Accepted if lacked(progress, around).is_some() => {
            let (known, cure) = match progress.state {
                State::InDoubt => {
                    ("the answer was lost", "add it again and it is looked up there, or resolve the document")
                }
                _ => ("the provider has it", "add it again and the verdict is asked for"),
            };
            lacked(progress, around).map(|name| format!("{known}; its account {name} {MISSING}: {cure}"))
        }
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

/// What is wrong with an account that no longer is in the configuration.
pub(super) const MISSING: &str = "is not in the configuration";

/// Its account, if that is not in the configuration.
fn lacked<'a>(progress: &'a Progress, around: &Surroundings) -> Option<&'a AccountName> {
    progress.account.as_ref().filter(|name| around.lacks(name))
}

fn held(hold: &Hold) -> String {
    let whom = hold.fiscal_id.as_ref().map(|id| format!(", VAT number {id},")).unwrap_or_default();
    format!("the account {}{whom} is held ({}: {}). {}", hold.account, hold.reason.name(), hold.detail, hold.cure)
}

fn queued(progress: &Progress, parent: Option<&Progress>, around: &Surroundings) -> String {
    // Before all else: what has nothing to correct is not sent, whatever it waits for.
    if let Some(parent) = parent.filter(|parent| parent.state.is_final() && parent.state != State::Registered) {
        return format!(
            "its parent {} is {}: it will not be sent, but held for a person as soon as the dispatcher looks at it; it can be \
             cancelled now",
            parent.key, parent.state
        );
    }
    // Before a hold: without the account, its end would change nothing.
    if let Some(name) = lacked(progress, around) {
        return format!("its account {name} {MISSING}: add it again, or cancel the document");
    }
    if let Some(hold) = around.hold_of(progress.account.as_ref(), progress.fiscal_id.as_ref()) {
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
    if let Some((_, end)) = around.silent.iter().find(|(silent, _)| silent == name) {
        let begun = around.account(name).is_some_and(|account| account.blackout.contains(around.now));
        let why = if begun { "" } else { ": a request could still be on the wire when it begins" };
        return format!("waits for the end of the blackout at {}{why}", local(*end));
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
