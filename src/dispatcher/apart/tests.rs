use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::super::tests::{self as shop, SHOPS};
use super::super::{Dispatcher, Managed, Settings};
use crate::clock::SystemClock;
use crate::domain::outcome::{Answer, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};
use crate::domain::state::State;
use crate::error::Error;
use crate::journal::JournalError;
use crate::provider::{Call, Claimed, Lost, Provider, Tracked};
use crate::queue::Queue;

/// Tells what arrives; answers when it may.
struct Slow {
    arrived: Sender<String>,
    may: Semaphore,
}

#[async_trait]
impl Provider for Slow {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.arrived.send(call.key.to_string()).unwrap();
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
    arrived: Receiver<String>,
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

    fn start(&self) -> Dispatcher {
        let settings = Settings { in_flight: SHOPS.len(), ..Settings::default() };
        let managed = Managed::new(shop::account(), self.provider.clone());
        Dispatcher::start_apart(&self.queue, vec![managed], settings).unwrap()
    }

    /// So many that arrive. What does not come is a failure, not a test without end.
    fn arrivals(&self, count: usize) -> Vec<String> {
        let next = || self.arrived.recv_timeout(Duration::from_secs(20)).expect("it arrives");
        (0..count).map(|_| next()).collect()
    }
}

#[test]
fn a_backlog_is_sent_once_each_and_in_the_order_of_its_lanes() {
    const SALES: usize = 20;
    let shop = Shop::new(SALES);
    let dispatcher = shop.start();
    let mut all = Vec::new();
    // With each answer the provider is trusted with twice as much.
    for together in [1, 2, 4, 4, 4] {
        all.extend(shop.arrivals(together));
        shop.provider.may.add_permits(together);
    }
    shop.provider.may.add_permits(SHOPS.len() * SALES);
    all.extend(shop.arrivals(SHOPS.len() * SALES - all.len()));
    dispatcher.drained_blocking().unwrap();
    dispatcher.stop_blocking().unwrap();
    assert!(shop.arrived.try_recv().is_err(), "nothing is sent twice");
    for shop in SHOPS {
        let lane: Vec<&str> = all.iter().map(String::as_str).filter(|key| key.starts_with(shop)).collect();
        assert!(lane.is_sorted() && lane.len() == SALES, "{lane:?}");
    }
    assert_eq!(shop.queue.status().unwrap().counts.get(&State::Registered), Some(&(all.len() as u64)));
}

#[test]
fn what_is_stopped_at_once_is_in_doubt() {
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

/// As the program starts it: inside a runtime.
#[tokio::test]
async fn what_keeps_it_from_starting_is_told_as_an_error() {
    let shop = Shop::new(1);
    shop.queue.close().unwrap();
    let managed = Managed::new(shop::account(), shop.provider.clone());
    let started = Dispatcher::start_apart(&shop.queue, vec![managed], Settings::default());
    assert!(matches!(started, Err(Error::Journal(JournalError::Closed))));
}
