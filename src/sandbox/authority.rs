//! The tax authority behind the receipt providers: when it takes a document, and what becomes of the ones it does not.

use chrono::{DateTime, Datelike, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::domain::account::ProviderKind;
use crate::domain::calendar;

use super::fault::Outcome;
use super::settings::{Blackout, Settings};

/// A receipt provider's word for a document's state (PROVIDERS.md 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    New,
    Retry,
    Submitted,
    Ready,
    Failed,
    Voided,
}

impl Status {
    /// As the providers write it.
    pub fn name(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Retry => "retry",
            Status::Submitted => "submitted",
            Status::Ready => "ready",
            Status::Failed => "failed",
            Status::Voided => "voided",
        }
    }

    /// Whether the authority has the document.
    pub fn is_issued(self) -> bool {
        matches!(self, Status::Submitted | Status::Ready | Status::Voided)
    }
}

/// A code and a message of the authority, from some moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub at: DateTime<Utc>,
    /// `error_code`.
    pub code: String,
    /// `error_message`.
    pub message: String,
}

/// A document's way through the authority. Nothing happens in the background: the times are fixed when the provider
/// says yes, and every question is answered from them and the clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passage {
    /// Could not be delivered since then.
    pub retry: Option<Trouble>,
    /// Taken by the authority then.
    pub submitted: Option<DateTime<Utc>>,
    /// The PDF is there then.
    pub ready: Option<DateTime<Utc>>,
    /// Given up then.
    pub failed: Option<Trouble>,
    /// Waits until the blackout that somebody switched on is switched off.
    pub parked: bool,
}

impl Passage {
    /// The way of a document that the provider takes at `at`.
    pub fn plan(settings: &Settings, provider: ProviderKind, at: DateTime<Utc>, outcome: &Outcome) -> Passage {
        let mut passage = Passage::default();
        let mut submitted = later(at, settings.submit_delay.delta());
        match outcome {
            Outcome::Accept => {}
            Outcome::Lose => return passage,
            Outcome::Fail { code, message } => {
                passage.failed = Some(Trouble { at: submitted, code: code.clone(), message: message.clone() });
                return passage;
            }
            Outcome::Retry { ms, code, message } => {
                passage.retry = Some(Trouble { at: submitted, code: code.clone(), message: message.clone() });
                submitted = later(submitted, TimeDelta::milliseconds(i64::try_from(*ms).unwrap_or(i64::MAX)));
            }
        }
        if settings.blackout == Blackout::On {
            passage.parked = true;
            return passage;
        }
        if is_shut(settings, submitted) {
            if provider == ProviderKind::Openapi {
                // Queued, and sent in the first minutes of the next day (S1).
                submitted = later(next_midnight(submitted), settings.submit_delay.delta());
            } else {
                let trouble = (submitted, "500", "SERVICE_UNAVAILABLE");
                passage.retry.get_or_insert_with(|| self::trouble(trouble));
            }
        }
        let same_day = calendar::fiscal_day(submitted) == calendar::fiscal_day(at);
        if provider == ProviderKind::SmartReceipt && (!same_day || is_shut(settings, submitted)) {
            // What A-Cube cannot deliver on the day it was requested fails (webhook page: before 23:58).
            let message = "Receipt could not be confirmed the same day it was requested";
            let evening = at_time(at, NaiveTime::from_hms_opt(23, 58, 0).unwrap_or(NaiveTime::MIN));
            passage.failed = Some(trouble((evening.max(at), "400", message)));
            return passage;
        }
        passage.settle(settings, submitted);
        passage
    }

    /// Fixes when the authority takes it.
    pub fn settle(&mut self, settings: &Settings, submitted: DateTime<Utc>) {
        let printing = settings.ready_delay.0.saturating_sub(settings.submit_delay.0);
        let printing = TimeDelta::from_std(printing).unwrap_or(TimeDelta::zero());
        self.parked = false;
        self.submitted = Some(submitted);
        self.ready = Some(later(submitted, printing));
    }

    /// The state at `now`, voids apart.
    pub fn status(&self, now: DateTime<Utc>) -> Status {
        let past = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
        if past(self.failed.as_ref().map(|trouble| trouble.at)) {
            Status::Failed
        } else if past(self.ready) {
            Status::Ready
        } else if past(self.submitted) {
            Status::Submitted
        } else if past(self.retry.as_ref().map(|trouble| trouble.at)) {
            Status::Retry
        } else {
            Status::New
        }
    }

    /// The trouble that shows at `now`.
    pub fn trouble(&self, now: DateTime<Utc>) -> Option<&Trouble> {
        match self.status(now) {
            Status::Failed => self.failed.as_ref(),
            Status::Retry => self.retry.as_ref(),
            _ => None,
        }
    }
}

fn trouble((at, code, message): (DateTime<Utc>, &str, &str)) -> Trouble {
    Trouble { at, code: code.to_owned(), message: message.to_owned() }
}

/// Whether the authority takes nothing at `at`.
pub fn is_shut(settings: &Settings, at: DateTime<Utc>) -> bool {
    match settings.blackout {
        Blackout::Real => in_blackout(at),
        Blackout::On => true,
        Blackout::Off => false,
    }
}

/// Whether `at` lies between 23:55:00 and 00:00:00 in Rome, whatever the settings say.
pub fn in_blackout(at: DateTime<Utc>) -> bool {
    calendar::Window::AUTHORITY.contains(at)
}

/// The first moment of the Italian day after that of `at`.
fn next_midnight(at: DateTime<Utc>) -> DateTime<Utc> {
    let tomorrow = calendar::fiscal_day(at).succ_opt().unwrap_or(chrono::NaiveDate::MAX);
    calendar::from_rome(tomorrow.and_time(NaiveTime::MIN))
}

/// A time of the Italian day of `at`.
fn at_time(at: DateTime<Utc>, time: NaiveTime) -> DateTime<Utc> {
    calendar::from_rome(NaiveDateTime::new(calendar::fiscal_day(at), time))
}

/// An instant after another; at the end of time it stays there.
pub fn later(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The authority's document number: its prefix, the Italian year, and a running number in two groups of four.
pub fn document_number(provider: ProviderKind, at: DateTime<Utc>, number: u64) -> String {
    let prefix = if provider == ProviderKind::Openapi { "OPENAPI" } else { "DCW" };
    let year = calendar::fiscal_day(at).year();
    format!("{prefix}{year}/{:04}-{:04}", number / 10_000, number % 10_000)
}
