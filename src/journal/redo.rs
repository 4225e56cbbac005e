//! The file that makes a batch of index changes whole or not there: a block of what is put, one of the keys that go, the
//! words of how far the index has come with it; before each its length, and at the end a CRC of all of it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::apply::Changes;
use super::blocks;
use super::files::private;

/// Writes a batch.
pub(crate) fn write(path: &Path, changes: &Changes, meta: &[u8]) -> io::Result<()> {
    let put = changes.iter().filter_map(|(key, value)| Some((key.as_slice(), value.as_deref()?)));
    let gone = changes.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| (key.as_slice(), [].as_slice()));
    let mut bytes = Vec::new();
    for part in [&blocks::encode(&[], put), &blocks::encode(&[], gone), meta] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    private().create(true).truncate(true).open(path)?.write_all(&bytes)
}

/// The batch in a redo file, and how far the index comes with it; `None` when there is none or it is not whole.
pub(crate) fn read(path: &Path) -> io::Result<Option<(Changes, Vec<u8>)>> {
    match fs::read(path) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> Option<(Changes, Vec<u8>)> {
    let (mut rest, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) {
        return None;
    }
    let put = blocks::decode(&[], take(&mut rest)?)?;
    let gone = blocks::decode(&[], take(&mut rest)?)?;
    let meta = take(&mut rest)?.to_vec();
    let mut changes: Changes = put.into_iter().map(|(key, value)| (key, Some(value))).collect();
    changes.extend(gone.into_iter().map(|(key, _)| (key, None)));
    Some((changes, meta))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<8>()?;
    let (part, after) = after.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(part)
}
