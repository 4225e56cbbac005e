use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use super::super::metrics::Metrics;
use super::*;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar::Window;
use crate::queue::{Options, Queue};

/// Where so many documents may be with the journal at once.
fn desk(folder: &std::path::Path, handed: usize) -> Desk {
    let account = Account {
        name: "shop".parse().unwrap(),
        provider: ProviderKind::Openapi,
        fiscal_ids: vec!["12345678903".parse().unwrap()],
        blackout: Window::NONE,
    };
    let queue = Queue::open_with(folder, Options { accounts: vec![account], ..Options::default() }).unwrap();
    let semaphore = |n| Arc::new(Semaphore::new(n));
    Desk {
        queue,
        dispatcher: None,
        callbacks: HashMap::new(),
        metrics: Metrics::default(),
        handed: semaphore(handed),
        bodies: semaphore(3),
        reads: semaphore(1),
        streams: semaphore(1),
        stopping: watch::channel(false).1,
    }
}

fn sale(key: usize) -> String {
    let item = r#"{"quantity":1,"description":"Caffè","unit_price":"1.00","vat_rate_code":"10"}"#;
    let body = format!(r#"{{"fiscal_id":"12345678903","items":[{item}],"cash_payment_amount":1}}"#);
    format!(r#"{{"key":"k{key}","kind":"receipt","body":{body}}}"#)
}

/// What does not come is a failure, not a test without end.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it comes")
}

#[tokio::test]
async fn batches_larger_than_what_the_journal_may_have_at_once_do_not_wait_for_each_other() {
    const SALES: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), 2);
    let batches = (0..3).map(|number| {
        let lines: String = (0..SALES).map(|sold| sale(number * SALES + sold) + "\n").collect();
        let room = Arc::clone(&desk.bodies).try_acquire_owned().unwrap();
        batch(&desk, Held { bytes: lines.into(), _room: room })
    });
    for answer in soon(futures_util::future::join_all(batches)).await {
        let body = axum::body::to_bytes(answer.into_body(), MAX_BATCH).await.unwrap();
        let lines: Vec<Value> =
            body.split(|byte| *byte == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect();
        assert_eq!(lines.len(), SALES, "{lines:?}");
        assert!(lines.iter().all(|line| line["state"] == "queued"), "{lines:?}");
    }
}

#[tokio::test]
async fn a_document_has_its_permit_until_the_journal_has_answered() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(folder.path(), 1);
    let (go_on, wait) = channel::<()>();
    desk.queue.journal().begin_then(move |_| Ok::<_, JournalError>(wait.recv().is_ok()), drop);
    let begun = begin(&desk, line::parse(sale(1).as_bytes()).unwrap()).await;
    assert_eq!(desk.handed.available_permits(), 0, "it waits in the journal");
    drop(go_on);
    soon(finish(begun)).await.unwrap();
    assert_eq!(desk.handed.available_permits(), 1);
}
