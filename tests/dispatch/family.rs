//! Corrections: what they need of their parent, and what becomes of them when it fails.

use super::*;

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
