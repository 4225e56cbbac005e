//! What is not as it was written is never taken for true: every byte flipped, every length cut, records removed, repeated,
//! moved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use staffetta::domain::id::DocId;
use staffetta::journal::{Damage, Found, Journal, JournalError, Report, View, read_all, verify};

use crate::papers::*;
use crate::support::segments::{DIR, open, options};
use staffetta::testing::{Image, Sim};

/// Few documents with some history in several segments, closed in good order.
fn small() -> Image {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    let ids: Vec<DocId> = (0..4).map(|n| enqueue(&journal, sale(&format!("doc-{n}"))).unwrap()).collect();
    record(&journal, ids[0], sending(1)).unwrap();
    record(&journal, ids[0], accepted("r-0", None)).unwrap();
    record(&journal, ids[1], sending(1)).unwrap();
    drop(journal);
    assert!(report(&sim).sound);
    let mut image = sim.image();
    image.remove(&Path::new(DIR).join("reserve"));
    assert!(segments(&image).len() >= 2, "the journal has several segments");
    image
}

fn segments(image: &Image) -> Vec<PathBuf> {
    image.keys().filter(|path| path.to_string_lossy().ends_with(".seg")).cloned().collect()
}

fn report(sim: &Sim) -> Report {
    verify(Path::new(DIR), Arc::new(sim.clone())).unwrap()
}

/// Everything that a journal says of its documents.
fn facts(journal: &Journal) -> BTreeMap<String, usize> {
    let mut facts = BTreeMap::new();
    for record in journal.events_after(0, usize::MAX).unwrap() {
        if let staffetta::domain::event::Entry::Enqueued(taken) = record.entry {
            let id = DocId(record.seq);
            assert_eq!(journal.document(id).unwrap().as_ref(), Some(&*taken));
            facts.insert(taken.key.to_string(), journal.history(id).unwrap().len());
        }
    }
    facts
}

/// Offsets and lengths of the records in a segment: the length of the payload is at byte 8, the header has 88.
fn records(segment: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut records = Vec::new();
    let mut at = 104;
    while at < segment.len() {
        let length = u32::from_le_bytes(segment[at + 8..at + 12].try_into().unwrap()) as usize;
        records.push(at..at + 88 + length);
        at += 88 + length;
    }
    records
}

fn is_refused(sim: &Sim) -> bool {
    matches!(open(sim), Err(JournalError::Damaged { .. } | JournalError::Version { .. }))
}

#[test]
fn any_byte_flipped_is_found_and_refused() {
    let whole = small();
    let all = facts(&open(&Sim::of(&whole)).unwrap());
    let checkpoint = Path::new(DIR).join("checkpoint");
    for (path, content) in &whole {
        for offset in 0..content.len() {
            let mut image = whole.clone();
            image.get_mut(path).unwrap()[offset] ^= 1 << (offset % 8);
            let place = || format!("{} byte {offset}", path.display());
            let found = verify(Path::new(DIR), Arc::new(Sim::of(&image)));
            assert!(!matches!(found, Ok(Report { sound: true, .. })), "{}: sound", place());
            if *path == checkpoint {
                assert_eq!(facts(&open(&Sim::of(&image)).unwrap()), all, "{}", place());
                continue;
            }
            assert!(is_refused(&Sim::of(&image)), "{}: opened", place());
            // Without its witness only the very last group can pass for torn: here the good end, of no document.
            image.remove(&checkpoint);
            if let Ok(journal) = open(&Sim::of(&image)) {
                let last = records(content).last().unwrap().clone();
                assert!(segments(&whole).last() == Some(path) && last.contains(&offset), "{}: opened", place());
                assert_eq!(facts(&journal), all, "{}", place());
            }
        }
    }
}

#[test]
fn any_length_cut_is_found_and_refused() {
    let whole = small();
    let all = facts(&open(&Sim::of(&whole)).unwrap());
    let checkpoint = Path::new(DIR).join("checkpoint");
    let last = segments(&whole).pop().unwrap();
    for path in segments(&whole) {
        for length in 0..whole[&path].len() {
            let mut image = whole.clone();
            image.get_mut(&path).unwrap().truncate(length);
            let place = || format!("{} cut to {length}", path.display());
            assert!(!report(&Sim::of(&image)).sound, "{}: sound", place());
            assert!(is_refused(&Sim::of(&image)), "{}: opened", place());
            image.remove(&checkpoint);
            if let Ok(journal) = open(&Sim::of(&image)) {
                // Without its witness a journal cut at its end is one of an earlier moment, never one with holes.
                assert_eq!(path, last, "{}: opened", place());
                let facts = facts(&journal);
                assert!(facts.iter().all(|(key, history)| all[key] >= *history), "{}", place());
                assert!(facts.len() < 5 && facts.contains_key("doc-0"), "{}", place());
            }
        }
    }
}

/// Puts the records of a segment in another order, leaves some out, or has some twice.
fn rearranged(content: &[u8], order: &[usize]) -> Vec<u8> {
    let records = records(content);
    let mut out = content[..104].to_vec();
    for index in order {
        out.extend_from_slice(&content[records[*index].clone()]);
    }
    out
}

#[test]
fn records_removed_repeated_or_moved_are_found() {
    let whole = small();
    for path in segments(&whole) {
        let count = records(&whole[&path]).len();
        let straight: Vec<usize> = (0..count).collect();
        let mut orders = Vec::new();
        for index in 0..count {
            let mut without = straight.clone();
            without.remove(index);
            orders.push(without);
            let mut twice = straight.clone();
            twice.insert(index, index);
            orders.push(twice);
            if index + 1 < count {
                let mut swapped = straight.clone();
                swapped.swap(index, index + 1);
                orders.push(swapped);
            }
        }
        for order in orders {
            let mut image = whole.clone();
            image.insert(path.clone(), rearranged(&whole[&path], &order));
            assert!(!report(&Sim::of(&image)).sound, "{} as {order:?}", path.display());
            assert!(is_refused(&Sim::of(&image)), "{} as {order:?}", path.display());
        }
    }
}

#[test]
fn segments_missing_doubled_or_exchanged_are_found() {
    let whole = small();
    let paths = segments(&whole);
    for (index, path) in paths.iter().enumerate() {
        let mut image = whole.clone();
        image.remove(path);
        assert!(!report(&Sim::of(&image)).sound && is_refused(&Sim::of(&image)), "{} missing", path.display());
        if let Some(next) = paths.get(index + 1) {
            let mut image = whole.clone();
            let (one, two) = (whole[path].clone(), whole[next].clone());
            image.insert(path.clone(), two);
            image.insert(next.clone(), one);
            assert!(!report(&Sim::of(&image)).sound && is_refused(&Sim::of(&image)), "{} exchanged", path.display());
        }
        let mut image = whole.clone();
        image.insert(path.with_file_name("00000000000000000099.seg"), whole[path].clone());
        assert!(!report(&Sim::of(&image)).sound && is_refused(&Sim::of(&image)), "{} doubled", path.display());
    }
    let none: Image =
        whole.iter().filter(|(path, _)| !paths.contains(path)).map(|(a, b)| (a.clone(), b.clone())).collect();
    assert!(is_refused(&Sim::of(&none)), "all segments are missing");
}

#[test]
fn a_record_of_another_journal_is_not_taken() {
    let (one, two) = (small(), small());
    let path = &segments(&one)[0];
    let (mut mixed, place) = (one.clone(), records(&one[path])[1].clone());
    assert_eq!(records(&two[path])[1], place);
    mixed.get_mut(path).unwrap()[place.clone()].copy_from_slice(&two[path][place.clone()]);
    let report = report(&Sim::of(&mixed));
    assert_eq!(report.damage[0].offset, place.start as u64, "{report:?}");
    let mut mixed = one.clone();
    let last = segments(&one).pop().unwrap();
    mixed.insert(last.clone(), two[&last].clone());
    assert!(is_refused(&Sim::of(&mixed)));
}

#[test]
fn damage_is_named_and_the_rest_is_read() {
    let mut image = small();
    let path = segments(&image)[0].clone();
    let place = records(&image[&path])[2].clone();
    let text = image[&path][place.clone()].windows(9).position(|bytes| bytes == b"fiscal_id").unwrap();
    image.get_mut(&path).unwrap()[place.start + text] ^= 0x20;
    let sim = Sim::of(&image);
    let report = report(&sim);
    let [Damage { segment: 1, offset, key: Some(named), .. }] = report.damage.as_slice() else { panic!("{report:?}") };
    assert_eq!((*offset, named), (place.start as u64, &key("doc-1")));
    assert_eq!(report.documents, 3);
    match open(&sim) {
        Err(JournalError::Damaged { segment: 1, offset, .. }) if offset == place.start as u64 => {}
        other => panic!("{:?}", other.map(|_| ())),
    }
    let mut met = Vec::new();
    read_all(Path::new(DIR), Arc::new(sim), |found| {
        met.push(match found {
            Found::Record(record) => record.seq.to_string(),
            Found::Damage(damage) => format!("damage of {}", damage.key.unwrap()),
        });
    })
    .unwrap();
    assert_eq!(met, ["1", "2", "damage of doc-1", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn a_torn_tail_is_sound_and_cut_once() {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    for n in 0..3 {
        enqueue(&journal, sale(&format!("doc-{n}"))).unwrap();
    }
    let mut image = sim.image(); // as a kill would leave it
    let last = segments(&image).pop().unwrap();
    let place = records(&image[&last]).pop().unwrap();
    let torn = place.len() as u64 - 1;
    image.get_mut(&last).unwrap().truncate(place.end - 1);
    let sim = Sim::of(&image);
    let report = report(&sim);
    assert!(report.sound && report.torn == torn, "{report:?}");
    let (journal, recovery) = Journal::open(Path::new(DIR), options(&sim)).unwrap();
    assert_eq!((recovery.cut, recovery.clean), (torn, false));
    assert_eq!(journal.find(&key("doc-2")).unwrap(), None);
    assert!(journal.find(&key("doc-1")).unwrap().is_some());
    drop(journal);
    let (_journal, recovery) = Journal::open(Path::new(DIR), options(&sim)).unwrap();
    assert_eq!((recovery.cut, recovery.clean), (0, true));
}

/// Gives a record that was changed the checksum it would have.
fn sign(segment: &mut [u8], place: std::ops::Range<usize>) {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&segment[12..28]); // the journal's id
    crc.update(&segment[place.start..place.start + 4]);
    crc.update(&segment[place.start + 8..place.end]);
    let crc = crc.finalize();
    segment[place.start + 4..place.start + 8].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_record_rewritten_with_a_right_checksum_is_found_by_the_chain() {
    let mut image = small();
    let path = segments(&image)[0].clone();
    let place = records(&image[&path])[1].clone();
    let content = image.get_mut(&path).unwrap();
    let amount = content[place.clone()].windows(4).position(|bytes| bytes == b"3.90").unwrap();
    content[place.start + amount] = b'9';
    sign(content, place.clone());
    let sim = Sim::of(&image);
    let report = report(&sim);
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_eq!(report.damage[0].offset, place.end as u64, "the next record tells");
    assert!(is_refused(&sim));
}

/// No record follows the last one to tell: the witness does.
#[test]
fn the_last_record_rewritten_with_a_right_checksum_is_found_by_the_witness() {
    let mut image = small();
    let path = segments(&image).last().unwrap().clone();
    let place = records(&image[&path]).last().unwrap().clone();
    let content = image.get_mut(&path).unwrap();
    content[place.start + 32] ^= 1; // its time
    sign(content, place.clone());
    let sim = Sim::of(&image);
    let report = report(&sim);
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_eq!(report.damage[0].offset, place.start as u64);
    assert!(is_refused(&sim));
    // With it gone nothing speaks against the record: a backup has none.
    image.remove(&Path::new(DIR).join("checkpoint"));
    open(&Sim::of(&image)).unwrap();
}

/// A record with all checksums right that does not follow from what was before it: no writer of ours made it.
#[test]
fn a_record_that_points_to_another_than_the_one_before_is_found() {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    let id = enqueue(&journal, sale("doc")).unwrap();
    record(&journal, id, sending(1)).unwrap();
    let mut image = sim.image();
    drop(journal);
    assert!(open(&Sim::of(&image)).is_ok());
    let path = segments(&image).last().unwrap().clone();
    let place = records(&image[&path]).last().unwrap().clone();
    let content = image.get_mut(&path).unwrap();
    content[place.start + 48] ^= 1; // the offset of the record before of the same document
    sign(content, place.clone());
    let sim = Sim::of(&image);
    let report = report(&sim);
    assert_eq!((report.damage.len(), report.damage[0].key.clone()), (1, Some(key("doc"))), "{report:?}");
    assert!(is_refused(&sim));
}
