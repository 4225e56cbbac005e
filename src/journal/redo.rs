//! The file that makes a batch of index changes whole or not there: length and bytes of each key and value, and at the
//! end a CRC of all of it.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use super::apply::Changes;

/// Writes a batch, and one more entry at its end.
pub(crate) fn write(path: &Path, changes: &Changes, last: (&[u8], &[u8])) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = Summed { out: io::BufWriter::with_capacity(1 << 18, options.open(path)?), crc: Default::default() };
    let last = (last.0.to_vec(), Some(last.1.to_vec()));
    let entries = changes.iter().chain([(&last.0, &last.1)]);
    for (key, value) in entries {
        out.part(Some(key))?;
        out.part(value.as_deref())?;
    }
    let crc = out.crc.finalize();
    out.out.write_all(&crc.to_le_bytes())?;
    out.out.flush()
}

struct Summed<W> {
    out: W,
    crc: crc32fast::Hasher,
}

impl<W: Write> Summed<W> {
    fn part(&mut self, bytes: Option<&[u8]>) -> io::Result<()> {
        let length = bytes.map_or(u32::MAX, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        for part in [&length.to_le_bytes()[..], bytes.unwrap_or_default()] {
            self.crc.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }
}

/// A batch: values, or `None` for gone.
pub(crate) type Redo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The batch in a redo file; `None` when there is none or it is not whole: then nothing of it has reached sled.
pub(crate) fn read(path: &Path) -> io::Result<Option<Redo>> {
    let mut bytes = Vec::new();
    match fs::File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<Redo> {
    let (mut rest, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let key = take_part(&mut rest)??;
        entries.push((key, take_part(&mut rest)?));
    }
    Some(entries)
}

/// `None`: the bytes end. `Some(None)`: no value.
fn take_part(rest: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    if length == u32::MAX {
        *rest = after;
        return Some(None);
    }
    let (part, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(part.to_vec()))
}
