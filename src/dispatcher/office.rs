//! An account at work, and what a finished task says of it: whether the provider answers, how its clock goes, what it
//! refuses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::AbortHandle;

use super::gate::Gate;
use super::lane::Lane;
use super::plan::Desk;
use super::settings::{Managed, Settings};
use super::shared::Shared;
use super::wire::Closings;
use crate::domain::account::Account;
use crate::domain::id::{DocId, FiscalId};
use crate::domain::outcome::{HoldAnswer, HoldReason, HoldScope};
use crate::domain::trust;
use crate::error::Error;
use crate::provider::Provider;
use crate::provider::turns::Turns;

/// Equal permanent refusals in a row after which a VAT number is held (PROVIDERS.md 5).
const REFUSALS_IN_A_ROW: usize = 3;

/// Whom a hold is about, and why.
pub(super) type Refused = (Option<FiscalId>, HoldAnswer);

/// What a finished task says about the provider, for the account's gate.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Health {
    /// It answered a submission.
    Answered,
    /// A submission without a trustworthy answer.
    Failed,
    /// It answered a question.
    Read,
    /// A question without an answer that can be read.
    Unread,
    /// It wants a pause, and may say for how long.
    Pause(Option<Duration>),
    /// The same in answer to a question.
    PauseAsking(Option<Duration>),
    /// Nothing was asked.
    Nothing,
}

/// What a finished task brought.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) health: Health,
    pub(super) clock_skew_ms: Option<i64>,
    /// The lane that is free again.
    pub(super) frees: Option<Lane>,
    /// A document that waits because the line is down.
    pub(super) backed_off: Option<DocId>,
    pub(super) hold: Option<Refused>,
    /// A permanent refusal, for the count of equal ones in a row; `Some(None)` is a success.
    pub(super) refusal: Option<(Option<FiscalId>, Option<String>)>,
    /// The lane on which nothing can be sent now, because of a document's parent or sibling.
    pub(super) rests: Option<Lane>,
    /// It was not sent because this one, before it on its lane, is not through.
    pub(super) behind: Option<DocId>,
    pub(super) error: Option<Error>,
    /// The task did not come to an end by itself.
    pub(super) broken: bool,
}

impl Done {
    pub(super) fn of(health: Health) -> Done {
        Done {
            health,
            clock_skew_ms: None,
            frees: None,
            backed_off: None,
            hold: None,
            refusal: None,
            rests: None,
            behind: None,
            error: None,
            broken: false,
        }
    }
}

/// An account at work.
pub(super) struct Office {
    pub(super) account: Account,
    pub(super) provider: Option<Arc<dyn Provider>>,
    pub(super) gate: Gate,
    /// When the gate was closed for what was begun.
    pub(super) closings: Closings,
    /// The provider's clock minus ours; none: not heard yet.
    pub(super) skew_ms: Option<i64>,
    /// The same as it was heard last before this dispatcher began.
    pub(super) earlier_skew_ms: Option<i64>,
    /// Our clock shows an impossible time, and the provider is asked what time it is.
    pub(super) asking: Option<AbortHandle>,
    pub(super) spread: Duration,
    pub(super) tracking: bool,
    /// The last request that was begun was a question about verdicts.
    pub(super) asked_last: bool,
    /// The secret's hash, comparable only within this journal.
    pub(super) secret: Option<[u8; 16]>,
    refusals: HashMap<Option<FiscalId>, Vec<String>>,
}

impl Office {
    pub(super) fn new(managed: Managed, shared: &Shared) -> Office {
        let (journal_id, settings) = (*shared.queue.journal().id().as_bytes(), &shared.settings);
        let who = number(&keyed(&journal_id, managed.account.name.as_str().as_bytes()));
        let share = who % 1_000;
        Office {
            gate: Gate::new(Arc::new(Turns::new(managed.requests_per_minute, Arc::clone(shared.queue.clock()))), who),
            closings: Closings::default(),
            secret: secret_of(&managed, &journal_id),
            earlier_skew_ms: shared.queue.last_skew_ms(&managed.account.name),
            account: managed.account,
            provider: managed.provider.ok(),
            skew_ms: None,
            asking: None,
            spread: settings.blackout_spread.mul_f64(share as f64 / 1_000.0),
            tracking: false,
            asked_last: false,
            refusals: HashMap::new(),
        }
    }

    pub(super) fn desk(&self, shared: &Shared, ticks: Duration) -> Desk {
        // Nobody knows what time it is: the blackout could not be kept, nor could what is looked up be told by its time.
        let timeless = self.skew_ms.is_none() && trust::is_impossible(shared.now());
        let free = self.gate.free(ticks, shared.settings.in_flight, shared.wire.ahead());
        Desk {
            free: if timeless { 0 } else { free },
            blackout: self.account.blackout,
            clock_skew_ms: self.skew_ms.unwrap_or(0),
            spread: self.spread,
            hears: self.gate.hears_in(ticks).is_none(),
            tracking: self.tracking,
            asked_last: self.asked_last,
        }
    }

    /// A request has ended: what it says of the provider.
    pub(super) fn heard(&mut self, health: &Health, ticks: Duration, settings: &Settings) {
        if matches!(health, Health::Failed | Health::Pause(_) | Health::PauseAsking(_)) {
            self.closings.close();
        }
        match health {
            Health::Answered => self.gate.answered(settings.in_flight),
            Health::Failed => self.gate.failed(ticks, &settings.backoff),
            Health::Read => self.gate.read(settings.in_flight),
            Health::Unread => self.gate.unread(ticks, &settings.backoff),
            Health::Pause(wanted) => self.gate.pause(ticks, *wanted, &settings.backoff),
            Health::PauseAsking(wanted) => self.gate.pause_questions(ticks, *wanted, &settings.backoff),
            Health::Nothing => self.gate.ended(),
        }
    }

    /// Counts equal refusals in a row, of a VAT number; `None` is a success. Enough of them hold it.
    pub(super) fn count_refusal(&mut self, fiscal_id: Option<FiscalId>, message: Option<String>) -> Option<Refused> {
        let run = self.refusals.entry(fiscal_id.clone()).or_default();
        let Some(message) = message else {
            run.clear();
            return None;
        };
        run.retain(|earlier| *earlier == message);
        run.push(message.clone());
        if run.len() < REFUSALS_IN_A_ROW {
            return None;
        }
        run.clear();
        let detail = format!("{REFUSALS_IN_A_ROW} documents in a row were refused: {message}");
        let scope = if fiscal_id.is_some() { HoldScope::FiscalId } else { HoldScope::Account };
        Some((fiscal_id, HoldAnswer { scope, reason: HoldReason::RepeatedRefusals, detail }))
    }
}

/// The hash of an account's secret that is kept with a hold.
pub(super) fn secret_of(managed: &Managed, journal_id: &[u8; 16]) -> Option<[u8; 16]> {
    managed.secret.map(|secret| keyed(journal_id, &secret))
}

/// A hash of `what` that is only comparable within this journal.
fn keyed(journal: &[u8; 16], what: &[u8]) -> [u8; 16] {
    let digest = Sha256::new().chain_update(journal).chain_update(what).finalize();
    let mut short = [0; 16];
    short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    short
}

/// A number from bytes, for jitter.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
