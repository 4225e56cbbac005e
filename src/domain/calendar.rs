//! Italian civil time: the blackout, deadlines, fiscal days. The only place that knows Rome's clock. Zone data are
//! compiled in (chrono-tz, which knows the rules up to 2099), so a till without an up-to-date zone file keeps the law.

mod window;

use std::time::Duration;

use chrono::{DateTime, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Rome;

pub use window::{BadWindow, Window};

use super::account::ProviderKind;

/// Italian local date and time of an instant.
pub fn rome(at: DateTime<Utc>) -> NaiveDateTime {
    let utc = at.naive_utc();
    // At the ends of the calendar there is no local time left: they stay as they are.
    utc.checked_add_offset(Rome.offset_from_utc_datetime(&utc).fix()).unwrap_or(utc)
}

/// The instant of an Italian local time; in the hour that occurs twice the earlier, in the one that does not, the
/// first instant after it.
pub fn from_rome(local: NaiveDateTime) -> DateTime<Utc> {
    if let Some(at) = Rome.from_local_datetime(&local).earliest() {
        return at.to_utc();
    }
    // A skipped hour, or an end of the calendar. No offset ever reached a day, so the change of clocks that skipped it
    // lies within the two days around the same reading of a UTC clock.
    let before = local.and_utc().checked_sub_signed(TimeDelta::days(1));
    before.and_then(window::clock_change).unwrap_or(local.and_utc())
}

/// The Italian calendar day of an instant: the fiscal day.
pub fn fiscal_day(at: DateTime<Utc>) -> NaiveDate {
    rome(at).date()
}

/// The last day on which goods of a tax-free invoice may leave the EU: the end of the third month after the month of
/// issue (ADM; vectors X01–X05).
pub fn tax_free_last_exit(issued: NaiveDate) -> NaiveDate {
    end_of_month(issued, 3)
}

/// When a tax-free invoice is no longer asked about: end of month + 4, plus one month (PROVIDERS.md 6). The last such day
/// is over at this instant.
pub fn tax_free_horizon(issued: NaiveDate) -> DateTime<Utc> {
    let last = end_of_month(issued, 5);
    from_rome(last.checked_add_days(Days::new(1)).unwrap_or(last).and_time(NaiveTime::MIN))
}

/// The last day of the month so many after the one of `date`.
fn end_of_month(date: NaiveDate, months: u32) -> NaiveDate {
    let first = date - Days::new(u64::from(chrono::Datelike::day0(&date)));
    let next = first.checked_add_months(Months::new(months + 1));
    next.and_then(|next| next.pred_opt()).unwrap_or(NaiveDate::MAX)
}

/// Until when a sale taken at `submitted` may be voided: 24 h less `margin`, and if that lies in the blackout, a minute
/// before it began (PROVIDERS.md 6).
pub fn void_deadline(submitted: DateTime<Utc>, margin: Duration, blackout: Window) -> DateTime<Utc> {
    let left = TimeDelta::from_std(VOID_PERIOD.saturating_sub(margin)).unwrap_or_default();
    let deadline = submitted.checked_add_signed(left).unwrap_or(submitted);
    let before = blackout.start_of(deadline).and_then(|start| start.checked_sub_signed(TimeDelta::minutes(1)));
    before.unwrap_or(deadline)
}

/// How long after its submission a sale may be voided at Openapi (S1).
const VOID_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a sale cannot be voided, or not yet (vectors W01–W08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoidRefusal {
    /// It has been voided already.
    #[error("already_voided")]
    AlreadyVoided,
    /// It failed at the authority: there is nothing to void.
    #[error("parent_failed")]
    ParentFailed,
    /// More than 24 hours have passed (Openapi): only a return is left.
    #[error("deadline_24h")]
    Deadline,
    /// The authority has not taken it yet: a void is possible in `submitted` and `ready` only.
    #[error("wait_parent")]
    WaitParent,
}

/// Whether a sale may be voided now, by the provider's word for its state and its age since the provider took it.
///
/// # Errors
/// Why not: what can never change again before what can.
pub fn void_allowed(provider: ProviderKind, parent_status: &str, age: Duration) -> Result<(), VoidRefusal> {
    match parent_status {
        "voided" => Err(VoidRefusal::AlreadyVoided),
        "failed" => Err(VoidRefusal::ParentFailed),
        _ if provider == ProviderKind::Openapi && age >= VOID_PERIOD => Err(VoidRefusal::Deadline),
        "submitted" | "ready" => Ok(()),
        _ => Err(VoidRefusal::WaitParent),
    }
}
