//! An index that says something else than the records.

use std::sync::Arc;

use super::verify;
use crate::domain::document::Kind;
use crate::domain::event::Enqueued;
use crate::domain::id::Key;
use crate::domain::totals::Kept;
use crate::journal::apply::Changes;
use crate::journal::index::Store;
use crate::journal::recovery::INDEX;
use crate::journal::{Journal, Options, RealFiles, keys};

/// Any entry too many, missing or other than the records say.
#[test]
fn an_index_that_disagrees_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), Options::default()).unwrap();
    let (id, name): (_, Key) = (journal.id(), "till/1".parse().unwrap());
    let taken = Enqueued {
        key: name.clone(),
        kind: Kind::Receipt,
        account: None,
        fiscal_id: None,
        parent: None,
        issued_at: chrono::DateTime::UNIX_EPOCH,
        body: "{}".to_owned(),
        totals: Kept::default(),
        fingerprint: [0; 32],
        deadline: None,
        invoice_name: None,
        warnings: Vec::new(),
    };
    journal.transact(move |tx| tx.enqueue(taken)).unwrap().unwrap();
    journal.close().unwrap();
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
