//! Intents that are written before there is a place for their requests.

use super::*;

/// One request at once; `first` is on the wire, and the intents of `second` and `third` were written ahead.
async fn two_ahead() -> Room {
    let mut room = Room::with(0, Settings { in_flight: 1, ..Settings::default() });
    room.sell("warm", 0);
    room.look().await;
    room.arrives("warm").await;
    room.answer(registered("warm")).await;
    room.end().await;
    room.sell("first", 0);
    room.look().await;
    room.arrives("first").await;
    room.engine.shared.wire.set(2);
    // One after the other: they wait for their places in this order.
    for (shop, key) in [(1, "second"), (2, "third")] {
        room.sell(key, shop);
        room.look().await;
        room.reaches(key, State::Sending).await;
    }
    room
}

impl Room {
    fn state(&self, key: &str) -> State {
        self.queue.get(key).unwrap().state
    }

    async fn reaches(&self, key: &str, state: State) {
        let mut changes = self.queue.changes();
        soon(changes.wait_for(|_| self.state(key) == state)).await.unwrap();
    }

    /// The first is in doubt; what waited for its place has ended too.
    async fn loses_the_first_answer(&mut self) {
        self.answers.send(SubmitOutcome::Unknown { why: "no answer".to_owned() }).unwrap();
        for _ in 0..3 {
            self.end().await;
        }
    }

    async fn nothing_arrives(&mut self) {
        tokio::time::pause(); // then this second is over as soon as nothing can go on
        let arrived = tokio::time::timeout(Duration::from_secs(1), self.arrived.recv()).await;
        tokio::time::resume();
        assert!(arrived.is_err(), "{arrived:?}");
    }

    fn events(&self, key: &str) -> Vec<String> {
        self.queue.get(key).unwrap().events.into_iter().map(|event| event.event).collect()
    }
}

fn states(queue: &Queue) -> [State; 3] {
    ["first", "second", "third"].map(|key| queue.get(key).unwrap().state)
}

const TAKEN_BACK: [&str; 3] = ["enqueued", "sending", "not_sent"];

#[tokio::test]
async fn no_more_requests_leave_at_once_than_there_may_be() {
    let mut room = two_ahead().await;
    for (key, next) in [("first", Some("second")), ("second", Some("third")), ("third", None)] {
        tokio::task::yield_now().await;
        assert!(room.arrived.try_recv().is_err(), "while {key} is on the wire");
        room.answer(registered(key)).await;
        if let Some(next) = next {
            room.arrives(next).await;
        }
    }
}

#[tokio::test]
async fn what_waits_for_its_place_is_taken_back_when_the_one_before_is_in_doubt() {
    let mut room = two_ahead().await;
    room.loses_the_first_answer().await;
    assert_eq!(room.state("first"), State::InDoubt);
    for key in ["second", "third"] {
        assert_eq!(
            (room.state(key), room.events(key)),
            (State::Queued, TAKEN_BACK.map(str::to_owned).to_vec()),
            "{key}"
        );
    }
    assert!(room.engine.shared.wire.not_begun().is_empty(), "nothing waits any more");
    room.look().await;
    assert!(room.arrived.try_recv().is_err(), "nothing is sent while the provider is down");
}

#[tokio::test]
async fn what_waits_for_its_place_is_taken_back_when_something_else_finds_the_provider_down() {
    let mut room = two_ahead().await;
    let settings = room.engine.shared.settings.clone();
    let office = room.engine.offices.values_mut().next().unwrap();
    office.heard(&Health::Pause(None), Duration::ZERO, &settings);
    room.answer(registered("first")).await;
    for _ in 0..3 {
        room.end().await;
    }
    assert_eq!(states(&room.queue), [State::Registered, State::Queued, State::Queued]);
    assert!(room.arrived.try_recv().is_err());
}

#[tokio::test]
async fn a_stop_waits_for_what_is_on_the_wire_and_sends_nothing_of_what_waits() {
    let mut room = two_ahead().await;
    room.stop.send_replace(Stop::Gently);
    room.answers.send(registered("first")).unwrap();
    soon(room.engine.run()).await;
    assert!(room.arrived.try_recv().is_err());
    assert_eq!(states(&room.queue), [State::Registered, State::Queued, State::Queued]);
}

#[tokio::test]
async fn after_a_stop_at_once_only_what_was_on_the_wire_is_in_doubt() {
    let room = two_ahead().await;
    room.stop.send_replace(Stop::Now);
    soon(room.engine.run()).await;
    assert_eq!(states(&room.queue), [State::InDoubt, State::Queued, State::Queued]);
}

#[tokio::test]
async fn a_provider_that_does_not_keep_up_is_asked_with_one_request_and_no_intent_ahead() {
    let mut room = two_ahead().await;
    room.loses_the_first_answer().await;
    room.engine.shared.wire.set(2);
    room.wake(Duration::from_secs(60)).await;
    assert_eq!(room.engine.tasks.len(), 1, "it is asked what became of the first");
}

#[tokio::test]
async fn questions_wait_for_a_place_too() {
    let mut room = Room::with(0, Settings { in_flight: 1, ..Settings::default() });
    room.sell("accepted", 0);
    room.look().await;
    room.arrives("accepted").await;
    room.answer(SubmitOutcome::Accepted(remote("r"))).await;
    room.end().await;
    room.sell("first", 1);
    room.engine.shared.wire.set(2);
    room.look().await;
    room.arrives("first").await;
    room.wake(FIRST_QUESTION).await;
    assert!(room.engine.work.values().any(|work| work.tracking));
    room.nothing_arrives().await;
    room.answer(registered("first")).await;
    room.arrives("a question").await;
}

#[tokio::test]
async fn look_ups_wait_for_a_place_too() {
    let mut room = two_ahead().await;
    room.loses_the_first_answer().await;
    let shared = room.engine.shared.clone();
    let place = shared.wire.place().await;
    room.wake(Duration::from_secs(3_600)).await;
    assert_eq!(room.engine.tasks.len(), 1, "it is to be looked up");
    room.nothing_arrives().await;
    drop(place);
    room.arrives("a look-up").await;
}
