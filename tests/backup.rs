//! A backup taken while tills sell and documents are delivered: copied file by file, it opens and holds what it must.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use staffetta::domain::outcome::*;
use staffetta::journal::{RealFiles, verify};
use staffetta::prelude::*;
use staffetta::provider::{Call, Claimed, Lost, Provider, Tracked};
use staffetta::queue::Options;
use staffetta::testing::TestClock;
use staffetta::view::ListFilter;
use tempfile::{TempDir, tempdir};

use crate::support::shop::accounts;

const TILLS: usize = 2;
const SALES: usize = 150;

/// Takes everything and knows the authority's verdict at once.
#[derive(Default)]
struct Willing(AtomicUsize);

#[async_trait]
impl Provider for Willing {
    async fn submit(&self, _: &Call) -> Answer<SubmitOutcome> {
        let id = self.0.fetch_add(1, Ordering::Relaxed).to_string();
        Answer::without_http(SubmitOutcome::Registered(Box::new(Remote { remote_id: Some(id), ..Remote::default() })))
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        Answer::without_http(LookUpOutcome::NotFound)
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        Answer::without_http(TrackOutcome::Registered(Box::new(tracked.remote.clone())))
    }
}

fn open(folder: &Path) -> Queue {
    let journal = staffetta::journal::Options {
        segment_bytes: 20_000,
        index_in_memory: true,
        ..staffetta::journal::Options::default()
    };
    // No blackout at this hour.
    let clock = Arc::new(TestClock::starting_at("2026-11-20T08:00:00Z".parse().unwrap()));
    Queue::open_with(folder, Options { accounts: accounts(), journal, clock }).unwrap()
}

/// The segments there are now, oldest first: all but the newest are sealed.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder.join("segments")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = names.filter(|name| name.extension().is_some_and(|ext| ext == "seg")).collect();
    names.sort();
    names
}

/// As README.md tells it: `segments/` in order, the newest last; nothing else.
fn backup(names: &[PathBuf]) -> TempDir {
    let copy = tempdir().unwrap();
    fs::create_dir(copy.path().join("segments")).unwrap();
    for name in names {
        fs::copy(name, copy.path().join("segments").join(name.file_name().unwrap())).unwrap();
    }
    copy
}

/// What was acknowledged: keys with their numbers, which are those of their records.
type Acknowledged = BTreeMap<String, u64>;

fn check(copy: &TempDir, acknowledged: &Acknowledged) -> usize {
    assert_eq!(verify(copy.path(), Arc::new(RealFiles)).unwrap().damage, []);
    let queue = open(copy.path());
    for key in acknowledged.keys() {
        assert_eq!(queue.get(key).unwrap().key, *key);
    }
    let there = queue.list(&ListFilter::default()).unwrap();
    queue.close().unwrap();
    assert!(verify(copy.path(), Arc::new(RealFiles)).unwrap().sound);
    there.iter().filter(|document| document.state == State::Registered).count()
}

fn sell(queue: &Queue, till: usize, acknowledged: &Mutex<Acknowledged>) {
    for n in 0..SALES {
        let issuer = ["12345678903", "01234567897"][till % 2];
        let sale = Receipt::new(issuer.parse().unwrap())
            .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten))
            .cash("1.20".parse().unwrap());
        let ticket = queue.enqueue(&format!("till-{till}/{n:04}"), sale.build().unwrap()).unwrap();
        acknowledged.lock().unwrap().insert(ticket.key, ticket.id.parse().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_segments_taken_while_running_is_a_backup() {
    let folder = tempdir().unwrap();
    let queue = open(folder.path());
    let managed = accounts().into_iter().map(|account| Managed::new(account, Arc::new(Willing::default())));
    let dispatcher = Dispatcher::start(&queue, managed.collect()).unwrap();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    let tills: Vec<_> = (0..TILLS)
        .map(|till| {
            let (queue, acknowledged) = (queue.clone(), acknowledged.clone());
            std::thread::spawn(move || sell(&queue, till, &acknowledged))
        })
        .collect();

    let (mut whole, mut sealed) = (Vec::new(), Vec::new());
    for share in 1..=4 {
        while acknowledged.lock().unwrap().len() < TILLS * SALES * share / 5 {
            tokio::task::yield_now().await;
        }
        let before = acknowledged.lock().unwrap().clone();
        let names = segments(folder.path());
        whole.push((before.clone(), backup(&names)));
        // Without the newest: what it holds is missing, and nothing else.
        let (newest, others) = names.split_last().unwrap();
        let first: u64 = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let older: Acknowledged = before.into_iter().filter(|(_, id)| *id < first).collect();
        sealed.push((older, backup(others)));
    }
    tills.into_iter().for_each(|till| till.join().unwrap());
    dispatcher.stop().await.unwrap();
    queue.close().unwrap();
    assert!(segments(folder.path()).len() > 5, "several were sealed");

    let mut delivered = 0;
    for (acknowledged, copy) in whole.iter().chain(sealed.iter().filter(|(older, _)| !older.is_empty())) {
        delivered += check(copy, acknowledged);
    }
    assert!(delivered > 0, "some were delivered when they were copied");
    assert!(sealed.iter().any(|(older, _)| older.len() > SALES), "the sealed segments hold most of it");
}
