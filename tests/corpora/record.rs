//! The bytes of one record: whatever they are, reading them does not panic, and what is read has one form only.

use arbitrary::{Arbitrary, Unstructured};
use staffetta::journal::raw;
use uuid::Uuid;

const JOURNAL: Uuid = Uuid::from_u128(0x5a5a_0001);

/// Bytes as they are, or with marker, length and checksum put right: a fuzzer does not guess a checksum.
#[derive(Debug, Arbitrary)]
enum How {
    AsTheyAre,
    Sealed,
}

pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(how) = How::arbitrary(&mut input) else { return };
    let mut bytes = input.take_rest().to_vec();
    if matches!(how, How::Sealed) {
        raw::seal(JOURNAL, &mut bytes);
    }
    let Ok(read) = raw::read(JOURNAL, &bytes) else { return };
    assert!(read.length <= bytes.len());
    assert_eq!(read.again, bytes[..read.length], "the record has another form");
    if read.entry.is_some() {
        assert_eq!(Some(&read.payload.0), read.payload.1.as_ref(), "the fact has another form: {:?}", read.entry);
    }
    for cut in [0, 1, 2, 87, 88, read.length / 2, read.length - 1] {
        assert!(raw::read(JOURNAL, &bytes[..cut.min(read.length - 1)]).is_err(), "half a record is read");
    }
}
