//! A till's clock that is wrong, and is set right while an answer is missing: what the provider has is found all the same,
//! or a person is asked.

use super::*;

/// A till whose clock is so far off, and whose provider has told what time it is.
async fn wrong_clock(wrong_by: TimeDelta) -> Bench {
    let mut bench = Bench::new(MORNING);
    bench.clock.set_wrong_by(wrong_by);
    bench.sell("first");
    bench.roma.remembers();
    bench.start();
    bench.drained().await;
    bench
}

/// The same; the answer to `lost` is lost, though it arrived.
async fn lose_an_answer(wrong_by: TimeDelta) -> Bench {
    let bench = wrong_clock(wrong_by).await;
    bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound]);
    bench.sell("lost");
    while bench.roma.seen("look_up lost").is_empty() {
        bench.pass(Duration::from_millis(250)).await;
    }
    bench
}

/// Never a second time; found, or a person's to decide.
async fn settles(bench: &Bench, state: State) {
    bench.drained().await;
    assert_eq!(bench.roma.submitted(), ["first", "lost"]);
    assert_eq!(bench.get("lost").state, state, "{:#?}", bench.get("lost"));
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_found_however_wrong_the_clock_is() {
    for wrong_by in [TimeDelta::zero(), TimeDelta::hours(1), TimeDelta::days(-2), TimeDelta::days(-20_000)] {
        settles(&lose_an_answer(wrong_by).await, State::Registered).await;
    }
}

/// Also so little that nobody calls the clock wrong.
fn a_little() -> impl Iterator<Item = TimeDelta> {
    [10, -10, 60, -60, 119, -119].into_iter().map(TimeDelta::seconds)
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_found_after_the_clock_was_set_right() {
    for wrong_by in [TimeDelta::hours(1), TimeDelta::hours(-1), TimeDelta::days(2), TimeDelta::days(-2)]
        .into_iter()
        .chain(a_little())
    {
        let bench = lose_an_answer(wrong_by).await;
        bench.clock.set_wrong_by(TimeDelta::zero());
        // By the old clock it is not there; that must not count.
        settles(&bench, State::Registered).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_found_after_another_answer_told_that_the_clock_was_set_right() {
    for wrong_by in [TimeDelta::hours(1), TimeDelta::hours(-1), TimeDelta::days(2), TimeDelta::hours(-20)]
        .into_iter()
        .chain(a_little())
    {
        let bench = lose_an_answer(wrong_by).await;
        bench.clock.set_wrong_by(TimeDelta::zero());
        bench.queue.enqueue("void", Void::of(Parent::Key("first".parse().unwrap()))).unwrap();
        bench.drained().await;
        assert_eq!(bench.roma.submitted(), ["first", "lost", "void"]);
        assert_eq!(bench.get("lost").state, State::Registered, "{:#?}", bench.get("lost"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_right_after_the_clock_was_set_right_is_found() {
    for wrong_by in [TimeDelta::hours(1), TimeDelta::hours(-1), TimeDelta::days(2), TimeDelta::days(-2)] {
        let bench = wrong_clock(wrong_by).await;
        // What is known of the provider's clock is of before.
        bench.clock.set_wrong_by(TimeDelta::zero());
        bench.roma.will_answer([unknown()]).will_find([LookUpOutcome::NotFound]);
        bench.sell("lost");
        settles(&bench, State::Registered).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_by_a_clock_that_was_set_meanwhile_does_not_count() {
    let bench = wrong_clock(TimeDelta::days(2)).await;
    bench.clock.set_wrong_by(TimeDelta::zero());
    // The line is down until the settle time is over: nothing is heard of the provider's clock.
    let failed = || LookUpOutcome::Failed { why: "no line".to_owned(), retry_after: None };
    bench.roma.will_answer([unknown()]).will_find((0..6).map(|_| failed()));
    bench.sell("lost");
    settles(&bench, State::Registered).await;
    let reasons: Vec<_> = bench.get("lost").events.into_iter().map(|event| format!("{event:?}")).collect();
    assert!(reasons.iter().any(|why| why.contains("set meanwhile")), "{reasons:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_dispatcher_lost_is_found_after_the_clock_was_set_right() {
    for wrong_by in [TimeDelta::hours(1), TimeDelta::hours(-1), TimeDelta::days(-2), TimeDelta::days(-20_000)]
        .into_iter()
        .chain(a_little())
    {
        let mut bench = lose_an_answer(wrong_by).await;
        bench.dispatcher.take().unwrap().stop().await.unwrap();
        bench.clock.set_wrong_by(TimeDelta::zero());
        bench.start();
        settles(&bench, State::Registered).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_again_when_nobody_knows_when_it_was_sent() {
    // By an impossible clock the provider is asked for the time before anything is sent, and that is kept.
    for (before, known) in [(TimeDelta::hours(1), false), (TimeDelta::days(-20_000), true)] {
        let mut bench = Bench::new(MORNING);
        bench.sell("lost");
        bench.roma.will_answer([unknown()]);
        bench.clock.set_wrong_by(before);
        bench.start();
        while bench.roma.seen("submit lost").is_empty() {
            bench.pass(Duration::from_millis(250)).await;
        }
        bench.dispatcher.take().unwrap().stop().await.unwrap();
        bench.clock.set_wrong_by(TimeDelta::zero());
        bench.roma.remembers();
        bench.start();
        bench.drained().await;
        assert_eq!(bench.roma.submitted(), ["lost"]);
        let view = bench.get("lost");
        assert_eq!(view.state, if known { State::Registered } else { State::Held });
        assert!(known || view.reason.as_deref().is_some_and(|why| why.contains("clock was set")), "{:?}", view.reason);
    }
}
