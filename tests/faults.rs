//! The disk fails or is full, at any operation: nothing acknowledged is lost, an error says that something was not taken,
//! and it goes on afterwards.

mod early;

use std::path::Path;
use std::sync::Arc;

use staffetta::domain::event::Enqueued;
use staffetta::domain::id::DocId;
use staffetta::journal::{Journal, JournalError, Options, View};
use staffetta::prelude::*;
use staffetta::queue;

use crate::papers::*;
use staffetta::testing::{Cut, Disk, Fault, Image, Random, Sim};

const DIR: &str = "/till/journal";

fn options(sim: &Sim) -> Options {
    Options {
        files: Arc::new(sim.clone()),
        segment_bytes: 2_000,
        reserve_bytes: 3_000,
        index_in_memory: true,
        ..Options::default()
    }
}

fn open(sim: &Sim) -> Result<Journal, JournalError> {
    Ok(Journal::open(Path::new(DIR), options(sim))?.0)
}

/// What was acknowledged: keys with the least length of their history.
type Acknowledged = Vec<(String, DocId, usize)>;

/// Takes and sends documents until something fails; returns whether all went well.
fn work(sim: &Sim, acknowledged: &mut Acknowledged) -> Result<(), JournalError> {
    let journal = open(sim)?;
    for n in 0..5 {
        let name = format!("doc-{n}");
        let id = match enqueue(&journal, sale(&name)) {
            Ok(id) => id,
            Err(JournalError::KeyTaken(_)) => continue,
            Err(error) => return Err(error),
        };
        acknowledged.push((name, id, 1));
        record(&journal, id, sending(1))?;
        acknowledged.last_mut().unwrap().2 = 2;
        record(&journal, id, accepted(&format!("r-{n}"), None))?;
        acknowledged.last_mut().unwrap().2 = 3;
    }
    journal.close()
}

fn check(journal: &Journal, acknowledged: &Acknowledged, place: &str) {
    for (name, id, history) in acknowledged {
        assert_eq!(journal.find(&key(name)).unwrap(), Some(*id), "{place}");
        assert!(journal.history(*id).unwrap().len() >= *history, "{place}: {name}");
    }
}

#[test]
fn an_operation_fails_and_nothing_acknowledged_is_lost() {
    let (healthy, mut all) = (Sim::default(), Vec::new());
    work(&healthy, &mut all).unwrap();
    let operations = healthy.changes();
    assert!(operations > 60 && all.len() == 5, "{operations}");
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite, Fault::ShortEio] {
        for for_good in [false, true] {
            for nth in 0..operations {
                let place = format!("{fault:?} at {nth}, for good: {for_good}");
                let (sim, mut acknowledged) = (Sim::default(), Vec::new());
                sim.fail(nth, fault, for_good);
                let failed = work(&sim, &mut acknowledged).is_err();
                sim.heal();
                // Another process on the same machine.
                let journal = open(&sim).unwrap_or_else(|error| panic!("{place}: {error}"));
                check(&journal, &acknowledged, &place);
                drop(journal);
                // The machine goes down instead.
                let mut disk = Disk::default();
                sim.log().iter().for_each(|op| disk.play(op));
                let image = disk.cut(Cut::ALL[nth % Cut::ALL.len()], &mut Random::new(nth as u64));
                let sim = Sim::of(&image);
                let journal = open(&sim).unwrap_or_else(|error| panic!("{place}, then a power cut: {error}"));
                check(&journal, &acknowledged, &place);
                drop(journal);
                // And then it goes on with the rest.
                work(&sim, &mut acknowledged).unwrap_or_else(|error| panic!("{place}, again: {error}"));
                assert!(failed || acknowledged.len() == 5, "{place}");
            }
        }
    }
}

fn journal_len(sim: &Sim) -> usize {
    sim.image().iter().filter(|(path, _)| path.to_string_lossy().ends_with(".seg")).map(|(_, bytes)| bytes.len()).sum()
}

#[test]
fn after_a_failed_flush_nothing_is_written_until_it_is_opened_again() {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    let id = enqueue(&journal, sale("before")).unwrap();
    let before = journal_len(&sim);
    sim.fail(1, Fault::Eio, false); // the write goes well, the flush does not
    assert!(matches!(enqueue(&journal, sale("lost")), Err(JournalError::Io { what: "sync", .. })));
    let written = sim.log().len();
    assert!(journal.is_poisoned());
    assert!(matches!(enqueue(&journal, sale("after")), Err(JournalError::Poisoned { .. })));
    assert!(matches!(record(&journal, id, sending(1)), Err(JournalError::Poisoned { .. })));
    assert_eq!(journal.find(&key("lost")).unwrap(), None, "what is not durable is not visible");
    assert!(journal.close().is_err());
    assert_eq!(sim.log().len(), written, "not one operation more");
    assert_eq!(journal_len(&sim), before, "what was begun is cut off");
    let journal = open(&sim).unwrap();
    assert_eq!(journal.find(&key("before")).unwrap(), Some(id));
    enqueue(&journal, sale("after")).unwrap();
}

/// "That key is taken" rests on a record of the same commit group: it must not be said before that one is durable.
#[test]
fn an_answer_that_rests_on_what_is_not_durable_is_not_given() {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (here, arrived) = std::sync::mpsc::channel();
    // Until both are handed over the writer is busy with a group of its own, so that they share one.
    let busy = journal.begin(move |_| {
        here.send(()).unwrap();
        wait.recv()
    });
    arrived.recv().unwrap();
    let [one, other] = [(); 2].map(|()| journal.begin(|tx| tx.enqueue(sale("same"))));
    let read = journal.begin(|tx| tx.find(&key("same")));
    sim.fail(1, Fault::Eio, false);
    go.send(()).unwrap();
    drop(busy);
    assert!(matches!(one.wait(), Err(JournalError::Io { what: "sync", .. })));
    assert!(
        matches!(other.wait(), Err(JournalError::Io { what: "sync", .. })),
        "nobody knows whether the key is taken"
    );
    assert!(matches!(read.wait(), Err(JournalError::Io { what: "sync", .. })), "nor has it been read");
}

#[test]
fn when_the_disk_is_full_outcomes_are_still_recorded() {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    let mut ids = Vec::new();
    sim.set_room(sim.used() + 2_500);
    let error = loop {
        match enqueue(&journal, sale(&format!("doc-{}", ids.len()))) {
            Ok(id) => ids.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    assert!(ids.len() > 3 && !journal.is_poisoned() && journal.stats().full);
    // What is on the wire can be answered for.
    for id in &ids[..3] {
        record(&journal, *id, sending(1)).unwrap();
        record(&journal, *id, accepted(&format!("r-{id}"), None)).unwrap();
        assert!(matches!(enqueue(&journal, sale("one-more")), Err(JournalError::Full { .. })));
    }
    // An outcome in one commit group with a document: the outcome stays.
    let both: Vec<_> = (0..20)
        .map(|n| journal.begin(move |tx| tx.enqueue(sale(&format!("more-{n}")))))
        .map(|pending| pending.wait().unwrap().is_err())
        .collect();
    assert!(both.iter().all(|refused| *refused));
    drop(journal);
    let journal = open(&sim).unwrap();
    assert!(matches!(enqueue(&journal, sale("one-more")), Err(JournalError::Full { .. })));
    record(&journal, ids[3], sending(1)).unwrap();
    // Room again: it goes on by itself.
    sim.heal();
    enqueue(&journal, sale("one-more")).unwrap();
    assert!(!journal.stats().full);
    for id in &ids[..3] {
        assert_eq!(journal.history(*id).unwrap().len(), 3);
    }
    assert_eq!(sim.image()[&Path::new(DIR).join("reserve")].len(), 3_000, "and keeps room aside again");
}

/// A till that repeats itself must hear that its sale is taken, also when no other can be; and that it is another one.
#[test]
fn when_the_disk_is_full_a_repeated_sale_gets_its_ticket() {
    let sim = Sim::default();
    let all = queue::Options { journal: options(&sim), ..queue::Options::default() };
    let queue = Queue::open_with(DIR, all).unwrap();
    let sale = |price: &str| {
        let receipt = Receipt::new("12345678903".parse().unwrap());
        let receipt = receipt.item(Item::new("Pane", price.parse().unwrap(), VatRate::Four));
        receipt.cash(price.parse().unwrap()).build().unwrap()
    };
    let first = queue.enqueue("first", sale("1.00")).unwrap();
    sim.set_room(sim.used() + 2_500);
    let error = (0..).find_map(|n| queue.enqueue(&format!("more-{n}"), sale("2.00")).err()).unwrap();
    assert!(matches!(error, Error::Journal(JournalError::Full { .. })), "{error}");
    sim.set_room(sim.used() + 100); // nor is there room for the reserve again
    let again = queue.enqueue("first", sale("1.00")).unwrap();
    assert!(again.duplicate && again.id == first.id && again.key == "first");
    let other = queue.enqueue("first", sale("2.00")).unwrap_err();
    assert!(matches!(&other, Error::Rejected(rejection) if rejection.code == "key_reused"), "{other}");
    let new = queue.enqueue("new", sale("1.00")).unwrap_err();
    assert!(matches!(new, Error::Journal(JournalError::Full { .. })), "{new}");
}

fn large(name: &str) -> Enqueued {
    Enqueued { body: "x".repeat(5_000), ..sale(name) }
}

#[test]
fn a_full_disk_in_the_middle_of_a_group_keeps_the_outcomes_in_it() {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    let id = enqueue(&journal, sale("known")).unwrap();
    // Keeps the writer busy until a whole group waits.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = journal.begin(move |_| {
        let _ = wait.recv();
        Ok::<_, JournalError>(())
    });
    let (one, two) = (large("one"), large("two"));
    let first = journal.begin(move |tx| tx.enqueue(one));
    let outcome = journal.begin(move |tx| tx.record(id, sending(1)));
    // Would hear that its key is taken, by what then is not there.
    let repeated = journal.begin(move |tx| tx.enqueue(sale("one")));
    let second = journal.begin(move |tx| tx.enqueue(two));
    let answer = journal.begin(move |tx| tx.record(id, accepted("r-1", None)));
    sim.set_room(sim.used() + 100);
    go.send(()).unwrap();
    drop(busy);
    assert!(matches!(first.wait(), Err(JournalError::Full { .. })));
    assert!(matches!(repeated.wait(), Err(JournalError::Full { .. })));
    assert!(matches!(second.wait(), Err(JournalError::Full { .. })));
    assert!(outcome.wait().unwrap().is_ok() && answer.wait().unwrap().is_ok());
    drop(journal);
    let image: Image = sim.image();
    let journal = open(&Sim::of(&image)).unwrap();
    assert_eq!(journal.history(id).unwrap().len(), 3);
    assert_eq!(journal.find(&key("one")).unwrap(), None);
}
