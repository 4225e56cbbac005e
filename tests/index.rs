//! The index is only a view: what it says is what the facts say, however it came about, and whatever happens to it.

mod no_room;
mod trust;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use staffetta::domain::document::Kind;
use staffetta::domain::event::{DocEvent, How, ParentRef};
use staffetta::domain::id::DocId;
use staffetta::domain::state::{Progress, State};
use staffetta::journal::{Filter, Group, Journal, JournalError, Options, Recovery, View, verify};
use tempfile::tempdir;

use crate::papers::*;
use crate::support::around::Real;
use crate::support::booted::Booted;
use staffetta::testing::Random;

/// Small batches and segments, so that everything that happens rarely happens often.
fn options(boot: &'static str) -> Options {
    Options {
        files: Arc::new(Real(Booted(Some(boot)))),
        segment_bytes: 20_000,
        reserve_bytes: 100,
        index_batch: 60,
        ..Options::default()
    }
}

fn open(dir: &Path) -> (Journal, Recovery) {
    Journal::open(dir, options("one")).unwrap()
}

/// Documents of all kinds and all that can happen to them, at random; what is not possible is refused and left out.
fn live(journal: &Journal, dice: &mut Random, steps: u64) {
    let known = journal.list(&Filter::default(), None, usize::MAX).unwrap().len() as u64;
    let mut ids: Vec<DocId> =
        journal.list(&Filter::default(), None, usize::MAX).unwrap().iter().map(|doc| doc.id).collect();
    let mut pending = Vec::new();
    for step in 0..steps {
        if ids.is_empty() || dice.below(4) == 0 {
            let mut taken = sale(&format!("k-{known}-{step}"));
            match dice.below(4) {
                0 if !ids.is_empty() => {
                    let kind = [Kind::Return, Kind::Void, Kind::NoteNumber][dice.below(3) as usize];
                    taken = about(&format!("k-{known}-{step}"), kind, ids[dice.below(ids.len() as u64) as usize]);
                }
                1 => {
                    taken.kind = Kind::Draft;
                    taken.fiscal_id = None;
                    taken.invoice_name = Some(format!("F-{}", dice.below(5)));
                }
                _ => {}
            }
            taken.account = [None, Some(account("shop")), Some(account("other"))][dice.below(3) as usize].clone();
            taken.deadline = dice.coin().then(|| at(dice.below(100) as i64));
            let id = journal.transact(move |tx| tx.enqueue(taken)).unwrap().unwrap();
            ids.push(id);
            continue;
        }
        let id = ids[dice.below(ids.len() as u64) as usize];
        let event = any_event(dice);
        let hold = (dice.below(20) == 0).then(|| hold("shop", dice.coin().then_some("12345678903")));
        pending.push(journal.begin(move |tx| {
            if let Some(hold) = hold
                && !tx.release(&hold.account, hold.fiscal_id.as_ref(), "me", "done")?
            {
                tx.hold(hold)?;
            }
            match tx.record(id, event) {
                Err(JournalError::Illegal(_)) => Ok(()),
                other => other.map(|_| ()),
            }
        }));
    }
    pending.into_iter().for_each(|pending| pending.wait().unwrap().unwrap());
}

fn any_event(dice: &mut Random) -> DocEvent {
    let due = dice.coin().then(|| at(dice.below(100) as i64));
    let id = format!("r-{}", dice.below(20));
    match dice.below(18) {
        0..=4 => sending(1),
        5 => not_sent(due),
        6 => unknown(due),
        7 => DocEvent::LookedUp { counts: dice.coin(), why: "nothing".into(), due_at: due },
        8 => DocEvent::NotThere { why: "nothing twice".into(), due_at: None },
        9 | 10 => accepted(&id, due),
        11 => DocEvent::Tracked { remote: with_items(&id), why: String::new(), due_at: due },
        12 => DocEvent::Registered { remote: with_items(&id), how: How::Tracking, due_at: due },
        13 => registered(&id),
        14 => DocEvent::Held { code: "ambiguous".into(), why: "two of them".into() },
        15 => DocEvent::Attention { code: "totals_differ".into(), why: "by a cent".into(), raised: dice.coin() },
        16 => DocEvent::Resolved {
            accepted: dice.coin().then_some(id),
            who: "me".into(),
            why: "saw it".into(),
            due_at: due,
        },
        _ => match dice.below(4) {
            0 => DocEvent::Cancelled { who: "me".into(), why: "wrong".into() },
            1 => DocEvent::Retried { who: "me".into(), why: "now".into() },
            2 => DocEvent::Failed { code: None, message: "no".into(), remote: remote(&id) },
            _ => DocEvent::Routed { account: account("shop") },
        },
    }
}

/// Where a document must be found, by the words of the design and none of the program's.
fn expected_place(doc: &Progress, docs: &BTreeMap<DocId, Progress>) -> (&'static str, Option<DateTime<Utc>>) {
    let parent = match &doc.parent {
        Some(ParentRef::Local(id)) => docs.get(id),
        _ => None,
    };
    let at_once = Some(DateTime::UNIX_EPOCH);
    match doc.state {
        State::Queued => {
            let waits = parent.is_some_and(|parent| match (parent.kind, parent.state, doc.kind) {
                (Kind::Draft, State::Accepted, Kind::NoteNumber | Kind::Void) => false,
                (_, State::Queued | State::Sending | State::InDoubt | State::Accepted | State::Held, _) => true,
                // Its item ids are asked for as long as something is due.
                (_, State::Registered, Kind::Return) => !parent.has_items && parent.due_at.is_some(),
                _ => false,
            });
            if waits {
                ("waiting", None)
            } else if doc.due_at.is_some() {
                ("timer", doc.due_at)
            } else {
                ("ready", None)
            }
        }
        State::InDoubt | State::Accepted => ("timer", doc.due_at.or(at_once)),
        State::Registered if doc.due_at.is_some() => ("timer", doc.due_at),
        _ => ("nowhere", None),
    }
}

/// Compares everything that can be asked with what the documents themselves say.
fn check_views(journal: &Journal) {
    let list = journal.list(&Filter::default(), None, usize::MAX).unwrap();
    let docs: BTreeMap<DocId, Progress> = list.into_iter().map(|doc| (doc.id, doc)).collect();
    let (mut ready, mut timers, mut waiting) = (BTreeMap::<Group, Vec<DocId>>::new(), Vec::new(), Vec::new());
    let mut counts = BTreeMap::new();
    for doc in docs.values() {
        *counts.entry((doc.account.clone(), doc.state)).or_insert(0) += 1;
        match expected_place(doc, &docs) {
            ("ready", _) => {
                let group =
                    Group { account: doc.account.clone(), fiscal_id: doc.fiscal_id.clone(), sales: doc.is_sale() };
                ready.entry(group).or_default().push(doc.id);
            }
            ("timer", due) => timers.push((due.unwrap(), doc.id)),
            ("waiting", _) => waiting.push(doc.id),
            _ => {}
        }
        assert_eq!(journal.find(&doc.key).unwrap(), Some(doc.id));
        let history = journal.history(doc.id).unwrap();
        let taken = journal.document(doc.id).unwrap().unwrap();
        let mut replayed = Progress::begin(doc.id, history[0].at, &taken);
        for fact in &history[1..] {
            let staffetta::domain::event::Entry::Document { event, .. } = &fact.entry else { panic!("{fact:?}") };
            replayed = replayed.apply(event, fact.at).unwrap();
        }
        assert_eq!(replayed, *doc, "the history leads to the progress");
        let children = docs.values().filter(|child| child.parent == Some(ParentRef::Local(doc.id)));
        assert!(journal.children(doc.id).unwrap().into_iter().eq(children.map(|child| child.id)));
        if let (Some(account), Some(remote_id)) = (&doc.account, &doc.remote_id) {
            let of = |other: &&Progress| {
                other.account.as_ref() == Some(account) && other.remote_id.as_ref() == Some(remote_id)
            };
            let first = docs.values().find(of).map(|first| first.id);
            assert_eq!(journal.by_remote(account, remote_id).unwrap(), first);
        }
    }
    assert_eq!(journal.counts().unwrap(), counts);
    let groups = journal.groups().unwrap();
    assert!(groups.iter().eq(ready.keys()), "{groups:?} {ready:?}");
    for (group, ids) in ready {
        assert_eq!(journal.ready(&group, None, usize::MAX).unwrap(), ids);
        assert_eq!(
            journal.ready(&group, ids.first().copied(), 3).unwrap(),
            ids[1..].iter().copied().take(3).collect::<Vec<_>>()
        );
    }
    timers.sort();
    assert_eq!(journal.timers(DateTime::UNIX_EPOCH, at(1_000), usize::MAX).unwrap(), timers);
    let some: Vec<_> = timers.iter().copied().filter(|(due, _)| (at(20)..at(60)).contains(due)).take(5).collect();
    assert_eq!(journal.timers(at(20), at(60), 5).unwrap(), some);
    assert_eq!(journal.waiting(usize::MAX).unwrap(), waiting);
    let mut deadlines: Vec<_> = docs
        .values()
        .filter(|doc| doc.state == State::Queued)
        .filter_map(|doc| Some((doc.deadline?, doc.id)))
        .filter(|(deadline, _)| *deadline < at(50))
        .collect();
    deadlines.sort();
    assert_eq!(journal.deadlines(at(50), usize::MAX).unwrap(), deadlines);
    let unsent = |doc: &&Progress| matches!(doc.state, State::Queued | State::Sending | State::InDoubt);
    assert_eq!(journal.oldest_unsent().unwrap(), docs.values().find(unsent).map(|doc| doc.id));
    let attention = docs.values().filter(|doc| doc.state.needs_person() || !doc.attention.is_empty());
    assert!(journal.needing_attention(usize::MAX).unwrap().into_iter().eq(attention.map(|doc| doc.id)));
    for state in State::ALL {
        let in_state = docs.values().filter(|doc| doc.state == state).map(|doc| doc.id);
        assert!(journal.in_state(state, None, usize::MAX).unwrap().into_iter().eq(in_state));
    }
}

/// Reads everything, and compares the index entry by entry with one made anew from the facts.
fn check_entries(dir: &Path) {
    let report = verify(dir, Arc::new(Real(Booted(Some("one"))))).unwrap();
    assert!(report.sound && report.index_left_out.is_none(), "{report:?}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Copies a journal in use as a kill would leave it.
fn as_if_killed(journal: &Journal, dir: &Path, to: &Path) {
    while journal.stats().index_pending >= 60 {
        std::thread::yield_now(); // until the index's files are at rest
    }
    copy(dir, to);
}

#[test]
fn the_index_says_what_the_facts_say_live_after_a_stop_a_kill_and_a_rebuild() {
    for seed in 1..=3 {
        let (dir, killed) = (tempdir().unwrap(), tempdir().unwrap());
        let mut dice = Random::new(seed);
        for round in 0..3 {
            let (journal, recovery) = open(dir.path());
            assert!(
                round == 0 || (recovery.clean && recovery.rebuilt.is_none() && recovery.replayed == 0),
                "{recovery:?}"
            );
            live(&journal, &mut dice, 250);
            check_views(&journal);
            let to = killed.path().join(round.to_string());
            as_if_killed(&journal, dir.path(), &to);
            drop(journal);
            check_entries(dir.path());
            // After a kill the index is used from where it was.
            check_entries(&to);
            let (journal, recovery) = open(&to);
            assert!(recovery.rebuilt.is_none() && !recovery.clean && recovery.replayed < 60, "{recovery:?}");
            check_views(&journal);
            drop(journal);
            check_entries(&to);
        }
        std::fs::remove_dir_all(dir.path().join("index")).unwrap();
        let (journal, recovery) = open(dir.path());
        assert_eq!(recovery.rebuilt.as_deref(), Some("it was missing"));
        assert!(recovery.replayed > 200);
        check_views(&journal);
        drop(journal);
        check_entries(dir.path());
    }
}

#[test]
fn the_head_of_a_queue_is_found_wherever_it_moves() {
    let dir = tempdir().unwrap();
    let journal = Journal::open(dir.path(), Options { index_batch: 100_000, ..options("one") }).unwrap().0;
    let ids: Vec<DocId> = (0..120)
        .map(|n| journal.begin(move |tx| tx.enqueue(sale(&format!("{n:03}")))))
        .map(|pending| pending.wait().unwrap().unwrap())
        .collect();
    let mut queue: std::collections::BTreeSet<DocId> = ids.iter().copied().collect();
    let check = |queue: &std::collections::BTreeSet<DocId>| {
        let first: Vec<DocId> = queue.iter().copied().take(3).collect();
        assert_eq!(journal.ready(&shop(), None, 3).unwrap(), first);
        assert_eq!(journal.oldest_unsent().unwrap(), queue.first().copied());
        assert_eq!(journal.groups().unwrap().len(), usize::from(!queue.is_empty()));
        assert_eq!(journal.in_state(State::Queued, None, 2).unwrap(), first[..first.len().min(2)]);
    };
    let mut dice = Random::new(3);
    while let Some(id) = queue.pop_first() {
        record(&journal, id, sending(1)).unwrap();
        if dice.below(10) == 0 {
            // It comes back, and an earlier one that waited too.
            record(&journal, id, not_sent(None)).unwrap();
            queue.insert(id);
        } else if dice.below(10) == 0 {
            record(&journal, id, not_sent(Some(at(1)))).unwrap();
            assert_eq!(journal.ready(&shop(), None, 1).unwrap().first(), queue.first());
            assert_eq!(journal.oldest_unsent().unwrap(), Some(id));
            record(&journal, id, DocEvent::Retried { who: "me".into(), why: "now".into() }).unwrap();
            queue.insert(id);
        } else {
            record(&journal, id, accepted("r", Some(at(5)))).unwrap();
        }
        check(&queue);
    }
    assert_eq!(journal.timers(DateTime::UNIX_EPOCH, at(6), usize::MAX).unwrap().len(), 120);
}
