//! Italian civil time: the blackout, deadlines, fiscal days. The only place that knows Rome's clock. Zone data are
//! compiled in (chrono-tz), so a till without an up-to-date zone file keeps the law.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// A daily window of Rome's civil time in which nothing is submitted, in seconds of the day; `None` never.
/// May cross midnight (`from` > `until`), and then runs into the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    bounds: Option<(u32, u32)>,
}

impl Window {
    /// No blackout.
    pub const NONE: Window = Window { bounds: None };
    /// 23:55:00 to 00:00:00 (S1, S2).
    pub const AUTHORITY: Window = Window { bounds: Some((86_100, 86_400)) };
    /// 23:50:00 to 00:01:00: A-Cube's own queue needs time (PROVIDERS.md 5).
    pub const SMART_RECEIPT: Window = Window { bounds: Some((85_800, 60)) };
}

// The calendar helper writes:
// impl FromStr for Window ("none", "23:55-00:00", "23:50:30-00:01"), Display
// impl Window { contains(at), next_start(at) -> Option<DateTime>, end_of(at) -> Option<DateTime> (end of the window that
//   contains `at`), allows(at, on_the_wire: Duration) -> bool (no instant of [at, at+on_the_wire] lies in the window) ,
//   widest(self, other) -> Window }

/// Italian local date and time of an instant.
pub fn rome(at: DateTime<Utc>) -> NaiveDateTime {
    let _ = at;
    todo!("calendar helper")
}

/// The instant of an Italian local time; in the hour that occurs twice the earlier, in the one that does not, the
/// first instant after it.
pub fn from_rome(local: NaiveDateTime) -> DateTime<Utc> {
    let _ = local;
    todo!("calendar helper")
}

/// The Italian calendar day of an instant: the fiscal day.
pub fn fiscal_day(at: DateTime<Utc>) -> NaiveDate {
    let _ = at;
    todo!("calendar helper")
}

/// The last day on which goods of a tax-free invoice may leave the EU: the end of the third month after the month of
/// issue (ADM; vectors X01–X05).
pub fn tax_free_last_exit(issued: NaiveDate) -> NaiveDate {
    let _ = issued;
    todo!("calendar helper")
}

/// When a tax-free invoice is no longer asked about: end of month + 4, plus one month (PROVIDERS.md 6).
pub fn tax_free_horizon(issued: NaiveDate) -> DateTime<Utc> {
    let _ = issued;
    todo!("calendar helper")
}

/// Until when a sale taken at `submitted` may be voided: 24 h less `margin`, and if that lies in the blackout, a minute
/// before it began (PROVIDERS.md 6).
pub fn void_deadline(submitted: DateTime<Utc>, margin: Duration, blackout: Window) -> DateTime<Utc> {
    let _ = (submitted, margin, blackout);
    todo!("calendar helper")
}
