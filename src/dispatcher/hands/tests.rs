use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::ThreadId;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::super::tests::{self as shop, SHOPS};
use super::super::{Dispatcher, Managed, Settings};
use super::*;
use crate::clock::SystemClock;
use crate::domain::outcome::{Answer, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};
use crate::domain::state::State;
use crate::error::Error;
use crate::journal::JournalError;
use crate::provider::{Call, Claimed, Lost, Provider, Tracked};
use crate::queue::Queue;

/// Tells what arrives, and where; answers when it may.
struct Slow {
    arrived: Sender<(String, ThreadId)>,
    may: Semaphore,
}

#[async_trait]
impl Provider for Slow {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.arrived.send((call.key.to_string(), thread::current().id())).unwrap();
        self.may.acquire().await.unwrap().forget();
        let remote_id = Some(format!("r-{}", call.key));
        Answer::without_http(SubmitOutcome::Registered(Box::new(Remote { remote_id, ..Remote::default() })))
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        Answer::without_http(LookUpOutcome::NotFound)
    }
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        Answer::without_http(TrackOutcome::Pending(Box::new(tracked.remote.clone())))
    }
}

struct Shop {
    queue: Queue,
    provider: Arc<Slow>,
    arrived: Receiver<(String, ThreadId)>,
    _folder: tempfile::TempDir,
}

impl Shop {
    /// With so many sales of each VAT number.
    fn new(sales: usize) -> Shop {
        let folder = tempfile::tempdir().unwrap();
        let queue = shop::open(folder.path(), Arc::new(SystemClock));
        for sale in 0..sales {
            for shop in SHOPS {
                queue.enqueue(&format!("{shop}-{sale:02}"), shop::sale(shop)).unwrap();
            }
        }
        let (arrives, arrived) = channel();
        let provider = Arc::new(Slow { arrived: arrives, may: Semaphore::new(0) });
        Shop { queue, provider, arrived, _folder: folder }
    }

    /// With a thread for each request that may be out.
    fn start(&self) -> Dispatcher {
        let settings = Settings { in_flight: SHOPS.len(), ..Settings::default() };
        let managed = Managed::new(shop::account(), self.provider.clone());
        Dispatcher::start_on(&self.queue, vec![managed], settings, Hands::new(SHOPS.len() - 1)).unwrap()
    }

    /// So many that arrive. What does not come is a failure, not a test without end.
    fn arrivals(&self, count: usize) -> Vec<(String, ThreadId)> {
        let next = || self.arrived.recv_timeout(Duration::from_secs(20)).expect("it arrives");
        (0..count).map(|_| next()).collect()
    }
}

#[test]
fn a_backlog_is_sent_by_all_threads_once_each_and_in_the_order_of_its_lanes() {
    const SALES: usize = 20;
    let shop = Shop::new(SALES);
    let dispatcher = shop.start();
    let mut all = Vec::new();
    // With each answer the provider is trusted with twice as much.
    for together in [1, 2, 4, 4, 4] {
        let arrived = shop.arrivals(together);
        let threads: HashSet<ThreadId> = arrived.iter().map(|(_, thread)| *thread).collect();
        assert_eq!(threads.len(), together, "each on a thread of its own");
        all.extend(arrived);
        shop.provider.may.add_permits(together);
    }
    shop.provider.may.add_permits(SHOPS.len() * SALES);
    all.extend(shop.arrivals(SHOPS.len() * SALES - all.len()));
    dispatcher.drained_blocking().unwrap();
    dispatcher.stop_blocking().unwrap();
    assert!(shop.arrived.try_recv().is_err(), "nothing is sent twice");
    for shop in SHOPS {
        let lane: Vec<&str> = all.iter().map(|(key, _)| key.as_str()).filter(|key| key.starts_with(shop)).collect();
        assert!(lane.is_sorted() && lane.len() == SALES, "{lane:?}");
    }
    assert_eq!(shop.queue.status().unwrap().counts.get(&State::Registered), Some(&(all.len() as u64)));
}

#[test]
fn what_is_stopped_at_once_is_in_doubt_whichever_thread_sent_it() {
    let shop = Shop::new(2);
    let dispatcher = shop.start();
    for together in [1, 2] {
        shop.arrivals(together);
        shop.provider.may.add_permits(together);
    }
    shop.arrivals(SHOPS.len());
    dispatcher.ask_to_stop(true);
    dispatcher.stop_blocking().unwrap();
    let counts = shop.queue.status().unwrap().counts;
    assert_eq!(counts.get(&State::InDoubt), Some(&(SHOPS.len() as u64)), "{counts:?}");
    assert_eq!(Arc::strong_count(&shop.provider), 1, "nobody is left who could send");
}

#[test]
fn the_thread_with_the_least_to_do_is_next() {
    let hands = Hands::new(2);
    for (under_way, next) in [(vec![], 0), (vec![0], 1), (vec![0, 1], 2), (vec![0, 0, 1, 2, 2], 1), (vec![1, 2, 9], 0)]
    {
        assert_eq!(hands.idlest(under_way.iter().copied()), next, "{under_way:?}");
    }
    assert!(hands.get(0).is_none() && hands.get(2).is_some() && hands.get(3).is_none());
    assert_eq!(Hands::none().idlest([0, 0].into_iter()), 0);
}

#[test]
fn what_its_threads_do_ends_with_it() {
    let hands = Hands::new(2);
    let held = Arc::new(());
    let (begins, begun) = channel();
    for hand in [1, 2] {
        let (held, begins) = (held.clone(), begins.clone());
        hands.get(hand).unwrap().spawn(async move {
            begins.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(held);
        });
    }
    (0..2).for_each(|_| begun.recv().unwrap());
    assert_eq!(Arc::strong_count(&held), 3);
    drop(hands);
    assert_eq!(Arc::strong_count(&held), 1);
}

/// A name that is being resolved, with the line down.
#[test]
fn what_blocks_below_its_threads_is_not_waited_for() {
    let hands = Hands::new(1);
    let (begins, begun) = channel();
    let (go_on, wait) = channel::<()>();
    hands.get(1).unwrap().spawn_blocking(move || {
        begins.send(()).unwrap();
        wait.recv()
    });
    begun.recv().unwrap();
    let (drops, dropped) = channel();
    thread::spawn(move || {
        drop(hands);
        drops.send(())
    });
    dropped.recv_timeout(Duration::from_secs(20)).expect("it is gone before the other");
    drop(go_on);
}

/// As the program starts it: inside a runtime.
#[tokio::test]
async fn what_keeps_it_from_starting_is_told_as_an_error() {
    let shop = Shop::new(1);
    shop.queue.close().unwrap();
    let managed = Managed::new(shop::account(), shop.provider.clone());
    let started = Dispatcher::start_apart(&shop.queue, vec![managed], Settings::default());
    assert!(matches!(started, Err(Error::Journal(JournalError::Closed))));
}
