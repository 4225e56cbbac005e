//! The power is cut after any operation, in five ways: what was acknowledged is there, nothing is there by half.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use staffetta::domain::event::Entry;
use staffetta::domain::id::DocId;
use staffetta::journal::{Journal, Options, View, verify};

use crate::papers::*;
use staffetta::testing::{Cut, Disk, Image, Op, Random, Sim};

const DIR: &str = "/till/journal";

fn options(sim: &Sim, segment_bytes: u64) -> Options {
    Options {
        files: Arc::new(sim.clone()),
        segment_bytes,
        reserve_bytes: 700,
        index_in_memory: true,
        ..Options::default()
    }
}

/// Three producers and one that records what becomes of the documents, all waiting for each answer; everything they are
/// told is written down among the operations. Every third document comes in one transaction with a twin.
fn record_a_run(seed: u64, each: u64) -> Sim {
    let sim = Sim::default();
    let mut dice = Random::new(seed);
    let segment_bytes = 1_500 + dice.below(6_000);
    let (journal, _) = Journal::open(Path::new(DIR), options(&sim, segment_bytes)).unwrap();
    std::thread::scope(|scope| {
        let (send, taken) = mpsc::channel::<DocId>();
        for producer in 0..3 {
            let (send, journal, sim, mut dice) = (send.clone(), journal.clone(), sim.clone(), Random::new(dice.draw()));
            scope.spawn(move || {
                for number in 0..each {
                    let name = format!("{producer}-{number}");
                    let mut taken = sale(&name);
                    taken.body = "x".repeat(dice.below(900) as usize);
                    let twin = (number % 3 == 0).then(|| sale(&format!("{name}-twin")));
                    let both = twin.is_some();
                    let id = journal
                        .transact(move |tx| {
                            let id = tx.enqueue(taken)?;
                            twin.map(|twin| tx.enqueue(twin)).transpose()?;
                            Ok::<_, staffetta::journal::JournalError>(id)
                        })
                        .unwrap()
                        .unwrap();
                    sim.told(format!("taken {name} {id}"));
                    if both {
                        sim.told(format!("taken {name}-twin {}", id.0 + 1));
                    }
                    send.send(id).unwrap();
                }
            });
        }
        drop(send);
        let (journal, sim) = (journal.clone(), sim.clone());
        scope.spawn(move || {
            for id in taken {
                record(&journal, id, sending(1)).unwrap();
                sim.told(format!("history {id} 2"));
                // Two facts in one transaction: never one without the other.
                let both = move |tx: &mut staffetta::journal::Transaction<'_>| {
                    tx.record(id, unknown(None))?;
                    tx.record(id, accepted(&format!("r{id}"), None))
                };
                journal.transact(both).unwrap().unwrap();
                sim.told(format!("history {id} 4"));
            }
        });
    });
    journal.close().unwrap();
    // A second process, later.
    let (journal, _) = Journal::open(Path::new(DIR), options(&sim, segment_bytes)).unwrap();
    let id = enqueue(&journal, sale("later")).unwrap();
    sim.told(format!("taken later {id}"));
    drop(journal);
    sim
}

/// Opens what a cut left, and compares it with what was told before the cut.
fn check(image: &Image, told: &[String], mut dice: Random) -> Result<(), String> {
    let sim = Sim::of(image);
    let dir = Path::new(DIR);
    if dice.below(8) == 0 && image.keys().any(|path| path.starts_with("/till/journal/segments")) {
        let report = verify(dir, Arc::new(sim.clone())).map_err(|error| format!("verify: {error}"))?;
        if !report.sound {
            return Err(format!("not sound: {:?}", report.damage));
        }
    }
    let (journal, _) = Journal::open(dir, options(&sim, 4_000)).map_err(|error| format!("open: {error}"))?;
    compare(&journal, told)?;
    // And it goes on: one more document, and all is there after a good stop too.
    let last = enqueue(&journal, sale("afterwards")).map_err(|error| format!("enqueue: {error}"))?;
    journal.close().map_err(|error| format!("close: {error}"))?;
    if dice.below(8) == 0 {
        let (journal, recovery) =
            Journal::open(dir, options(&sim, 4_000)).map_err(|error| format!("open again: {error}"))?;
        if !recovery.clean || recovery.cut > 0 {
            return Err(format!("not clean: {recovery:?}"));
        }
        compare(&journal, told)?;
        match journal.find(&key("afterwards")) {
            Ok(Some(id)) if id == last => {}
            other => return Err(format!("afterwards: {other:?}")),
        }
    }
    Ok(())
}

fn compare(journal: &Journal, told: &[String]) -> Result<(), String> {
    let mut histories = BTreeMap::new();
    for line in told {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["taken", name, id] => {
                let found = journal.find(&key(name)).map_err(|error| error.to_string())?;
                if found.map(|id| id.to_string()).as_deref() != Some(id) {
                    return Err(format!("{name} was acknowledged as {id} and is {found:?}"));
                }
            }
            ["history", id, length] => {
                histories.insert(DocId(id.parse().unwrap()), length.parse::<usize>().unwrap());
            }
            _ => return Err(format!("what is {line}?")),
        }
    }
    let mut keys = BTreeSet::new();
    for record in journal.events_after(0, usize::MAX).map_err(|error| error.to_string())? {
        let Entry::Enqueued(taken) = record.entry else { continue };
        let history = journal.history(DocId(record.seq)).map_err(|error| error.to_string())?;
        let least = histories.get(&DocId(record.seq)).copied().unwrap_or(1);
        if history.len() < least || history.len() == 3 {
            return Err(format!("{} has {} records, {least} were acknowledged", taken.key, history.len()));
        }
        keys.insert(taken.key.to_string());
    }
    for name in &keys {
        let number = name.split('-').nth(1).and_then(|number| number.parse::<u64>().ok());
        if number.is_some_and(|number| number % 3 == 0)
            && !name.ends_with("-twin")
            && !keys.contains(&format!("{name}-twin"))
        {
            return Err(format!("{name} is there without its twin"));
        }
    }
    Ok(())
}

/// Cuts the power after every operation of a run that began with this disk, in every way. Returns how many operations
/// there were.
fn cut_everywhere(mut disk: Disk, log: &[Op], told: &[String], seed: u64) -> Result<usize, String> {
    let mut told = told.to_vec();
    for (number, op) in log.iter().enumerate() {
        disk.play(op);
        if let Op::Told(what) = op {
            told.push(what.clone());
            continue;
        }
        for how in Cut::ALL {
            let mut dice = Random::new(seed ^ (number as u64) << 8 ^ how as u64);
            let image = disk.cut(how, &mut dice);
            check(&image, &told, dice).map_err(|why| format!("seed {seed}, operation {number}, {how:?}: {why}"))?;
        }
    }
    Ok(log.iter().filter(|op| !matches!(op, Op::Told(_))).count())
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_is_cut() {
    let seeds: Vec<u64> = match std::env::var("STAFFETTA_POWER_CUT_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=12).collect(),
    };
    let alone = seeds.len() == 1;
    let run = |seed: &u64| {
        let log = record_a_run(*seed, 3).log();
        cut_everywhere(Disk::default(), &log, &[], *seed).unwrap_or_else(|why| panic!("{why}"))
    };
    let cuts: usize = std::thread::scope(|scope| {
        let halves = seeds.chunks(seeds.len().div_ceil(2));
        let threads: Vec<_> = halves.map(|half| scope.spawn(move || half.iter().map(run).sum::<usize>())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(alone || cuts >= 1_000, "only {cuts} cut points");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut_again_while_opening() {
    let log = record_a_run(77, 3).log();
    let mut dice = Random::new(77);
    let (mut disk, mut told, mut cuts) = (Disk::default(), Vec::new(), 0);
    for (number, op) in log.iter().enumerate() {
        disk.play(op);
        match op {
            Op::Told(what) => told.push(what.clone()),
            Op::Write { .. } if dice.below(6) == 0 => {
                let how = Cut::ALL[number % Cut::ALL.len()];
                let image = disk.cut(how, &mut dice);
                let sim = Sim::of(&image);
                let (journal, _) = Journal::open(Path::new(DIR), options(&sim, 4_000)).unwrap();
                drop(journal);
                let why = |why| panic!("after operation {number}, {how:?}: {why}");
                cuts += cut_everywhere(Disk::of(&image), &sim.log(), &told, 77).unwrap_or_else(why);
            }
            _ => {}
        }
    }
    assert!(cuts > 100, "only {cuts} cut points");
}

/// A killed process leaves what it wrote, flushed or not; the next one builds on it.
#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed_and_then_the_power_is_cut_while_opening() {
    let log = record_a_run(78, 3).log();
    let mut dice = Random::new(78);
    let (mut disk, mut told, mut cuts) = (Disk::default(), Vec::new(), 0);
    for (number, op) in log.iter().enumerate() {
        disk.play(op);
        match op {
            Op::Told(what) => told.push(what.clone()),
            _ if dice.below(12) == 0 => {
                let sim = Sim::after_kill(&disk);
                let (journal, _) = Journal::open(Path::new(DIR), options(&sim, 4_000)).unwrap();
                compare(&journal, &told).unwrap();
                drop(journal);
                let why = |why| panic!("killed after operation {number}: {why}");
                cuts += cut_everywhere(disk.clone(), &sim.log(), &told, 78).unwrap_or_else(why);
            }
            _ => {}
        }
    }
    assert!(cuts > 100, "only {cuts} cut points");
}

/// What is above can fail: with any one kind of flush taken away, something is lost.
#[test]
fn each_flush_is_needed() {
    let log = record_a_run(5, 5).log();
    let segments = Path::new(DIR).join("segments");
    let made: BTreeSet<usize> = log
        .iter()
        .filter_map(|op| match op {
            Op::Create { file, path } if path.starts_with(&segments) => Some(*file),
            _ => None,
        })
        .collect();
    let without = |what: &str, taken: &dyn Fn(&Op) -> bool| {
        let log: Vec<Op> = log.iter().filter(|op| !taken(op)).cloned().collect();
        let result = cut_everywhere(Disk::default(), &log, &[], 5);
        assert!(result.is_err(), "nobody missed {what}");
    };
    without("the flush of a commit group", &|op| matches!(op, Op::SyncData { .. }));
    without("the flush of a new segment's header", &|op| matches!(op, Op::SyncAll { file } if made.contains(file)));
    without("the flush of the folder of segments", &|op| matches!(op, Op::SyncDir { dir } if *dir == segments));
}
