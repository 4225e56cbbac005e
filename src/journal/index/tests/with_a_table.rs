//! What a journal would ask of a store with a table: any changes, made anew at any time with any archives, opened again.

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
        let (mut model, mut ever, mut seq) = (BTreeMap::new(), BTreeMap::new(), 1);
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
            ever.extend(model.clone());
            for key in ever.keys() {
                prop_assert_eq!(store.get(key).unwrap(), model.get(key).cloned());
            }
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
    let said =
        |store: &Store| store.range(FIRST_ENTRY, &[0xff], usize::MAX).unwrap().into_iter().collect::<BTreeMap<_, _>>();
    // The copy is whole and its table has its name, but it was never exchanged.
    let in_use = || data::folders(&home.join("index")).unwrap();
    let before = in_use();
    drop(store.copy(JOURNAL, reached(1), &Spans(vec![(0, 120)])).unwrap().unwrap());
    assert_eq!(in_use(), before, "not the copy, which was half there a moment ago");
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
