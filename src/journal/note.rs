//! Small files beside the segments that a program likes to find again after a restart. They are no facts: one may be
//! missing, old or unreadable, and nothing is wrong then. Replaced whole; a backup needs none.

use super::Journal;
use super::error::JournalError;
use super::error::Result;
use super::files;

/// Bytes of a note that are read: some thousand accounts.
const MAX: usize = 64 * 1024;

impl Journal {
    /// What was kept under this name; nothing if nothing was.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn note(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let shared = &self.handle.shared;
        files::read_small(&*shared.files, &shared.dir.join(name), MAX)
    }

    /// Keeps this under a name, in place of what was there. Only while the journal is open: its lock makes us the only one.
    ///
    /// # Errors
    /// [`JournalError::Io`]: then the old one is there.
    pub(crate) fn keep_note(&self, name: &str, content: &[u8]) -> Result<()> {
        let shared = &self.handle.shared;
        let replaced = files::replace(&*shared.files, &shared.dir, name, content);
        replaced.map_err(|error| JournalError::io("write", &shared.dir.join(name), error))
    }
}
