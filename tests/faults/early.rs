//! A group that is written while its last producers still check their documents.

use std::sync::mpsc;

use staffetta::journal::Pending;

use super::*;
use staffetta::testing::Op;

type Taken = Pending<DocId, JournalError>;

/// Three large documents in one group that waits for a fourth, who never comes. Before it is decided, `then` may
/// make the disk fail.
fn begun_early(sim: &Sim, then: impl FnOnce()) -> (Journal, Vec<Taken>) {
    let journal = open(sim).unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let (here, arrived) = mpsc::channel();
    let (start, entered) = mpsc::channel::<()>();
    // The group before: three waited while it was written, so that it and they are expected again.
    let before = journal.begin(move |tx| {
        here.send(()).unwrap();
        wait.recv().unwrap();
        tx.enqueue(sale("before"))
    });
    arrived.recv().unwrap();
    let mut entered = Some(entered);
    let three = ["one", "two", "three"].map(|name| {
        let (taken, entered) = (large(name), entered.take());
        journal.begin(move |tx| {
            if let Some(entered) = entered {
                entered.recv().unwrap(); // until the group before is written
            }
            tx.enqueue(taken)
        })
    });
    go.send(()).unwrap();
    before.wait().unwrap().unwrap();
    then();
    start.send(()).unwrap();
    (journal, three.into())
}

/// Writes of more than a small record.
fn writes(sim: &Sim) -> Vec<(u64, usize)> {
    let large = |op: &Op| match op {
        Op::Write { offset, bytes, .. } if bytes.len() > 5_000 => Some((*offset, bytes.len())),
        _ => None,
    };
    sim.log().iter().filter_map(large).collect()
}

fn found(journal: &Journal) -> [bool; 3] {
    ["one", "two", "three"].map(|name| journal.find(&key(name)).unwrap().is_some())
}

#[test]
fn what_is_certain_of_a_large_group_is_written_while_others_are_waited_for() {
    let sim = Sim::default();
    let (journal, three) = begun_early(&sim, || ());
    assert!(three.into_iter().all(|one| one.wait().unwrap().is_ok()));
    let [(offset, length), (then, _)] = writes(&sim)[..] else { panic!("{:?}", writes(&sim)) };
    assert_eq!(then, offset + length as u64, "nothing is written twice");
    drop(journal);
    assert_eq!(found(&open(&sim).unwrap()), [true; 3]);
}

#[test]
fn a_group_begun_early_is_there_whole_or_not_at_all_wherever_the_power_is_cut() {
    let sim = Sim::default();
    let (journal, three) = begun_early(&sim, || ());
    assert!(three.into_iter().all(|one| one.wait().unwrap().is_ok()));
    drop(journal);
    let log = sim.log();
    let (mut none, mut all) = (0, 0);
    for end in 0..=log.len() {
        for (cut, seed) in Cut::ALL.into_iter().zip(0..) {
            let mut disk = Disk::default();
            log.iter().take(end).for_each(|op| disk.play(op));
            let journal = open(&Sim::of(&disk.cut(cut, &mut Random::new(end as u64 * 10 + seed)))).unwrap();
            match found(&journal) {
                [true, true, true] => all += 1,
                [false, false, false] => none += 1,
                some => panic!("{cut:?} after {end} operations: {some:?}"),
            }
        }
    }
    assert!(none > 0 && all > 0);
}

#[test]
fn what_could_not_be_written_early_is_written_with_the_rest_or_said_not_to_be() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::ShortEio] {
        for (nth, for_good) in [(0, false), (0, true), (1, false), (1, true)] {
            let place = format!("{fault:?} at {nth}, for good: {for_good}");
            let sim = Sim::default();
            let (journal, three) = begun_early(&sim, || sim.fail(nth, fault, for_good));
            let taken: Vec<bool> = three.into_iter().map(|one| one.wait().is_ok_and(|one| one.is_ok())).collect();
            let early = nth == 0 && !for_good; // then there is nothing wrong any more
            assert_eq!(taken, [early; 3], "{place}");
            sim.heal();
            drop(journal);
            assert_eq!(found(&open(&sim).unwrap()).to_vec(), taken, "{place}");
        }
    }
}
