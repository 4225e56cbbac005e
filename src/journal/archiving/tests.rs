//! An archive takes its segment's place only when it is that segment.

use super::*;
use crate::domain::event::Enqueued;
use crate::journal::Options;
use crate::journal::files::{Files as _, RealFiles};

/// The first two sealed segments of a journal, with their names.
fn segments() -> [(u64, Vec<u8>); 2] {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 1_200, reserve_bytes: 10, index_in_memory: true, ..Options::default() };
    let (journal, _) = Journal::open(dir.path(), options).unwrap();
    for number in 0..9 {
        let key = format!("sale-{number}").parse().unwrap();
        let sale = Enqueued { body: "{}".repeat(150), ..Enqueued::plain(key) };
        journal.transact(|txn| txn.enqueue(sale)).unwrap().unwrap();
    }
    let names = journal.handle.shared.segments.names();
    assert!(names.len() > 2);
    [names[0], names[1]].map(|name| (name, std::fs::read(segment::path(dir.path(), name)).unwrap()))
}

/// A file of these bytes, which is in no folder any more.
fn file(bytes: &[u8]) -> Arc<dyn File> {
    let dir = tempfile::tempdir().unwrap();
    let file = RealFiles.create(&dir.path().join("file")).unwrap();
    write_full(&*file, bytes, 0).unwrap();
    file
}

/// A sound archive of what `change` makes of a segment's records.
fn packed(segment: &[u8], name: u64, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Arc<dyn File> {
    let mut records = Vec::new();
    let mut each = |frame: &Frame<'_>, _| {
        records.push(frame.bytes.to_vec());
        Ok(())
    };
    sealed(&file(segment), name, &mut each).unwrap();
    change(&mut records);
    let mut packer = Packer::default();
    records.iter().for_each(|record| packer.push(record, None).unwrap());
    file(&packer.finish(&segment[..segment::HEADER]).unwrap())
}

#[test]
fn what_is_sound_but_not_the_segment_does_not_take_its_place() {
    let [(name, segment), (other, another)] = segments();
    let (here, unchanged) = (file(&segment), |_: &mut Vec<Vec<u8>>| ());
    let (_, hash) = pack(&here, name, &HashMap::new()).unwrap();
    let same = || packed(&segment, name, unchanged);
    check(&here, same(), name, hash).unwrap();

    let said = |made, hash| check(&here, made, name, hash).unwrap_err().to_string();
    let elsewhere = said(packed(&another, other, unchanged), hash);
    assert!(elsewhere.contains("its name is not that of the segment in it"), "{elsewhere}");
    let changed = packed(&segment, name, |records| *records[0].last_mut().unwrap() ^= 1);
    let shorter = packed(&segment, name, |records| drop(records.pop()));
    let longer = packed(&segment, name, |records| records.push(records[0].clone()));
    for made in [changed, shorter, longer] {
        let said = said(made, hash);
        assert!(said.contains("it differs from the segment"), "{said}");
    }
    let otherwise = said(same(), [0; 32]);
    assert!(otherwise.contains("the chain of its records ends otherwise"), "{otherwise}");
}
