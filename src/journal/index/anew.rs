//! The store's files made anew in the other folder: without the room that is lost, or with larger segments.

use std::io;
use std::path::Path;

use uuid::Uuid;

use super::{BROKEN, FIRST_ENTRY, Meta, Sled, Store, data, end, room};
use crate::journal::apply::{self, Changes, INDEX_VERSION};
use crate::journal::error::{JournalError, Result};
use crate::journal::folders::{make_private, protect, remove_folder, size};
use crate::journal::record::Reached;
use crate::journal::table::Table;
use crate::journal::tabling::{Compacted, Maker, Spans};

/// Entries that are copied at a time.
const COPIED: usize = 16 * 1024;

impl Store {
    /// Whether a [copy](Self::copy) would be written with fewer bytes from now on. One with a table is copied with its
    /// archives at the next archiving.
    pub fn is_outgrown(&self) -> bool {
        matches!(self, Store::Sled(own) if own.table.is_none() && room::is_outgrown(&own.data))
    }

    /// A copy of all entries in the folder that is not in use, without the room that is lost in this one; those of documents
    /// in archives, `spans`, in a new table. Nothing may be put into this one meanwhile. `None` for one in memory.
    ///
    /// # Errors
    /// This one is as it was, and nothing is left of the copy: it may have taken the last room there was.
    pub fn copy(&self, journal: Uuid, reached: Reached, spans: &Spans) -> Result<Option<Store>> {
        let Store::Sled(old) = self else { return Ok(None) };
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", old.folder.display()));
        let (_, other) = data::folders(&old.folder).map_err(problem)?;
        let copy = old.copied(&other, journal, reached, spans);
        if copy.is_err() {
            remove_folder(&other)
                .unwrap_or_else(|error| tracing::warn!(%error, "half a copy of the index keeps its room"));
        }
        copy.map(|new| Some(Store::Sled(Box::new(new))))
    }

    /// Bytes that should be free before a [copy](Self::copy) is made.
    pub fn copy_wants(&self) -> u64 {
        match self {
            Store::Sled(old) => room::wanted_by_copy(&old.data),
            Store::Memory(_) => 0,
        }
    }

    /// Makes a copy the one that is opened from now on, and says how many bytes its files have.
    pub fn exchange(&mut self, copy: Store) -> Result<Compacted> {
        let (Store::Sled(old), Store::Sled(mut new)) = (&mut *self, copy) else { return Ok(Compacted::default()) };
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", new.folder.display()));
        let table = new.table.as_ref().map_or(Ok(0), Table::size).map_err(problem)?;
        let [before, after] = [&old.data, &new.data].map(|data| size(data).map_err(problem));
        let sizes = Compacted { before: before?, after: after?, table };
        if let Err(error) = data::choose(&new.folder, &new.data).map_err(problem) {
            let Sled { db, data, .. } = *new;
            end(db)
                .and_then(|()| remove_folder(&data))
                .unwrap_or_else(|error| tracing::warn!(%error, "a copy of the index keeps its room"));
            return Err(error);
        }
        new.broken = new.folder.join(BROKEN);
        let Sled { db, data, table, .. } = *std::mem::replace(old, new);
        end(db)?;
        remove_folder(&data)?;
        if let Some(Err(error)) = table.map(Table::remove) {
            tracing::warn!(%error, "an old table of the index is left behind until the next open");
        }
        Ok(sizes)
    }
}

impl Sled {
    fn copied(&self, other: &Path, journal: Uuid, reached: Reached, spans: &Spans) -> Result<Sled> {
        let problem = |error: io::Error| JournalError::index(format_args!("{}: {error}", other.display()));
        remove_folder(other)?;
        make_private(other).map_err(problem)?;
        room::choose(&self.data, other).map_err(problem)?;
        let mut new = Sled::open(&self.folder, &self.home, other.to_owned(), other.join(BROKEN))?;
        protect(other).map_err(problem)?;
        let meta = apply::encode(&Meta { version: INDEX_VERSION, journal, reached: Some(reached) })?;
        let mut maker = if spans.0.is_empty() { None } else { Some(Maker::begin(&self.home)?) };
        let mut from = FIRST_ENTRY.to_vec();
        loop {
            let entries = self.range(&from, &[0xff], COPIED)?;
            let Some((last, _)) = entries.last() else { break };
            from.clone_from(last);
            from.push(0);
            let mut live = Changes::new();
            for (key, value) in entries {
                match maker.as_mut() {
                    Some(maker) if spans.take(&key, &value)? => maker.push(key, value)?,
                    _ => drop(live.insert(key, Some(value))),
                }
            }
            if !live.is_empty() {
                new.put_all(&live, &meta)?;
            }
        }
        if let Some(maker) = maker {
            new.keep_table(maker.finish(journal)?, spans.0.len() as u64)?;
        }
        new.put_all(&Changes::new(), &meta)?;
        Ok(new)
    }
}
