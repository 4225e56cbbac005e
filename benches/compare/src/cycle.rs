//! The real dispatcher with a provider that answers at once. From one submission of a VAT number to its next is a cycle: the
//! outcome recorded, the next document picked, its intent durable. All VAT numbers have their turns meanwhile: a document's
//! share of that is what is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use staffetta::domain::outcome::{Answer, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};
use staffetta::provider::{Call, Claimed, Lost, Provider, Tracked};
use staffetta::{Dispatcher, Managed, Queue, Settings};

static NEXT: AtomicU64 = AtomicU64::new(1);

struct AtOnce {
    seen: Mutex<Vec<Instant>>,
    wanted: usize,
    enough: mpsc::SyncSender<()>,
}

#[async_trait]
impl Provider for AtOnce {
    async fn submit(&self, _: &Call) -> Answer<SubmitOutcome> {
        let mut seen = self.seen.lock().expect("no thread panics here");
        seen.push(Instant::now());
        if seen.len() == self.wanted {
            let _ = self.enough.try_send(());
        }
        let remote_id = Some(format!("r-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        Answer::without_http(SubmitOutcome::Registered(Box::new(Remote { remote_id, ..Remote::default() })))
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        unreachable!("nothing is lost")
    }
    async fn track(&self, _: &Tracked) -> Answer<TrackOutcome> {
        unreachable!("all is registered")
    }
}

/// Microseconds a document in each of so many cycles, one request at a time.
pub fn run(queue: &Queue, cycles: usize) -> Vec<f64> {
    let (enough, wait) = mpsc::sync_channel(1);
    let turns = crate::documents::shops() as usize;
    let provider = Arc::new(AtOnce { seen: Mutex::default(), wanted: cycles + turns, enough });
    let managed = Managed::new(crate::documents::account(), provider.clone());
    let settings = Settings { in_flight: 1, blackout_spread: Duration::ZERO, ..Settings::default() };
    let dispatcher = Dispatcher::start_with(queue, vec![managed], settings).expect("a dispatcher");
    wait.recv().expect("enough cycles");
    dispatcher.stop_blocking().expect("it stops");
    let seen = provider.seen.lock().expect("no thread panics here");
    let share = |cycle: &[Instant]| (cycle[turns] - cycle[0]).as_secs_f64() * 1e6 / turns as f64;
    seen.windows(turns + 1).take(cycles).map(share).collect()
}
