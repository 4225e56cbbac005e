use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::ThreadId;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::super::{Dispatcher, Managed, Settings};
use super::*;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar::Window;
use crate::domain::document::{Item, Receipt};
use crate::domain::outcome::{Answer, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};
use crate::domain::state::State;
use crate::domain::vat::VatRate;
use crate::provider::{Call, Claimed, Lost, Provider, Tracked};
use crate::queue::{Options, Queue};

/// The VAT numbers: so many lanes.
const SHOPS: [&str; 4] = ["12345678903", "01234567897", "11111111115", "22222222220"];

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
    managed: Managed,
    provider: Arc<Slow>,
    arrived: Receiver<(String, ThreadId)>,
    _folder: tempfile::TempDir,
}

/// With so many sales of each VAT number.
fn shop(sales: usize) -> Shop {
    let account = Account {
        name: "shop".parse().unwrap(),
        provider: ProviderKind::Openapi,
        fiscal_ids: SHOPS.iter().map(|shop| shop.parse().unwrap()).collect(),
        blackout: Window::NONE,
    };
    let journal = crate::journal::Options { index_in_memory: true, ..Default::default() };
    let folder = tempfile::tempdir().unwrap();
    let options = Options { accounts: vec![account.clone()], journal, ..Options::default() };
    let queue = Queue::open_with(folder.path(), options).unwrap();
    for sale in 0..sales {
        for shop in SHOPS {
            let item = Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten);
            let receipt = Receipt::new(shop.parse().unwrap()).item(item).cash("1.20".parse().unwrap()).build().unwrap();
            queue.enqueue(&format!("{shop}-{sale:02}"), receipt).unwrap();
        }
    }
    let (arrives, arrived) = channel();
    let provider = Arc::new(Slow { arrived: arrives, may: Semaphore::new(0) });
    Shop { queue, managed: Managed::new(account, provider.clone()), provider, arrived, _folder: folder }
}

/// So many that arrive. What does not come is a failure, not a test without end.
fn arrivals(shop: &Shop, count: usize) -> Vec<(String, ThreadId)> {
    let next = || shop.arrived.recv_timeout(Duration::from_secs(20)).expect("it arrives");
    (0..count).map(|_| next()).collect()
}

#[test]
fn a_backlog_is_sent_by_all_threads_once_each_and_in_the_order_of_its_lanes() {
    const SALES: usize = 20;
    let shop = shop(SALES);
    let settings = Settings { in_flight: SHOPS.len(), ..Settings::default() };
    let dispatcher =
        Dispatcher::start_on(&shop.queue, vec![shop.managed.clone()], settings, Hands::new(SHOPS.len() - 1)).unwrap();
    let mut all = Vec::new();
    // With each answer the provider is trusted with twice as much.
    for together in [1, 2, 4, 4, 4] {
        let arrived = arrivals(&shop, together);
        let threads: HashSet<ThreadId> = arrived.iter().map(|(_, thread)| *thread).collect();
        assert_eq!(threads.len(), together, "each on a thread of its own");
        all.extend(arrived);
        shop.provider.may.add_permits(together);
    }
    shop.provider.may.add_permits(SHOPS.len() * SALES);
    all.extend(arrivals(&shop, SHOPS.len() * SALES - all.len()));
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
    let shop = shop(2);
    let settings = Settings { in_flight: SHOPS.len(), ..Settings::default() };
    let dispatcher =
        Dispatcher::start_on(&shop.queue, vec![shop.managed.clone()], settings, Hands::new(SHOPS.len() - 1)).unwrap();
    for together in [1, 2] {
        arrivals(&shop, together);
        shop.provider.may.add_permits(together);
    }
    arrivals(&shop, SHOPS.len());
    dispatcher.ask_to_stop(true);
    dispatcher.stop_blocking().unwrap();
    let counts = shop.queue.status().unwrap().counts;
    assert_eq!(counts.get(&State::InDoubt), Some(&(SHOPS.len() as u64)), "{counts:?}");
    assert_eq!(Arc::strong_count(&shop.provider), 2, "nobody is left who could send");
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
