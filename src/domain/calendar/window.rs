//! A daily window of silence in Rome's civil time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Europe::Rome;

use super::rome;

/// Seconds of a civil day of ordinary length; windows are given in its terms.
const DAY: u32 = 86_400;

/// A daily window of Rome's civil time in which nothing is submitted, in seconds of the day; `None` never.
/// May cross midnight (`from` > `until`), and then runs into the next day. The first second belongs to it, the last not.
/// Where the clocks change inside it, it is what Rome's clocks show: an hour that is shown twice is silent twice.
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

    /// Whether an instant lies in it.
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        let Some((from, until)) = self.bounds else { return false };
        let second = rome(at).time().num_seconds_from_midnight();
        if from < until { (from..until).contains(&second) } else { second >= from || second < until }
    }

    /// The first instant after `at` at which it begins. An instant inside it asks for the one after this.
    pub fn next_start(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut inside = self.contains(at);
        self.edges(at).find(|edge| {
            let was_inside = std::mem::replace(&mut inside, self.contains(*edge));
            inside && !was_inside
        })
    }

    /// When the window that contains `at` ends; `None` outside of it.
    pub fn end_of(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.contains(at) {
            return None;
        }
        self.edges(at).find(|edge| !self.contains(*edge))
    }

    /// When the window that contains `at` began; `None` outside of it.
    pub fn start_of(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.contains(at) {
            return None;
        }
        // The last beginning that is not after `at`, looked for from two days back: no window is longer than one.
        let mut start = None;
        let mut next = self.next_start(at.checked_sub_signed(TimeDelta::days(2))?);
        while let Some(edge) = next.filter(|edge| *edge <= at) {
            start = Some(edge);
            next = self.next_start(edge);
        }
        start
    }

    /// Until when nothing starts that could start at `at` but may be on the wire for `on_the_wire`: in the window, and so shortly
    /// before it that it would still be under way; `None` where it may start.
    pub fn silent_until(self, at: DateTime<Utc>, on_the_wire: Duration) -> Option<DateTime<Utc>> {
        if self.allows(at, on_the_wire) {
            return None;
        }
        self.end_of(at).or_else(|| self.end_of(self.next_start(at)?))
    }

    /// Whether something that starts at `at` and may be on the wire for `on_the_wire` stays out of it: no instant from
    /// `at` to `at + on_the_wire`, both included, lies in it.
    pub fn allows(self, at: DateTime<Utc>, on_the_wire: Duration) -> bool {
        if self.bounds.is_none() {
            return true;
        }
        // Longer than two days it meets one in any case.
        let last = TimeDelta::from_std(on_the_wire).ok().and_then(|on_the_wire| at.checked_add_signed(on_the_wire));
        match (last, self.next_start(at)) {
            (Some(last), Some(start)) => !self.contains(at) && last < start,
            _ => false,
        }
    }

    /// The instants after `at`, in order and for three days, at which `contains` may change: where Rome's clocks show one
    /// of the bounds, and where they are changed.
    fn edges(self, at: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let mut edges = Vec::new();
        if let Some((from, until)) = self.bounds {
            let today = rome(at).date();
            let days = (0..=4).filter_map(|day| today.pred_opt()?.checked_add_days(Days::new(day)));
            for day in days {
                edges.extend([from, until % DAY].into_iter().flat_map(|second| shown(day, second)));
            }
            edges.extend(clock_change(at));
            edges.retain(|edge| *edge > at);
            edges.sort_unstable();
            edges.dedup();
        }
        edges.into_iter()
    }
}

/// The instants at which Rome's clocks show this second of this day: one, or two, or none.
fn shown(day: NaiveDate, second: u32) -> impl Iterator<Item = DateTime<Utc>> {
    let time = NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap_or(NaiveTime::MIN);
    let shown = Rome.from_local_datetime(&day.and_time(time));
    let (first, second) = (shown.earliest(), shown.latest());
    [first, second.filter(|second| Some(second) != first.as_ref())].into_iter().flatten().map(|at| at.to_utc())
}

/// The instant within the next three days at which Rome's clocks are changed, if there is one.
pub(super) fn clock_change(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let offset = |at: DateTime<Utc>| Rome.offset_from_utc_datetime(&at.naive_utc()).fix();
    let mut before = at.timestamp();
    let mut after = at.checked_add_signed(TimeDelta::days(3))?.timestamp();
    let old = offset(at);
    if offset(DateTime::from_timestamp(after, 0)?) == old {
        return None;
    }
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset(DateTime::from_timestamp(middle, 0)?) == old { before = middle } else { after = middle }
    }
    DateTime::from_timestamp(after, 0)
}

/// Not a window of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a daily window is written 23:55-00:00 or 23:50:30-00:01, or none; it must be shorter than a day and not empty"
)]
pub struct BadWindow;

impl FromStr for Window {
    type Err = BadWindow;

    fn from_str(text: &str) -> Result<Window, BadWindow> {
        if text == "none" {
            return Ok(Window::NONE);
        }
        let (from, until) = text.split_once('-').ok_or(BadWindow)?;
        let (from, until) = (time_of_day(from.trim())?, time_of_day(until.trim())?);
        if from % DAY == until % DAY {
            return Err(BadWindow); // never or always: whoever means never writes none
        }
        Ok(Window { bounds: Some((from % DAY, if until == 0 { DAY } else { until })) })
    }
}

/// `HH:MM` or `HH:MM:SS` as seconds of the day; 24:00 is the end of it.
fn time_of_day(text: &str) -> Result<u32, BadWindow> {
    let mut parts = text.split(':');
    let mut part = |max: u32| {
        let text = parts.next().filter(|text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))?;
        text.parse::<u32>().ok().filter(|part| *part <= max)
    };
    let (hours, minutes) = (part(24).ok_or(BadWindow)?, part(59).ok_or(BadWindow)?);
    let seconds = if text.len() > 5 { part(59).ok_or(BadWindow)? } else { 0 };
    let second = hours * 3_600 + minutes * 60 + seconds;
    if parts.next().is_some() || second > DAY { Err(BadWindow) } else { Ok(second) }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((from, until)) = self.bounds else { return f.write_str("none") };
        let time = |second: u32| {
            let (hours, minutes, seconds) = (second / 3_600 % 24, second / 60 % 60, second % 60);
            let short = format!("{hours:02}:{minutes:02}");
            if seconds == 0 { short } else { format!("{short}:{seconds:02}") }
        };
        write!(f, "{}-{}", time(from), time(until))
    }
}
