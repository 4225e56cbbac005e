//! Nothing is submitted that could be on the wire in an account's window: for any instant of 2020 to 2040, any time-outs,
//! any window, by our clock and by the provider's. And outside of it all may be sent: a queue that never sends keeps
//! every window. What the windows are is asked of chrono-tz here, second by second, and of nobody else.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Europe::Rome;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use staffetta::clock::Clock;
use staffetta::dispatcher::Lane;
use staffetta::dispatcher::plan::{Action, Board, Candidate, Desk, GUARD, Step, may_start, next_start, plan};
use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::domain::id::DocId;
use staffetta::domain::outcome::*;
use staffetta::prelude::*;
use staffetta::provider::{Call, Claimed, Lost, Provider, Tracked};
use staffetta::queue::Options;
use staffetta::testing::{Sim, TestClock};

use crate::intake::cases;
use crate::support::patiently;

const DAY: u32 = 86_400;

/// Silence from one second of Rome's day to before another, once more and otherwise than in the program.
#[derive(Debug, Clone, Copy)]
struct Silence {
    from: u32,
    until: u32,
}

impl Silence {
    fn window(self) -> Window {
        let time = |second: u32| format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        format!("{}-{}", time(self.from), time(self.until)).parse().unwrap()
    }

    fn holds(self, at: DateTime<Utc>) -> bool {
        let shown = at.with_timezone(&Rome).num_seconds_from_midnight();
        (shown + DAY - self.from) % DAY < (self.until + DAY - self.from) % DAY
    }

    /// Whether it holds at any instant from one to the other, both included. It begins on a whole second, as does every
    /// change of the clocks: so it is enough to look at those and at the first instant.
    fn met(self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        let seconds = (from.timestamp() + 1..=to.timestamp()).filter_map(|second| DateTime::from_timestamp(second, 0));
        self.holds(from) || seconds.into_iter().any(|at| self.holds(at))
    }

    fn length(self) -> Duration {
        Duration::from_secs(((self.until + DAY - self.from) % DAY).into())
    }
}

/// One question to the plan.
#[derive(Debug, Clone)]
struct Moment {
    now: DateTime<Utc>,
    silence: Silence,
    connect: Duration,
    answer: Duration,
    skew: TimeDelta,
    spread: Duration,
    /// How long the intent takes to be written.
    delay: Duration,
}

impl Moment {
    fn wire(&self) -> Duration {
        self.connect + self.answer
    }

    fn desk(&self) -> Desk {
        Desk { clock_skew_ms: self.skew.num_milliseconds(), spread: self.spread, ..Desk::of(8, self.silence.window()) }
    }

    /// Whether a document is planned to be submitted now.
    fn planned(&self) -> bool {
        let account: staffetta::AccountName = "shop".parse().unwrap();
        let board = Board {
            free: 8,
            on_the_wire: self.wire(),
            desks: HashMap::from([(account.clone(), self.desk())]),
            busy: HashSet::new(),
        };
        let sale = Candidate {
            id: DocId(1),
            lane: Lane::Sales(ProviderKind::SmartReceipt, None),
            account,
            step: Step::Submit,
            deadline: None,
        };
        matches!(plan(self.now, board, vec![sale])[..], [Action::Submit(DocId(1), ..)])
    }

    /// Whether the gate lets it leave at this instant.
    fn leaves(&self, at: DateTime<Utc>) -> bool {
        may_start(at, &self.desk(), self.wire())
    }

    /// Whether a request that leaves at this instant could be on the wire in the window, by either clock.
    fn overlaps(&self, at: DateTime<Utc>) -> bool {
        [at, at + self.skew].into_iter().any(|at| self.silence.met(at, at + self.wire()))
    }

    /// Whether the window is near enough for the plan to keep a request back.
    fn near(&self, at: DateTime<Utc>) -> bool {
        let after = self.wire() + GUARD;
        self.silence.met(at - self.spread, at + after) || self.silence.met(at + self.skew, at + self.skew + after)
    }
}

/// The last Sunday of March and of October: clocks are changed.
fn is_change_of_clocks(day: NaiveDate) -> bool {
    matches!(day.month(), 3 | 10) && day.weekday() == Weekday::Sun && day.day() > 24
}

fn day() -> impl Strategy<Value = NaiveDate> {
    let any = (0..7_670u64).prop_map(|days| NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(days));
    let change = (2020..=2040, prop_oneof![Just(3), Just(10)], -1..=1i64).prop_map(|(year, month, off)| {
        let days = (25..=31).filter_map(|day| NaiveDate::from_ymd_opt(year, month, day));
        days.into_iter().find(|day| is_change_of_clocks(*day)).unwrap() + TimeDelta::days(off)
    });
    prop_oneof![any, change]
}

fn silence() -> impl Strategy<Value = Silence> {
    let second = || prop_oneof![0..DAY, (0..1440u32).prop_map(|minute| minute * 60), 3_000..11_000u32];
    let any = (second(), second()).prop_map(|(from, until)| Silence { from, until });
    let short = (second(), 1..1_200u32).prop_map(|(from, length)| Silence { from, until: (from + length) % DAY });
    // Around the hour that is skipped in March and comes twice in October.
    let night = (6_000..11_000u32, 1..4_000u32).prop_map(|(from, length)| Silence { from, until: from + length });
    prop_oneof![
        4 => Just(Silence { from: 86_100, until: 0 }),
        3 => Just(Silence { from: 85_800, until: 60 }),
        2 => any,
        3 => short,
        3 => night,
    ]
    .prop_filter("a window is not empty", |silence| silence.from != silence.until)
}

/// Where on its day a moment is.
#[derive(Debug, Clone, Copy)]
enum Place {
    Anywhere,
    WindowBegins,
    WindowEnds,
    /// 01:00 UTC, when clocks are changed if they are.
    Change,
}

fn moment() -> impl Strategy<Value = Moment> {
    let millis = |most: u64| (0..most).prop_map(Duration::from_millis);
    let connect = prop_oneof![4 => Just(Duration::from_secs(5)), 2 => millis(60_000)];
    let answer = prop_oneof![4 => Just(Duration::from_secs(30)), 4 => millis(120_000), 1 => millis(3_600_000)];
    let skew =
        prop_oneof![3 => Just(0), 3 => -2_000..2_000i64, 3 => -120_000..120_000i64, 1 => -7_200_000..7_200_000i64];
    let spread = prop_oneof![2 => Just(Duration::ZERO), 2 => millis(90_000)];
    let delay = prop_oneof![2 => Just(Duration::ZERO), 2 => millis(5_000), 1 => millis(600_000)];
    // Most of all around the window's two ends.
    let place = prop_oneof![
        2 => (Just(Place::Anywhere), 0..i64::from(DAY) * 1000),
        3 => (Just(Place::WindowBegins), -200_000..20_000i64),
        2 => (Just(Place::WindowEnds), -20_000..120_000i64),
        2 => (Just(Place::Change), -200_000..120_000i64),
    ];
    (day(), silence(), connect, answer, skew, spread, delay, place).prop_map(
        |(day, silence, connect, answer, skew, spread, delay, (place, millis))| {
            let midnight = day.and_hms_opt(0, 0, 0).unwrap();
            let shown = |second: u32| {
                let local = midnight + TimeDelta::seconds(second.into());
                // In an hour that is skipped, where it would have been.
                Rome.from_local_datetime(&local).latest().map_or(local.and_utc(), |at| at.to_utc())
            };
            let at = match place {
                Place::Anywhere => shown(0),
                Place::WindowBegins => shown(silence.from),
                Place::WindowEnds => shown(silence.until),
                Place::Change => midnight.and_utc() + TimeDelta::hours(1),
            };
            let skew = TimeDelta::milliseconds(skew);
            Moment { now: at + TimeDelta::milliseconds(millis), silence, connect, answer, skew, spread, delay }
        },
    )
}

/// Runs over many moments, and counts what the closure says has been seen.
fn each_moment(number: u32, check: impl Fn(&Moment, &mut dyn FnMut(&'static str)) -> Result<(), TestCaseError>) {
    let mut config = cases(number);
    config.source_file = Some(file!());
    let alone = config.cases < number;
    let seen = RefCell::new(BTreeMap::<&str, u32>::new());
    let result = TestRunner::new(config).run(&moment(), |moment| {
        let mut see = |what| *seen.borrow_mut().entry(what).or_default() += 1;
        check(&moment, &mut see)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    println!("{seen:?}");
    // A test that sees only one side proves nothing.
    assert!(alone || seen.values().all(|times| *times >= number / 50), "{seen:?}");
}

#[test]
fn blackout_is_never_met_by_what_the_plan_and_the_gate_let_go() {
    each_moment(6_000, |moment, see| {
        let (now, later) = (moment.now, moment.now + moment.delay);
        let planned = moment.planned();
        prop_assert!(!planned || !moment.overlaps(now), "planned, and it could be on the wire in the window");
        let leaves = planned && moment.leaves(later);
        prop_assert!(!leaves || !moment.overlaps(later), "it leaves, and could be on the wire in the window");
        see(match (planned, leaves) {
            (true, true) => "left",
            (true, false) => "stopped at the gate",
            (false, _) => "not planned",
        });
        if is_change_of_clocks(now.with_timezone(&Rome).date_naive()) {
            see(if leaves { "left on a day of change" } else { "kept on a day of change" });
        }
        Ok(())
    });
}

#[test]
fn blackout_keeps_nothing_back_outside_of_the_widened_window() {
    assert!(GUARD <= Duration::from_secs(5), "the widened window is little wider");
    each_moment(6_000, |moment, see| {
        if moment.near(moment.now) {
            see("near");
            return Ok(());
        }
        see("far");
        prop_assert!(moment.planned() && moment.leaves(moment.now), "nothing is in its way");
        let wake = next_start(moment.now, &moment.desk(), moment.wire());
        prop_assert_eq!(wake, None, "it may start now");
        Ok(())
    });
}

#[test]
fn blackout_ends_and_everything_is_woken_in_time() {
    const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(30); // Settings::longest_sleep
    each_moment(3_000, |moment, see| {
        let longest = moment.silence.length() + moment.wire() + moment.skew.abs().to_std().unwrap() + moment.spread;
        if longest > Duration::from_secs(10 * 3600) {
            return Ok(()); // may find no gap to slip through
        }
        let (mut now, mut steps) = (moment.now, 0);
        while !moment.leaves(now) {
            let wake = next_start(now, &moment.desk(), moment.wire());
            prop_assert!(wake.is_some() || !moment.skew.is_zero(), "by our clock the moment is known");
            let next = wake.unwrap_or(now + LOOK_AGAIN);
            prop_assert!(next > now, "time goes on");
            // A second late at most, so that no wake-up comes at once.
            let between = now + (next - now - TimeDelta::seconds(1)) / 2;
            let early = between > now && wake.is_some() && moment.leaves(between);
            prop_assert!(!early, "woken later than it could be, at {}", between);
            (now, steps) = (next, steps + 1);
            prop_assert!(steps < 4_000 && now - moment.now < TimeDelta::days(2), "it waits and waits");
        }
        see(if steps > 0 { "waited" } else { "at once" });
        Ok(())
    });
}

/// From the first byte to the last, by the till's clock.
type Span = (DateTime<Utc>, DateTime<Utc>);

/// A provider that takes as long as it may, and writes down when, by the till's clock.
struct Slow {
    clock: Arc<TestClock>,
    wire: Duration,
    seen: Arc<Mutex<Vec<Span>>>,
}

#[async_trait]
impl Provider for Slow {
    async fn submit(&self, _: &Call) -> Answer<SubmitOutcome> {
        let began = self.clock.now();
        tokio::time::sleep(self.wire).await;
        self.seen.lock().unwrap().push((began, self.clock.now()));
        let remote = Remote { remote_id: Some("r1".to_owned()), ..Remote::default() };
        Answer::without_http(SubmitOutcome::Registered(Box::new(remote)))
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        Answer::without_http(LookUpOutcome::NotFound)
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        Answer::without_http(TrackOutcome::Registered(Box::new(tracked.remote.clone())))
    }
}

/// Sells one thing near the window on a disk whose every flush takes so long; tells how often the gate kept it back.
async fn sell_on_a_slow_disk(silence: Silence, now: DateTime<Utc>, flush: Duration) -> usize {
    let clock = Arc::new(TestClock::starting_at(now));
    let disk = Sim::default();
    let journal =
        staffetta::journal::Options { files: Arc::new(disk.clone()), index_in_memory: true, ..Default::default() };
    let account = Account {
        name: "shop".parse().unwrap(),
        provider: ProviderKind::SmartReceipt,
        fiscal_ids: vec!["12345678903".parse().unwrap()],
        blackout: silence.window(),
    };
    let options = Options { clock: clock.clone(), accounts: vec![account.clone()], journal };
    let queue = Queue::open_with("/till/journal", options).unwrap();
    let sale = Receipt::new("12345678903".parse().unwrap())
        .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten))
        .cash("1.20".parse().unwrap());
    queue.enqueue("a", sale.build().unwrap()).unwrap();
    let (behind, late) = (clock.clone(), Mutex::new(TimeDelta::zero()));
    disk.on_flush(move || {
        let mut late = late.lock().unwrap();
        *late += TimeDelta::from_std(flush).unwrap();
        behind.set_wrong_by(*late);
    });
    let settings = Settings { blackout_spread: Duration::ZERO, ..Settings::default() };
    let (wire, seen) = (settings.on_the_wire(), Arc::default());
    let provider = Slow { clock: clock.clone(), wire, seen: Arc::clone(&seen) };
    let dispatcher = Dispatcher::start_with(&queue, vec![Managed::new(account, Arc::new(provider))], settings).unwrap();
    assert!(patiently(TimeDelta::days(1), dispatcher.drained()).await, "it drains");
    let sent = seen.lock().unwrap().clone();
    assert_eq!(sent.len(), 1, "sent once");
    for (began, ended) in sent {
        assert!(!silence.met(began, ended), "from {began} to {ended} in {silence:?}");
    }
    dispatcher.stop().await.unwrap();
    queue.get("a").unwrap().events.iter().filter(|event| event.event == "not_sent").count()
}

/// The intent is written before the request leaves, and that takes time: what was far enough may be too near then.
#[test]
fn blackout_is_looked_at_again_where_the_request_starts() {
    let begins: DateTime<Utc> = "2026-10-24T21:55:00Z".parse().unwrap(); // the night of a change
    let (mut at_once, mut kept) = (0, 0);
    for before in [36, 37, 38, 40, 45, 60, 75, 100] {
        for flush in [0, 1, 4, 9, 30, 70] {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            let (now, flush) = (begins - TimeDelta::seconds(before), Duration::from_secs(flush));
            let times = runtime.block_on(sell_on_a_slow_disk(Silence { from: 86_100, until: 0 }, now, flush));
            if times > 0 { kept += 1 } else { at_once += 1 }
        }
    }
    assert!(kept >= 10 && at_once >= 10, "{kept} kept at the gate, {at_once} not");
}
