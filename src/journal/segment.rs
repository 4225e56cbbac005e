//! Files of records. A segment is named by the sequence number of its first record and begins with a header:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `STAFFSEG` |
//! | 4 | version, 1 |
//! | 16 | the journal's id |
//! | 8 | sequence number of the first record |
//! | 8 | number of the first commit group |
//! | 8 | first sequence number of the segment before; 0 for none |
//! | 8 | length of the segment before, bytes |
//! | 32 | SHA-256 of the last record before |
//! | 8 | when it was made, microseconds since 1970 UTC |
//! | 4 | CRC-32 of all that |
//!
//! All numbers are little-endian. Only the last segment is written to; the others never change. A segment gets its name
//! when its header is durable, and its first record when its name is. A sealed one may be kept as an
//! [archive](super::archive) instead, with the same number.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::archive::{self, Archive};
use super::error::{JournalError, Result};
use super::files::{File, Files, read_full, write_full};
use super::record::{Fields, Hash};

/// Bytes before the first record.
pub(crate) const HEADER: usize = 104;
const MAGIC: [u8; 8] = *b"STAFFSEG";
/// The version written.
pub(crate) const VERSION: u32 = 1;
const FOLDER: &str = "segments";
const EXTENSION: &str = ".seg";
/// What is not finished ends so.
pub(crate) const TEMPORARY: &str = ".tmp";

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub journal: Uuid,
    pub first_seq: u64,
    pub first_group: u64,
    pub previous_segment: u64,
    pub previous_length: u64,
    pub previous_hash: Hash,
    pub made_micros: i64,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(self.journal.as_bytes());
        for number in [self.first_seq, self.first_group, self.previous_segment, self.previous_length] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.previous_hash);
        out.extend_from_slice(&self.made_micros.to_le_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header; the error says what is wrong with it, and whether a newer program wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Header, (bool, String)> {
        let damaged = |what: &str| (false, what.to_owned());
        let (content, crc) = bytes
            .get(..HEADER)
            .and_then(|bytes| bytes.split_last_chunk::<4>())
            .ok_or_else(|| damaged("the segment's header is cut short"))?;
        if !content.starts_with(&MAGIC) {
            return Err(damaged("this is not a segment of a journal"));
        }
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return Err(damaged("the checksum of the segment's header is wrong"));
        }
        let mut fields = Fields(content);
        Header::fields(&mut fields).ok_or_else(|| damaged("the segment's header is cut short"))?
    }

    fn fields(fields: &mut Fields<'_>) -> Option<Result<Header, (bool, String)>> {
        let _magic: [u8; 8] = fields.take()?;
        let version = u32::from_le_bytes(fields.take()?);
        if version != VERSION {
            return Some(Err((true, format!("the segment is of version {version}"))));
        }
        Some(Ok(Header {
            journal: Uuid::from_bytes(fields.take()?),
            first_seq: u64::from_le_bytes(fields.take()?),
            first_group: u64::from_le_bytes(fields.take()?),
            previous_segment: u64::from_le_bytes(fields.take()?),
            previous_length: u64::from_le_bytes(fields.take()?),
            previous_hash: fields.take()?,
            made_micros: i64::from_le_bytes(fields.take()?),
        }))
    }
}

/// The folder of segments of a journal.
pub(crate) fn folder(journal: &Path) -> PathBuf {
    journal.join(FOLDER)
}

/// The file of a segment.
pub(crate) fn path(journal: &Path, first_seq: u64) -> PathBuf {
    folder(journal).join(format!("{first_seq:020}{EXTENSION}"))
}

/// The segments of a journal, by their first sequence numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// All, in order.
    pub all: Vec<u64>,
    /// Those that are there as archives only.
    pub archived: BTreeSet<u64>,
    /// Those that are there twice: a process ended while archiving them.
    pub twice: BTreeSet<u64>,
    /// Files that were never finished.
    pub unfinished: Vec<PathBuf>,
}

/// What is in a journal's folders. A folder that is not there has nothing.
pub(crate) fn names(files: &dyn Files, journal: &Path) -> Result<Names> {
    let mut unfinished = Vec::new();
    let live = numbers(files, &folder(journal), EXTENSION, &mut unfinished)?;
    let packed = numbers(files, &archive::folder(journal), archive::EXTENSION, &mut unfinished)?;
    Ok(Names {
        all: live.union(&packed).copied().collect(),
        archived: packed.difference(&live).copied().collect(),
        twice: packed.intersection(&live).copied().collect(),
        unfinished,
    })
}

fn numbers(files: &dyn Files, folder: &Path, extension: &str, unfinished: &mut Vec<PathBuf>) -> Result<BTreeSet<u64>> {
    let names = match files.names(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(JournalError::io("list", folder, error)),
    };
    let mut numbers = BTreeSet::new();
    for name in names {
        if name.ends_with(TEMPORARY) {
            unfinished.push(folder.join(name));
        } else if let Some(number) = name.strip_suffix(extension) {
            let number = Some(number).filter(|text| text.len() == 20).and_then(|text| text.parse().ok());
            numbers.insert(number.ok_or_else(|| JournalError::damaged(0, 0, format!("{name} is no segment's name")))?);
        }
    }
    Ok(numbers)
}

/// Opens a segment for reading, or where it is not there its archive; the flag says which.
pub(crate) fn open(files: &dyn Files, journal: &Path, first_seq: u64) -> Result<(Arc<dyn File>, bool)> {
    let path = path(journal, first_seq);
    match files.open(&path) {
        Ok(file) => Ok((file, false)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match Archive::open(files, journal, first_seq) {
            Ok(archive) => Ok((Arc::new(archive), true)),
            Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(JournalError::io("open", &path, error))
            }
            Err(error) => Err(error),
        },
        Err(error) => Err(JournalError::io("open", &path, error)),
    }
}

/// Makes a segment, durable with its name when this returns. On failure nothing has the segment's name, as far as
/// anyone can know.
pub(crate) fn create(files: &dyn Files, journal: &Path, header: &Header) -> Result<Arc<dyn File>> {
    let path = path(journal, header.first_seq);
    let temporary = path.with_extension("seg.tmp");
    let made = (|| {
        let file = files.create(&temporary)?;
        write_full(&*file, &header.encode(), 0)?;
        file.sync_all()?;
        Ok(file)
    })();
    let file = match made {
        Ok(file) => file,
        Err(error) => {
            // Left behind it does no harm: the next open removes it.
            let _ = files.remove(&temporary);
            return Err(JournalError::io("make", &temporary, error));
        }
    };
    files.rename(&temporary, &path).map_err(|error| JournalError::io("rename", &path, error))?;
    let folder = folder(journal);
    files.sync_dir(&folder).map_err(|error| JournalError::io("sync", &folder, error))?;
    Ok(file)
}

/// Reads a segment's header, of an archive without unpacking anything; the flag says whether it is one.
pub(crate) fn read_header(files: &dyn Files, journal: &Path, first_seq: u64) -> Result<(Arc<dyn File>, Header, bool)> {
    let (file, archived) = open(files, journal, first_seq)?;
    let mut bytes = vec![0; HEADER];
    let there =
        read_full(&*file, &mut bytes, 0).map_err(|error| JournalError::io("read", &path(journal, first_seq), error))?;
    bytes.truncate(there);
    match Header::decode(&bytes) {
        Ok(header) if header.first_seq == first_seq => Ok((file, header, archived)),
        Ok(_) => Err(JournalError::damaged(first_seq, 0, "the file's name is not that of the segment in it")),
        Err((true, what)) => Err(JournalError::Version { what }),
        Err((false, what)) => Err(JournalError::damaged(first_seq, 0, what)),
    }
}
