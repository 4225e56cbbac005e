//! Moments as people write them: RFC 3339, an Italian day or time, or how long ago.

use std::time::Duration;

use crate::domain::calendar::{from_rome, rome};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::duration;

/// What `--since` and `--until` take.
const EXPECTED: &str = "write a time like 2026-11-22T10:30:00+01:00, an Italian day or time like 2026-11-22 or 2026-11-22T10:30, or how long ago, like 2h or 7d";

/// A moment of the past, not yet bound to the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// This one.
    At(DateTime<Utc>),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// The instant it means at `now`.
    pub fn instant(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Moment::At(at) => at,
            Moment::Ago(ago) => before(now, ago),
        }
    }
}

/// Reads a [`Moment`]; for clap.
pub fn moment(text: &str) -> Result<Moment, String> {
    if let Some(at) = instant(text) {
        return Ok(Moment::At(at));
    }
    let days = text.strip_suffix('d').filter(|days| days.bytes().all(|b| b.is_ascii_digit()));
    if let Some(days) = days.and_then(|days| days.parse::<u32>().ok()).filter(|days| *days <= 36_500) {
        return Ok(Moment::Ago(Duration::from_secs(u64::from(days) * 24 * 3600)));
    }
    duration::parse(text).map(Moment::Ago).map_err(|_| EXPECTED.to_owned())
}

/// An RFC 3339 time, or an Italian day (its first moment) or local time.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(from_rome(day.and_time(NaiveTime::MIN)));
    }
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(from_rome)
}

/// A moment of the future, not yet bound to the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// This one.
    At(DateTime<Utc>),
    /// The next time Italian clocks show it.
    Clock(NaiveTime),
}

impl Until {
    /// The instant it means at `now`.
    pub fn instant(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Until::At(at) => at,
            Until::Clock(time) => {
                let today = rome(now).date();
                let at = from_rome(today.and_time(time));
                if at > now {
                    return at;
                }
                today.checked_add_days(Days::new(1)).map_or(at, |tomorrow| from_rome(tomorrow.and_time(time)))
            }
        }
    }
}

/// Reads an [`Until`]; for clap.
pub fn until(text: &str) -> Result<Until, String> {
    let clock = ["%H:%M", "%H:%M:%S"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok());
    match clock {
        Some(time) => Ok(Until::Clock(time)),
        None => instant(text)
            .map(Until::At)
            .ok_or_else(|| "write an Italian time like 05:00, or a moment like 2026-11-22T05:00".to_owned()),
    }
}

/// `ago` before `now`, or the beginning of time.
fn before(now: DateTime<Utc>, ago: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(ago).ok().and_then(|ago| now.checked_sub_signed(ago)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
    }

    #[test]
    fn moments_are_rfc_3339_italian_or_ago() {
        let now = utc("2026-11-22T12:00:00Z");
        for (text, instant) in [
            ("2026-11-22T10:30:00+01:00", "2026-11-22T09:30:00Z"),
            ("2026-11-22T10:30:00Z", "2026-11-22T10:30:00Z"),
            ("2026-11-22", "2026-11-21T23:00:00Z"),
            ("2026-07-01", "2026-06-30T22:00:00Z"),
            ("2026-11-22T10:30", "2026-11-22T09:30:00Z"),
            ("2026-11-22 10:30:15", "2026-11-22T09:30:15Z"),
            ("2h", "2026-11-22T10:00:00Z"),
            ("1h30m", "2026-11-22T10:30:00Z"),
            ("7d", "2026-11-15T12:00:00Z"),
        ] {
            assert_eq!(moment(text).map(|moment| moment.instant(now)), Ok(utc(instant)), "{text}");
        }
        for text in ["", "yesterday", "d", "99999999999d", "2026-13-01", "22/11/2026", "-2h", "10:30"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn until_is_the_next_time_italian_clocks_show_it() {
        for (text, now, instant) in [
            ("05:00", "2026-11-22T12:00:00Z", "2026-11-23T04:00:00Z"),
            ("05:00", "2026-11-22T03:59:59Z", "2026-11-22T04:00:00Z"),
            ("05:00", "2026-11-22T04:00:00Z", "2026-11-23T04:00:00Z"),
            ("00:30", "2026-11-22T23:15:00Z", "2026-11-22T23:30:00Z"),
            ("23:54:30", "2026-07-01T12:00:00Z", "2026-07-01T21:54:30Z"),
            ("2026-11-22T05:00", "2026-11-22T12:00:00Z", "2026-11-22T04:00:00Z"),
            // The clocks go forward: 02:30 does not exist, the first moment after it does.
            ("02:30", "2027-03-27T23:30:00Z", "2027-03-28T01:00:00Z"),
        ] {
            assert_eq!(until(text).map(|until| until.instant(utc(now))), Ok(utc(instant)), "{text} at {now}");
        }
        for text in ["", "5", "24:00", "5pm", "2h"] {
            assert!(until(text).is_err(), "{text}");
        }
    }
}
