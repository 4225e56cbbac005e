//! How the dispatcher ends: what becomes of what is on the wire, and what it leaves behind, which is nothing.

use std::sync::mpsc::{Sender, channel};

use staffetta::clock::SystemClock;

use super::*;

/// Says when it goes.
struct Guard(Sender<&'static str>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send("given up").unwrap();
    }
}

/// Whose login takes for ever.
struct NoLogin(Sender<&'static str>);

#[async_trait]
impl Provider for NoLogin {
    async fn submit(&self, _: &Call) -> Answer<SubmitOutcome> {
        unreachable!("nothing is queued")
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        unreachable!("nothing is lost")
    }
    async fn track(&self, _: &Tracked) -> Answer<TrackOutcome> {
        unreachable!("nothing is accepted")
    }
    async fn keep_fresh(&self) {
        let _guard = Guard(self.0.clone());
        self.0.send("begun").unwrap();
        std::future::pending().await
    }
}

#[test]
fn dispatch_has_given_up_early_logins_when_it_says_that_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let queue = memory_queue(folder.path(), Arc::new(SystemClock));
    let (sender, said) = channel();
    let managed = accounts().into_iter().map(|account| Managed::new(account, Arc::new(NoLogin(sender.clone()))));
    let dispatcher = Dispatcher::start_apart(&queue, managed.collect(), Settings::default()).unwrap();
    assert_eq!([said.recv(), said.recv(), said.recv()], [Ok("begun"); 3]);
    dispatcher.stop_blocking().unwrap();
    assert_eq!([said.try_recv(), said.try_recv(), said.try_recv()], [Ok("given up"); 3]);
}

/// "a" has been at the provider for five seconds of the twenty that it takes.
async fn one_on_the_wire() -> Bench {
    let mut bench = Bench::new(MORNING);
    bench.roma.takes(Duration::from_secs(20));
    bench.sell("a");
    bench.start();
    bench.pass(Duration::from_secs(5)).await;
    bench
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
async fn dispatch_waits_for_what_is_on_the_wire_no_longer_than_for_an_answer() {
    let mut bench = Bench::new(MORNING);
    bench.roma.takes(Duration::from_secs(3_600));
    bench.sell("a");
    bench.start_with(Settings { answer_timeout: Duration::from_secs(7), ..Settings::default() });
    bench.pass(Duration::from_secs(5)).await;
    let before = bench.clock.true_time();
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    let waited = bench.clock.true_time() - before;
    assert!((TimeDelta::seconds(7)..TimeDelta::seconds(8)).contains(&waited), "{waited}");
    assert_eq!(bench.get("a").state, State::InDoubt);
}

#[tokio::test(start_paused = true)]
async fn dispatch_stopped_at_once_leaves_what_was_on_the_wire_in_doubt() {
    let mut bench = one_on_the_wire().await;
    bench.dispatcher.take().unwrap().stop_now().await;
    assert_eq!(bench.get("a").state, State::InDoubt);
    bench.roma.will_find([LookUpOutcome::Found(remote("r9"))]);
    bench.start();
    bench.drained().await;
    assert_eq!((bench.get("a").state, bench.roma.submitted().len()), (State::Registered, 1));
}

#[tokio::test(start_paused = true)]
async fn a_queue_has_one_dispatcher_at_a_time() {
    let mut bench = one_on_the_wire().await;
    let another = || Dispatcher::start_with(&bench.queue, Vec::new(), Settings::default()).err();
    for _ in 0..2 {
        let error = another().expect("an error").to_string();
        assert!(error.contains("has a dispatcher already"), "{error}");
    }
    // What the first one is at is not disturbed.
    bench.drained().await;
    assert_eq!((bench.get("a").state, bench.roma.submitted().len()), (State::Registered, 1));
    bench.dispatcher.take().unwrap().stop().await.unwrap();
    bench.start();
}

#[tokio::test(start_paused = true)]
async fn dispatch_told_to_stop_at_once_is_not_slowed_down_by_a_later_word() {
    let mut bench = one_on_the_wire().await;
    let dispatcher = bench.dispatcher.take().unwrap();
    dispatcher.ask_to_stop(true);
    dispatcher.stop().await.unwrap();
    assert_eq!(bench.get("a").state, State::InDoubt);
}
