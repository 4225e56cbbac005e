//! The bytes of an archive: one sealed segment, compressed. This form is for ever, as a record's is.
//!
//! | part | what |
//! |---|---|
//! | head | see below |
//! | frames | runs of whole records, at least [`FRAME`] bytes each but the last, each compressed by itself |
//! | names | for each frame the keys of the documents that have records in it, compressed: so that damage can be named |
//! | head | the same bytes again: where one cannot be read, the other can |
//! | 8 | length of the head, and that number with all its bits turned |
//!
//! The head: `STAFFARC`, version (4), its own length (4), the segment's header (104), the segment's length (8), number of
//! frames (4), of the names and then of each frame: bytes unpacked (4), bytes packed (4), CRC-32 of those packed (4); and
//! the CRC-32 of all that. All numbers are little-endian.
//!
//! Positions stay what they were: a record is at the same segment and offset, compressed or not. A record lies in one
//! frame, so that reading one unpacks no more than its frame, and a damaged frame costs only the records in it.

use std::collections::BTreeSet;
use std::io;

use bincode::Options as _;

use super::files::{File, read_full};
use super::record::{self, Fields};
use super::segment;
use crate::domain::limits::MAX_RECORD;

/// Unpacked bytes after which a frame ends with the record: small enough to unpack for one record (well under a
/// millisecond), large enough that its documents share what they have in common.
pub(crate) const FRAME: u64 = 64 * 1024;
const MAGIC: [u8; 8] = *b"STAFFARC";
const VERSION: u32 = 1;
/// Bytes of the head that do not depend on the number of frames: up to the names, and the CRC.
const FIXED: usize = 8 + 4 + 4 + segment::HEADER + 8 + 4 + 4;
const PART: usize = 12;
/// Bytes at the end of the file.
pub(crate) const FOOT: usize = 8;
/// zstd's own scale of 1 to 22: beyond it there is little to gain for such short frames.
const LEVEL: i32 = 9;

/// A compressed part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub raw: u32,
    pub packed: u32,
    pub crc: u32,
}

/// What the head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The segment's own header, as it was.
    pub segment: Vec<u8>,
    /// Bytes of the segment.
    pub length: u64,
    pub names: Part,
    pub frames: Vec<Part>,
}

/// Why there is no head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoHead {
    /// It is damaged, in words.
    Damaged(&'static str),
    /// A newer program wrote it.
    Version(u32),
}

/// Makes the archive of a segment, record by record.
#[derive(Default)]
pub(crate) struct Packer {
    frame: Vec<u8>,
    keys: BTreeSet<String>,
    names: Vec<Vec<String>>,
    parts: Vec<Part>,
    body: Vec<u8>,
    length: u64,
}

impl Packer {
    /// Takes the next record, of a document with this key.
    pub fn push(&mut self, record: &[u8], key: Option<&str>) -> io::Result<()> {
        self.frame.extend_from_slice(record);
        if let Some(key) = key.filter(|key| !self.keys.contains(*key)) {
            self.keys.insert(key.to_owned());
        }
        if self.frame.len() as u64 >= FRAME { self.end_frame() } else { Ok(()) }
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.parts.push(compress(&self.frame, &mut self.body)?);
        self.length += self.frame.len() as u64;
        self.frame.clear();
        self.names.push(std::mem::take(&mut self.keys).into_iter().collect());
        Ok(())
    }

    /// The archive of the segment with this header and the records taken.
    pub fn finish(mut self, header: &[u8]) -> io::Result<Vec<u8>> {
        if !self.frame.is_empty() {
            self.end_frame()?;
        }
        let raw = codec().serialize(&self.names).map_err(|_| invalid("the names of its documents are too many"))?;
        let names = compress(&raw, &mut self.body)?;
        let length = header.len() as u64 + self.length;
        let head = Head { segment: header.to_vec(), length, names, frames: self.parts }.encode();
        let size = u32::try_from(head.len()).map_err(|_| invalid("it has too many frames"))?;
        let mut out = head.clone();
        out.append(&mut self.body);
        out.extend_from_slice(&head);
        out.extend_from_slice(&foot(size));
        Ok(out)
    }
}

fn foot(size: u32) -> [u8; FOOT] {
    let mut foot = [0; FOOT];
    let bytes = size.to_le_bytes().into_iter().chain((!size).to_le_bytes());
    foot.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    foot
}

/// The length of the head, by the end of the file.
pub(crate) fn read_foot(bytes: &[u8]) -> Option<usize> {
    let mut fields = Fields(bytes);
    let (size, turned) = (u32::from_le_bytes(fields.take()?), u32::from_le_bytes(fields.take()?));
    (fields.0.is_empty() && size == !turned).then(|| usize::try_from(size).ok()).flatten()
}

/// The length of the head, by its beginning; whether it is true is for [`Head::decode`] to say.
pub(crate) fn stated_length(bytes: &[u8]) -> Option<usize> {
    let mut fields = Fields(bytes);
    let (magic, _version): ([u8; 8], [u8; 4]) = (fields.take()?, fields.take()?);
    let size = usize::try_from(u32::from_le_bytes(fields.take()?)).ok()?;
    (magic == MAGIC && size >= FIXED + PART).then_some(size)
}

pub(crate) fn compress(raw: &[u8], out: &mut Vec<u8>) -> io::Result<Part> {
    let packed = zstd::bulk::compress(raw, LEVEL)?;
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| invalid("a part of it is too long"));
    let part = Part { raw: length(raw)?, packed: length(&packed)?, crc: crc32fast::hash(&packed) };
    out.extend_from_slice(&packed);
    Ok(part)
}

/// Unpacks a part; the error says what is wrong with it.
fn unpack(part: Part, packed: &[u8]) -> Result<Vec<u8>, &'static str> {
    if packed.len() != part.packed as usize {
        return Err("it is cut short");
    }
    if crc32fast::hash(packed) != part.crc {
        return Err("its checksum is wrong");
    }
    match zstd::bulk::decompress(packed, part.raw as usize) {
        Ok(raw) if raw.len() == part.raw as usize => Ok(raw),
        Ok(_) => Err("it has not the length it had"),
        Err(_) => Err("it cannot be unpacked"),
    }
}

/// Reads a part from its place in a file and unpacks it; the inner error says what is wrong with it.
pub(crate) fn read(file: &dyn File, at: u64, part: Part) -> io::Result<Result<Vec<u8>, &'static str>> {
    let rest = file.length()?.saturating_sub(at);
    let length = u64::from(part.packed).min(rest); // no more is made room for than there can be
    let mut packed = vec![0; usize::try_from(length).unwrap_or(0)];
    let there = read_full(file, &mut packed, at)?;
    packed.truncate(there);
    Ok(unpack(part, &packed))
}

/// The keys of the documents in each frame.
pub(crate) fn read_names(raw: &[u8]) -> Option<Vec<Vec<String>>> {
    codec().deserialize(raw).ok()
}

fn codec() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_limit(u64::from(u32::MAX))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Head {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let size = FIXED + PART * (self.frames.len() + 1);
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()); // `finish` refuses one so long
        out.extend_from_slice(&self.segment);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.frames.len()).unwrap_or(u32::MAX).to_le_bytes()); // likewise
        for part in std::iter::once(&self.names).chain(&self.frames) {
            for number in [part.raw, part.packed, part.crc] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a head of just these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Head, NoHead> {
        let cut = || NoHead::Damaged("its head is cut short");
        let (content, crc) = bytes.split_last_chunk::<4>().ok_or_else(cut)?;
        if !content.starts_with(&MAGIC) {
            return Err(NoHead::Damaged("it does not begin like an archive"));
        }
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return Err(NoHead::Damaged("the checksum of its head is wrong"));
        }
        let mut fields = Fields(content);
        Head::fields(&mut fields).ok_or_else(cut)?
    }

    fn fields(fields: &mut Fields<'_>) -> Option<Result<Head, NoHead>> {
        let _magic: [u8; 8] = fields.take()?;
        let version = u32::from_le_bytes(fields.take()?);
        if version != VERSION {
            return Some(Err(NoHead::Version(version)));
        }
        let _size: [u8; 4] = fields.take()?;
        let segment = fields.take::<{ segment::HEADER }>()?.to_vec();
        let length = u64::from_le_bytes(fields.take()?);
        let count = u32::from_le_bytes(fields.take()?);
        let mut part = || {
            let mut number = || Some(u32::from_le_bytes(fields.take()?));
            Some(Part { raw: number()?, packed: number()?, crc: number()? })
        };
        let names = part()?;
        let frames = (0..count).map(|_| part()).collect::<Option<Vec<Part>>>()?;
        // No more than a frame and the longest record is unpacked at once, whatever the bytes say.
        let most = FRAME + (record::HEADER + MAX_RECORD) as u64;
        let sum: u64 = frames.iter().map(|part| u64::from(part.raw)).sum();
        let fits = frames.iter().all(|part| u64::from(part.raw) <= most) && sum + segment::HEADER as u64 == length;
        if !fields.0.is_empty() || !fits {
            return Some(Err(NoHead::Damaged("its head contradicts itself")));
        }
        Some(Ok(Head { segment, length, names, frames }))
    }

    /// Bytes of the head itself.
    pub fn size(&self) -> u64 {
        (FIXED + PART * (self.frames.len() + 1)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// These bytes are in archives out there: if this fails, the format was changed, not the test.
    #[test]
    fn the_bytes_of_a_head() {
        let part = |n| Part { raw: n, packed: n + 1, crc: n + 2 };
        let head = Head { segment: vec![0xaa; 104], length: 109, names: part(0x10), frames: vec![part(2), part(3)] };
        let bytes = head.encode();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = [
            "5354414646415243",
            "01000000",
            "ac000000",
            &"aa".repeat(104),
            "6d00000000000000",
            "02000000",
            "100000001100000012000000",
            "020000000300000004000000",
            "030000000400000005000000",
        ];
        assert!(hex.starts_with(&expected.concat()), "{hex}");
        assert_eq!((bytes.len() as u64, hex.len()), (head.size(), expected.concat().len() + 8));
        assert_eq!(Head::decode(&bytes), Ok(head.clone()));
        assert_eq!((stated_length(&bytes), read_foot(&foot(172))), (Some(172), Some(172)));
        let mut newer = bytes[..bytes.len() - 4].to_vec();
        newer[8] = 2;
        newer.extend_from_slice(&crc32fast::hash(&newer).to_le_bytes());
        assert_eq!(Head::decode(&newer), Err(NoHead::Version(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), sealed in any::<bool>()) {
            let mut bytes = bytes;
            if sealed && bytes.len() > 12 {
                bytes[..8].copy_from_slice(&MAGIC);
                bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
                bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
            }
            let _ = (Head::decode(&bytes), stated_length(&bytes), read_foot(&bytes), read_names(&bytes));
            let _ = unpack(Part { raw: 100, packed: bytes.len() as u32, crc: crc32fast::hash(&bytes) }, &bytes);
        }
    }
}
