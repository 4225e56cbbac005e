//! The power is cut, the process killed, an operation fails, at every step of archiving: nothing is lost, and the next
//! open goes on from there.

use std::path::Path;
use std::sync::Arc;

use staffetta::journal::{JournalError, View, verify};
use staffetta::testing::{Cut, Disk, Fault, Image, Op, Random, Sim};

use super::{ALL, DIR, Facts, day, facts, names, open};
use crate::papers::*;

/// Archives, and takes one more document.
fn record_archiving() -> (Image, Facts, Vec<Op>) {
    // The files keep their numbers only if what is played begins with the same disk.
    let image = day().image();
    let all = facts(&open(&Sim::of(&image)).unwrap()).unwrap();
    let fresh = Sim::of(&image);
    let journal = open(&fresh).unwrap();
    assert!(journal.archive(ALL).unwrap().segments > 4);
    enqueue(&journal, sale("afterwards")).unwrap();
    fresh.told("afterwards");
    journal.close().unwrap();
    (image, all, fresh.log())
}

fn check(image: &Image, all: &Facts, told: bool) -> Result<(), String> {
    let sim = Sim::of(image);
    let report = verify(Path::new(DIR), Arc::new(sim.clone())).map_err(|error| format!("verify: {error}"))?;
    if !report.sound {
        return Err(format!("not sound: {:?}", report.damage));
    }
    let journal = open(&sim).map_err(|error| format!("open: {error}"))?;
    let same = |journal: &_| -> Result<(), String> {
        let now = facts(journal).map_err(|error| format!("facts: {error}"))?;
        match all.iter().find(|(name, fact)| now.get(*name) != Some(fact)) {
            Some((name, _)) => Err(format!("{name} is {:?}", now.get(name))),
            None => Ok(()),
        }
    };
    same(&journal)?;
    if told && journal.find(&key("afterwards")).map_err(|error| error.to_string())?.is_none() {
        return Err("what was taken afterwards is lost".to_owned());
    }
    // And it goes on: what was left is archived now.
    journal.archive(ALL).map_err(|error| format!("archive: {error}"))?;
    same(&journal)?;
    journal.close().map_err(|error| format!("close: {error}"))?;
    let both = names(&sim, ".seg").iter().any(|name| names(&sim, ".arc").contains(name));
    if both || sim.image().keys().any(|path| path.to_string_lossy().ends_with(".tmp")) {
        return Err(format!("left behind: {:?}", sim.image().keys()));
    }
    let report = verify(Path::new(DIR), Arc::new(sim)).map_err(|error| format!("verify: {error}"))?;
    if report.sound { Ok(()) } else { Err(format!("not sound afterwards: {:?}", report.damage)) }
}

fn cut_everywhere(mut disk: Disk, log: &[Op], all: &Facts, mut told: bool) -> Result<usize, String> {
    let mut cuts = 0;
    for (number, op) in log.iter().enumerate() {
        disk.play(op);
        told |= matches!(op, Op::Told(_));
        for how in Cut::ALL {
            let image = disk.cut(how, &mut Random::new((number as u64) << 8 ^ how as u64));
            check(&image, all, told).map_err(|why| format!("operation {number} {op:?}, {how:?}: {why}"))?;
            cuts += 1;
        }
    }
    Ok(cuts)
}

#[test]
fn nothing_is_lost_wherever_the_power_is_cut() {
    let (image, all, log) = record_archiving();
    let cuts = cut_everywhere(Disk::of(&image), &log, &all, false).unwrap_or_else(|why| panic!("{why}"));
    assert!(cuts > 300, "only {cuts} cuts");
}

/// A killed process leaves what it did, durable or not; the next one decides between segment and archive, and then the
/// power is cut.
#[test]
fn nothing_is_lost_when_the_process_is_killed_and_then_the_power_is_cut_while_opening() {
    let (image, all, log) = record_archiving();
    let (mut disk, mut killed) = (Disk::of(&image), 0);
    for (number, op) in log.iter().enumerate() {
        disk.play(op);
        let archives = |path: &Path| path.starts_with(Path::new(DIR).join("archives"));
        let interesting = match op {
            Op::Rename { to, .. } => archives(to),
            Op::SyncDir { dir } => archives(dir),
            Op::Remove { path } => path.extension().is_some_and(|ext| ext == "seg"),
            _ => false,
        };
        if !interesting || number % 2 == 1 {
            continue;
        }
        let sim = Sim::after_kill(&disk);
        drop(open(&sim).unwrap());
        let why = |why| panic!("killed after operation {number} {op:?}: {why}");
        cut_everywhere(disk.clone(), &sim.log(), &all, false).unwrap_or_else(why);
        killed += 1;
    }
    assert!(killed > 5, "killed only {killed} times");
}

/// What is above can fail: without any one of these steps something is lost.
#[test]
fn each_step_is_needed() {
    let (image, all, log) = record_archiving();
    let archives = Path::new(DIR).join("archives");
    let made: Vec<usize> = log
        .iter()
        .filter_map(|op| match op {
            Op::Create { file, path } if path.starts_with(&archives) => Some(*file),
            _ => None,
        })
        .collect();
    let without = |what: &str, taken: &dyn Fn(&Op) -> bool| {
        let log: Vec<Op> = log.iter().filter(|op| !taken(op)).cloned().collect();
        let result = cut_everywhere(Disk::of(&image), &log, &all, false);
        assert!(result.is_err(), "nobody missed {what}");
    };
    without("the flush of an archive", &|op| matches!(op, Op::SyncAll { file } if made.contains(file)));
    without("the flush of the folder of archives", &|op| matches!(op, Op::SyncDir { dir } if *dir == archives));
}

/// The device fails or is full at any operation: it is told, the journal goes on, and the next time archives the rest.
#[test]
fn an_operation_fails_and_nothing_is_lost() {
    let image = day().image();
    let all = facts(&open(&Sim::of(&image)).unwrap()).unwrap();
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::ShortEio] {
        let mut failed = 0;
        for nth in 0.. {
            let sim = Sim::of(&image);
            let journal = open(&sim).unwrap();
            let before = sim.changes();
            sim.fail(nth, fault, false);
            let done = journal.archive(ALL);
            let ended = sim.changes() - before <= nth;
            sim.heal();
            let why = || format!("{fault:?} at {nth}: {done:?}");
            match &done {
                Ok(_) => {}
                Err(JournalError::Io { .. } | JournalError::Full { .. } | JournalError::Poisoned { .. }) => failed += 1,
                Err(_) => panic!("{}", why()),
            }
            assert_eq!(facts(&journal).unwrap(), all, "{}", why());
            drop(journal);
            check(&sim.image(), &all, false).unwrap_or_else(|error| panic!("{}: {error}", why()));
            if ended {
                break;
            }
        }
        assert!(failed > 4, "{fault:?} was met only {failed} times");
    }
}

/// Segment and archive both there, as a kill between them leaves it: the archive stays if it is sound, else the segment.
#[test]
fn of_two_the_sound_one_stays() {
    let whole = day().image();
    let all = facts(&open(&Sim::of(&whole)).unwrap()).unwrap();
    let sim = Sim::of(&whole);
    let journal = open(&sim).unwrap();
    journal.archive(ALL).unwrap();
    journal.close().unwrap();
    let mut both = sim.image();
    both.extend(
        whole
            .iter()
            .filter(|(path, _)| path.ends_with("00000000000000000001.seg"))
            .map(|(p, c)| (p.clone(), c.clone())),
    );
    let place = |name: &str| Path::new(DIR).join(name);
    let (segment, archive) = (place("segments/00000000000000000001.seg"), place("archives/00000000000000000001.arc"));
    let opened = |image: &Image| {
        let sim = Sim::of(image);
        let there = open(&sim).map(|journal| {
            let now = facts(&journal).unwrap();
            assert!(all.iter().all(|(name, fact)| now.get(name) == Some(fact)));
            journal.close().unwrap();
            let image = sim.image();
            (image.contains_key(&segment), image.contains_key(&archive))
        });
        there.map_err(|error| {
            let now = sim.image();
            let kept = [&segment, &archive].into_iter().all(|path| now.get(path) == image.get(path));
            (error.to_string(), kept)
        })
    };
    assert_eq!(opened(&both), Ok((false, true)));
    let damage = |image: &mut Image, path: &Path| image.get_mut(path).unwrap()[300] ^= 1;
    let mut image = both.clone();
    damage(&mut image, &archive);
    assert_eq!(opened(&image), Ok((true, false)));
    // A copy of the segment taken before it was full is less, not other.
    let mut image = both.clone();
    image.get_mut(&segment).unwrap().truncate(500);
    assert_eq!(opened(&image), Ok((false, true)));
    // Two histories: neither is thrown away.
    let mut image = both.clone();
    damage(&mut image, &segment);
    let (said, kept) = opened(&image).unwrap_err();
    assert!(said.contains("differ") && kept, "{said}");
    // Two that are damaged: what is wrong in one may be right in the other.
    damage(&mut image, &archive);
    let (said, kept) = opened(&image).unwrap_err();
    assert!(said.contains("00000000000000000001") && kept, "{said}");
}
