//! Durable enqueue: rates, delays and bytes written, of all peers in turn.

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::meter::{median, percentile, written};
use crate::peers::{Peer, Taker};

/// Documents of each producer in one round: about a second with a flush of 2 ms.
const ROUND: [(u64, u64); 3] = [(1, 500), (8, 300), (64, 250)];

/// A part of the comparison, for a quick look.
#[derive(Default)]
pub struct Among {
    /// So many producers alone.
    pub producers: Option<u64>,
    /// The names of these peers alone.
    pub peers: Option<String>,
}

impl Among {
    fn has(&self, peer: Peer) -> bool {
        self.peers.as_ref().is_none_or(|names| names.split(',').any(|name| name == peer.name()))
    }
}

/// What one round showed.
struct Round {
    /// Documents a second.
    rate: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
}

/// Bytes of the journal for one document, its header and checksums included.
pub fn record_bytes(dir: &Path) -> usize {
    const MANY: u64 = 200;
    let dir = tempfile::tempdir_in(dir).expect("a folder");
    let queue = crate::peers::staffetta::open(dir.path(), None);
    (0..MANY).for_each(|number| drop(queue.take(crate::documents::document(0, number)).expect("it is taken")));
    queue.close().expect("a clean stop");
    let folder = std::fs::read_dir(dir.path().join("journal/segments")).expect("segments");
    let bytes: u64 = folder.map(|file| file.and_then(|file| file.metadata()).expect("a segment").len()).sum();
    (bytes / MANY) as usize
}

fn line_bytes() -> f64 {
    let lines = 1_000;
    (0..lines).map(|number| crate::documents::line(1, number).len()).sum::<usize>() as f64 / lines as f64
}

fn round(peer: Peer, taker: &dyn Taker, producers: u64, each: u64, record: usize) -> Round {
    let prepare = |till| (0..each).map(move |number| (number, peer.prepare(till, number, record))).collect::<Vec<_>>();
    let prepared: Vec<_> = (0..producers).map(prepare).collect();
    let (start, count) = (Barrier::new(producers as usize + 1), producers * each);
    let (mut delays, elapsed) = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (till, documents) in prepared.into_iter().enumerate() {
            let start = &start;
            threads.push(scope.spawn(move || {
                let mut delays = Vec::with_capacity(documents.len());
                start.wait();
                for (number, document) in documents {
                    let began = Instant::now();
                    taker.take(till as u64, number, document);
                    delays.push(began.elapsed().as_secs_f64() * 1e6);
                }
                delays
            }));
        }
        start.wait();
        let began = Instant::now();
        let delays: Vec<f64> = threads.into_iter().flat_map(|thread| thread.join().expect("a producer")).collect();
        (delays, began.elapsed())
    });
    Round {
        rate: count as f64 / elapsed.as_secs_f64(),
        p50: percentile(&mut delays, 50),
        p99: percentile(&mut delays, 99),
    }
}

/// Rates and delays: every peer once in each round, the order turned from round to round; medians are told.
pub fn rates(dir: &Path, flush: Option<Duration>, rounds: usize, among: &Among) {
    let peers: Vec<Peer> = Peer::ALL.into_iter().filter(|peer| among.has(*peer)).collect();
    let record = record_bytes(dir);
    println!(
        "\n## Durable enqueue ({}; {rounds} rounds)",
        flush.map_or("the disk's own flush".to_owned(), |flush| format!("flush fixed at {flush:?}"))
    );
    println!("line {:.0} bytes, record in the journal {record} bytes\n", line_bytes());
    println!(
        "| producers | | documents/s | of the raw log | p50 µs | of the raw log | p99 µs |\n|---|---|---|---|---|---|---|"
    );
    for (producers, each) in ROUND.into_iter().filter(|(many, _)| among.producers.is_none_or(|only| only == *many)) {
        let mut all: Vec<Vec<Round>> = peers.iter().map(|_| Vec::new()).collect();
        for turn in 0..rounds {
            for place in 0..peers.len() {
                let place = (place + turn) % peers.len();
                let Some((peer, seen)) = peers.get(place).zip(all.get_mut(place)) else { continue };
                let dir = tempfile::tempdir_in(dir).expect("a folder");
                let taker = peer.open(dir.path(), flush, producers);
                seen.push(round(*peer, &*taker, producers, each, record));
            }
        }
        // Ratios within a round, so that what else the machine does falls on both.
        let raw = peers.iter().position(|peer| *peer == Peer::RawLog).and_then(|place| all.get(place));
        for (peer, seen) in peers.iter().zip(&all) {
            let of = |value: fn(&Round) -> f64| median(seen.iter().map(value).collect());
            let ratio = |value: fn(&Round) -> f64| {
                let raw = raw.unwrap_or(seen); // without it each is its own measure
                median(seen.iter().zip(raw).map(|(seen, raw)| value(seen) / value(raw)).collect())
            };
            println!(
                "| {producers} | {} | {:.0} | {:.2} | {:.0} | {:.2} | {:.0} |",
                peer.name(),
                of(|round| round.rate),
                ratio(|round| round.rate),
                of(|round| round.p50),
                ratio(|round| round.p50),
                of(|round| round.p99)
            );
        }
    }
}

/// Bytes that reach the disk for each byte of a document, a clean stop included.
pub fn bytes(dir: &Path) {
    let (record, line) = (record_bytes(dir), line_bytes());
    println!("\n## Bytes written per byte of a document (line {line:.0} bytes, record in the journal {record} bytes)");
    println!("\n| producers | documents | | bytes per byte |\n|---|---|---|---|");
    for (producers, each) in [(1, 5_000), (64, 1_500)] {
        for peer in Peer::ALL {
            let dir = tempfile::tempdir_in(dir).expect("a folder");
            let taker = peer.open(dir.path(), None, producers);
            let before = written();
            round(peer, &*taker, producers, each, record);
            drop(taker);
            let per_byte = (written() - before) as f64 / ((producers * each) as f64 * line);
            println!("| {producers} | {} | {} | {per_byte:.2} |", producers * each, peer.name());
        }
    }
}
