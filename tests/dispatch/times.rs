//! Blackout, deadlines, clocks that are wrong, and how often a provider may be asked.

use super::*;

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
    let status = bench.queue.status().unwrap();
    assert!(!status.needs_person, "a moved day informs, it needs nobody");
    assert!(status.attention.iter().any(|line| line.what == "fiscal_day_moved"), "{status:?}");
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
    assert!(
        status.attention.iter().any(|line| line.what == "clock_wrong" && line.why.contains("1970-01-01")),
        "{:?}",
        status.attention
    );
}

/// The line is not up yet when a till without a battery starts: nothing is sent before its provider has said what time it
/// is, which is asked again; others do not wait for that.
#[tokio::test(start_paused = true)]
async fn dispatch_asks_for_the_time_until_it_is_told_and_makes_nobody_else_wait() {
    let mut bench = Bench::new(MORNING);
    let morning = bench.clock.true_time();
    bench.clock.set_wrong_by("1970-01-01T11:00:00Z".parse::<DateTime<Utc>>().unwrap() - morning);
    bench.roma.inner.lock().unwrap().timeless = (4, Duration::from_secs(35));
    bench.sell("a");
    bench.sell_at("b", "01234567897");
    bench.start();
    bench.drained().await;
    let (asked, sent) = (bench.roma.seen("time"), bench.roma.seen("submit a"));
    assert_eq!(asked.len(), 5, "{asked:?}");
    assert!(sent.len() == 1 && sent[0] >= asked[4], "{sent:?} {asked:?}");
    assert!(asked.windows(2).all(|two| two[1] - two[0] > TimeDelta::seconds(36)), "with pauses: {asked:?}");
    assert!(bench.milano.seen("submit b")[0] - morning < TimeDelta::seconds(2), "{:?}", bench.milano.seen("submit"));
}

#[tokio::test(start_paused = true)]
async fn dispatch_told_to_stop_does_not_wait_for_the_time() {
    let mut bench = Bench::new(MORNING);
    bench.clock.set_wrong_by("1970-01-01T11:00:00Z".parse::<DateTime<Utc>>().unwrap() - bench.clock.true_time());
    bench.roma.inner.lock().unwrap().timeless = (u32::MAX, Duration::from_secs(35));
    bench.sell("a");
    bench.start();
    bench.pass(Duration::from_secs(1)).await;
    let before = bench.clock.true_time();
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    assert!(bench.clock.true_time() - before < TimeDelta::seconds(1));
    bench.start();
    bench.pass(Duration::from_secs(3600)).await;
    assert_eq!(bench.roma.submitted(), [""; 0]);
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
    assert!(view.reason.unwrap().contains("cancel this void, then use a return"));
    let refused = bench.queue.retry("void", "anna", "please").unwrap();
    assert!(!refused.done && refused.why.contains("cancel this void, then use a return"), "{refused:?}");
    assert_eq!((refused.state, bench.get("void").events.len()), (Some(State::Held), view.events.len()));
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["a"]);
    // It was our clock that was ahead: by the right time there still is some.
    bench.clock.set_wrong_by(TimeDelta::hours(-25));
    assert!(bench.queue.retry("void", "anna", "the clock was wrong").unwrap().done);
    bench.drained().await;
    assert_eq!(bench.get("void").state, State::Registered);
    assert_eq!(bench.roma.submitted(), ["a", "void"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_sends_no_void_again_whose_time_is_over() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.start();
    bench.drained().await;
    bench.roma.will_answer([unknown()]);
    bench.roma.will_find((0..99).map(|_| LookUpOutcome::Failed { why: "no line".to_owned(), retry_after: None }));
    bench.queue.enqueue("void", Void::of(Parent::Key("a".parse().unwrap()))).unwrap();
    bench.pass(Duration::from_secs(3600)).await;
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    assert_eq!(bench.get("void").state, State::InDoubt);
    bench.pass(Duration::from_secs(25 * 3600)).await;
    // What may have left is looked up all the same.
    assert!(bench.queue.retry("void", "anna", "please").unwrap().done);
    let found = bench.queue.resolve("void", None, "anna", "the portal does not show it").unwrap();
    assert!(found.done && found.why.contains("not sent again"), "{found:?}");
    bench.start();
    bench.drained().await;
    assert_eq!(bench.get("void").state, State::Held);
    assert_eq!(bench.roma.submitted(), ["a", "void"]);
}

#[tokio::test(start_paused = true)]
async fn dispatch_keeps_to_pauses_as_long_as_they_may_be_set() {
    let mut bench = Bench::new(MORNING);
    bench.sell("a");
    bench.roma.will_tell((0..9).map(|_| TrackOutcome::Pending(Box::default())));
    let day = Duration::from_secs(24 * 3600);
    let track = staffetta::domain::retry::Backoff { initial: day, max: day, ..Settings::default().track };
    bench.start_with(Settings { track, ..Settings::default() });
    bench.pass(Duration::from_secs(12 * 3600)).await;
    assert_eq!((bench.get("a").state, bench.roma.seen("track").len()), (State::Accepted, 0));
    bench.pass(day).await;
    assert_eq!(bench.roma.seen("track").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dispatch_bears_settings_without_an_end() {
    let ever = Duration::MAX;
    let long = staffetta::domain::retry::Backoff { initial: ever, max: ever, ..Settings::default().track };
    let patient = Settings { settle: ever, longest_sleep: ever, backoff: long, track: long, ..Settings::default() };
    let on_the_wire = Settings { connect_timeout: ever, answer_timeout: ever, ..patient.clone() };
    // A request that may be on the wire for ever would be there in the blackout.
    for (settings, sent) in [(patient, 1), (on_the_wire, 0)] {
        let mut bench = Bench::new(MORNING);
        bench.roma.will_answer([unknown()]);
        bench.sell("a");
        bench.start_with(settings);
        bench.pass(Duration::from_secs(3600)).await;
        assert_eq!(bench.roma.submitted().len(), sent);
        let ended = bench.dispatcher.as_ref().unwrap().ended();
        assert!(tokio::time::timeout(Duration::from_secs(1), ended).await.is_err(), "it goes on");
        bench.dispatcher.take().unwrap().stop().await.unwrap();
        let state = bench.get("a").state;
        assert_eq!(state, if sent == 1 { State::InDoubt } else { State::Queued });
    }
}
