//! Making a table (`table.rs` reads it): which entries belong into one, and its bytes.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bincode::Options as _;
use uuid::Uuid;

use super::apply::{self, Pair};
use super::error::{JournalError, Result};
use super::files::private;
use super::table::{Block, Foot, Table, codec, invalid, name_in, numbers, path, wrong};
use super::{archive, blocks, filter, keys, packed, segment};

/// Bytes of entries after which a block ends: what is unpacked to read one of them.
const BLOCK: usize = 32 * 1024;
/// The kinds of entries that a table has; all others are few, or change.
const KINDS: &[u8] = b"hijkmpqs";

/// The sequence numbers of the records that are in archives, in order: from each first one up to before the second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans(pub Vec<(u64, u64)>);

impl Spans {
    /// Whether an entry belongs into a table: that of a document whose first record is in an archive.
    pub fn take(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        let seq = match key.first() {
            Some(b'k') => apply::decode(value)?,
            Some(kind) if KINDS.contains(kind) => match keys::id_at_end(key) {
                Some(id) => id.0,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        let before = self.0.partition_point(|(first, _)| *first <= seq);
        Ok(before.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, end)| seq < *end))
    }
}

/// Bytes of the index's files before and after they were made anew, and of the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Compacted {
    pub before: u64,
    pub after: u64,
    pub table: u64,
}

/// Makes a table, entry by entry in order. One that is not finished leaves nothing.
pub(crate) struct Maker {
    file: BufWriter<fs::File>,
    journal: PathBuf,
    number: u64,
    pending: Vec<Pair>,
    size: usize,
    blocks: Vec<Block>,
    entries: u64,
}

impl Drop for Maker {
    fn drop(&mut self) {
        // A finished one has its name by now.
        let _ = fs::remove_file(Maker::temporary(&self.journal, self.number));
    }
}

impl Maker {
    /// Begins a table with a number of its own.
    pub fn begin(journal: &Path) -> Result<Maker> {
        let number = numbers(journal).map(|numbers| numbers.into_iter().max().unwrap_or(0).saturating_add(1));
        let path = path(journal, 0);
        let number = number.map_err(|error| wrong(&path, error))?;
        let path = Maker::temporary(journal, number);
        let file = private().create(true).truncate(true).open(&path).map_err(|error| wrong(&path, error))?;
        let (file, journal) = (BufWriter::with_capacity(256 * 1024, file), journal.to_owned());
        Ok(Maker { file, journal, number, pending: Vec::new(), size: 0, blocks: Vec::new(), entries: 0 })
    }

    fn temporary(journal: &Path, number: u64) -> PathBuf {
        let path = path(journal, number);
        path.with_extension(format!("idx{}", segment::TEMPORARY))
    }

    /// Takes the next entry.
    pub fn push(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        // One kind a block, and one state: what is asked for often lies between blocks, and costs nothing.
        let head = |key: &[u8]| (key.first().copied(), key.get(1).copied().filter(|_| key.first() == Some(&b's')));
        let other = self.pending.first().is_some_and(|(first, _)| head(first) != head(&key));
        if other || self.size >= BLOCK {
            self.end_block().map_err(|error| self.wrong(error))?;
        }
        self.size += key.len() + value.len();
        self.entries += 1;
        self.pending.push((key, value));
        Ok(())
    }

    fn wrong(&self, error: io::Error) -> JournalError {
        wrong(&Maker::temporary(&self.journal, self.number), error)
    }

    fn end_block(&mut self) -> io::Result<()> {
        let (Some((first, _)), Some((last, _))) = (self.pending.first(), self.pending.last()) else { return Ok(()) };
        let mut bytes = Vec::new();
        let part = packed::compress(&blocks::encode(first, blocks::entries(&self.pending)), &mut bytes)?;
        let names: Vec<&[u8]> = self.pending.iter().filter_map(|(key, _)| name_in(key)).collect();
        let lines = filter::make(&names, part.crc);
        let count = u32::try_from(lines.len() / filter::LINE).unwrap_or(0);
        let (first, last) = (first.clone(), last.clone());
        self.blocks.push(Block { first, last, raw: part.raw, packed: part.packed, crc: part.crc, lines: count });
        self.file.write_all(&bytes)?;
        self.file.write_all(&lines)?;
        self.pending.clear();
        self.size = 0;
        Ok(())
    }

    /// Ends the table: durable under its name when this returns.
    pub fn finish(mut self, id: Uuid) -> Result<Table> {
        let (path, temporary) = (path(&self.journal, self.number), Maker::temporary(&self.journal, self.number));
        let crc = self.write_end(id).and_then(|crc| {
            self.file.get_ref().sync_all()?;
            fs::rename(&temporary, &path)?;
            if cfg!(unix) {
                fs::File::open(archive::folder(&self.journal))?.sync_all()?;
            }
            Ok(crc)
        });
        let crc = crc.map_err(|error| self.wrong(error))?;
        Table::open(&self.journal, id, (self.number, crc))
    }

    fn write_end(&mut self, id: Uuid) -> io::Result<u32> {
        self.end_block()?;
        let raw = codec().serialize(&self.blocks).map_err(|_| invalid("its directory is too long"))?;
        let mut bytes = Vec::new();
        let directory = packed::compress(&raw, &mut bytes)?;
        let (foot, crc) = Foot { id, number: self.number, entries: self.entries, directory, crc: 0 }.encode();
        self.file.write_all(&bytes)?;
        self.file.write_all(&foot)?;
        self.file.flush()?;
        Ok(crc)
    }
}
