//! The store by itself.

use super::*;
use tempfile::tempdir;

use crate::journal::layers::Layers;
use crate::journal::near::Run;
use crate::journal::record::Position;
use crate::journal::tabling::Spans;

mod grown;
mod stuck;
mod with_a_table;

/// A failed test ends, too.
struct Stops<'a>(&'a Layers);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.stop_flusher();
    }
}

const JOURNAL: Uuid = Uuid::from_u128(7);

fn reached(seq: u64) -> Reached {
    Reached { seq, group: seq, position: Position { segment: 1, offset: seq }, hash: [seq as u8; 32] }
}

fn batch(numbers: std::ops::Range<u32>, value: Option<&str>) -> Changes {
    numbers.map(|n| (format!("p{n:05}").into_bytes(), value.map(|value| value.as_bytes().to_vec()))).collect()
}

fn sled(store: &Store) -> &Sled {
    match store {
        Store::Sled(sled) => sled,
        Store::Memory(_) => panic!("not in memory"),
    }
}

fn all(store: &Store) -> Vec<Pair> {
    store.range(b"p", b"q", usize::MAX).unwrap()
}

/// A batch that was interrupted at some point: the redo file as given, and a part of it in sled.
fn interrupted(redo: impl Fn(&Path), underway: bool) -> (tempfile::TempDir, Changes) {
    let dir = tempdir().unwrap();
    let (store, fresh) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    assert_eq!(fresh, None);
    store.apply(JOURNAL, &batch(0..500, Some("one")), reached(1)).unwrap();
    let mut second = batch(100..300, None);
    second.extend(batch(200..900, Some("two")));
    let meta = Meta { version: INDEX_VERSION, journal: JOURNAL, reached: Some(reached(2)) };
    let path = dir.path().join(REDO);
    redo::write(&path, &second, &apply::encode(&meta).unwrap()).unwrap();
    redo(&path);
    if underway {
        let part: Changes = second.iter().take(250).map(|(key, value)| (key.clone(), value.clone())).collect();
        sled(&store).put_all(&part, &apply::encode(&Meta { reached: Some(reached(1)), ..meta }).unwrap()).unwrap();
        sled(&store).guarded(|db| db.insert(UNDERWAY, &[]).and_then(|_| db.flush())).unwrap();
    }
    (dir, second)
}

#[test]
fn an_interrupted_batch_is_done_again_or_was_never_begun() {
    let (dir, second) = interrupted(|_| (), true);
    let (store, at) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    let mut expected: BTreeMap<_, _> = batch(0..500, Some("one"));
    expected.extend(second);
    let expected: Vec<Pair> = expected.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    assert_eq!((all(&store), at), (expected, Some(reached(2))));
    // Half a redo file: killed before sled was touched, …
    let half = |path: &Path| fs::write(path, &fs::read(path).unwrap()[..1_000]).unwrap();
    let (dir, _) = interrupted(half, false);
    let (store, at) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    assert_eq!((all(&store).len(), at), (500, Some(reached(1))));
    // … or damaged after it was.
    let (dir, _) = interrupted(half, true);
    assert!(Store::open(dir.path(), dir.path(), JOURNAL, false).is_err());
}

/// A batch that stops in the middle has left all that the next open needs.
#[test]
fn a_batch_says_what_it_does_before_it_does_it() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    store.apply(JOURNAL, &batch(0..500, Some("one")), reached(1)).unwrap();
    sled(&store).guarded(|db| db.insert(b"p00400", b"\xff").map(|_| ())).unwrap();
    let second = batch(0..500, Some("two"));
    assert!(store.apply(JOURNAL, &second, reached(2)).is_err());
    assert_eq!(store.get(b"p00000").unwrap(), Some(b"two".to_vec()), "a part of it is there");
    let (said, meta) = redo::read(&dir.path().join(REDO)).unwrap().unwrap();
    assert!(said == second && apply::decode::<Meta>(&meta).unwrap().reached == Some(reached(2)));
    assert!(sled(&store).guarded(|db| db.contains_key(UNDERWAY)).unwrap());
    assert_eq!(
        sled(&store).guarded(|db| db.get(META)).unwrap().map(|meta| apply::decode::<Meta>(&meta).unwrap().reached),
        Some(Some(reached(1)))
    );
}

#[test]
fn an_index_of_something_else_is_refused() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    let other = apply::encode(&Meta { version: INDEX_VERSION + 1, journal: JOURNAL, reached: None }).unwrap();
    store.apply(JOURNAL, &batch(0..5, Some("one")), reached(1)).unwrap();
    store.close().unwrap();
    assert!(Store::open(dir.path(), dir.path(), Uuid::nil(), false).is_err());
    let (store, at) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    assert_eq!(at, Some(reached(1)));
    sled(&store).put_all(&Changes::new(), &other).unwrap();
    store.close().unwrap();
    assert!(Store::open(dir.path(), dir.path(), JOURNAL, true).is_err());
    // Checksums are good for one open.
    assert!(Store::open(dir.path(), dir.path(), JOURNAL, true).is_err());
}

/// By their checksums, before sled is asked: it does not notice everything.
#[test]
fn files_that_are_not_those_that_were_left_are_refused() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    store.apply(JOURNAL, &batch(0..5, Some("one")), reached(1)).unwrap();
    store.close().unwrap();
    let db = dir.path().join(data::DATA[0]).join("db");
    let mut bytes = fs::read(&db).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&db, bytes).unwrap();
    assert!(
        Store::open(dir.path(), dir.path(), JOURNAL, true).is_err_and(|error| error.to_string().contains("not those"))
    );
}

#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an earlier program left in good order costs a rebuild and one line in the log.
#[test]
fn an_index_of_an_older_form_is_made_anew_with_one_line_in_the_log() {
    let dir = tempdir().unwrap();
    let open = || crate::journal::Journal::open(dir.path(), crate::journal::Options::default()).unwrap();
    open().0.close().unwrap();
    let (data, sums) = (dir.path().join("index").join(data::DATA[0]), dir.path().join("index").join(SUMS));
    let db = sled::open(&data).unwrap();
    let meta: Meta = apply::decode(&db.get(META).unwrap().unwrap()).unwrap();
    db.insert(META, apply::encode(&Meta { version: 1, ..meta }).unwrap()).unwrap();
    db.insert(b"p\0\0\0\0\0\0\0\x01", b"an entry by itself").unwrap();
    drop(db);
    sums::write(&sums::of(&data).unwrap(), &sums).unwrap();

    let log = Log::default();
    let pen = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || pen.clone()).finish();
    let (journal, recovery) = tracing::subscriber::with_default(subscriber, open);
    assert_eq!((recovery.clean, recovery.rebuilt.as_deref()), (true, Some("it is of version 1")));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("WARN") && log.contains("rebuilt") && log.contains("it is of version 1"), "{log}");
    journal.close().unwrap();
    assert_eq!(open().1.rebuilt, None);
}

#[test]
fn entries_are_found_in_any_order_they_came() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    let mut expected = BTreeMap::new();
    let mut state = 1_u32;
    for round in 0..60 {
        let changes: Changes = (0..40)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let close = if round % 2 == 0 { state >> 20 } else { round * 40 + n };
                let kind = if state & 1 == 0 { 'k' } else { 'r' };
                let value = (state & 0x700 != 0).then(|| state.to_le_bytes().repeat((state >> 25) as usize % 20));
                (format!("{kind}{close:04}").into_bytes(), value)
            })
            .collect();
        for (key, value) in &changes {
            match value {
                Some(value) => drop(expected.insert(key.clone(), value.clone())),
                None => drop(expected.remove(key)),
            }
        }
        store.apply(JOURNAL, &changes, reached(u64::from(round))).unwrap();
    }
    assert!(store.range(b"a", b"z", usize::MAX).unwrap().into_iter().eq(expected.clone()));
    for (key, value) in &expected {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
        let mut beside = key.clone();
        beside.push(b'!');
        assert_eq!(store.get(&beside).unwrap(), None);
        let next = store.range(&beside, b"z", 3).unwrap();
        assert!(next.into_iter().eq(expected.range(beside..).take(3).map(|(a, b)| (a.clone(), b.clone()))));
    }
    assert_eq!(store.get(b"c").unwrap(), None);
}

/// As the lock of a file that a program being started has too is, until it runs.
#[test]
fn a_lock_that_is_given_up_in_a_moment_is_waited_for() {
    let dir = tempdir().unwrap();
    let open = || Store::open(dir.path(), dir.path(), JOURNAL, false);
    drop(open().unwrap());
    for _ in 0..10 {
        let inherited = fs::File::open(dir.path().join(data::DATA[0]).join("db")).unwrap();
        inherited.lock().unwrap();
        let (asks, asked) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            asked.recv().unwrap();
            drop(inherited);
        });
        asks.send(()).unwrap();
        assert!(open().is_ok());
        other.join().unwrap();
    }
}

#[test]
fn what_is_near_is_what_is_there() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    let mut expected = Changes::new();
    // Each step changes some of it, and all of it is asked for before and after: once near, once more.
    for (step, (numbers, value)) in
        [(100..400, Some("one")), (0..120, Some("two")), (50..300, None), (200..210, Some("again")), (0..400, None)]
            .into_iter()
            .enumerate()
    {
        let change = batch(numbers, value);
        store.apply(JOURNAL, &change, reached(step as u64 + 1)).unwrap();
        expected.extend(change);
        for _ in 0..2 {
            for number in 0..410 {
                let key = format!("p{number:05}").into_bytes();
                assert_eq!(store.get(&key).unwrap(), expected.get(&key).cloned().flatten(), "{step} {number}");
                let found = store.range(&key, b"q", 3).unwrap();
                let there = expected.range(key..).filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
                assert_eq!(found, there.take(3).collect::<Vec<_>>(), "{step} {number}");
            }
            assert_eq!(store.get(b"o").unwrap(), None);
            assert_eq!(store.range(b"a", b"b", 1).unwrap(), []);
        }
    }
}

#[test]
fn a_run_that_is_cut_in_two_while_it_is_read_tells_nothing_twice() {
    let dir = tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), dir.path(), JOURNAL, false).unwrap();
    let distinct = |numbers: std::ops::Range<u32>| -> Changes {
        numbers.map(|number| (format!("p{number:05}").into_bytes(), Some(vec![number as u8; 100]))).collect()
    };
    store.apply(JOURNAL, &distinct(0..25), reached(1)).unwrap();
    let whole = sled(&store).run(b"p00000").unwrap();
    assert_eq!(whole.to, None, "one block");
    store.apply(JOURNAL, &distinct(25..400), reached(2)).unwrap();
    let to = sled(&store).run(b"p00000").unwrap().to.clone();
    assert!(to.as_deref().is_some_and(|to| to < b"p00025".as_slice()), "it was cut");
    let torn = Run { from: whole.from.clone(), to, entries: whole.entries.clone() };
    assert_eq!(sled(&store).beyond(&torn, b"p00000", b"q", usize::MAX).unwrap(), all(&store));
}
