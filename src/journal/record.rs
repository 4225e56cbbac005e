//! The bytes of one record. This form is for ever: a new one gets a new version number and this one stays readable.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | marker `a5 5f`, so that a reader that lost its place finds the next record |
//! | 1 | version of the record: 2, or 1 where totals can only be JSON (`domain::totals::Kept`) |
//! | 1 | flags: 1 the last record of its transaction, 2 the last of its commit group |
//! | 4 | CRC-32 of the journal's id and of everything else of the record |
//! | 4 | length of the payload |
//! | 4 | place in the commit group, from 0 |
//! | 8 | number of the commit group, from 1 |
//! | 8 | sequence number, from 1 |
//! | 8 | time, microseconds since 1970 UTC: informative, order comes from the sequence number |
//! | 16 | where the previous record of the same document is: segment and offset; zeros for none |
//! | 32 | SHA-256 of the record before, header and payload; zeros before the first |
//! | … | payload: [`Entry`] in bincode, fixed-size integers, no trailing bytes |
//!
//! All numbers are little-endian. The CRC begins with the journal's id, so that a record that strayed in from another
//! journal is not taken for one of this.

use bincode::Options as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::event::Entry;
use crate::domain::limits::MAX_RECORD;

/// The version written.
pub(crate) const VERSION: u8 = 2;
/// The oldest that is read.
const OLDEST: u8 = 1;
/// Bytes before the payload.
pub(crate) const HEADER: usize = 88;
/// Each record begins with these.
pub(crate) const MARKER: [u8; 2] = [0xa5, 0x5f];
const LAST_OF_TRANSACTION: u8 = 1;
const LAST_OF_GROUP: u8 = 2;

/// SHA-256 of a whole record.
pub(crate) type Hash = [u8; 32];

/// No sequence number or number of a group is larger: at a million a second it takes 146,000 years.
const MOST: u64 = 1 << 62;
/// No place in a group is larger.
const MOST_PLACE: u32 = u32::MAX / 2;

/// Where a record is: the segment, named by its first sequence number, and the offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    pub segment: u64,
    pub offset: u64,
}

impl Position {
    /// No record.
    pub const NONE: Position = Position { segment: 0, offset: 0 };

    pub fn is_none(self) -> bool {
        self.segment == 0
    }
}

/// How far in the journal the index has come: its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub seq: u64,
    pub group: u64,
    pub position: Position,
    pub hash: Hash,
}

/// Everything before the payload but checksum and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// [`VERSION`], unless it was read.
    pub version: u8,
    pub seq: u64,
    pub group: u64,
    pub place: u32,
    pub last_of_transaction: bool,
    pub last_of_group: bool,
    pub at_micros: i64,
    pub previous_of_document: Position,
    pub previous_hash: Hash,
}

/// A record found whole: its checksum is right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub header: Header,
    pub payload: &'a [u8],
    /// Header and payload.
    pub bytes: &'a [u8],
}

/// Why there is no whole record at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The bytes end inside it; so many are needed at least.
    Short(usize),
    /// It does not begin like one, or its length or its numbers cannot be.
    NoRecord,
    /// Its checksum is wrong.
    Checksum,
    /// Whole, but of a version or with flags this program does not know.
    Version(u8),
}

impl Flaw {
    pub fn words(self) -> String {
        match self {
            Flaw::Short(_) => "the record is cut short".to_owned(),
            Flaw::NoRecord => "there is no record where one should begin".to_owned(),
            Flaw::Checksum => "the record's checksum is wrong".to_owned(),
            Flaw::Version(version) => format!("a record is of version {version}"),
        }
    }
}

fn codec() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_limit(MAX_RECORD as u64)
}

/// The payload; `None` when it is over [`MAX_RECORD`].
pub(crate) fn encode_entry(entry: &Entry) -> Option<Vec<u8>> {
    // Without a limit it is written in one pass instead of two.
    let mut out = Vec::with_capacity(entry.length_about());
    codec().with_no_limit().serialize_into(&mut out, entry).ok()?;
    (out.len() <= MAX_RECORD).then_some(out)
}

/// Reads a payload of any version; trailing bytes are an error.
pub(crate) fn decode_entry(payload: &[u8]) -> Option<Entry> {
    codec().deserialize(payload).ok()
}

/// The time of a record, if its number is one.
pub(crate) fn time(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

/// Appends a record to `out` and returns its hash.
pub(crate) fn encode(journal: Uuid, header: &Header, payload: &[u8], out: &mut Vec<u8>) -> Hash {
    let start = out.len();
    let flags = if header.last_of_transaction { LAST_OF_TRANSACTION } else { 0 }
        | if header.last_of_group { LAST_OF_GROUP } else { 0 };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX); // at most MAX_RECORD
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[header.version, flags, 0, 0, 0, 0]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&header.place.to_le_bytes());
    out.extend_from_slice(&header.group.to_le_bytes());
    out.extend_from_slice(&header.seq.to_le_bytes());
    out.extend_from_slice(&header.at_micros.to_le_bytes());
    out.extend_from_slice(&header.previous_of_document.segment.to_le_bytes());
    out.extend_from_slice(&header.previous_of_document.offset.to_le_bytes());
    out.extend_from_slice(&header.previous_hash);
    out.extend_from_slice(payload);
    let crc = checksum(journal, out.get(start..).unwrap_or_default());
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
    hash(out.get(start..).unwrap_or_default())
}

/// The hash that the next record carries.
pub(crate) fn hash(record: &[u8]) -> Hash {
    Sha256::digest(record).into()
}

pub(crate) fn checksum(journal: Uuid, record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(journal.as_bytes());
    crc.update(record.get(..4).unwrap_or_default());
    crc.update(record.get(8..).unwrap_or_default());
    crc.finalize()
}

/// The record at the beginning of `bytes`.
pub(crate) fn decode(journal: Uuid, bytes: &[u8]) -> Result<Frame<'_>, Flaw> {
    if !MARKER.starts_with(bytes.get(..2).unwrap_or(bytes)) {
        return Err(Flaw::NoRecord);
    }
    let mut fields = Fields(bytes);
    let head = read_head(&mut fields).ok_or(Flaw::Short(HEADER))?;
    let length = usize::try_from(head.length).unwrap_or(usize::MAX);
    if length > MAX_RECORD {
        return Err(Flaw::NoRecord);
    }
    let whole = HEADER + length;
    let record = bytes.get(..whole).ok_or(Flaw::Short(whole))?;
    if checksum(journal, record) != head.crc {
        return Err(Flaw::Checksum);
    }
    let version = head.header.version;
    if !(OLDEST..=VERSION).contains(&version) || head.flags & !(LAST_OF_TRANSACTION | LAST_OF_GROUP) != 0 {
        return Err(Flaw::Version(version));
    }
    let Header { seq, group, place, .. } = head.header;
    if seq > MOST || group > MOST || place > MOST_PLACE {
        return Err(Flaw::NoRecord); // of no journal: what counts on from here must not run over
    }
    Ok(Frame { header: head.header, payload: record.get(HEADER..).unwrap_or_default(), bytes: record })
}

/// The length of the payload that a record states, whether or not it is whole.
pub(crate) fn stated_length(bytes: &[u8]) -> Option<usize> {
    usize::try_from(read_head(&mut Fields(bytes))?.length).ok().filter(|length| *length <= MAX_RECORD)
}

struct Head {
    flags: u8,
    crc: u32,
    length: u32,
    header: Header,
}

fn read_head(fields: &mut Fields<'_>) -> Option<Head> {
    let [_, _, version, flags] = fields.take()?;
    let crc = u32::from_le_bytes(fields.take()?);
    let length = u32::from_le_bytes(fields.take()?);
    let place = u32::from_le_bytes(fields.take()?);
    let group = u64::from_le_bytes(fields.take()?);
    let seq = u64::from_le_bytes(fields.take()?);
    let at_micros = i64::from_le_bytes(fields.take()?);
    let previous_of_document =
        Position { segment: u64::from_le_bytes(fields.take()?), offset: u64::from_le_bytes(fields.take()?) };
    let previous_hash = fields.take()?;
    let header = Header {
        version,
        seq,
        group,
        place,
        last_of_transaction: flags & LAST_OF_TRANSACTION != 0,
        last_of_group: flags & LAST_OF_GROUP != 0,
        at_micros,
        previous_of_document,
        previous_hash,
    };
    Some(Head { flags, crc, length, header })
}

/// Takes fixed-size fields off the front of a slice.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::DocEvent;
    use crate::domain::id::DocId;
    use proptest::prelude::*;

    const JOURNAL: Uuid = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);

    fn header() -> Header {
        Header {
            version: 1,
            seq: 0x11,
            group: 0x22,
            place: 0x33,
            last_of_transaction: true,
            last_of_group: false,
            at_micros: 0x0005_0000_0000_0001,
            previous_of_document: Position { segment: 0x44, offset: 0x55 },
            previous_hash: [0x66; 32],
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// These bytes are in journals out there: if this fails, the format was changed, not the test.
    #[test]
    fn the_bytes_of_a_record() {
        let entry = Entry::Document { id: DocId(9), event: DocEvent::NotThere { why: "no".into(), due_at: None } };
        let payload = encode_entry(&entry).unwrap();
        assert_eq!(
            hex(&payload),
            concat!("03000000", "0900000000000000", "05000000", "0200000000000000", "6e6f", "00")
        );
        let mut out = Vec::new();
        let hash = encode(JOURNAL, &header(), &payload, &mut out);
        let expected = concat!(
            "a55f",
            "01",
            "01",
            "979f35cd",
            "1b000000",
            "33000000",
            "2200000000000000",
            "1100000000000000",
            "0100000000000500",
            "44000000000000005500000000000000",
            "6666666666666666666666666666666666666666666666666666666666666666",
            "030000000900000000000000050000000200000000000000",
            "6e6f",
            "00"
        );
        assert_eq!(hex(&out), expected);
        assert_eq!(hash, super::hash(&out));
        let frame = decode(JOURNAL, &out).unwrap();
        assert_eq!((frame.header, frame.bytes.len()), (header(), HEADER + payload.len()));
        assert_eq!(decode_entry(frame.payload), Some(entry));
    }

    #[test]
    fn trailing_bytes_and_other_journals_are_refused() {
        let mut payload = encode_entry(&Entry::Closed).unwrap();
        let mut out = Vec::new();
        encode(JOURNAL, &header(), &payload, &mut out);
        assert_eq!(decode(Uuid::nil(), &out).unwrap_err(), Flaw::Checksum);
        payload.push(0);
        assert_eq!(decode_entry(&payload), None);
    }

    /// What counts on from them must not run over.
    #[test]
    fn a_record_whose_numbers_leave_none_after_them_is_none() {
        let with = |seq, group, place| {
            let mut out = Vec::new();
            encode(JOURNAL, &Header { seq, group, place, ..header() }, b"payload", &mut out);
            decode(JOURNAL, &out).map(|frame| frame.header.seq)
        };
        assert_eq!(with(MOST, MOST, MOST_PLACE), Ok(MOST));
        for (seq, group, place) in [(MOST + 1, 1, 1), (1, MOST + 1, 1), (1, 1, MOST_PLACE + 1)] {
            assert_eq!(with(seq, group, place), Err(Flaw::NoRecord), "{seq} {group} {place}");
        }
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), marked in any::<bool>()) {
            let mut bytes = bytes;
            if marked {
                let length = bytes.len().min(2);
                bytes[..length].copy_from_slice(&MARKER[..length]);
            }
            let _ = decode(JOURNAL, &bytes);
            let _ = decode_entry(&bytes);
            let _ = stated_length(&bytes);
        }

        #[test]
        fn a_changed_bit_is_noticed(payload in prop::collection::vec(any::<u8>(), 0..200), bit in any::<prop::sample::Index>()) {
            let mut out = Vec::new();
            encode(JOURNAL, &header(), &payload, &mut out);
            let bit = bit.index(out.len() * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(JOURNAL, &out).is_err());
        }
    }
}
