//! How the dispatcher behaves, with the contract's defaults (CONTRACT.md 4).

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use crate::domain::account::Account;
use crate::domain::limits::MAX_RETRY_AFTER_S;
use crate::domain::outcome::HoldReason;
use crate::domain::retry::Backoff;
use crate::provider::Provider;

/// Settings of a dispatcher.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Requests at once, over all accounts.
    pub in_flight: usize,
    /// How long a connection may take. With [`Settings::answer_timeout`] it bounds how long a request is on the wire.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub answer_timeout: Duration,
    /// After the blackout, start at a random moment of this long.
    pub blackout_spread: Duration,
    /// Delays after failures.
    pub backoff: Backoff,
    /// A look-up that finds nothing counts only this long after the attempt ended, and only if a second agrees.
    pub settle: Duration,
    /// Delays between questions about the authority's verdict.
    pub track: Backoff,
    /// The longest sleep: a clock that jumps, or a machine that slept, is noticed within it.
    pub longest_sleep: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            in_flight: 8,
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            blackout_spread: Duration::from_secs(90),
            backoff: Backoff::default(),
            settle: Duration::from_secs(120),
            track: Backoff {
                initial: Duration::from_secs(5),
                factor: 2.0,
                max: Duration::from_secs(60 * 60),
                jitter: 0.2,
            },
            longest_sleep: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// How long a request may be on the wire.
    pub fn on_the_wire(&self) -> Duration {
        self.connect_timeout.saturating_add(self.answer_timeout)
    }

    /// No pause that the dispatcher makes is longer: what is due later than that was written by a clock that was wrong.
    pub(super) fn longest_pause(&self) -> Duration {
        let longest = self.backoff.max.max(self.track.max).max(self.settle).max(Duration::from_secs(MAX_RETRY_AFTER_S));
        // With the jitter, which at most doubles a delay; and no less than what older settings may have left.
        longest.saturating_mul(2).max(Duration::from_secs(3 * 60 * 60))
    }
}

/// An account with what is needed to reach its provider.
#[derive(Clone)]
pub struct Managed {
    /// Who it is.
    pub account: Account,
    /// How it is reached; or why it cannot be (a missing secret): then it is held, and the others are served.
    pub provider: Result<Arc<dyn Provider>, Unreachable>,
    /// Requests a minute, questions and the pages of lists included; 0: no limit.
    pub requests_per_minute: u32,
    /// SHA-256 of the secret, so that a changed one lifts a hold for refused credentials.
    pub secret: Option<[u8; 32]>,
    /// When the authority's password was changed last (it expires after 90 days, S1).
    pub credentials_changed: Option<NaiveDate>,
}

impl Managed {
    /// An account with its provider and nothing else said.
    pub fn new(account: Account, provider: Arc<dyn Provider>) -> Managed {
        Managed { account, provider: Ok(provider), requests_per_minute: 0, secret: None, credentials_changed: None }
    }
}

/// Why an account has no provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// The kind of hold.
    pub reason: HoldReason,
    /// What is missing: the variable or file.
    pub detail: String,
    /// What to do.
    pub cure: String,
}
