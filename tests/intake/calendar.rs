//! The blackout, deadlines and fiscal days in Rome's civil time, through every change of its clocks.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc, Weekday};
use proptest::prelude::*;
use staffetta::domain::account::ProviderKind;
use staffetta::domain::calendar::{self, VoidRefusal, Window};

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn window(text: &str) -> Window {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The rule of the European Union since 1996, written down once more: summer time from the last Sunday of March to the
/// last Sunday of October, changed at 01:00 UTC.
fn change_of_clocks(year: i32, month: u32) -> DateTime<Utc> {
    let mut last_week = (25..=31).filter_map(|day| NaiveDate::from_ymd_opt(year, month, day));
    let sunday = last_week.rfind(|day| day.weekday() == Weekday::Sun).unwrap();
    sunday.and_hms_opt(1, 0, 0).unwrap().and_utc()
}

fn offset_hours(at: DateTime<Utc>) -> i64 {
    let change = |month: u32| change_of_clocks(at.year(), month);
    if (change(3)..change(10)).contains(&at) { 2 } else { 1 }
}

#[test]
fn windows_are_read_and_written() {
    for (text, shown) in [
        ("none", "none"),
        ("23:55-00:00", "23:55-00:00"),
        ("23:55-24:00", "23:55-00:00"),
        ("23:55:00-00:00:00", "23:55-00:00"),
        ("23:50:30-00:01", "23:50:30-00:01"),
        ("00:00-00:01", "00:00-00:01"),
        ("24:00-00:01", "00:00-00:01"),
        ("13:00 - 14:00", "13:00-14:00"),
        ("14:00-13:00", "14:00-13:00"),
    ] {
        assert_eq!(window(text).to_string(), shown, "{text}");
        assert_eq!(window(shown), window(text));
    }
    for text in [
        "",
        "None",
        "23:55",
        "23:55-",
        "-00:00",
        "2355-0000",
        "23:55-23:55",
        "00:00-24:00",
        "00:00-00:00",
        "24:01-01:00",
        "24:00:01-01:00",
        "12:60-13:00",
        "12:00:60-13:00",
        "1:00-2:00",
        "23:55-00:00-01:00",
        "ab:cd-00:00",
        "+1:00-02:00",
        "12:00:-13:00",
        "12:00:0-13:00",
        "12:00:00:00-13:00",
        "25:00-26:00",
    ] {
        assert!(text.parse::<Window>().is_err(), "{text:?}");
    }
    assert_eq!(window("23:55-00:00"), Window::AUTHORITY);
    assert_eq!(window("23:50-00:01"), Window::SMART_RECEIPT);
    assert_eq!(window("none"), Window::NONE);
}

#[test]
fn the_first_second_belongs_to_the_window_and_the_last_does_not() {
    for (text, before, first, last, after) in [
        ("23:55-00:00", "22:54:59.999", "22:55:00", "22:59:59.999", "23:00:00"),
        ("23:50-00:01", "22:49:59.999", "22:50:00", "23:00:59.999", "23:01:00"),
        ("00:00-00:01", "22:59:59.999", "23:00:00", "23:00:59.999", "23:01:00"),
        ("13:00:30-14:00", "12:00:29.999", "12:00:30", "12:59:59.999", "13:00:00"),
    ] {
        let window = window(text);
        let at = |time: &str| utc(&format!("2026-01-15T{time}Z"));
        for (time, inside) in [(before, false), (first, true), (last, true), (after, false)] {
            assert_eq!(window.contains(at(time)), inside, "{text} {time}");
            let (start, end) = if inside { (Some(at(first)), Some(at(after))) } else { (None, None) };
            assert_eq!((window.start_of(at(time)), window.end_of(at(time))), (start, end), "{text} {time}");
        }
        assert_eq!(window.next_start(at(before)), Some(at(first)));
        assert_eq!(window.next_start(at(first)), Some(at(first) + TimeDelta::days(1)), "the one after this");
        assert_eq!(window.next_start(at(after)), Some(at(first) + TimeDelta::days(1)));
    }
    let none = Window::NONE;
    let at = utc("2026-01-15T22:57:00Z");
    assert_eq!((none.contains(at), none.next_start(at), none.end_of(at), none.start_of(at)), (false, None, None, None));
    assert!(none.allows(at, Duration::MAX));
}

#[test]
fn nothing_may_be_on_the_wire_when_it_begins() {
    let at = |time: &str| utc(&format!("2026-01-15T{time}Z"));
    for (time, seconds, allowed) in [
        ("22:54:00", 59, true),
        ("22:54:00", 60, false),
        ("22:54:59.999", 0, true),
        ("22:55:00", 0, false),
        ("22:59:59.999", 0, false),
        ("23:00:00", 0, true),
        ("23:00:00", 86_099, true),
        ("23:00:00", 86_100, false),
        ("23:00:00", 100_000, false),
        ("10:00:00", 1_000_000, false),
        ("22:50:00", 1_000, false),
    ] {
        assert_eq!(Window::AUTHORITY.allows(at(time), Duration::from_secs(seconds)), allowed, "{time} + {seconds} s");
    }
    assert!(Window::AUTHORITY.allows(at("22:54:59"), Duration::from_millis(999)));
    assert!(!Window::AUTHORITY.allows(at("22:54:59"), Duration::from_millis(1000)));
    assert!(!Window::AUTHORITY.allows(at("10:00:00"), Duration::MAX));
    assert!(!Window::AUTHORITY.allows(DateTime::<Utc>::MAX_UTC, Duration::from_secs(1)));
}

#[test]
fn an_hour_that_is_skipped_has_no_window_and_one_that_comes_twice_has_two() {
    // 29 March 2026: 02:00 to 03:00 is skipped, at 01:00 UTC. 25 October 2026: 02:00 to 03:00 comes twice, to 01:00 UTC.
    let quarter = window("02:15-02:30");
    assert_eq!(quarter.next_start(utc("2026-03-28T12:00:00Z")), Some(utc("2026-03-30T00:15:00Z")));
    assert!(quarter.allows(utc("2026-03-28T12:00:00Z"), Duration::from_secs(36 * 3600)));
    let first = utc("2026-10-25T00:15:00Z");
    assert_eq!(quarter.next_start(utc("2026-10-24T12:00:00Z")), Some(first));
    assert_eq!(quarter.end_of(first), Some(utc("2026-10-25T00:30:00Z")));
    assert_eq!(quarter.next_start(first), Some(utc("2026-10-25T01:15:00Z")));
    assert_eq!(quarter.end_of(utc("2026-10-25T01:20:00Z")), Some(utc("2026-10-25T01:30:00Z")));
    assert_eq!(quarter.start_of(utc("2026-10-25T01:20:00Z")), Some(utc("2026-10-25T01:15:00Z")));
    // The clocks jump into a window, out of one, and back into one.
    let half = window("02:30-03:30");
    assert_eq!(half.next_start(utc("2026-03-29T00:00:00Z")), Some(utc("2026-03-29T01:00:00Z")));
    assert_eq!(half.end_of(utc("2026-03-29T01:00:00Z")), Some(utc("2026-03-29T01:30:00Z")));
    let before = window("01:30-02:30");
    assert_eq!(before.end_of(utc("2026-03-29T00:45:00Z")), Some(utc("2026-03-29T01:00:00Z")));
    assert_eq!(before.end_of(utc("2026-10-25T00:15:00Z")), Some(utc("2026-10-25T00:30:00Z")));
    assert_eq!(before.next_start(utc("2026-10-25T00:15:00Z")), Some(utc("2026-10-25T01:00:00Z")));
    assert_eq!(half.end_of(utc("2026-10-25T00:45:00Z")), Some(utc("2026-10-25T01:00:00Z")), "back to 02:00");
    // All day but an hour: each piece knows its own bounds.
    let long = window("12:00-11:00");
    assert_eq!(long.start_of(utc("2026-10-25T09:59:59Z")), Some(utc("2026-10-24T10:00:00Z")));
    assert_eq!(long.end_of(utc("2026-10-24T10:00:00Z")), Some(utc("2026-10-25T10:00:00Z")));
}

#[test]
fn the_blackout_is_right_on_every_day_of_a_hundred_and_thirty_years() {
    let mut day = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    while day.year() < 2100 {
        for hour in [0, 12] {
            let at = day.and_hms_opt(hour, 0, 0).unwrap().and_utc();
            let start = Window::AUTHORITY.next_start(at).unwrap();
            let local = calendar::rome(start);
            assert_eq!((local.hour(), local.minute(), local.second()), (23, 55, 0), "{at}");
            assert!(start > at && start - at <= TimeDelta::hours(25), "{at}: {start}");
            assert_eq!(Window::AUTHORITY.end_of(start), Some(start + TimeDelta::minutes(5)), "{start}");
            if day.year() >= 1996 {
                assert_eq!(local, start.naive_utc() + TimeDelta::hours(offset_hours(start)), "{start}");
            }
        }
        day = day.succ_opt().unwrap();
    }
}

#[test]
fn local_times_and_instants_belong_to_each_other() {
    let local = |text: &str| text.parse::<NaiveDateTime>().unwrap();
    for (text, instant) in [
        ("2026-07-01T12:00:00", "2026-07-01T10:00:00Z"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"), // twice: the earlier
        ("2026-03-29T02:00:00", "2026-03-29T01:00:00Z"), // never: the first instant after it
        ("2026-03-29T02:30:00", "2026-03-29T01:00:00Z"),
        ("2026-03-29T02:59:59.5", "2026-03-29T01:00:00Z"),
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
        ("2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
    ] {
        assert_eq!(calendar::from_rome(local(text)), utc(instant), "{text}");
    }
    assert_eq!(calendar::fiscal_day(utc("2026-12-31T22:59:59Z")).to_string(), "2026-12-31");
    assert_eq!(calendar::fiscal_day(utc("2026-12-31T23:00:00Z")).to_string(), "2027-01-01");
    for extreme in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
        calendar::from_rome(extreme);
        calendar::rome(extreme.and_utc());
    }
}

#[test]
fn tax_free_deadlines_end_with_their_months() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    for (issued, exit, horizon) in [
        ("2020-06-18", "2020-09-30", "2020-11-30T23:00:00Z"),
        ("2026-11-30", "2027-02-28", "2027-04-30T22:00:00Z"),
        ("2027-11-01", "2028-02-29", "2028-04-30T22:00:00Z"),
        ("2026-10-31", "2027-01-31", "2027-03-31T22:00:00Z"),
        ("2026-01-01", "2026-04-30", "2026-06-30T22:00:00Z"),
        ("2026-05-31", "2026-08-31", "2026-10-31T23:00:00Z"),
    ] {
        assert_eq!(calendar::tax_free_last_exit(day(issued)), day(exit), "{issued}");
        assert_eq!(calendar::tax_free_horizon(day(issued)), utc(horizon), "{issued}");
    }
    calendar::tax_free_last_exit(NaiveDate::MAX);
    calendar::tax_free_horizon(NaiveDate::MAX);
}

#[test]
fn a_void_has_24_hours_less_a_margin_and_never_the_blackout() {
    let margin = Duration::from_secs(300);
    for (submitted, deadline) in [
        ("2026-01-15T10:00:00Z", "2026-01-16T09:55:00Z"),
        ("2026-01-15T22:59:59Z", "2026-01-16T22:54:59Z"),
        ("2026-01-15T23:00:00Z", "2026-01-16T22:54:00Z"), // 23:55 in Rome: a minute before it began
        ("2026-01-15T23:04:59Z", "2026-01-16T22:54:00Z"),
        ("2026-01-15T23:05:00Z", "2026-01-16T23:00:00Z"),
        ("2026-03-28T22:00:00Z", "2026-03-29T21:54:00Z"), // a day of 23 hours; 23:55 in summer time
    ] {
        assert_eq!(calendar::void_deadline(utc(submitted), margin, Window::AUTHORITY), utc(deadline), "{submitted}");
    }
    let at = utc("2026-01-15T23:00:00Z");
    assert_eq!(calendar::void_deadline(at, margin, Window::NONE), utc("2026-01-16T22:55:00Z"));
    assert_eq!(calendar::void_deadline(at, Duration::ZERO, Window::AUTHORITY), utc("2026-01-16T23:00:00Z"));
    assert_eq!(calendar::void_deadline(at, Duration::MAX, Window::AUTHORITY), at, "a margin is at most the whole day");
    calendar::void_deadline(DateTime::<Utc>::MAX_UTC, margin, Window::AUTHORITY);
}

#[test]
fn a_void_needs_a_sale_that_the_authority_has() {
    let allowed = |provider, status, age| calendar::void_allowed(provider, status, Duration::from_secs(age)).err();
    use ProviderKind::{Openapi, SmartReceipt};
    for (provider, status, age, refusal) in [
        (Openapi, "ready", 86_399, None),
        (Openapi, "submitted", 86_400, Some(VoidRefusal::Deadline)),
        (Openapi, "ready", u64::MAX, Some(VoidRefusal::Deadline)),
        (Openapi, "new", 86_400, Some(VoidRefusal::Deadline)),
        (Openapi, "retry", 60, Some(VoidRefusal::WaitParent)),
        (Openapi, "something new", 60, Some(VoidRefusal::WaitParent)),
        (Openapi, "failed", 86_400, Some(VoidRefusal::ParentFailed)),
        (Openapi, "voided", 86_400, Some(VoidRefusal::AlreadyVoided)),
        (SmartReceipt, "ready", 1_000_000, None),
        (SmartReceipt, "retry", 60, Some(VoidRefusal::WaitParent)),
        (SmartReceipt, "voided", 60, Some(VoidRefusal::AlreadyVoided)),
    ] {
        assert_eq!(allowed(provider, status, age), refusal, "{provider} {status} {age}");
    }
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    // Half of them within two days of a change of clocks, where mistakes live.
    let (from, to) = (utc("2020-01-01T00:00:00Z").timestamp(), utc("2040-12-31T00:00:00Z").timestamp());
    let anywhere = from..to;
    let near = (2020..2040i32, prop_oneof![Just(3u32), Just(10u32)], -172_800..172_800i64)
        .prop_map(|(year, month, off)| change_of_clocks(year, month).timestamp() + off);
    (prop_oneof![anywhere, near], 0..1000u32)
        .prop_map(|(second, millis)| DateTime::from_timestamp(second, millis * 1_000_000).unwrap())
}

fn any_window() -> impl Strategy<Value = Window> {
    // Minutes of the day, many of them around the hours of the changes and midnight.
    let minute = || prop_oneof![0..1440u32, 0..240u32, 1380..1440u32];
    (minute(), minute()).prop_filter("a window is not empty", |(from, until)| from != until).prop_map(
        |(from, until)| {
            let time = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
            window(&format!("{}-{}", time(from), time(until)))
        },
    )
}

/// Whether the window holds at this instant, by the rule of the European Union and plain arithmetic.
fn holds(window: Window, at: DateTime<Utc>) -> bool {
    let text = window.to_string();
    let minute = |text: &str| text[..2].parse::<i64>().unwrap() * 60 + text[3..5].parse::<i64>().unwrap();
    let (from, until) = (minute(&text[..5]), minute(&text[6..11]));
    let now = (at.timestamp() + offset_hours(at) * 3600).rem_euclid(86_400) / 60;
    if from < until { (from..until).contains(&now) } else { now >= from || now < until }
}

proptest! {
    #![proptest_config(super::cases(300))]

    #[test]
    fn a_window_is_what_romes_clocks_show(at in any_instant(), window in any_window()) {
        prop_assert_eq!(window.contains(at), holds(window, at));
        prop_assert_eq!(calendar::rome(at), at.naive_utc() + TimeDelta::hours(offset_hours(at)));
    }

    #[test]
    fn the_next_start_and_the_end_are_the_first_there_are(at in any_instant(), window in any_window()) {
        // Minute by minute: windows and changes of clocks lie on whole minutes.
        let minutes = || (1..=3 * 1440i64).map(|minute| {
            DateTime::from_timestamp((at.timestamp().div_euclid(60) + minute) * 60, 0).unwrap()
        });
        let mut inside = holds(window, at);
        let start = minutes().find(|minute| {
            let was = std::mem::replace(&mut inside, holds(window, *minute));
            inside && !was
        });
        prop_assert_eq!(window.next_start(at), start);
        let end = holds(window, at).then(|| minutes().find(|minute| !holds(window, *minute)).unwrap());
        prop_assert_eq!(window.end_of(at), end);
        match window.start_of(at) {
            None => prop_assert!(!holds(window, at)),
            Some(start) => {
                prop_assert!(start <= at && holds(window, start));
                prop_assert!(!holds(window, start - TimeDelta::nanoseconds(1)));
                prop_assert_eq!(window.end_of(start), window.end_of(at), "one and the same window");
            }
        }
    }

    #[test]
    fn allows_is_true_exactly_when_no_instant_lies_in_the_window(
        at in any_instant(), window in any_window(), seconds in prop_oneof![0..600u64, 0..200_000u64],
    ) {
        let last = at + TimeDelta::seconds(seconds as i64);
        let minutes = (1..=seconds / 60 + 1)
            .map(|minute| DateTime::from_timestamp((at.timestamp().div_euclid(60) + minute as i64) * 60, 0).unwrap())
            .filter(|minute| *minute <= last);
        let met = holds(window, at) || minutes.into_iter().any(|minute| holds(window, minute));
        prop_assert_eq!(window.allows(at, Duration::from_secs(seconds)), !met);
    }

    #[test]
    fn local_time_comes_back_except_in_the_hour_that_comes_twice(at in any_instant()) {
        let back = calendar::from_rome(calendar::rome(at));
        prop_assert!(back == at || back == at - TimeDelta::hours(1), "{} and {}", at, back);
        prop_assert_eq!(calendar::rome(back), calendar::rome(at));
    }
}
