//! The journal's daily work: take, record, read, close, open again.

use staffetta::domain::id::DocId;
use staffetta::domain::state::State;
use staffetta::journal::{Filter, Group, Journal, JournalError, Options, View};
use tempfile::tempdir;

use crate::papers::*;

fn group() -> Group {
    Group { account: Some(account("shop")), fiscal_id: Some(fiscal_id("12345678903")) }
}

#[test]
fn what_was_recorded_is_there_after_opening_again() {
    let dir = tempdir().unwrap();
    let (journal, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
    assert!(recovery.created && !recovery.clean && recovery.interrupted.is_empty());
    let first = enqueue(&journal, sale("a")).unwrap();
    let second = enqueue(&journal, sale("b")).unwrap();
    assert!(matches!(enqueue(&journal, sale("a")), Err(JournalError::KeyTaken(id)) if id == first));
    assert_eq!(journal.ready(&group(), None, 10).unwrap(), [first, second]);
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
    let names: Vec<_> = journal.history(first).unwrap().iter().map(|record| record.seq).collect();
    assert_eq!(names, [first.0, 4, 5]);
    assert_eq!(journal.progress(first).unwrap().unwrap().state, State::Accepted);
    assert_eq!(journal.by_remote(&account("shop"), "r-1").unwrap(), Some(first));
    assert_eq!(journal.timers(at(0), at(9), 9).unwrap(), [(at(5), first)]);
    assert_eq!(journal.list(&Filter::default(), None, 9).unwrap().len(), 2);
    assert_eq!(journal.events_after(0, 100).unwrap().len() as u64, last + 2);
    assert_eq!(journal.progress(DocId(99)).unwrap(), None);
}
