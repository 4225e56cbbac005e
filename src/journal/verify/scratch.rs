//! What is made while verifying and gone after: a folder, and the index that the records would have.

use std::path::{Path, PathBuf};

use super::check::FLUSH;
use crate::journal::error::{JournalError, Result};
use crate::journal::files::Files;
use crate::journal::folders;
use crate::journal::index::Store;
use crate::journal::layers::Layers;
use crate::journal::segment::{self, Names};

/// Bytes of journal up to which the records' index is made in memory to compare; above, in a folder of its own.
const IN_MEMORY: u64 = 128 * 1024 * 1024;

/// The folder that is there only while verifying.
const FOLDER: &str = "verify.tmp";

/// A folder for what is needed only while verifying.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Below the journal's folder, without what a killed process left there.
    pub fn new(dir: &Path) -> Result<Scratch> {
        let scratch = Scratch(dir.join(FOLDER));
        scratch.remove()?;
        Ok(scratch)
    }

    /// A place in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn remove(&self) -> Result<()> {
        folders::remove_folder(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(%error, "a folder used while verifying is left behind");
        }
    }
}

/// Where the records' index is made to compare.
pub(super) fn layers_for(
    dir: &Path,
    files: &dyn Files,
    names: &Names,
    id: uuid::Uuid,
    scratch: &Scratch,
) -> Result<Layers> {
    let store = if size(dir, files, names)? <= IN_MEMORY {
        Store::memory()
    } else {
        Store::open(&scratch.join("records"), &scratch.0, id, false)?.0
    };
    Ok(Layers::new(id, store, FLUSH, None))
}

fn size(dir: &Path, files: &dyn Files, names: &Names) -> Result<u64> {
    names.all.iter().try_fold(0, |sum, name| {
        let file = match segment::open(files, dir, *name) {
            Ok((file, _)) => file,
            Err(JournalError::Damaged { .. }) => return Ok(sum), // an archive; told where it is read
            Err(error) => return Err(error),
        };
        let length = file.length().map_err(|error| JournalError::io("measure", &segment::path(dir, *name), error));
        Ok(sum + length?)
    })
}
