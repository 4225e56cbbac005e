//! The dispatcher against a scripted provider, with tokio's time paused: every promise of never twice, never stuck.

mod clocks;
mod damage;
mod doubt;
mod elsewhere;
mod family;
mod holds;
mod lanes;
mod order;
mod outage;
mod questions;
mod room;
mod routes;
mod standing;
mod stopping;
mod times;
mod told;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use staffetta::domain::account::Account;
use staffetta::domain::check::Violation;
use staffetta::domain::outcome::*;
use staffetta::prelude::*;
use staffetta::provider::{BARE_BAD_REQUEST, Call, Claimed, Lost, OTHERS_ANSWER, Provider, Tracked};
use staffetta::testing::TestClock;
use staffetta::view::{DocumentView, ListFilter};
use std::collections::VecDeque;
use std::sync::Mutex;

use crate::support::patiently;
use crate::support::shop::{accounts, memory_queue, memory_queue_of};

const MORNING: &str = "2026-11-20T08:00:00Z";

/// Answers what it was told, in order; then says yes.
#[derive(Clone)]
struct Script {
    clock: Arc<TestClock>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    submits: VecDeque<SubmitOutcome>,
    look_ups: VecDeque<LookUpOutcome>,
    /// How often it does not say what time it is, and how long that takes.
    timeless: (u32, Duration),
    tracks: VecDeque<TrackOutcome>,
    standings: VecDeque<Answer<StandingOutcome>>,
    seen: Vec<(DateTime<Utc>, String)>,
    number: u32,
    slow: Duration,
    slow_look: Duration,
    at_once: usize,
    most_at_once: usize,
    /// It tells what time it is with each answer, and lists what it was sent.
    remembers: bool,
}

impl Script {
    fn new(clock: &Arc<TestClock>) -> Script {
        Script { clock: Arc::clone(clock), inner: Arc::default() }
    }
    fn will_answer(&self, outcomes: impl IntoIterator<Item = SubmitOutcome>) -> &Script {
        self.inner.lock().unwrap().submits.extend(outcomes);
        self
    }
    fn will_find(&self, outcomes: impl IntoIterator<Item = LookUpOutcome>) -> &Script {
        self.inner.lock().unwrap().look_ups.extend(outcomes);
        self
    }
    fn will_tell(&self, outcomes: impl IntoIterator<Item = TrackOutcome>) -> &Script {
        self.inner.lock().unwrap().tracks.extend(outcomes);
        self
    }
    /// What there is about the parent of a correction.
    fn will_have(&self, answers: impl IntoIterator<Item = Answer<StandingOutcome>>) -> &Script {
        self.inner.lock().unwrap().standings.extend(answers);
        self
    }
    /// From now on it tells what time it is with each answer, and lists what it was sent by that time.
    fn remembers(&self) -> &Script {
        self.inner.lock().unwrap().remembers = true;
        self
    }
    fn look(&self, lost: &Lost) -> (Answer<LookUpOutcome>, Duration) {
        let arrived = self.seen(&format!("submit {}", lost.call.key));
        let mut inner = self.inner.lock().unwrap();
        let by_theirs = |at: DateTime<Utc>| at + TimeDelta::milliseconds(lost.clock_skew_ms);
        let window = by_theirs(lost.sent_at) - TimeDelta::seconds(5)..by_theirs(lost.ended_at) + lost.settle;
        let listed = inner.remembers && arrived.iter().any(|at| window.contains(at));
        let outcome = match inner.look_ups.pop_front() {
            Some(outcome) => outcome,
            None if listed => LookUpOutcome::Found(remote("listed")),
            None => LookUpOutcome::NotFound,
        };
        let answered = inner.remembers && !matches!(outcome, LookUpOutcome::Failed { .. });
        let clock_skew_ms = answered.then(|| self.skew());
        let status = match &outcome {
            LookUpOutcome::Failed { why, .. } => why.strip_prefix("HTTP ").and_then(|status| status.parse().ok()),
            _ => None,
        };
        (Answer { outcome, status, clock_skew_ms }, inner.slow_look)
    }
    fn looks_for(&self, slow: Duration) -> &Script {
        self.inner.lock().unwrap().slow_look = slow;
        self
    }
    fn takes(&self, slow: Duration) -> &Script {
        self.inner.lock().unwrap().slow = slow;
        self
    }
    fn see(&self, what: String) {
        let at = self.clock.true_time();
        self.inner.lock().unwrap().seen.push((at, what));
    }
    fn seen(&self, what: &str) -> Vec<DateTime<Utc>> {
        self.inner.lock().unwrap().seen.iter().filter(|(_, seen)| seen.starts_with(what)).map(|(at, _)| *at).collect()
    }
    fn submitted(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        inner.seen.iter().filter_map(|(_, seen)| seen.strip_prefix("submit ").map(str::to_owned)).collect()
    }
}

fn remote(id: &str) -> Box<Remote> {
    Box::new(Remote { remote_id: Some(id.to_owned()), status: Some("new".to_owned()), ..Remote::default() })
}

#[async_trait]
impl Provider for Script {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.see(format!("submit {}", call.key));
        let slow = {
            let mut inner = self.inner.lock().unwrap();
            inner.at_once += 1;
            inner.most_at_once = inner.most_at_once.max(inner.at_once);
            inner.slow
        };
        tokio::time::sleep(slow).await;
        let mut inner = self.inner.lock().unwrap();
        inner.at_once -= 1;
        inner.number += 1;
        let id = format!("r{}", inner.number);
        let outcome = inner.submits.pop_front().unwrap_or_else(|| SubmitOutcome::Accepted(remote(&id)));
        let answered = inner.remembers && !matches!(outcome, SubmitOutcome::Unknown { .. });
        Answer { clock_skew_ms: answered.then(|| self.skew()), ..Answer::without_http(outcome) }
    }
    async fn standing(&self, call: &Call) -> Answer<StandingOutcome> {
        let told = self.inner.lock().unwrap().standings.pop_front();
        let Some(told) = told else { return Answer::without_http(StandingOutcome::Untold) };
        self.see(format!("standing {}", call.key));
        let slow = self.inner.lock().unwrap().slow_look;
        tokio::time::sleep(slow).await;
        told
    }
    async fn look_up(&self, lost: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        self.see(format!("look_up {}", lost.call.key));
        let (answer, slow) = self.look(lost);
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        answer
    }
    async fn keep_fresh(&self) {
        self.see("keep_fresh".to_owned());
    }
    async fn clock_skew_ms(&self) -> Option<i64> {
        self.see("time".to_owned());
        let (times, slow) = self.inner.lock().unwrap().timeless;
        if times == 0 {
            return Some(self.skew());
        }
        tokio::time::sleep(slow).await;
        self.inner.lock().unwrap().timeless.0 -= 1;
        None
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        self.see(format!("track {}", tracked.call.key));
        let told = self.inner.lock().unwrap().tracks.pop_front();
        let status = match &told {
            Some(TrackOutcome::Unreadable { why, .. }) => {
                why.strip_prefix("HTTP ").and_then(|status| status.parse().ok())
            }
            _ => None,
        };
        let outcome = told.unwrap_or_else(|| {
            let mut remote = tracked.remote.clone();
            remote.status = Some("ready".to_owned());
            remote.document_number = Some("DCW2026/1".to_owned());
            if let staffetta::domain::document::Body::Receipt(receipt) = &tracked.call.body {
                remote.items = (0..receipt.items.len())
                    .map(|line| RemoteItem {
                        id: format!("item-{line}"),
                        description: receipt.items[line].description.clone(),
                        quantity: receipt.items[line].quantity.to_string(),
                        ..RemoteItem::default()
                    })
                    .collect();
            }
            TrackOutcome::Registered(Box::new(remote))
        });
        Answer { status, ..Answer::without_http(outcome) }
    }
}

impl Script {
    /// The provider's clock minus the till's.
    fn skew(&self) -> i64 {
        use staffetta::clock::Clock;
        (self.clock.true_time() - self.clock.now()).num_milliseconds()
    }
}

struct Bench {
    clock: Arc<TestClock>,
    roma: Script,
    milano: Script,
    taxfree: Script,
    queue: Queue,
    dispatcher: Option<Dispatcher>,
    folder: tempfile::TempDir,
    accounts: Vec<Account>,
}

impl Bench {
    fn new(start: &str) -> Bench {
        Bench::of(start, accounts())
    }

    /// With other accounts, by the same names.
    fn of(start: &str, accounts: Vec<Account>) -> Bench {
        let clock = Arc::new(TestClock::starting_at(start.parse().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let queue = memory_queue_of(folder.path(), clock.clone(), accounts.clone());
        let script = || Script::new(&clock);
        Bench { roma: script(), milano: script(), taxfree: script(), queue, dispatcher: None, folder, clock, accounts }
    }

    fn start(&mut self) {
        self.start_with(Settings { blackout_spread: Duration::ZERO, ..Settings::default() });
    }

    fn start_with(&mut self, settings: Settings) {
        let scripts = [&self.roma, &self.milano, &self.taxfree];
        let managed = self
            .accounts
            .iter()
            .cloned()
            .zip(scripts)
            .map(|(account, script)| Managed::new(account, Arc::new(script.clone())));
        self.dispatcher = Some(Dispatcher::start_with(&self.queue, managed.collect(), settings).unwrap());
    }

    fn sell(&self, key: &str) {
        self.sell_at(key, "12345678903");
    }

    fn sell_at(&self, key: &str, issuer: &str) {
        let sale = Receipt::new(issuer.parse().unwrap())
            .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten).quantity(2))
            .cash("2.40".parse().unwrap());
        self.queue.enqueue(key, sale.build().unwrap()).unwrap();
    }

    async fn drained(&self) {
        if !patiently(TimeDelta::days(3), self.dispatcher.as_ref().unwrap().drained()).await {
            panic!("it drains: {:#?}", self.queue.list(&ListFilter::default()));
        }
    }

    async fn pass(&self, time: Duration) {
        patiently(TimeDelta::from_std(time).unwrap(), std::future::pending::<()>()).await;
    }

    fn get(&self, key: &str) -> DocumentView {
        self.queue.get(key).unwrap()
    }

    /// The names of what a person should see of it: `show` and `status` say the same.
    fn asks(&self, key: &str) -> Vec<String> {
        let shown: Vec<_> = self.get(key).attention.into_iter().map(|one| (one.what, one.why)).collect();
        let lines = self.queue.status().unwrap().attention.into_iter().filter(|line| line.key.as_deref() == Some(key));
        assert_eq!(shown, lines.map(|line| (line.what, line.why)).collect::<Vec<_>>(), "{key}");
        shown.into_iter().map(|(what, _)| what).collect()
    }

    fn events(&self, key: &str) -> Vec<String> {
        self.get(key).events.into_iter().map(|event| event.event).collect()
    }
}

fn unknown() -> SubmitOutcome {
    SubmitOutcome::Unknown { why: "no answer".to_owned() }
}
fn not_sent() -> SubmitOutcome {
    SubmitOutcome::NotSent { why: "connection refused".to_owned() }
}
fn refused(message: &str) -> SubmitOutcome {
    let violation = Violation { property_path: String::new(), message: message.to_owned() };
    SubmitOutcome::Refused(Refusal { code: None, message: message.to_owned(), violations: vec![violation] })
}
fn hold(scope: HoldScope, reason: HoldReason) -> SubmitOutcome {
    SubmitOutcome::Hold(HoldAnswer { scope, reason, detail: "no".to_owned() })
}

#[tokio::test(start_paused = true)]
async fn dispatch_writes_the_intent_before_and_the_outcome_after() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.start();
    bench.drained().await;
    assert_eq!(bench.events("a"), ["enqueued", "sending", "accepted", "registered"]);
    let view = bench.get("a");
    assert_eq!((view.state, view.attempts), (State::Registered, 1));
    assert_eq!(view.remote.document_number.as_deref(), Some("DCW2026/1"));
}
