//! What is due, what waits for something else, and whom that does not keep waiting.

use super::*;
use crate::domain::document::Return;
use crate::domain::event::{DocEvent, How};
use crate::domain::money::Decimal;
use crate::domain::outcome::RemoteItem;

/// While one batch of questions is under way, what else is due waits for its end; sales do not.
#[tokio::test]
async fn verdicts_that_are_due_do_not_keep_sales_from_the_stock() {
    let mut room = Room::warmed(0).await;
    for key in ["a", "b"] {
        room.sell(key, 1);
        room.look().await;
        room.arrives(key).await;
        room.answer(SubmitOutcome::Accepted(remote(key))).await;
        room.end().await;
        room.wake(Duration::from_secs(1)).await;
    }
    let keys: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
    for key in &keys {
        room.sell(key, 2);
    }
    room.look().await;
    room.arrives(&keys[0]).await;
    let due = |room: &Room| {
        let (now, journal) = (room.engine.shared.now(), room.queue.journal());
        journal.timers_after(None, now, 9).unwrap().len()
    };
    while due(&room) < 2 {
        room.wake(Duration::from_millis(100)).await;
    }
    room.arrives("a question").await;
    for (number, key) in keys.iter().enumerate().take(5) {
        if number > 0 {
            room.arrives(key).await;
        }
        room.answer(registered(key)).await;
        room.look().await;
        assert_eq!(room.looked_for(), 9 - number, "after {key}");
    }
}

#[tokio::test]
async fn a_verdict_that_cannot_be_read_does_not_delay_the_next_sale() {
    let mut room = Room::warmed(0).await;
    room.sell("a", 1);
    room.look().await;
    room.arrives("a").await;
    room.answer(SubmitOutcome::Accepted(remote(UNREADABLE))).await;
    room.end().await;
    room.wake(FIRST_QUESTION).await;
    room.arrives("a question").await;
    room.end().await;
    // Without a moment's pause, while the next question waits.
    room.sell("b", 1);
    let sleep = room.look().await;
    room.arrives("b").await;
    assert!(sleep > Duration::ZERO, "{sleep:?}");
    room.answer(registered("b")).await;
    assert!(room.engine.stock.is_all_gone() && room.arrived.try_recv().is_err(), "nothing else was asked");
}

/// It keeps a lane shut.
#[tokio::test]
async fn a_look_up_does_not_wait_behind_thousands_of_verdicts() {
    let mut room = Room::warmed(0).await;
    let all: Vec<DocId> = (0..2_100).map(|number| room.sell(&format!("s{number}"), 1)).collect();
    let due_at = Some(room.engine.shared.now());
    let accepted = move |id: DocId| DocEvent::Accepted { remote: remote(&id.to_string()), how: How::Answer, due_at };
    let taken = move |txn: &mut crate::journal::Transaction<'_>| {
        all.into_iter().try_for_each(|id| {
            txn.record(id, DocEvent::Sending { attempt: 1 })?;
            txn.record(id, accepted(id)).map(drop)
        })
    };
    room.queue.journal().transact(taken).unwrap().unwrap();
    room.sell("lost", 2);
    room.look().await;
    // Questions are asked while sales are sent.
    while soon(room.arrived.recv()).await.as_deref() != Some("lost") {}
    room.answers.send(SubmitOutcome::Unknown { why: String::new() }).unwrap();
    while !room.engine.tasks.is_empty() {
        room.end().await;
    }
    room.wake(Duration::from_secs(60)).await;
    while soon(room.arrived.recv()).await.as_deref() != Some("a look-up") {}
}

/// The second return of a sale waits for the verdict on the first: seconds, or days.
#[tokio::test]
async fn a_lane_that_waits_is_tried_less_and_less_often() {
    let mut room = Room::warmed(0).await;
    room.sell("sale", 1);
    room.look().await;
    room.arrives("sale").await;
    let item = RemoteItem { id: "i1".to_owned(), description: "Caffè".to_owned(), ..RemoteItem::default() };
    room.answer(SubmitOutcome::Registered(Box::new(Remote { items: vec![item], ..*remote("sale") }))).await;
    room.end().await;
    let half = || Return::of(Parent::Key("sale".parse().unwrap())).line(0, "0.5".parse::<Decimal>().unwrap());
    room.queue.enqueue("half", half()).unwrap();
    let first = room.find("half");
    room.look().await;
    room.arrives("half").await;
    let pause = Duration::from_secs(3_600);
    room.answers.send(SubmitOutcome::Accepted(remote("half"))).unwrap();
    room.end().await;
    let due_at = submit::after(room.engine.shared.now(), pause);
    let again = DocEvent::Tracked { remote: Box::default(), why: String::new(), due_at };
    room.queue.journal().transact(move |txn| txn.record(first, again)).unwrap().unwrap();
    room.queue.enqueue("other-half", half()).unwrap();
    for seconds in [1, 2, 4, 8] {
        room.look().await;
        assert_eq!(room.engine.tasks.len(), 1);
        room.end().await;
        let rests = Duration::from_secs(seconds);
        assert_eq!(room.look().await, rests);
        assert!(room.engine.tasks.is_empty());
        room.wake(rests - Duration::from_millis(1)).await;
        assert!(room.engine.tasks.is_empty(), "not before {rests:?}");
        room.wake(Duration::from_millis(1)).await;
    }
}
