//! What a till and the dispatcher need of an archived document is there: its key, its lines, its fate.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use staffetta::domain::outcome::*;
use staffetta::prelude::*;
use staffetta::provider::{Call, Claimed, Lost, Provider, Tracked};
use staffetta::queue::Options;
use staffetta::testing::TestClock;
use staffetta::view::ListFilter;
use tempfile::tempdir;

use crate::support::shop::accounts;

/// Takes everything, each under an id of its own; the authority's ids of the lines come with the answer.
struct Willing;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

#[async_trait]
impl Provider for Willing {
    async fn submit(&self, _: &Call) -> Answer<SubmitOutcome> {
        let id = TAKEN.fetch_add(1, Ordering::Relaxed).to_string();
        let item = RemoteItem {
            id: format!("item-{id}"),
            description: "Caffè".into(),
            quantity: "2.00".into(),
            gross_price: "1.20".into(),
            vat_rate: "10".into(),
            unit_price: "1.09090909".into(),
            unit_discount: "0.00000000".into(),
            returned: "0".into(),
            complimentary: false,
        };
        let remote = Remote { remote_id: Some(id), items: vec![item], ..Remote::default() };
        Answer::without_http(SubmitOutcome::Registered(Box::new(remote)))
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        Answer::without_http(LookUpOutcome::NotFound)
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        Answer::without_http(TrackOutcome::Registered(Box::new(tracked.remote.clone())))
    }
}

fn open(folder: &Path) -> Queue {
    let journal = staffetta::journal::Options { segment_bytes: 20_000, ..staffetta::journal::Options::default() };
    let clock = Arc::new(TestClock::starting_at("2026-11-20T08:00:00Z".parse().unwrap()));
    Queue::open_with(folder, Options { accounts: accounts(), journal, clock }).unwrap()
}

/// Two coffees.
fn coffees(price: &str, sum: &str) -> Receipt {
    let item = Item::new("Caffè", price.parse().unwrap(), VatRate::Ten).quantity(2);
    Receipt::new("12345678903".parse().unwrap()).item(item).cash(sum.parse().unwrap()).build().unwrap()
}

async fn deliver(queue: &Queue, keys: &[String]) {
    let managed = accounts().into_iter().map(|account| Managed::new(account, Arc::new(Willing)));
    let dispatcher = Dispatcher::start(queue, managed.collect()).unwrap();
    for key in keys {
        while queue.get(key).unwrap().state != State::Registered {
            let now = queue.watch(key).await.unwrap();
            assert_ne!(now.state, State::Held, "{now:?}");
        }
    }
    dispatcher.stop().await.unwrap();
}

fn code(result: Result<Ticket, Error>) -> &'static str {
    match result {
        Err(Error::Rejected(rejection)) => rejection.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_parents_of_archived_documents_still_bind() {
    let folder = tempdir().unwrap();
    let queue = open(folder.path());
    let keys: Vec<String> = (0..30).map(|n| format!("till/{n}")).collect();
    let tickets: Vec<_> = keys.iter().map(|key| queue.enqueue(key, coffees("1.20", "2.40")).unwrap()).collect();
    deliver(&queue, &keys).await;
    let shown: Vec<_> = keys.iter().map(|key| serde_json::to_string(&queue.get(key).unwrap()).unwrap()).collect();
    assert_eq!(queue.archive(Duration::from_secs(3600)).unwrap().segments, 0, "an hour old is nothing yet");
    let done = queue.archive(Duration::ZERO).unwrap();
    assert!(done.segments > 1 && done.kept == 0, "{done:?}");
    queue.close().unwrap();

    // Opened with its index, and then with one made anew from the archives.
    for round in ["with its index", "rebuilt"] {
        if round == "rebuilt" {
            std::fs::remove_dir_all(folder.path().join("index")).unwrap();
        }
        let queue = open(folder.path());
        assert_eq!(queue.recovery().rebuilt.is_some(), round == "rebuilt");
        let now: Vec<_> = keys.iter().map(|key| serde_json::to_string(&queue.get(key).unwrap()).unwrap()).collect();
        assert_eq!(now[10..], shown[10..], "{round}");
        for (key, ticket) in keys.iter().zip(&tickets) {
            let again = queue.enqueue(key, coffees("1.20", "2.40")).unwrap();
            assert!(again.duplicate && again.id == ticket.id && again.state == State::Registered, "{again:?}");
            assert_eq!(code(queue.enqueue(key, coffees("1.30", "2.60"))), "key_reused");
        }
        let parent = |n: usize| Parent::Key(keys[n].parse().unwrap());
        let (one, two) = if round == "rebuilt" { (2, 3) } else { (0, 1) };
        let corrections = [format!("back/{round}").replace(' ', "-"), format!("void/{round}").replace(' ', "-")];
        assert_eq!(code(queue.enqueue("too-much", Return::of(parent(one)).line(0, 3))), "invalid");
        assert_eq!(code(queue.enqueue("no-line", Return::of(parent(one)).line(1, 1))), "invalid");
        queue.enqueue(&corrections[0], Return::of(parent(one)).line(0, 1)).unwrap();
        assert_eq!(code(queue.enqueue("too-much", Return::of(parent(one)).line(0, 2))), "invalid");
        assert_eq!(code(queue.enqueue("void-of-returned", Void::of(parent(one)))), "parent_conflict");
        queue.enqueue(&corrections[1], Void::of(parent(two))).unwrap();
        assert_eq!(code(queue.enqueue("second", Void::of(parent(two)))), "parent_conflict");
        assert_eq!(code(queue.enqueue("back-of-voided", Return::of(parent(two)).line(0, 1))), "parent_conflict");
        // The dispatcher finds what it must send about them in the archives.
        deliver(&queue, &corrections).await;
        assert!(queue.archive(Duration::ZERO).unwrap().segments > 0);
        assert_eq!(queue.list(&ListFilter::default()).unwrap().len(), if round == "rebuilt" { 34 } else { 32 });
        queue.close().unwrap();
    }
}
