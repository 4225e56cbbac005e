//! What `status` and the reasons say of work that cannot move: until when, and who must do something.

use super::*;
use staffetta::queue::Options;

fn due(bench: &Bench) -> Option<DateTime<Utc>> {
    bench.queue.status().unwrap().next_due
}

fn reason(bench: &Bench, key: &str) -> String {
    bench.get(key).reason.unwrap()
}

const MIDNIGHT: &str = "2026-11-20T23:00:00Z";

/// Shortly before the blackout nothing is sent that could still be on the wire when it begins: by the default time-outs
/// from 23:54:23 on.
#[tokio::test(start_paused = true)]
async fn dispatch_says_that_it_waits_for_the_blackout_from_the_moment_it_does() {
    for (now, waits, guarded) in [
        ("2026-11-20T22:54:22Z", false, false),
        ("2026-11-20T22:54:23Z", true, true),
        ("2026-11-20T22:54:59Z", true, true),
        ("2026-11-20T22:55:00Z", true, false),
        (MIDNIGHT, false, false),
    ] {
        let bench = Bench::new(now);
        bench.sell("a");
        let said = reason(&bench, "a");
        assert_eq!(said.contains("the end of the blackout at 21/11/2026 00:00:00"), waits, "{now}: {said}");
        assert_eq!(said.contains("on the wire"), guarded, "{now}: {said}");
        let expected = if waits { MIDNIGHT } else { now };
        assert_eq!(due(&bench), Some(expected.parse().unwrap()), "{now}");
    }
}

#[tokio::test(start_paused = true)]
async fn dispatch_says_so_by_other_time_outs_too() {
    let bench = Bench::new("2026-11-20T22:54:00Z");
    bench.sell("a");
    assert_eq!(reason(&bench, "a"), "to be sent");
    bench.queue.set_guard(Duration::from_secs(60));
    assert!(reason(&bench, "a").contains("on the wire"));
    assert_eq!(due(&bench), Some(MIDNIGHT.parse().unwrap()));
}

/// The guard that a queue assumes by itself is the one that a dispatcher keeps by default.
#[tokio::test(start_paused = true)]
async fn dispatch_sends_by_default_exactly_while_no_blackout_is_said_to_be_waited_for() {
    for (now, sent) in [("2026-11-20T22:54:22Z", 1), ("2026-11-20T22:54:23Z", 0)] {
        let mut bench = Bench::new(now);
        bench.sell("a");
        assert_eq!(reason(&bench, "a") == "to be sent", sent == 1, "{now}");
        bench.start();
        bench.pass(Duration::from_millis(500)).await;
        assert_eq!(bench.roma.submitted().len(), sent, "{now}");
    }
}

/// What is held is due when somebody releases it, which nobody knows; what the provider has is still asked about.
#[tokio::test(start_paused = true)]
async fn dispatch_is_due_for_nothing_that_is_held() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    bench.roma.will_answer([hold(HoldScope::Account, HoldReason::Credentials)]);
    bench.start();
    bench.drained().await;
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    let status = bench.queue.status().unwrap();
    assert_eq!((status.next_due, status.needs_person), (None, true), "{status:?}");
    assert_eq!((status.attention[0].what.as_str(), status.attention[0].key.as_deref()), ("held", None));
    assert!(status.attention[0].why.starts_with("credentials ("), "{status:?}");
    bench.sell_at("m", "01234567897");
    assert_eq!(due(&bench), Some(bench.clock.true_time()));
    assert!(bench.queue.release("shop-roma", None, "anna", "new password").unwrap().done);
    assert_eq!(due(&bench), Some(bench.clock.true_time()));
}

/// Timers of what cannot move are passed over.
#[tokio::test(start_paused = true)]
async fn dispatch_is_due_for_no_timer_that_cannot_move() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.sell("b");
    let pending = || TrackOutcome::Pending(remote("r1"));
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("r1")), hold(HoldScope::Account, HoldReason::Credentials)]);
    bench.roma.will_tell((0..9).map(|_| pending()));
    bench.start();
    bench.pass(Duration::from_secs(30)).await;
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    assert_eq!((bench.get("a").state, bench.get("b").state), (State::Accepted, State::Queued));
    assert_eq!(due(&bench), None, "refused credentials: it cannot be asked about either");
    assert!(bench.queue.release("shop-roma", None, "anna", "new password").unwrap().done);
    assert_eq!(due(&bench), Some(bench.clock.true_time()));
}

/// Documents of an account that left the configuration: a person hears of them, once an account, and what to do.
#[tokio::test(start_paused = true)]
async fn dispatch_names_what_waits_for_an_account_that_is_gone() {
    let mut bench = Bench::new(MORNING);
    ["had", "lost", "a", "b"].into_iter().for_each(|key| bench.sell(key));
    bench.roma.will_answer([SubmitOutcome::Accepted(remote("r1")), unknown()]);
    bench.roma.will_tell((0..99).map(|_| TrackOutcome::Pending(remote("r1"))));
    bench.roma.will_find((0..99).map(|_| LookUpOutcome::Failed { why: "no line".into(), retry_after: None }));
    bench.start();
    bench.pass(Duration::from_secs(60)).await;
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    let states = ["had", "lost", "a", "b"].map(|key| bench.get(key).state);
    assert_eq!(states, [State::Accepted, State::InDoubt, State::Queued, State::Queued]);
    assert!(!bench.queue.status().unwrap().needs_person);

    let rest: Vec<_> = accounts().into_iter().filter(|account| account.name.as_str() != "shop-roma").collect();
    bench.reopen(rest);
    let status = bench.queue.status().unwrap();
    assert_eq!((status.needs_person, status.next_due), (true, None), "{status:?}");
    let [line] = status.attention.as_slice() else { panic!("{status:?}") };
    assert_eq!((line.what.as_str(), line.account.as_deref(), &line.key), ("account_missing", Some("shop-roma"), &None));
    assert!(line.why.contains("4 of its documents"), "{line:?}");
    assert_eq!(
        reason(&bench, "a"),
        "its account shop-roma is not in the configuration: add it again, or cancel the document"
    );
    assert!(reason(&bench, "had").contains("shop-roma is not in the configuration: add it again"));
    let lost = reason(&bench, "lost");
    assert!(lost.contains("shop-roma is not in the configuration") && lost.contains("resolve"), "{lost}");

    // Who names no accounts at all, as who only takes documents may, hears of none that is missing.
    bench.reopen(Vec::new());
    let status = bench.queue.status().unwrap();
    assert_eq!((status.needs_person, status.attention.len()), (false, 0), "{status:?}");
    assert!(status.next_due.is_some());
    assert_eq!(reason(&bench, "a"), "to be sent");

    bench.reopen(accounts());
    assert!(!bench.queue.status().unwrap().needs_person);
}

impl Bench {
    /// The same journal with other accounts in the configuration.
    fn reopen(&mut self, accounts: Vec<staffetta::domain::account::Account>) {
        self.queue.close().unwrap();
        let journal = staffetta::journal::Options { index_in_memory: true, ..Default::default() };
        let options = Options { clock: Arc::clone(&self.clock) as Arc<dyn staffetta::clock::Clock>, accounts, journal };
        self.queue = Queue::open_with(self.folder.path(), options).unwrap();
    }
}

/// What is about a draft waits for its merchant as the draft does: nothing more can be done without a person.
#[tokio::test(start_paused = true)]
async fn a_number_behind_a_draft_that_waits_for_its_merchant_ends_a_drain() {
    let mut bench = Bench::new(MORNING);
    for text in [
        r#"{"key":"d","kind":"draft","body":{"merchant_invoice_id":"TF-1","items":[{"description":"Borsa","quantity":1,"unit_price_with_vat":610,"vat_rate":22}]}}"#,
        r#"{"key":"n","kind":"note_number","parent":"d","body":{"note":"debit_vat","number":"N-1"}}"#,
    ] {
        bench.queue.take(staffetta::domain::line::parse(text.as_bytes()).unwrap()).unwrap();
    }
    let not_yet = |_| SubmitOutcome::Deferred { why: "101".to_owned(), retry_after: None, account: false };
    bench.taxfree.will_answer(std::iter::once(SubmitOutcome::Accepted(remote("r1"))).chain((0..100).map(not_yet)));
    bench.taxfree.will_tell((0..1_000).map(|_| TrackOutcome::Pending(remote("r1"))));
    let began = staffetta::clock::Clock::now(&*bench.clock);
    bench.start();
    bench.drained().await;
    assert!(
        staffetta::clock::Clock::now(&*bench.clock) - began < TimeDelta::hours(1),
        "after {}",
        staffetta::clock::Clock::now(&*bench.clock) - began
    );
    assert_eq!((bench.get("d").state, bench.get("n").state), (State::Accepted, State::Queued));
}

/// A state that asks for a person is named by `show` as by `status`, before what was raised.
#[tokio::test(start_paused = true)]
async fn dispatch_says_of_a_document_what_status_says_of_it() {
    let mut bench = Bench::new(MORNING);
    bench.sell("no");
    let back = Return::of(staffetta::Parent::Key("no".parse().unwrap())).line(0, 1);
    bench.queue.enqueue("back", back).unwrap();
    bench.roma.will_answer([refused("items: no")]);
    bench.start();
    bench.drained().await;
    assert_eq!((bench.asks("no"), bench.asks("back")), (vec!["refused".to_owned()], vec!["held".to_owned()]));
    assert_eq!(bench.get("no").attention[0].why, reason(&bench, "no"));
}

/// What was taken while its parent was alive is told the truth when that is gone, before anybody has looked at it.
#[tokio::test(start_paused = true)]
async fn dispatch_will_not_send_what_corrects_a_cancelled_sale_and_says_so() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    let back = Return::of(staffetta::Parent::Key("a".parse().unwrap())).line(0, 1);
    bench.queue.enqueue("b", back).unwrap();
    assert!(reason(&bench, "b").contains("waits for its parent a"));
    assert!(bench.queue.cancel("a", "anna", "first line\nsecond line").unwrap().done);
    assert_eq!(reason(&bench, "a"), "first line; second line (anna)");
    let said = reason(&bench, "b");
    assert!(said.contains("its parent a is cancelled: it will not be sent"), "{said}");
    bench.start();
    bench.drained().await;
    assert_eq!((bench.get("b").state, bench.roma.submitted().len()), (State::Held, 0));
    let held = bench.get("b");
    assert!(!held.reason.unwrap().contains('\n') && !held.attention[0].why.contains('\n'));
    assert_eq!(bench.asks("b"), ["held"]);
}
