//! The dispatcher against a scripted provider, with tokio's time paused: every promise of never twice, never stuck.

mod damage;
mod holds;
mod lanes;
mod order;
mod outage;
mod stopping;
mod told;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use staffetta::domain::check::Violation;
use staffetta::domain::outcome::*;
use staffetta::prelude::*;
use staffetta::provider::{BARE_BAD_REQUEST, Call, Claimed, Lost, Provider, Tracked};
use staffetta::testing::TestClock;
use staffetta::view::{DocumentView, ListFilter};
use std::collections::VecDeque;
use std::sync::Mutex;

use crate::support::patiently;
use crate::support::shop::{accounts, memory_queue};

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
    tracks: VecDeque<TrackOutcome>,
    seen: Vec<(DateTime<Utc>, String)>,
    number: u32,
    slow: Duration,
    at_once: usize,
    most_at_once: usize,
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
        Answer::without_http(inner.submits.pop_front().unwrap_or_else(|| SubmitOutcome::Accepted(remote(&id))))
    }
    async fn look_up(&self, lost: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        self.see(format!("look_up {}", lost.call.key));
        Answer::without_http(self.inner.lock().unwrap().look_ups.pop_front().unwrap_or(LookUpOutcome::NotFound))
    }
    async fn keep_fresh(&self) {
        self.see("keep_fresh".to_owned());
    }
    async fn clock_skew_ms(&self) -> Option<i64> {
        Some(self.skew())
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        self.see(format!("track {}", tracked.call.key));
        let told = self.inner.lock().unwrap().tracks.pop_front();
        Answer::without_http(told.unwrap_or_else(|| {
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
        }))
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
}

impl Bench {
    fn new(start: &str) -> Bench {
        let clock = Arc::new(TestClock::starting_at(start.parse().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let queue = memory_queue(folder.path(), clock.clone());
        let script = || Script::new(&clock);
        Bench { roma: script(), milano: script(), taxfree: script(), queue, dispatcher: None, folder, clock }
    }

    fn start(&mut self) {
        self.start_with(Settings { blackout_spread: Duration::ZERO, ..Settings::default() });
    }

    fn start_with(&mut self, settings: Settings) {
        let scripts = [&self.roma, &self.milano, &self.taxfree];
        let managed = accounts()
            .into_iter()
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

#[tokio::test(start_paused = true)]
async fn dispatch_adopts_what_a_look_up_finds_and_sends_once() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound, LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a"]);
    let view = bench.get("a");
    assert_eq!((view.state, view.remote.remote_id.as_deref()), (State::Registered, Some("r9")));
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_again_only_after_two_agreeing_look_ups_past_the_settle_time() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]);
    bench.start();
    bench.drained().await;
    let (sent, asked) = (bench.roma.seen("submit a"), bench.roma.seen("look_up a"));
    assert_eq!(sent.len(), 2);
    let counting: Vec<_> = asked.iter().filter(|at| **at - sent[0] >= TimeDelta::seconds(120)).collect();
    assert_eq!(counting.len(), 2, "two look-ups count: {asked:?} after {sent:?}");
    assert!(*counting[1] - *counting[0] >= TimeDelta::seconds(60), "the second confirms half a settle time later");
    assert!(sent[1] >= *counting[1]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_never_counts_a_failed_look_up_as_not_found() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let failed = || LookUpOutcome::Failed { why: "no line".to_owned(), retry_after: None };
    bench
        .roma
        .will_answer([unknown()])
        .will_find((0..6).map(|_| failed()))
        .will_find([LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a"]);
    assert_eq!(bench.get("a").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_what_a_look_up_cannot_tell_apart() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::Ambiguous(vec!["x".to_owned(), "y".to_owned()])]);
    bench.start();
    bench.drained().await;
    let view = bench.get("a");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("x, y"));
    assert_eq!(bench.get("b").state, State::Registered, "a held document does not block its lane");
    // Trying it again asks again, and never sends by itself.
    bench.roma.will_find([LookUpOutcome::Found(remote("x"))]);
    assert!(bench.queue.retry("a", "anna", "asked the provider").unwrap().done);
    bench.pass(Duration::from_secs(60)).await;
    assert_eq!(bench.get("a").state, State::Registered);
    assert_eq!(bench.roma.submitted(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_keeps_one_open_call_a_lane_and_lets_other_lanes_go_on() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.sell_at("m", "01234567897");
    bench.roma.will_answer([unknown()]);
    bench.start();
    bench.pass(Duration::from_secs(100)).await;
    assert_eq!(bench.roma.submitted(), ["a"], "b waits until the fate of a is known");
    assert_eq!(bench.get("m").state, State::Registered);
    bench.drained().await;
    assert_eq!(bench.get("b").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_never_takes_an_id_that_belongs_to_another_document() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("same")), SubmitOutcome::Accepted(remote("same"))]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("a").state, State::Registered);
    assert_eq!(bench.get("b").state, State::Held);
}

#[tokio::test(start_paused = true)]
async fn dispatch_probes_a_provider_that_is_down_with_one_request_at_a_time() {
    let mut bench = Bench::new(MORNING);
    for number in 0..40 {
        bench.sell(&format!("s{number}"));
    }
    bench.roma.will_answer((0..8).map(|_| not_sent()));
    bench.start();
    bench.pass(Duration::from_secs(60)).await;
    let early = bench.roma.seen("submit").len();
    assert!(early <= 6, "{early} requests in the first minute of an outage");
    bench.drained().await;
    let documents = bench.queue.list(&ListFilter::default()).unwrap();
    assert!(documents.iter().all(|document| document.state == State::Registered));
    let pauses: Vec<_> = bench.roma.seen("submit").windows(2).take(7).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= TimeDelta::milliseconds(2_400)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn dispatch_pauses_the_account_after_429_as_long_as_it_is_told() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    let wait = Some(Duration::from_secs(300));
    bench.roma.will_answer([SubmitOutcome::Deferred { why: "429".to_owned(), retry_after: wait, account: true }]);
    bench.start();
    bench.drained().await;
    let sent = bench.roma.seen("submit");
    assert!(sent[1] - sent[0] >= TimeDelta::seconds(300), "{sent:?}");
    assert_eq!(bench.get("a").attempts, 1, "a pause costs no attempt");
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_an_account_whose_credentials_are_refused_and_goes_on_after_release() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.sell_at("m", "01234567897");
    bench.roma.will_answer([hold(HoldScope::Account, HoldReason::Credentials)]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a"]);
    let view = bench.get("a");
    assert_eq!((view.state, view.attempts), (State::Queued, 0));
    assert!(view.reason.unwrap().contains("credentials"));
    assert_eq!(bench.get("m").state, State::Registered);
    let status = bench.queue.status().unwrap();
    assert!(status.needs_person);
    assert!(status.accounts.iter().any(|account| account.name == "shop-roma" && account.holds.len() == 1));
    assert!(bench.queue.release("shop-roma", None, "anna", "new password").unwrap().done);
    assert!(!bench.queue.release("shop-roma", None, "anna", "again").unwrap().done);
    bench.pass(Duration::from_secs(120)).await;
    assert_eq!(bench.get("b").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_one_vat_number_and_not_the_others() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([hold(HoldScope::FiscalId, HoldReason::UnknownFiscalId)]);
    bench.start();
    bench.drained().await;
    let holds = &bench.queue.status().unwrap().accounts[0].holds;
    assert_eq!(holds[0].fiscal_id.as_deref(), Some("12345678903"));
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_after_three_equal_refusals_in_a_row() {
    let mut bench = Bench::new(MORNING);
    for key in ["a", "b", "c", "d"] {
        bench.sell(key);
    }
    bench.roma.will_answer((0..3).map(|_| refused("EF0 'Provincia' non valido")));
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "b", "c"]);
    assert_eq!(bench.get("c").state, State::Refused);
    assert_eq!(bench.get("d").state, State::Queued);
}

#[tokio::test(start_paused = true)]
async fn dispatch_binds_a_return_late_and_sends_it_after_its_parent_is_registered() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.queue.enqueue("back", Return::of(Parent::Key("a".parse().unwrap())).line(0, 1)).unwrap();
    let pending = TrackOutcome::Pending(remote("r1"));
    bench.roma.will_tell([pending.clone(), pending]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "back"]);
    assert_eq!(bench.get("back").state, State::Registered);
    assert!(bench.roma.seen("submit back")[0] >= bench.roma.seen("track a")[2]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_the_children_of_a_refused_parent_with_that_reason() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.queue.enqueue("back", Return::of(Parent::Key("a".parse().unwrap())).line(0, 1)).unwrap();
    bench.roma.will_answer([refused("no such thing")]);
    bench.start();
    bench.drained().await;
    let view = bench.get("back");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("no such thing"));
}

#[tokio::test(start_paused = true)]
async fn dispatch_cancels_both_when_the_parent_of_a_void_never_left() {
    let bench = Bench::new(MORNING);
    bench.sell("a");
    bench.queue.enqueue("void", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    assert_eq!(bench.get("a").state, State::Cancelled);
    assert_eq!(bench.get("void").state, State::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_a_void_of_an_open_parent_only_when_its_fate_is_known() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound, LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.pass(Duration::from_secs(1)).await;
    assert_eq!(bench.get("a").state, State::InDoubt);
    bench.queue.enqueue("void", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    assert_eq!(bench.get("void").state, State::Queued);
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a", "void"]);
    assert_eq!(bench.get("void").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_never_starts_what_could_be_on_the_wire_in_the_blackout() {
    let mut bench = Bench::new("2026-11-20T22:54:10Z");
    bench.roma.takes(Duration::from_secs(29));
    for number in 0..5 {
        bench.sell(&format!("s{number}"));
    }
    bench.start();
    bench.drained().await;
    let midnight: DateTime<Utc> = "2026-11-20T23:00:00Z".parse().unwrap();
    let wall: DateTime<Utc> = "2026-11-20T22:55:00Z".parse().unwrap();
    let sent = bench.roma.seen("submit");
    assert_eq!(sent.iter().filter(|at| **at < wall).count(), 1, "{sent:?}");
    assert!(sent.iter().all(|at| *at + TimeDelta::seconds(29) < wall || *at >= midnight), "{sent:?}");
    let moved = bench.get("s4");
    assert!(
        moved.attention.iter().any(|attention| attention.what == "fiscal_day_moved"),
        "sold before midnight, sent after"
    );
    assert!(!bench.queue.status().unwrap().needs_person, "a moved day informs, it needs nobody");
}

#[tokio::test(start_paused = true)]
async fn dispatch_spreads_its_starts_after_the_blackout() {
    let mut bench = Bench::new("2026-11-20T22:56:00Z");
    bench.sell("a");
    bench.start_with(Settings { blackout_spread: Duration::from_secs(90), ..Settings::default() });
    bench.drained().await;
    let midnight: DateTime<Utc> = "2026-11-20T23:00:00Z".parse().unwrap();
    let late = bench.roma.seen("submit")[0] - midnight;
    assert!(late >= TimeDelta::zero() && late <= TimeDelta::seconds(92), "{late}");
}

#[tokio::test(start_paused = true)]
async fn dispatch_looks_up_in_the_blackout() {
    let mut bench = Bench::new("2026-11-20T22:54:00Z");
    bench.sell("a");
    bench.roma.takes(Duration::from_secs(20)).will_answer([unknown()]).will_find([LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!(bench.get("a").state, State::Registered, "look-ups and questions change nothing and are allowed");
}

#[tokio::test(start_paused = true)]
async fn dispatch_takes_a_bare_bad_request_for_unknown_once_and_then_for_a_refusal() {
    let mut bench = Bench::new(MORNING);
    bench.sell_at("m", "01234567897");
    bench.milano.will_answer([SubmitOutcome::Unknown { why: format!("{BARE_BAD_REQUEST} without violations") }]);
    bench.start();
    bench.drained().await;
    assert_eq!(bench.milano.submitted(), ["m"]);
    assert_eq!(bench.get("m").state, State::Refused);
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_what_the_provider_gave_up_with_the_authority_uncertain() {
    let mut bench = Bench::new(MORNING);
    bench.sell_at("m", "01234567897");
    let failed = TrackOutcome::Failed {
        certain: false,
        code: Some("500".to_owned()),
        message: "gave up".to_owned(),
        remote: remote("r1"),
    };
    bench.milano.will_tell([failed]);
    bench.start();
    bench.drained().await;
    let view = bench.get("m");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("Fatture e Corrispettivi"));
    assert!(bench.queue.resolve("m", Some("r1"), "anna", "found it").unwrap().done);
    bench.pass(Duration::from_secs(60)).await;
    assert_eq!(bench.get("m").state, State::Registered);
    assert_eq!(bench.milano.submitted(), ["m"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_keeps_to_the_requests_a_minute() {
    let mut bench = Bench::new(MORNING);
    for number in 0..10 {
        bench.sell(&format!("s{number}"));
    }
    let script = bench.roma.clone();
    let account = accounts().remove(0);
    let managed = Managed { requests_per_minute: 6, ..Managed::new(account, Arc::new(script)) };
    bench.dispatcher = Some(Dispatcher::start(&bench.queue, vec![managed]).unwrap());
    bench.drained().await;
    let mut all = [bench.roma.seen("submit"), bench.roma.seen("track")].concat();
    all.sort();
    for window in all.windows(7) {
        assert!(window[6] - window[0] >= TimeDelta::seconds(59), "{window:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_stops_gently_after_what_is_on_the_wire() {
    let mut bench = Bench::new(MORNING);
    bench.roma.takes(Duration::from_secs(20));
    bench.sell("a");
    bench.sell("b");
    bench.start();
    bench.pass(Duration::from_secs(5)).await;
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    assert_eq!(bench.get("a").state, State::Accepted);
    assert_eq!(bench.get("b").state, State::Queued);
}

#[tokio::test(start_paused = true)]
async fn dispatch_stopped_at_once_leaves_what_was_on_the_wire_in_doubt() {
    let mut bench = Bench::new(MORNING);
    bench.roma.takes(Duration::from_secs(20));
    bench.sell("a");
    bench.start();
    bench.pass(Duration::from_secs(5)).await;
    bench.dispatcher.take().unwrap().stop_now().await;
    assert_eq!(bench.get("a").state, State::InDoubt);
    bench.roma.will_find([LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.drained().await;
    assert_eq!((bench.get("a").state, bench.roma.submitted().len()), (State::Registered, 1));
}

#[tokio::test(start_paused = true)]
async fn dispatch_told_to_stop_at_once_is_not_slowed_down_by_a_later_word() {
    let mut bench = Bench::new(MORNING);
    bench.roma.takes(Duration::from_secs(20));
    bench.sell("a");
    bench.start();
    bench.pass(Duration::from_secs(5)).await;
    let dispatcher = bench.dispatcher.take().unwrap();
    dispatcher.ask_to_stop(true);
    dispatcher.stop().await.unwrap();
    assert_eq!(bench.get("a").state, State::InDoubt);
}

#[tokio::test(start_paused = true)]
async fn dispatch_is_not_stuck_by_a_clock_that_was_a_year_ahead() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.clock.set_wrong_by(TimeDelta::days(365));
    bench.roma.will_answer([not_sent()]);
    bench.start();
    bench.pass(Duration::from_secs(2)).await;
    bench.clock.set_wrong_by(TimeDelta::zero());
    bench.pass(Duration::from_secs(15 * 60)).await;
    assert_eq!(bench.get("a").state, State::Registered);
}

#[tokio::test(start_paused = true)]
async fn dispatch_asks_a_provider_for_the_time_when_the_clock_is_impossible() {
    // The clock stands at noon of 1970; in truth it is 23:57 in Rome.
    let mut bench = Bench::new("2026-11-20T22:57:00Z");
    bench.clock.set_wrong_by("1970-01-01T11:00:00Z".parse::<DateTime<Utc>>().unwrap() - bench.clock.true_time());
    bench.sell("a");
    bench.start();
    bench.drained().await;
    let midnight: DateTime<Utc> = "2026-11-20T23:00:00Z".parse().unwrap();
    assert!(bench.roma.seen("submit a")[0] >= midnight, "{:?}", bench.roma.seen("submit a"));
    let status = bench.queue.status().unwrap();
    assert!(status.attention.iter().any(|line| line.what.contains("1970-01-01")), "{:?}", status.attention);
}

#[tokio::test(start_paused = true)]
async fn dispatch_renews_tokens_early() {
    let mut bench = Bench::new(MORNING);
    bench.start();
    bench.pass(Duration::from_secs(3600)).await;
    let renewals = bench.milano.seen("keep_fresh").len();
    assert!((2..=14).contains(&renewals), "{renewals}");
}

#[tokio::test(start_paused = true)]
async fn dispatch_holds_a_void_whose_time_is_over() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.start();
    bench.drained().await;
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    bench.queue.enqueue("void", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    bench.pass(Duration::from_secs(25 * 3600)).await;
    bench.start();
    bench.drained().await;
    let view = bench.get("void");
    assert_eq!(view.state, State::Held);
    assert!(view.reason.unwrap().contains("use a return"));
    assert_eq!(bench.roma.submitted(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_a_lost_draft_again_and_a_lost_note_never() {
    use staffetta::domain::document::Note;
    use staffetta::domain::input::{DraftInput, DraftItemInput};
    let mut bench = Bench::new(MORNING);
    let item = DraftItemInput {
        item_code: None,
        description: "Borsa in pelle".to_owned(),
        quantity: "1".into(),
        unit_price_with_vat: "244".into(),
        vat_rate: "22".into(),
    };
    let draft =
        DraftInput { merchant_invoice_id: "F1".to_owned(), created_on: None, items: vec![item], discount: None };
    bench.queue.enqueue("d", draft).unwrap();
    bench
        .taxfree
        .will_answer([unknown()])
        .will_find([LookUpOutcome::CannotTell("no list".to_owned()), LookUpOutcome::CannotTell("no list".to_owned())]);
    bench.start();
    bench.pass(Duration::from_secs(600)).await;
    assert_eq!(bench.taxfree.submitted(), ["d", "d"]);
    bench.taxfree.will_answer([unknown()]);
    let note = NoteNumber::of(Parent::Key("d".parse().unwrap()), Note::CreditVat, "N1");
    bench.queue.enqueue("n", note).unwrap();
    bench.drained().await;
    assert_eq!(bench.taxfree.submitted(), ["d", "d", "n"], "{:?}", bench.queue.list(&ListFilter::default()));
    assert_eq!(bench.get("n").state, State::Held);
}
