//! What a drained million leaves on the disk once it is archived, and what it costs whoever goes on.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use staffetta::domain::outcome::{Answer, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};
use staffetta::provider::{Call, Claimed, Lost, Provider, Tracked};
use staffetta::view::ListFilter;
use staffetta::{Dispatcher, Managed, Queue, Settings};

use crate::documents;
use crate::meter::{memory, percentile};
use crate::peers::staffetta::open;
use crate::scale::{child, fill, in_turn};

/// Documents taken at a time before they are delivered: as a shop's days would be.
const DAY: u64 = 50_000;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Registers everything at once, under ids that look like the provider's: 24 digits that nothing else is like.
struct Registrar {
    done: AtomicU64,
    wanted: u64,
    enough: mpsc::SyncSender<()>,
}

#[async_trait]
impl Provider for Registrar {
    async fn submit(&self, _: &Call) -> Answer<SubmitOutcome> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let second = (mixed ^ mixed >> 32).wrapping_mul(0x94d0_49bb_1331_11eb) as u32;
        let remote = Remote {
            remote_id: Some(format!("{:016x}{second:08x}", mixed ^ mixed >> 31)),
            document_number: Some(format!("{:04}-{:04}", number / 10_000 % 10_000, number % 10_000)),
            ..Remote::default()
        };
        if self.done.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            let _ = self.enough.try_send(());
        }
        Answer::without_http(SubmitOutcome::Registered(Box::new(remote)))
    }
    async fn look_up(&self, _: &Lost, _: &dyn Claimed) -> Answer<LookUpOutcome> {
        unreachable!("nothing is lost")
    }
    async fn track(&self, _: &Tracked) -> Answer<TrackOutcome> {
        unreachable!("all is registered")
    }
}

/// Takes so many documents and delivers them all, a day's at a time.
pub fn drained(queue: &Queue, count: u64) {
    for day in 0..count.div_ceil(DAY) {
        let wanted = DAY.min(count - day * DAY);
        fill(queue, day, wanted);
        let (enough, wait) = mpsc::sync_channel(1);
        let provider = Arc::new(Registrar { done: AtomicU64::new(0), wanted, enough });
        let managed = Managed::new(documents::account(), provider);
        let settings = Settings { in_flight: 64, blackout_spread: Duration::ZERO, ..Settings::default() };
        let dispatcher = Dispatcher::start_with(queue, vec![managed], settings).expect("a dispatcher");
        wait.recv().expect("all are sent");
        dispatcher.stop_blocking().expect("it stops");
    }
}

/// In a process of its own: archives all that is done with.
pub fn archive(queue: &Queue) {
    let began = Instant::now();
    let done = queue.archive(Duration::ZERO).expect("it archives");
    println!(
        "{:.1} s: {} segments of {} became {}, {} stay; index {:?}, table {:?}; memory at most {} MB",
        began.elapsed().as_secs_f64(),
        done.segments,
        megabytes(done.bytes),
        megabytes(done.archive_bytes),
        done.kept,
        done.index.map(|(before, after)| [before, after].map(megabytes)),
        done.table.map(megabytes),
        memory().1 >> 20,
    );
}

/// In a process of its own: asks for all sorts of what is archived.
pub fn look(queue: &Queue, count: u64) {
    let time = |what: &str, times: u64, mut f: Box<dyn FnMut(u64) + '_>| {
        let mut took = Vec::new();
        for number in 0..times {
            let began = Instant::now();
            f(number * 7_919 % count);
            took.push(began.elapsed().as_secs_f64() * 1e6);
        }
        let [half, most] = [50, 99].map(|share| percentile(&mut took, share));
        print!("{what} {half:.0} µs, p99 {most:.0}; ");
    };
    let name = |number: u64| documents::key(number / DAY, number % DAY);
    time("show", 300, Box::new(|number| drop(queue.get(&name(number)).expect("it is there"))));
    let again = |number: u64| {
        let taken = queue.take(documents::document(number / DAY, number % DAY)).expect("it is known");
        assert!(taken.duplicate);
    };
    time("the same key again", 300, Box::new(again));
    let list = |_| assert!(queue.list(&ListFilter { limit: Some(1_000), ..ListFilter::default() }).is_ok());
    time("list of 1000", 5, Box::new(list));
    time("status", 5, Box::new(|_| drop(queue.status().expect("a status"))));
    println!("memory {} MB", memory().1 >> 20);
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn size(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return std::fs::metadata(path).map_or(0, |it| it.len()) };
    entries.flatten().map(|entry| size(&entry.path())).sum()
}

fn sizes(dir: &Path) -> String {
    let journal = dir.join("journal");
    let part = |name: &str| size(&journal.join(name));
    let (all, archives) = (size(&journal), part("archives"));
    format!(
        "live journal {} (segments {}, index {}, reserve {}); archives {}",
        megabytes(all - archives),
        megabytes(part("segments")),
        megabytes(part("index")),
        megabytes(part("reserve")),
        megabytes(archives)
    )
}

/// The whole part.
pub fn measure(dir: &Path, count: u64, rounds: usize, flush: Option<Duration>) {
    let folder = tempfile::tempdir_in(dir).expect("a folder");
    let dir = folder.path();
    println!("\n## Archiving {count} delivered documents\n");
    println!("taken and delivered: {}", child("drained", dir, &[&count.to_string()]));
    println!("before: {}", sizes(dir));
    println!("archive: {}", child("archive", dir, &[]));
    println!("after: {}", sizes(dir));
    println!("open: {}", child("open", dir, &[]));
    println!("look: {}", child("look", dir, &[&count.to_string()]));
    beside(dir, rounds, flush);
    println!("grown by {rounds} x 3,000: {}", sizes(dir));
    std::fs::remove_dir_all(dir.join("journal/index")).expect("the index");
    println!("index rebuilt: {}", child("open", dir, &[]));
    println!("after: {}", sizes(dir));
    println!("open: {}", child("open", dir, &[]));
}

/// New keys and dispatch cycles with all that behind them, and with nothing, in turn.
fn beside(dir: &Path, rounds: usize, flush: Option<Duration>) {
    let empty = dir.join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let queues = [open(&empty, flush), open(dir, flush)];
    in_turn(&queues, ["nothing behind", "archived behind"].map(str::to_owned), rounds, 2_000);
    println!("\nmemory with both open: {} MB at most", memory().1 >> 20);
    queues.into_iter().for_each(|queue| queue.close().expect("a clean stop"));
}
