//! What may happen between the look at a document and its intent. The intent is decided on the writer's thread: these
//! tests let everything else be recorded before it.

use super::super::tests::{self as shop, SHOPS};
use super::*;
use crate::clock::SystemClock;
use crate::domain::document::{NewDocument, Parent, Return};
use crate::domain::event::Hold;
use crate::domain::outcome::{HoldReason, Refusal};

fn open(dir: &std::path::Path) -> Shared {
    let queue = shop::open(dir, Arc::new(SystemClock));
    for key in ["a", "b"] {
        queue.enqueue(key, shop::sale(SHOPS[0])).unwrap();
    }
    Shared::new(queue, super::super::settings::Settings::default()).unwrap().0
}

fn progress(shared: &Shared, key: &str) -> Progress {
    let journal = shared.queue.journal();
    journal.progress(journal.find(&key.parse().unwrap()).unwrap().unwrap()).unwrap().unwrap()
}

fn events(shared: &Shared, key: &str) -> Vec<String> {
    shared.queue.get(key).unwrap().events.into_iter().map(|event| event.event).collect()
}

#[tokio::test]
async fn what_was_called_off_or_held_since_it_was_gathered_gets_no_intent() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let (a, b) = (progress(&shared, "a"), progress(&shared, "b"));
    assert!(shared.queue.cancel("a", "anna", "not sold").unwrap().done);
    assert!(matches!(intend(&shared, &a, None).await, Ok(Intent::NotNow)));
    assert_eq!(events(&shared, "a"), ["enqueued", "cancelled"]);
    for fiscal_id in [None, Some(SHOPS[0].parse().unwrap())] {
        let hold = Hold {
            account: "shop".parse().unwrap(),
            fiscal_id,
            reason: HoldReason::Unpaid,
            detail: "no credit".to_owned(),
            cure: String::new(),
            since: shared.now(),
            secret: None,
        };
        // Both on their way to the journal together, as they are when a person or another task is just before us.
        let placed = shared.hand_over(move |txn| Ok(txn.hold(hold)?));
        let intent = intend(&shared, &b, None);
        placed.await.unwrap();
        assert!(matches!(intent.await, Ok(Intent::NotNow)));
        assert_eq!(events(&shared, "b"), ["enqueued"]);
        shared.queue.release("shop", None, "anna", "paid").unwrap();
        shared.queue.release("shop", Some(SHOPS[0]), "anna", "paid").unwrap();
    }
    assert!(matches!(intend(&shared, &b, None).await, Ok(Intent::Written)));
}

#[tokio::test]
async fn an_intent_waits_for_the_outcome_before_it_on_its_lane() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let (a, b) = (progress(&shared, "a"), progress(&shared, "b"));
    assert!(matches!(intend(&shared, &a, None).await, Ok(Intent::Written)));
    // Its outcome was handed over and could not be recorded: nobody knows what it will be.
    let failed = shared.hand_over(|_| Err::<(), _>(Error::Dispatcher("not recorded".to_owned())));
    let intent = intend(&shared, &b, Some(a.id));
    assert!(failed.await.is_err());
    assert!(matches!(intent.await, Ok(Intent::Behind(open)) if open == a.id));
    let unknown = DocEvent::Unknown { why: String::new(), status: None, due_at: None };
    shared.record(a.id, State::Sending, vec![unknown]).await.unwrap();
    assert!(matches!(intend(&shared, &b, Some(a.id)).await, Ok(Intent::Behind(open)) if open == a.id));
    assert_eq!(events(&shared, "b"), ["enqueued"]);
    // Handed over together: the intent sees the outcome before it, though that is not durable yet.
    let refusal = Refusal { code: None, message: String::new(), violations: Vec::new() };
    let ended = shared.record(a.id, State::InDoubt, vec![DocEvent::Refused { status: None, refusal }]);
    let intent = intend(&shared, &b, Some(a.id));
    assert!(matches!(intent.await, Ok(Intent::Written)));
    assert!(ended.await.unwrap());
}

/// Two returns of one sale are on two lanes where one names it by the provider's id, and was taken before that was known.
#[tokio::test]
async fn a_correction_waits_for_one_that_was_sent_on_another_lane_since_it_was_gathered() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let a = progress(&shared, "a");
    assert!(matches!(intend(&shared, &a, None).await, Ok(Intent::Written)));
    let by_id = Return::of(Parent::Remote("r-1".to_owned())).id("item", 1);
    let by_id = NewDocument::from(by_id).account("shop".parse().unwrap());
    shared.queue.enqueue("by-id", by_id).unwrap();
    let remote = Box::new(Remote { remote_id: Some("r-1".to_owned()), ..Remote::default() });
    let accepted = DocEvent::Accepted { remote, how: How::Answer, due_at: None };
    assert!(shared.record(a.id, State::Sending, vec![accepted]).await.unwrap());
    shared.queue.enqueue("by-key", Return::of(Parent::Key("a".parse().unwrap())).line(0, 1)).unwrap();
    let (by_id, by_key) = (progress(&shared, "by-id"), progress(&shared, "by-key"));
    assert_ne!(shared.lanes.of(&by_id), shared.lanes.of(&by_key));
    // Handed over together.
    let (first, second) = (intend(&shared, &by_id, None), intend(&shared, &by_key, None));
    assert!(matches!(first.await, Ok(Intent::Written)));
    assert!(matches!(second.await, Ok(Intent::NotNow)));
    assert_eq!(events(&shared, "by-key"), ["enqueued"]);
}

/// Others' facts and ours are told apart, or a document that a till brings is not noticed.
#[tokio::test]
async fn facts_of_others_are_counted_and_ours_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let mut changes = shared.queue.changes();
    // Told of a moment after the document was taken.
    let before = shared.foreign(*changes.wait_for(|seq| *seq >= 3).await.unwrap());
    let a = progress(&shared, "a");
    assert!(matches!(intend(&shared, &a, None).await, Ok(Intent::Written)));
    changes.wait_for(|seq| *seq >= 4).await.unwrap();
    assert_eq!(shared.foreign(*changes.borrow()), before);
    let failed = shared.hand_over(|txn| {
        txn.now();
        Err::<(), _>(Error::Dispatcher("not recorded".to_owned()))
    });
    assert!(failed.await.is_err());
    assert!(shared.queue.cancel("b", "anna", "not sold").unwrap().done);
    changes.wait_for(|seq| *seq >= 5).await.unwrap();
    assert_eq!(shared.foreign(*changes.borrow()), before + 1);
}

#[tokio::test]
async fn what_is_handed_over_is_written_although_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let (a, mut changes) = (progress(&shared, "a").id, shared.queue.changes());
    let before = shared.queue.last_seq();
    drop(shared.hand_over(move |txn| Ok(txn.record(a, DocEvent::Sending { attempt: 1 })?)));
    let written = changes.wait_for(|seq| *seq > before);
    tokio::time::timeout(Duration::from_secs(20), written).await.expect("it is written").unwrap();
    assert_eq!(events(&shared, "a"), ["enqueued", "sending"]);
}
