//! The store by itself.

use super::*;
use tempfile::tempdir;

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
    let db = dir.path().join(DATA[0]).join("db");
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
    let (data, sums) = (dir.path().join("index").join(DATA[0]), dir.path().join("index").join(SUMS));
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

/// What a journal would ask of a store with a table: any changes, made anew at any time with any archives, opened again.
mod with_a_table {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::keys;

    /// Keys of all kinds, few enough to meet each other; the number at the end is the record's.
    fn a_key() -> impl Strategy<Value = Vec<u8>> {
        let kind = prop::sample::select(b"ahijmprst".to_vec());
        (kind, prop::collection::vec(b'x'..=b'z', 0..3), 0..40_u64).prop_map(|(kind, name, id)| {
            let mut key = vec![kind];
            match kind {
                b'h' => key.extend((id / 3).to_be_bytes()),
                b'p' => {}
                b's' => key.push(id as u8 % 3),
                b't' | b'a' => key.extend([0; 8]),
                _ => key.extend(name.into_iter().chain([0])),
            }
            key.extend(id.to_be_bytes());
            key
        })
    }

    #[derive(Debug, Clone)]
    enum Do {
        Change(BTreeMap<Vec<u8>, Option<Vec<u8>>>),
        Compact(u64, u64),
        Reopen,
    }

    fn a_deed() -> impl Strategy<Value = Do> {
        let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>().prop_map(|byte| byte & 0x7f), 0..40));
        prop_oneof![
            6 => prop::collection::btree_map(a_key(), value, 0..60).prop_map(Do::Change),
            2 => (0..40_u64, 0..40_u64).prop_map(|(one, other)| Do::Compact(one.min(other), one.max(other))),
            1 => Just(Do::Reopen),
        ]
    }

    fn same(store: &Store, model: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), TestCaseError> {
        let all: Vec<Pair> = model.clone().into_iter().collect();
        prop_assert_eq!(store.range(FIRST_ENTRY, &[0xff], usize::MAX).unwrap(), all.clone());
        for (index, (key, value)) in all.iter().enumerate() {
            let found = store.get(key).unwrap();
            prop_assert_eq!(found.as_ref(), Some(value));
            // As names are looked for, and with every length of the answer.
            let (from, to) = (key[..key.len() - 8].to_vec(), [&key[..key.len() - 8], &[0xff; 8]].concat());
            let from = [from, vec![0; 8]].concat();
            let limit = 1 + index % 7;
            let there: Vec<Pair> = all.iter().filter(|(key, _)| *key >= from && *key < to).cloned().collect();
            let asked = store.range(&from, &to, limit).unwrap();
            let named = |pairs: &[Pair]| -> Vec<Pair> {
                pairs.iter().filter(|(other, _)| other.len() == key.len()).cloned().collect()
            };
            if there.len() <= limit {
                prop_assert_eq!(named(&asked), named(&there));
            }
            prop_assert_eq!(
                store.range(key, &[0xff], limit).unwrap(),
                all[index..].iter().take(limit).cloned().collect::<Vec<_>>()
            );
            if key[0] == b'h' {
                let family = store.range(&[&key[..9], &[0; 8]].concat(), &keys::after(key[..9].to_vec()), 100);
                let there = all.iter().filter(|(other, _)| other.starts_with(&key[..9])).cloned().collect::<Vec<_>>();
                prop_assert_eq!(family.unwrap(), there);
            }
            let mut other = key.clone();
            *other.last_mut().unwrap() ^= 0x40;
            prop_assert_eq!(store.get(&other).unwrap(), None);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn a_store_says_what_was_put_in(deeds in prop::collection::vec(a_deed(), 1..14)) {
            let dir = tempdir().unwrap();
            fs::create_dir(dir.path().join("archives")).unwrap();
            let (mut store, _) = Store::open(&dir.path().join("index"), dir.path(), JOURNAL, false).unwrap();
            let (mut model, mut seq) = (BTreeMap::new(), 1);
            store.apply(JOURNAL, &Changes::new(), reached(seq)).unwrap();
            for deed in deeds {
                seq += 1;
                match deed {
                    Do::Change(changes) => {
                        store.apply(JOURNAL, &changes, reached(seq)).unwrap();
                        for (key, value) in changes {
                            match value {
                                Some(value) => drop(model.insert(key, value)),
                                None => drop(model.remove(&key)),
                            }
                        }
                    }
                    Do::Compact(from, to) => {
                        let spans = Spans(vec![(from, to)]);
                        let copy = store.copy(JOURNAL, reached(seq), &spans).unwrap().unwrap();
                        store.exchange(copy).unwrap();
                        prop_assert_eq!(store.check_table(JOURNAL), None);
                        prop_assert_eq!(fs::read_dir(dir.path().join("archives")).unwrap().count(), 1);
                    }
                    Do::Reopen => {
                        store.close().unwrap();
                        store = Store::open(&dir.path().join("index"), dir.path(), JOURNAL, true).unwrap().0;
                    }
                }
                same(&store, &model)?;
            }
        }
    }

    /// A store whose table has names and documents in several blocks.
    fn large() -> (tempfile::TempDir, Store, BTreeMap<Vec<u8>, Vec<u8>>) {
        let dir = tempdir().unwrap();
        fs::create_dir(dir.path().join("archives")).unwrap();
        let (mut store, _) = Store::open(&dir.path().join("index"), dir.path(), JOURNAL, false).unwrap();
        let mut model = BTreeMap::new();
        for n in 0..120_u64 {
            let number = n.to_be_bytes();
            let name = format!("{:032x}", u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            model.insert([b"p".as_slice(), &number].concat(), name.repeat(5).into_bytes());
            model.insert([b"m", name.as_bytes(), &[0], &number].concat(), Vec::new());
            model.insert([b"s\x04".as_slice(), &number].concat(), Vec::new());
        }
        let changes: Changes = model.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        store.apply(JOURNAL, &changes, reached(1)).unwrap();
        let copy = store.copy(JOURNAL, reached(1), &Spans(vec![(0, 100)])).unwrap().unwrap();
        store.exchange(copy).unwrap();
        (dir, store, model)
    }

    /// No answer is believed that rests on a changed byte: it is found, or what is said is right all the same.
    #[test]
    fn any_byte_of_a_table_flipped_is_found_and_never_believed() {
        let (dir, store, model) = large();
        let (which, home) = (store.table().unwrap().0.unwrap(), dir.path());
        let path = fs::read_dir(home.join("archives")).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        assert!(whole.len() > 2_000, "{}", whole.len());
        let (mut refused, mut failed) = (0, 0);
        let archived = |key: &[u8]| keys::id_at_end(key).is_some_and(|id| id.0 < 100);
        for offset in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[offset] ^= 1 << (offset % 8);
            fs::write(&path, &bytes).unwrap();
            let table = match Table::open(home, JOURNAL, which) {
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(".idx"), "byte {offset}: {error}");
                    continue;
                }
                Ok(table) => table,
            };
            let found = table.check(JOURNAL);
            assert!(found.is_some_and(|what| what.contains(".idx")), "byte {offset}: sound");
            let mut wrong = 0;
            for (key, value) in model.iter().filter(|(key, _)| archived(key)).step_by(19) {
                let name = &key[..key.len() - 8];
                let named = table.range(&[name, &[0; 8]].concat(), &[name, &[0xff; 8]].concat(), 1);
                match table.get(key) {
                    Ok(found) => assert_eq!(found.as_ref(), Some(value), "byte {offset}"),
                    Err(_) => wrong += 1,
                }
                match named {
                    Ok(found) => assert!(key[0] != b'm' || found[0].0 == *key, "byte {offset}"),
                    Err(_) => wrong += 1,
                }
            }
            failed += u32::from(wrong > 0);
        }
        assert!(refused > 80 && failed > 500, "{refused} refused, {failed} failed");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Table::open(home, JOURNAL, which).is_err(), "cut at {length}");
        }
        // Whoever meets it leaves a mark, and the next open makes the index anew.
        let mut bytes = whole.clone();
        bytes[40] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(model.keys().any(|key| store.get(key).is_err()) && home.join("index").join(BROKEN).exists());
        drop(store);
        assert!(Store::open(&home.join("index"), home, JOURNAL, false).is_err());
    }

    /// The table of another time, whose own checksums are right, is not taken for this one.
    #[test]
    fn another_table_is_refused() {
        let (dir, mut store, _) = large();
        let table = || fs::read_dir(dir.path().join("archives")).unwrap().next().unwrap().unwrap().path();
        let old = fs::read(table()).unwrap();
        let copy = store.copy(JOURNAL, reached(1), &Spans(vec![(0, 80)])).unwrap().unwrap();
        store.exchange(copy).unwrap();
        store.close().unwrap();
        let index = dir.path().join("index");
        assert!(Store::open(&index, dir.path(), JOURNAL, true).is_ok());
        fs::write(table(), old).unwrap();
        let refused = Store::open(&index, dir.path(), JOURNAL, false).err().unwrap().to_string();
        assert!(refused.contains("not the one that belongs"), "{refused}");
        fs::remove_file(table()).unwrap();
        assert!(Store::open(&index, dir.path(), JOURNAL, false).is_err());
    }

    /// Half of a new table, a whole one that nobody names yet, and the old one still there: each opens as it should.
    #[test]
    fn wherever_it_is_killed_while_its_files_are_made_anew_the_entries_are_there() {
        let (dir, store, model) = large();
        let home = dir.path();
        let said = |store: &Store| {
            store.range(FIRST_ENTRY, &[0xff], usize::MAX).unwrap().into_iter().collect::<BTreeMap<_, _>>()
        };
        // The copy is whole and its table has its name, but it was never exchanged.
        drop(store.copy(JOURNAL, reached(1), &Spans(vec![(0, 120)])).unwrap().unwrap());
        assert_eq!(fs::read_dir(home.join("archives")).unwrap().count(), 2);
        drop(store);
        let (mut store, _) = Store::open(&home.join("index"), home, JOURNAL, false).unwrap();
        assert_eq!(said(&store), model);
        table::clean(home, store.table().unwrap().0).unwrap();
        assert_eq!(fs::read_dir(home.join("archives")).unwrap().count(), 1);
        // It was exchanged, but what was before is still there.
        let before = fs::read_dir(home.join("archives")).unwrap().next().unwrap().unwrap().path();
        let bytes = fs::read(&before).unwrap();
        let copy = store.copy(JOURNAL, reached(1), &Spans(vec![(0, 120)])).unwrap().unwrap();
        store.exchange(copy).unwrap();
        drop(store);
        fs::write(&before, bytes).unwrap();
        let (store, _) = Store::open(&home.join("index"), home, JOURNAL, false).unwrap();
        assert_eq!(said(&store), model);
        table::clean(home, store.table().unwrap().0).unwrap();
        assert!(!before.exists() && fs::read_dir(home.join("archives")).unwrap().count() == 1);
        assert_eq!(said(&store), model);
    }
}

/// As the lock of a file that a program being started has too is, until it runs.
#[test]
fn a_lock_that_is_given_up_in_a_moment_is_waited_for() {
    let dir = tempdir().unwrap();
    let open = || Store::open(dir.path(), dir.path(), JOURNAL, false);
    drop(open().unwrap());
    for _ in 0..10 {
        let inherited = fs::File::open(dir.path().join(DATA[0]).join("db")).unwrap();
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
