//! The store met a full disk in the middle of a batch.

use std::sync::atomic::AtomicU32;

use super::*;

#[test]
fn a_stuck_store_is_replaced_by_one_in_memory_and_whoever_reads_waits_for_it() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(&dir.path().join("index"), dir.path(), JOURNAL, false).unwrap();
    let layers = Layers::new(JOURNAL, store, 1_000, Some(Box::new(|| Ok(u64::MAX))));
    let (first, second) = (batch(0..500, Some("one")), batch(400..600, Some("two")));
    let mut expected = first.clone();
    expected.extend(second.clone());
    let made = AtomicU32::new(0);
    let anew = |upto: Reached| {
        made.fetch_add(1, Ordering::SeqCst);
        assert_eq!(upto, reached(2), "all that was recorded");
        let other = Store::memory();
        other.apply(JOURNAL, &expected, upto)?;
        Ok(other)
    };
    std::thread::scope(|scope| {
        let _stops = Stops(&layers);
        scope.spawn(|| layers.flush_until_stopped(anew));
        layers.publish(first, reached(1), false).unwrap();
        layers.flush().unwrap();
        layers.publish(second, reached(2), false).unwrap();
        layers.get_stuck();
        let found = layers.scan_under(&[], b"p", b"q", usize::MAX).unwrap();
        let expected: Vec<Pair> = expected.clone().into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        assert_eq!(found, expected);
        layers.publish(batch(0..100, None), reached(3), false).unwrap();
        layers.flush().unwrap();
        assert_eq!(layers.get_under(&[], b"p00050").unwrap(), None);
        assert_eq!(layers.get_under(&[], b"p00150").unwrap().as_deref(), Some(b"one".as_slice()));
        assert_eq!((made.load(Ordering::SeqCst), layers.pending()), (1, 0));
        layers.failure().unwrap();
    });
    // Its files have given their room back.
    layers.take_store().unwrap().close().unwrap();
    assert!(!dir.path().join("index").exists());
}

#[test]
fn a_store_that_can_be_made_in_no_other_way_is_broken() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(&dir.path().join("index"), dir.path(), JOURNAL, false).unwrap();
    let layers = Layers::new(JOURNAL, store, 1_000, Some(Box::new(|| Ok(u64::MAX))));
    std::thread::scope(|scope| {
        let _stops = Stops(&layers);
        scope.spawn(|| layers.flush_until_stopped(|_| Err(JournalError::damaged(1, 2, "a record cannot be read"))));
        layers.publish(batch(0..10, Some("one")), reached(1), false).unwrap();
        layers.get_stuck();
        assert!(layers.get_under(&[], b"p00500").is_err());
        assert!(matches!(layers.failure(), Err(JournalError::Damaged { .. })));
    });
}
