//! A small file beside the segments that says: this record was durable, this is how the last process stood, and this is
//! which start of the machine it was. It proves that a journal was cut short, which the segments alone cannot, and
//! decides whether the index may be trusted. It is replaced whole: another name, synced, renamed, folder synced.
//!
//! It may be missing (a backup without it is fine): then nothing is proved and the index is rebuilt.

use std::path::Path;

use bincode::Options as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{JournalError, Result};
use super::files::{self, Files};
use super::record::{Hash, Position, Reached};

const NAME: &str = "checkpoint";
const MAGIC: [u8; 8] = *b"STAFFCP1";
const MAX: usize = 4096;

/// Version 1 of the file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub journal: Uuid,
    /// Whether the process that wrote it stopped in good order, with the index's files synced.
    pub clean: bool,
    /// The start of the machine it was written in.
    pub boot: Option<String>,
    /// The newest record known to be durable; sequence number 0: none.
    pub seq: u64,
    pub group: u64,
    pub position: Position,
    pub hash: Hash,
}

impl Checkpoint {
    pub fn new(journal: Uuid, clean: bool, boot: Option<String>, last: Reached) -> Checkpoint {
        let Reached { seq, group, position, hash } = last;
        Checkpoint { journal, clean, boot, seq, group, position, hash }
    }
}

/// What the file says.
#[derive(Debug)]
pub(crate) enum Found {
    Whole(Checkpoint),
    Missing,
    /// Not readable; with the reason.
    Damaged(&'static str),
}

fn codec() -> impl bincode::Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_limit(MAX as u64)
}

/// Reads the checkpoint.
pub(crate) fn read(files: &dyn Files, journal: &Path) -> Result<Found> {
    let bytes = files::read_small(files, &journal.join(NAME), MAX)?;
    Ok(bytes.map_or(Found::Missing, |bytes| parse(&bytes)))
}

fn parse(bytes: &[u8]) -> Found {
    let Some((content, crc)) = bytes.split_last_chunk::<4>() else { return Found::Damaged("it is cut short") };
    if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
        return Found::Damaged("its checksum is wrong");
    }
    let Some(payload) = content.strip_prefix(&MAGIC) else { return Found::Damaged("it is of another version") };
    codec().deserialize(payload).map_or(Found::Damaged("its content cannot be read"), Found::Whole)
}

/// Replaces the checkpoint, durably.
pub(crate) fn write(files: &dyn Files, journal: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(codec().serialize(checkpoint).map_err(|_| JournalError::TooLarge)?);
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    let replaced = files::replace(files, journal, NAME, &bytes);
    replaced.map_err(|error| JournalError::io("write", &journal.join(NAME), error))
}
