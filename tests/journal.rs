//! The journal's daily work: take, record, read, close, open again; alone and with many at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use staffetta::clock::Clock;
use staffetta::domain::document::Kind;
use staffetta::domain::event::{DocEvent, Entry};
use staffetta::domain::id::DocId;
use staffetta::domain::state::State;
use staffetta::journal::{Filter, Journal, JournalError, Options, View, read_all, verify};
use tempfile::tempdir;

use crate::papers::*;

fn open(dir: &std::path::Path) -> Journal {
    Journal::open(dir, Options::default()).unwrap().0
}

#[test]
fn what_was_recorded_is_there_after_opening_again() {
    let dir = tempdir().unwrap();
    let (journal, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
    assert!(recovery.created && !recovery.clean && recovery.interrupted.is_empty());
    let first = enqueue(&journal, sale("a")).unwrap();
    let second = enqueue(&journal, sale("b")).unwrap();
    assert!(matches!(enqueue(&journal, sale("a")), Err(JournalError::KeyTaken(id)) if id == first));
    assert_eq!(journal.ready(&shop(), None, 10).unwrap(), [first, second]);
    record(&journal, first, sending(1)).unwrap();
    record(&journal, first, accepted("r-1", Some(at(5)))).unwrap();
    record(&journal, second, sending(1)).unwrap();
    let (id, last) = (journal.id(), journal.last_seq());
    journal.close().unwrap();
    assert!(matches!(journal.find(&key("a")), Err(JournalError::Closed)));
    assert!(matches!(enqueue(&journal, sale("c")), Err(JournalError::Closed)));

    let (journal, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
    assert!(recovery.clean && !recovery.created && recovery.rebuilt.is_none(), "{recovery:?}");
    assert_eq!((recovery.cut, recovery.replayed), (0, 0));
    assert_eq!(recovery.interrupted, [second]);
    assert_eq!((journal.id(), journal.last_seq()), (id, last + 2));
    assert_eq!(journal.find(&key("a")).unwrap(), Some(first));
    assert_eq!(journal.document(first).unwrap(), Some(sale("a")));
    let history: Vec<_> = journal.history(first).unwrap().iter().map(|record| record.seq).collect();
    assert_eq!(history, [first.0, 4, 5]);
    assert_eq!(journal.progress(first).unwrap().unwrap().state, State::Accepted);
    assert_eq!(journal.by_remote(&account("shop"), "r-1").unwrap(), Some(first));
    assert_eq!(journal.timers(at(0), at(9), 9).unwrap(), [(at(5), first)]);
    assert_eq!(journal.progress(DocId(99)).unwrap(), None);
    assert_eq!(journal.document(DocId(99)).unwrap(), None);
    assert!(journal.history(DocId(99)).unwrap().is_empty());
    let facts = journal.events_after(0, 100).unwrap();
    assert!(facts.iter().map(|fact| fact.seq).eq(1..=last + 2));
    assert_eq!(journal.events_after(3, 2).unwrap(), facts[3..5]);
    assert!(journal.events_after(last + 2, 2).unwrap().is_empty());
    assert!(matches!(&facts[last as usize].entry, Entry::Closed));
}

#[test]
fn a_transaction_is_all_or_nothing_and_sees_what_came_before() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path());
    // Handed over together, so that some share a commit group: each sees the ones before.
    let twice: Vec<_> = (0..2).map(|_| journal.begin(|tx| tx.enqueue(sale("twice")))).collect();
    let answers: Vec<_> = twice.into_iter().map(|pending| pending.wait().unwrap()).collect();
    let Ok(id) = answers[0] else { panic!("{:?}", answers[0]) };
    assert!(matches!(answers[1], Err(JournalError::KeyTaken(known)) if known == id));
    // An error takes everything back.
    let before = journal.last_seq();
    let refused = journal.transact(move |tx| {
        let new = tx.enqueue(sale("never"))?;
        tx.record(new, sending(1))?;
        tx.record(id, sending(1))?;
        assert_eq!(tx.find(&key("never"))?, Some(new));
        assert_eq!(tx.document(new)?.unwrap(), sale("never"));
        assert_eq!(tx.history(new)?.len(), 2);
        assert_eq!(tx.history(id)?.len(), 2);
        assert_eq!(tx.events_after(0, 100)?.last().unwrap().seq, id.0 + 3);
        assert_eq!(tx.oldest_unsent()?, Some(id));
        tx.record(new, registered("r"))?;
        tx.record(new, sending(2)) // final states do not change
    });
    assert!(matches!(refused, Ok(Err(JournalError::Illegal(_)))), "{refused:?}");
    assert_eq!((journal.last_seq(), journal.find(&key("never")).unwrap()), (before, None));
    assert_eq!(journal.progress(id).unwrap().unwrap().state, State::Queued);
    // So does a panic, and the writer lives on.
    let panicked = journal.transact(move |tx| {
        tx.record(id, sending(1)).unwrap();
        let nothing: Option<()> = None;
        nothing.ok_or(JournalError::Closed).unwrap();
        Ok::<_, JournalError>(())
    });
    assert!(matches!(panicked, Err(JournalError::Panicked(_))), "{panicked:?}");
    record(&journal, id, sending(1)).unwrap();
    // One that only looks writes nothing.
    let flushes = journal.stats().flushes;
    assert_eq!(journal.transact(move |tx| tx.progress(id)).unwrap().unwrap().unwrap().attempts, 0);
    assert_eq!(journal.stats().flushes, flushes);
    // Unknown documents and parents are refused, and so is what no record can hold.
    assert!(matches!(record(&journal, DocId(99), sending(1)), Err(JournalError::NoDocument(DocId(99)))));
    assert!(matches!(enqueue(&journal, about("v", Kind::Void, DocId(99))), Err(JournalError::NoDocument(DocId(99)))));
    let mut large = sale("large");
    large.body = "x".repeat(4 * 1024 * 1024);
    assert!(matches!(enqueue(&journal, large), Err(JournalError::TooLarge)));
    assert_eq!(journal.history(id).unwrap().len(), 2);
}

#[test]
fn waiting_for_a_transaction_inside_one_is_refused() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path());
    let inner = journal.clone();
    let answer = journal.transact(move |_| inner.transact(|tx| tx.enqueue(sale("inner"))).map(|_| ()));
    assert!(matches!(answer, Ok(Err(JournalError::Nested))), "{answer:?}");
    // The last clone may even go in there: the journal closes itself afterwards.
    let inner = journal.clone();
    let pending = journal.begin(move |tx| {
        drop(inner);
        tx.enqueue(sale("last"))
    });
    drop(journal);
    pending.wait().unwrap().unwrap();
    let mut waited = 0;
    let journal = loop {
        match Journal::open(dir.path(), Options::default()) {
            Ok((journal, _)) => break journal,
            Err(JournalError::Locked { .. }) if waited < 10_000 => waited += 1,
            Err(error) => panic!("{error}"),
        }
        std::thread::yield_now();
    };
    assert!(journal.find(&key("last")).unwrap().is_some());
}

#[test]
fn many_producers_share_flushes_and_nothing_is_mixed_up() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path());
    let told = Arc::new(AtomicU64::new(0));
    let listener = told.clone();
    journal.on_commit(move |seq| listener.store(seq, Ordering::SeqCst));
    journal.on_commit(|_| panic!("a callback that panics harms nobody"));
    let ids = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for producer in 0..8 {
            let (journal, ids, told) = (journal.clone(), &ids, told.clone());
            scope.spawn(move || {
                let pending: Vec<_> = (0..100)
                    .map(|n| sale(&format!("{producer}/{n}")))
                    .map(|taken| journal.begin(move |tx| tx.enqueue(taken)))
                    .collect();
                let mut last = DocId(0);
                for (n, pending) in pending.into_iter().enumerate() {
                    let id = pending.wait().unwrap().unwrap();
                    assert!(id > last, "one producer's documents keep their order");
                    assert_eq!(journal.find(&key(&format!("{producer}/{n}"))).unwrap(), Some(id));
                    last = id;
                    assert!(ids.lock().unwrap().insert(id));
                }
                let _ = told;
            });
        }
    });
    let expected = journal.last_seq();
    assert_eq!(ids.lock().unwrap().len(), 800);
    assert!(ids.lock().unwrap().iter().map(|id| id.0).eq(2..=801), "without gaps");
    for seq in (0..=801).step_by(3) {
        let after = journal.events_after(seq, 3).unwrap();
        assert!(after.iter().map(|recorded| recorded.seq).eq((seq + 1..).take(after.len())), "from the next one on");
        assert_eq!(after.len() as u64, 3.min(801 - seq.min(801)));
    }
    let stats = journal.stats();
    assert!(stats.flushes < 400, "{} flushes for 800 documents", stats.flushes);
    assert!(stats.total_flush >= stats.last_flush && stats.journal_bytes > 0);
    journal.close().unwrap();
    assert!((801..=expected).contains(&told.load(Ordering::SeqCst)));
    assert!(verify(dir.path(), Arc::new(staffetta::journal::RealFiles)).unwrap().sound);
}

#[test]
fn one_process_at_a_time_and_the_holder_is_named() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path());
    let files = || Arc::new(staffetta::journal::RealFiles);
    let holder = match Journal::open(dir.path(), Options::default()) {
        Err(JournalError::Locked { holder, .. }) => holder,
        other => panic!("{:?}", other.map(|_| ())),
    };
    assert!(holder.contains(&std::process::id().to_string()) && holder.contains("suite"), "{holder}");
    assert!(matches!(verify(dir.path(), files()), Err(JournalError::Locked { .. })));
    assert!(matches!(read_all(dir.path(), files(), |_| ()), Err(JournalError::Locked { .. })));
    drop(journal);
    // A lock file left by a dead process holds nobody up.
    std::fs::write(dir.path().join("lock"), "process 1 (init)\n").unwrap();
    drop(open(dir.path()));
    let nowhere = dir.path().join("nowhere");
    assert!(matches!(verify(&nowhere, files()), Err(JournalError::Io { .. })));
    assert!(!nowhere.exists(), "verify makes nothing");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    fn check(path: &std::path::Path) {
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{} is {mode:o}", path.display());
        if path.is_dir() {
            std::fs::read_dir(path).unwrap().for_each(|entry| check(&entry.unwrap().path()));
        }
    }
    let dir = tempdir().unwrap();
    let deep = dir.path().join("till/journal");
    let journal = open(&deep);
    enqueue(&journal, sale("a")).unwrap();
    check(&deep);
    drop(journal);
    check(&deep);
    check(&dir.path().join("till"));
}

/// A clock that says what it is told.
struct Told(Mutex<DateTime<Utc>>);

impl Clock for Told {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

#[test]
fn the_clock_may_jump() {
    let dir = tempdir().unwrap();
    let clock = Arc::new(Told(Mutex::new(at(0))));
    let options = || Options { clock: clock.clone(), ..Options::default() };
    let set = |seconds| *clock.0.lock().unwrap() = at(seconds);
    let journal = Journal::open(dir.path(), options()).unwrap().0;
    let mut ids = Vec::new();
    for (n, seconds) in [0, 365 * 86_400, -1_800_000_000, -3_600_000_000, 10].into_iter().enumerate() {
        set(seconds);
        ids.push(enqueue(&journal, sale(&format!("{n}"))).unwrap());
    }
    assert_eq!(journal.ready(&shop(), None, 9).unwrap(), ids, "order is that of intake");
    assert_eq!(journal.progress(ids[3]).unwrap().unwrap().enqueued_at, at(-3_600_000_000));
    drop(journal);
    set(-1_800_000_000);
    let (journal, recovery) = Journal::open(dir.path(), options()).unwrap();
    assert!(recovery.clean);
    assert_eq!(journal.ready(&shop(), None, 9).unwrap(), ids);
    let seqs: Vec<_> = journal.events_after(0, 99).unwrap().iter().map(|fact| fact.seq).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64));
}

#[test]
fn listing_and_counting() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path());
    let mut ids = Vec::new();
    for n in 0..6 {
        let mut taken = sale(&format!("{n}"));
        taken.issued_at = at(n);
        if n % 2 == 1 {
            taken.account = None;
            taken.fiscal_id = None;
        }
        taken.invoice_name = (n >= 4).then(|| "F-1".to_owned());
        ids.push(enqueue(&journal, taken).unwrap());
    }
    let list = |filter, after, limit| -> Vec<DocId> {
        journal.list(&filter, after, limit).unwrap().iter().map(|doc| doc.id).collect()
    };
    let all = Filter::default();
    assert_eq!(list(all.clone(), None, 99), ids);
    assert_eq!(list(all.clone(), Some(ids[1]), 2), ids[2..4]);
    assert_eq!(list(Filter { account: Some(account("shop")), ..all.clone() }, None, 99), [ids[0], ids[2], ids[4]]);
    assert_eq!(list(Filter { since: Some(at(4)), ..all.clone() }, None, 99), ids[4..]);
    assert!(list(Filter { kind: Some(Kind::Void), ..all.clone() }, None, 99).is_empty());
    record(&journal, ids[2], sending(1)).unwrap();
    assert_eq!(list(Filter { state: Some(State::Sending), ..all.clone() }, None, 99), [ids[2]]);
    assert_eq!(list(Filter { state: Some(State::Queued), ..all }, Some(ids[0]), 2), [ids[1], ids[3]]);
    let counts = journal.counts().unwrap();
    assert_eq!(counts[&(None, State::Queued)], 3);
    assert_eq!(counts[&(Some(account("shop")), State::Queued)], 2);
    assert_eq!(counts[&(Some(account("shop")), State::Sending)], 1);
    assert_eq!(counts.len(), 3);
    let groups = journal.groups().unwrap();
    assert_eq!(groups.iter().map(|group| group.account.clone()).collect::<Vec<_>>(), [None, Some(account("shop"))]);
    assert_eq!(journal.ready(&groups[0], Some(ids[1]), 1).unwrap(), [ids[3]]);
    // A route moves a document from one group to the other.
    record(&journal, ids[1], DocEvent::Routed { account: account("shop") }).unwrap();
    assert_eq!(journal.counts().unwrap()[&(None, State::Queued)], 2);
    assert_eq!(journal.by_invoice_name(None, "F-1").unwrap(), Some(ids[5]));
    assert_eq!(journal.by_invoice_name(Some(&account("shop")), "F-1").unwrap(), Some(ids[4]));
    assert_eq!(journal.by_invoice_name(Some(&account("other")), "F-1").unwrap(), None);
    assert_eq!(journal.by_invoice_name(None, "F").unwrap(), None);
}

#[test]
fn holds_come_and_go() {
    let dir = tempdir().unwrap();
    let journal = open(dir.path());
    let (whole, part) = (hold("shop", None), hold("shop", Some("12345678903")));
    let (one, two) = (whole.clone(), part.clone());
    journal
        .transact(move |tx| {
            tx.hold(one)?;
            tx.hold(two)
        })
        .unwrap()
        .unwrap();
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.holds().unwrap(), [whole, part.clone()], "they survive a restart");
    let release = |of: Option<&'static str>| {
        let of = of.map(fiscal_id);
        journal.transact(move |tx| tx.release(&account("shop"), of.as_ref(), "me", "paid")).unwrap().unwrap()
    };
    assert!(release(None));
    assert_eq!(journal.holds().unwrap(), [part]);
    let seq = journal.last_seq();
    assert!(!release(None), "nothing to release is nothing to record");
    assert_eq!(journal.last_seq(), seq);
    assert!(release(Some("12345678903")));
    assert!(journal.holds().unwrap().is_empty());
}
