//! A store of many entries has large segments.

use super::*;

/// Entries of half a kilobyte that have nothing in common.
fn many(numbers: std::ops::Range<u32>) -> Changes {
    let value = |n: u32| (0..128u32).flat_map(move |place| (n * 128 + place).wrapping_mul(2_654_435_761).to_le_bytes());
    numbers.map(|n| (format!("p{n:05}").into_bytes(), Some(value(n).collect()))).collect()
}

/// Takes so many batches as in use; the entries that must be there then.
fn grown(dir: &Path, batches: u32) -> Vec<Pair> {
    grown_with(dir, batches, u64::MAX)
}

/// The same on a disk with so many bytes free.
fn grown_with(dir: &Path, batches: u32, free: u64) -> Vec<Pair> {
    let (store, _) = Store::open(dir, dir, JOURNAL, false).unwrap();
    let layers = Layers::new(JOURNAL, store, usize::MAX, Some(Box::new(move || Ok(free))));
    let mut expected = Changes::new();
    std::thread::scope(|scope| {
        let _stops = Stops(&layers);
        scope.spawn(|| layers.flush_until_stopped(|_| panic!("there is room")));
        for number in 0..batches {
            let mut changes = many(number * 2_000..(number + 1) * 2_000);
            changes.extend(many(number * 2_000 / 3..number * 1_000).into_keys().map(|key| (key, None)));
            expected.extend(changes.clone());
            layers.publish(changes, reached(u64::from(number) + 1), false).unwrap();
            layers.flush().unwrap();
        }
    });
    layers.take_store().unwrap().close().unwrap();
    expected.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn is_large(dir: &Path) -> bool {
    let (data, _) = data::folders(dir).unwrap();
    let said = fs::read(data.join("conf")).unwrap();
    let said = String::from_utf8_lossy(&said);
    let large = room::segment(&data) == 16 * 1024 * 1024;
    assert!(said.contains(&format!("segment_size: {}", room::segment(&data))), "{said}");
    large
}

#[test]
fn a_store_that_has_grown_gets_large_segments_and_keeps_them_and_all_entries() {
    for (batches, large) in [(1, false), (8, true)] {
        let dir = tempdir().unwrap();
        let expected = grown(dir.path(), batches);
        assert_eq!(is_large(dir.path()), large, "{batches} batches");
        let (mut store, at) = Store::open(dir.path(), dir.path(), JOURNAL, true).unwrap();
        assert!(all(&store) == expected && at == Some(reached(u64::from(batches))), "{batches} batches");
        assert!(!store.is_outgrown());
        let copy = store.copy(JOURNAL, at.unwrap(), &Spans::default()).unwrap().unwrap();
        store.exchange(copy).unwrap();
        assert!(all(&store) == expected);
        store.close().unwrap();
        assert_eq!(is_large(dir.path()), large, "copied as it was");
    }
}

#[test]
fn a_store_whose_segments_are_not_what_it_says_is_made_anew() {
    let dir = tempdir().unwrap();
    grown(dir.path(), 1);
    let (data, _) = data::folders(dir.path()).unwrap();
    fs::write(data.join("large"), []).unwrap();
    assert!(Store::open(dir.path(), dir.path(), JOURNAL, false).is_err());
}

/// Nor is anything left of the copy: on a disk with little room it would be in the way of all that is to be recorded.
#[test]
fn a_store_that_cannot_be_copied_goes_on_as_it_was() {
    let dir = tempdir().unwrap();
    fs::create_dir_all(dir.path().join("current.tmp")).unwrap(); // so that the copy cannot be chosen
    let expected = grown(dir.path(), 8);
    assert!(!is_large(dir.path()));
    assert!(!data::folders(dir.path()).unwrap().1.exists());
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, true).unwrap();
    assert!(all(&store) == expected && store.is_outgrown());
    // The copy's table has no place.
    fs::write(dir.path().join("archives"), "a file").unwrap();
    assert!(store.copy(JOURNAL, reached(8), &Spans(vec![(1, 2)])).is_err());
    assert!(!data::folders(dir.path()).unwrap().1.exists());
}

#[test]
fn a_store_is_not_copied_where_there_is_no_room_for_two() {
    let dir = tempdir().unwrap();
    let expected = grown_with(dir.path(), 8, 20_000_000);
    assert!(!is_large(dir.path()));
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, true).unwrap();
    assert!(all(&store) == expected && store.is_outgrown());
}
