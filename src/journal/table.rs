//! A table: what the index says of archived documents, in one file beside the archives that is never changed. Sorted,
//! compressed, and read in place: the index's store looks here for what it does not have itself.
//!
//! | part | what |
//! |---|---|
//! | blocks | each a run of neighbouring entries of one kind ([`blocks`]), compressed, and after it its filter |
//! | directory | of each block: its first and last key, its bytes and checksum, and how long its filter is |
//! | foot | [`FOOT`] bytes: magic, version, the journal's id, the table's number, where the directory is; and their CRC-32 |
//!
//! A filter says of most names that they are not in a block without it being read: a till's new key costs one line of
//! 64 bytes. A line has a checksum, because a bit lost in it would make a key that is taken look free.
//!
//! A table is a view like the rest of the index: damaged or missing it is made anew from the records.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bincode::Options as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::apply::Pair;
use super::error::{JournalError, Result};
use super::files::read_full;
use super::packed::{self, Part};
use super::record::Fields;
use super::shared::lock;
use super::{archive, blocks, filter, keys};

const EXTENSION: &str = ".idx";
const MAGIC: [u8; 8] = *b"STAFFIDX";
const VERSION: u32 = 1;
/// Bytes of the foot.
const FOOT: usize = 8 + 4 + 16 + 8 + 8 + PART + 4;
const PART: usize = 12;
/// Which table: its number, and the checksum of its foot.
pub(crate) type Which = (u64, u32);

/// A block, as the directory tells of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Block {
    pub first: Vec<u8>,
    pub last: Vec<u8>,
    pub raw: u32,
    pub packed: u32,
    pub crc: u32,
    /// Lines of its filter, after it.
    pub lines: u32,
}

impl Block {
    fn part(&self) -> Part {
        Part { raw: self.raw, packed: self.packed, crc: self.crc }
    }

    fn size(&self) -> u64 {
        u64::from(self.packed) + u64::from(self.lines) * filter::LINE as u64
    }
}

/// A table open for reading.
pub(crate) struct Table {
    file: fs::File,
    path: PathBuf,
    which: Which,
    blocks: Vec<Block>,
    /// Where each block begins in the file.
    begins: Vec<u64>,
    entries: u64,
    /// The block read last.
    recent: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

/// The file of a table.
pub(crate) fn path(journal: &Path, number: u64) -> PathBuf {
    archive::folder(journal).join(format!("{number:020}{EXTENSION}"))
}

/// The tables that are there, whatever they are worth.
pub(crate) fn numbers(journal: &Path) -> io::Result<Vec<u64>> {
    let folder = archive::folder(journal);
    let names = match fs::read_dir(&folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for name in names {
        let name = name?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(EXTENSION));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(numbers)
}

/// Removes all tables but this one: those of an index that is no more, or was never finished.
pub(crate) fn clean(journal: &Path, keep: Option<Which>) -> Result<()> {
    let folder = archive::folder(journal);
    let problem = |error| JournalError::io("clean", &folder, error);
    for number in numbers(journal).map_err(problem)? {
        if keep.is_none_or(|(kept, _)| kept != number) {
            fs::remove_file(path(journal, number)).map_err(problem)?;
        }
    }
    Ok(())
}

impl Table {
    /// Opens a table. Reads its foot and directory; which blocks are sound is found out when they are read.
    pub fn open(journal: &Path, id: Uuid, which: Which) -> Result<Table> {
        let path = path(journal, which.0);
        Table::read(path.clone(), id, which).map_err(|error| wrong(&path, error))
    }

    fn read(path: PathBuf, id: Uuid, which: Which) -> io::Result<Table> {
        let file = fs::File::open(&path)?;
        let length = file.metadata()?.len();
        let mut foot = [0; FOOT];
        let at = length.checked_sub(FOOT as u64).ok_or_else(|| invalid("it is cut short"))?;
        let there = read_full(&file, &mut foot, at)?;
        let foot = foot.get(..there).and_then(Foot::decode).ok_or_else(|| invalid("its end is damaged"))?;
        if (foot.id, foot.number, foot.crc) != (id, which.0, which.1) {
            return Err(invalid("it is not the one that belongs to the index"));
        }
        let directory = u64::from(foot.directory.packed);
        let at = at.checked_sub(directory).ok_or_else(|| invalid("it is cut short"))?;
        let raw = unpack(&file, at, foot.directory)?;
        let blocks: Vec<Block> = codec().deserialize(&raw).map_err(|_| invalid("its directory cannot be read"))?;
        let mut begins = Vec::with_capacity(blocks.len());
        let mut begin = 0;
        for block in &blocks {
            begins.push(begin);
            begin += block.size();
        }
        if begin != at {
            return Err(invalid("it has not the length it had"));
        }
        Ok(Table { file, path, which, blocks, begins, entries: foot.entries, recent: Mutex::default() })
    }

    /// Which one it is.
    pub fn which(&self) -> Which {
        self.which
    }

    /// Bytes of its file.
    pub fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Removes the file.
    pub fn remove(self) -> Result<()> {
        let Table { file, path, .. } = self;
        drop(file);
        fs::remove_file(&path).map_err(|error| JournalError::io("remove", &path, error))
    }

    fn wrong(&self, error: io::Error) -> JournalError {
        wrong(&self.path, error)
    }

    /// A value.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let at = self.blocks.partition_point(|block| block.last.as_slice() < key);
        let Some(block) = self.blocks.get(at).filter(|block| block.first.as_slice() <= key) else { return Ok(None) };
        if !self.may_have(at, block, name_in(key))? {
            return Ok(None);
        }
        let raw = self.block(at, block)?;
        blocks::find(&block.first, &raw, key).ok_or_else(|| self.wrong(invalid("a block cannot be read")))
    }

    /// The first `limit` entries with `from` <= key < `to`, in order.
    pub fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        let name = name_of_range(from, to);
        let begin = self.blocks.partition_point(|block| block.last.as_slice() < from);
        let mut found = Vec::new();
        for (at, block) in self.blocks.iter().enumerate().skip(begin) {
            if found.len() >= limit || block.first.as_slice() >= to {
                break;
            }
            if !self.may_have(at, block, name)? {
                continue;
            }
            let raw = self.block(at, block)?;
            let read = blocks::within((&block.first, &raw), (from, to), limit, &mut found);
            read.ok_or_else(|| self.wrong(invalid("a block cannot be read")))?;
        }
        Ok(found)
    }

    /// Whether a block may have entries of this name; always, where there is no filter or no name.
    fn may_have(&self, at: usize, block: &Block, name: Option<&[u8]>) -> Result<bool> {
        let (Some(name), true) = (name, block.lines > 0) else { return Ok(true) };
        let line = filter::line_of(name, block.lines);
        let mut bytes = [0; filter::LINE];
        let begin = self.begins.get(at).copied().unwrap_or(0) + u64::from(block.packed);
        let begin = begin + u64::from(line) * filter::LINE as u64;
        read_full(&self.file, &mut bytes, begin).map_err(|error| self.wrong(error))?;
        let has = filter::has(&bytes, name, (block.crc, line));
        has.ok_or_else(|| self.wrong(invalid("a line of a filter is damaged")))
    }

    /// A block's entries, kept until another one is read.
    fn block(&self, at: usize, block: &Block) -> Result<Arc<Vec<u8>>> {
        if let Some((_, raw)) = lock(&self.recent).as_ref().filter(|(recent, _)| *recent == at) {
            return Ok(raw.clone());
        }
        let begin = self.begins.get(at).copied().unwrap_or(0);
        let raw = Arc::new(unpack(&self.file, begin, block.part()).map_err(|error| self.wrong(error))?);
        *lock(&self.recent) = Some((at, raw.clone()));
        Ok(raw)
    }

    /// Reads all of it; what is wrong, if anything is.
    pub fn check(&self, id: Uuid) -> Option<String> {
        // Its end too, as it is on the disk now.
        let checked = Table::read(self.path.clone(), id, self.which).and_then(|table| table.check_blocks());
        checked.err().map(|error| wrong(&self.path, error).to_string())
    }

    fn check_blocks(&self) -> io::Result<()> {
        let (mut entries, mut before) = (0, Vec::new());
        for (block, begin) in self.blocks.iter().zip(&self.begins) {
            let raw = unpack(&self.file, *begin, block.part())?;
            let pairs = blocks::decode(&block.first, &raw).ok_or_else(|| invalid("a block cannot be read"))?;
            let mut lines = vec![0; block.lines as usize * filter::LINE];
            read_full(&self.file, &mut lines, begin + u64::from(block.packed))?;
            let (lines, _) = lines.as_chunks::<{ filter::LINE }>();
            for (number, line) in (0..).zip(lines) {
                if filter::has(line, b"", (block.crc, number)).is_none() {
                    return Err(invalid("a line of a filter is damaged"));
                }
            }
            let ends = (pairs.first().map(|(key, _)| key), pairs.last().map(|(key, _)| key));
            if ends != (Some(&block.first), Some(&block.last)) {
                return Err(invalid("a block has not the entries it had"));
            }
            for (key, _) in &pairs {
                if *key <= before {
                    return Err(invalid("its entries are not in order"));
                }
                if let Some(name) = name_in(key).filter(|_| !lines.is_empty()) {
                    let number = filter::line_of(name, block.lines);
                    let has = lines.get(number as usize).and_then(|line| filter::has(line, name, (block.crc, number)));
                    if has != Some(true) {
                        return Err(invalid("a filter leaves out an entry"));
                    }
                }
                before.clone_from(key);
            }
            entries += pairs.len() as u64;
        }
        if entries == self.entries { Ok(()) } else { Err(invalid("entries are missing")) }
    }
}

fn unpack(file: &fs::File, at: u64, part: Part) -> io::Result<Vec<u8>> {
    packed::read(file, at, part)?.map_err(|what| invalid(&format!("a part of it: {what}")))
}

/// The part of a key that is looked for: all of it, or what is before the document's number.
pub(crate) fn name_in(key: &[u8]) -> Option<&[u8]> {
    match key.first()? {
        b'k' => Some(key),
        b'i' | b'j' | b'm' => key.get(..key.len().checked_sub(8)?),
        b'h' => key.get(..9),
        _ => None,
    }
}

/// The one name that a range is about, if it is. Keys of other lengths may lie in it, which nobody who asks so means.
fn name_of_range<'a>(from: &'a [u8], to: &[u8]) -> Option<&'a [u8]> {
    let name = name_in(from)?;
    let one = match from.first()? {
        b'i' | b'j' | b'm' => from.len() == to.len() && name_in(to) == Some(name),
        b'h' => to == keys::after(name.to_vec()),
        _ => false,
    };
    one.then_some(name)
}

/// Sorted entries over sorted entries, up to where both are known: one of `limit` entries may go on after its last.
pub(crate) fn over(own: Vec<Pair>, kept: Vec<Pair>, limit: usize) -> Vec<Pair> {
    let end = |pairs: &[Pair]| pairs.last().filter(|_| pairs.len() >= limit).map(|(key, _)| key.clone());
    let bound = end(&own).into_iter().chain(end(&kept)).min();
    let mut kept = kept.into_iter().peekable();
    let mut found = Vec::with_capacity(own.len() + kept.len());
    for pair in own {
        while let Some(below) = kept.next_if(|(key, _)| *key < pair.0) {
            found.push(below);
        }
        let _ = kept.next_if(|(key, _)| *key == pair.0);
        found.push(pair);
    }
    found.extend(kept);
    if let Some(bound) = bound {
        found.truncate(found.partition_point(|(key, _)| *key <= bound));
    }
    found
}

/// The end of a table.
pub(crate) struct Foot {
    pub id: Uuid,
    pub number: u64,
    pub entries: u64,
    pub directory: Part,
    pub crc: u32,
}

impl Foot {
    /// Its bytes and their checksum.
    pub fn encode(&self) -> (Vec<u8>, u32) {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.entries.to_le_bytes());
        for number in [self.directory.raw, self.directory.packed, self.directory.crc] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        (out, crc)
    }

    fn decode(bytes: &[u8]) -> Option<Foot> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        let crc = u32::from_le_bytes(*crc);
        let mut fields = Fields(content);
        let (magic, version): ([u8; 8], [u8; 4]) = (fields.take()?, fields.take()?);
        if magic != MAGIC || u32::from_le_bytes(version) != VERSION || crc32fast::hash(content) != crc {
            return None;
        }
        let id = Uuid::from_bytes(fields.take()?);
        let (number, entries) = (u64::from_le_bytes(fields.take()?), u64::from_le_bytes(fields.take()?));
        let mut next = || Some(u32::from_le_bytes(fields.take()?));
        let directory = Part { raw: next()?, packed: next()?, crc: next()? };
        fields.0.is_empty().then_some(Foot { id, number, entries, directory, crc })
    }
}

/// How the directory is written.
pub(crate) fn codec() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_limit(u64::from(u32::MAX))
}

/// An error of a table, with its name.
pub(crate) fn wrong(path: &Path, error: io::Error) -> JournalError {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    JournalError::index(format_args!("the table {name}: {error}"))
}

/// Something that is not as it was written.
pub(crate) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
