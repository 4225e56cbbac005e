//! An index that says something else than the records.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::verify;
use crate::domain::event::Enqueued;
use crate::domain::id::Key;
use crate::journal::apply::Changes;
use crate::journal::index::Store;
use crate::journal::record::Reached;
use crate::journal::recovery::INDEX;
use crate::journal::{Journal, Options, RealFiles, keys};

/// A journal with one document, closed.
fn closed(dir: &Path, name: &Key) -> Uuid {
    let (journal, _) = Journal::open(dir, Options::default()).unwrap();
    let id = journal.id();
    let taken = Enqueued::plain(name.clone());
    journal.transact(move |tx| tx.enqueue(taken)).unwrap().unwrap();
    journal.close().unwrap();
    id
}

/// Any entry too many, missing or other than the records say.
#[test]
fn an_index_that_disagrees_is_found() {
    let (dir, name) = (tempfile::tempdir().unwrap(), "till/1".parse().unwrap());
    let id = closed(dir.path(), &name);
    let verified = || verify(dir.path(), Arc::new(RealFiles)).unwrap();
    assert!(verified().sound && verified().index_left_out.is_none());
    for (key, value) in
        [(keys::of_key(&name), Some(vec![9])), (keys::of_key(&name), None), (b"zz".to_vec(), Some(vec![]))]
    {
        let change = |key: &Vec<u8>, value| {
            let (store, reached) = Store::open(&dir.path().join(INDEX), dir.path(), id, true).unwrap();
            let before = store.get(key).unwrap();
            store.apply(id, &Changes::from([(key.clone(), value)]), reached.unwrap()).unwrap();
            store.close().unwrap();
            before
        };
        let before = change(&key, value);
        let report = verified();
        assert_eq!(report.damage.len(), 1, "{report:?}");
        assert!(report.damage[0].what.contains("the index disagrees"), "{report:?}");
        change(&key, before);
        assert!(verified().sound);
    }
}

/// What comes next is counted on from there.
#[test]
fn an_index_that_has_come_to_another_number_than_its_record_is_made_anew() {
    for forged in [
        |reached: Reached| reached,
        |reached: Reached| Reached { seq: u64::MAX, ..reached },
        |reached: Reached| Reached { group: u64::MAX, ..reached },
    ] {
        let (dir, name) = (tempfile::tempdir().unwrap(), "till/1".parse().unwrap());
        let id = closed(dir.path(), &name);
        let (store, reached) = Store::open(&dir.path().join(INDEX), dir.path(), id, true).unwrap();
        let reached = reached.unwrap();
        store.apply(id, &Changes::new(), forged(reached)).unwrap();
        store.close().unwrap();
        let (journal, recovery) = Journal::open(dir.path(), Options::default()).unwrap();
        assert_eq!(recovery.rebuilt.is_some(), forged(reached) != reached, "{recovery:?}");
        assert_eq!(journal.last_seq(), reached.seq + 1, "it was opened");
    }
}
