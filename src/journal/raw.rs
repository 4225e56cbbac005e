//! One record's bytes alone, for tests and fuzzing: no file, no journal. Not part of the public interface.

use uuid::Uuid;

use super::record;
use crate::domain::event::Entry;

/// A record found at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// How many bytes it has.
    pub length: usize,
    /// The record, written again from what was read.
    pub again: Vec<u8>,
    /// The fact in it; none if its payload is not one.
    pub entry: Option<Entry>,
    /// The payload, and the same written again from the fact.
    pub payload: (Vec<u8>, Option<Vec<u8>>),
}

/// Reads the record at the beginning of these bytes.
///
/// # Errors
/// Why there is none, in words.
pub fn read(journal: Uuid, bytes: &[u8]) -> Result<Read, String> {
    let frame = record::decode(journal, bytes).map_err(record::Flaw::words)?;
    let mut again = Vec::new();
    record::encode(journal, &frame.header, frame.payload, &mut again);
    let entry = record::decode_entry(frame.payload);
    let rewritten = entry.as_ref().and_then(record::encode_entry);
    Ok(Read { length: frame.bytes.len(), again, entry, payload: (frame.payload.to_vec(), rewritten) })
}

/// A record of this fact as the first of a journal, with its checksum and hash; none if it is too large.
pub fn write(journal: Uuid, entry: &Entry) -> Option<Vec<u8>> {
    let payload = record::encode_entry(entry)?;
    let header = record::Header {
        version: record::VERSION,
        seq: 1,
        group: 1,
        place: 0,
        last_of_transaction: true,
        last_of_group: true,
        at_micros: 0,
        previous_of_document: record::Position::NONE,
        previous_hash: [0; 32],
    };
    let mut bytes = Vec::with_capacity(record::HEADER + payload.len());
    let _hash_of_the_next = record::encode(journal, &header, &payload, &mut bytes);
    Some(bytes)
}

/// Makes these bytes a record as far as marker, version, length and checksum go: what is inside stays as it is. Nothing
/// happens to bytes too few for one.
pub fn seal(journal: Uuid, bytes: &mut [u8]) {
    let Some(payload) = bytes.len().checked_sub(record::HEADER) else { return };
    let length = u32::try_from(payload).unwrap_or(u32::MAX).to_le_bytes();
    let known = [record::MARKER[0], record::MARKER[1], record::VERSION];
    bytes.iter_mut().zip(known).for_each(|(byte, known)| *byte = known);
    bytes.iter_mut().skip(3).take(1).for_each(|flags| *flags &= 3);
    bytes.iter_mut().skip(8).zip(length).for_each(|(byte, length)| *byte = length);
    let crc = record::checksum(journal, bytes).to_le_bytes();
    bytes.iter_mut().skip(4).zip(crc).for_each(|(byte, crc)| *byte = crc);
}
