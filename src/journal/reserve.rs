//! A file of a megabyte that is given up when the disk is full, so that what became of documents already on the wire can
//! still be written down. While it is gone no new documents are taken.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Files, is_full, write_full};

/// The reserve, and whether it is there.
pub(crate) struct Reserve {
    files: Arc<dyn Files>,
    path: PathBuf,
    bytes: u64,
    /// Why there is no room, as long as there is none.
    full: Option<String>,
    /// Whether making it was tried in this commit group.
    tried: bool,
}

impl Reserve {
    /// Makes the reserve, if there is room.
    pub fn open(files: Arc<dyn Files>, journal: &Path, bytes: u64) -> Reserve {
        let mut reserve = Reserve { files, path: journal.join("reserve"), bytes, full: None, tried: false };
        reserve.make();
        reserve
    }

    /// Removes the reserve of a journal that is not open yet.
    pub fn give_up(files: &dyn Files, journal: &Path) {
        // If there is none there is nothing to give up, and the next write says so.
        let _ = files.remove(&journal.join("reserve"));
    }

    /// Why nothing can be taken, if so. Once in each commit group it is found out anew.
    pub fn full(&mut self) -> Option<String> {
        if self.full.is_some() && !std::mem::replace(&mut self.tried, true) {
            self.make();
        }
        self.full.clone()
    }

    /// Whether the disk was full when last looked at.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// A new commit group begins.
    pub fn new_group(&mut self) {
        self.tried = false;
    }

    /// The disk is full: gives the reserve up.
    pub fn release(&mut self, why: String) {
        self.full = Some(why);
        self.tried = true;
        // If it was gone already there is nothing to give up, and the next write says so.
        let _ = self.files.remove(&self.path);
    }

    fn make(&mut self) {
        let wanted = self.bytes;
        if let Ok(file) = self.files.open(&self.path)
            && file.length().is_ok_and(|length| length == wanted)
        {
            self.full = None;
            return;
        }
        let made = self.files.create(&self.path).and_then(|file| {
            let mut block = vec![0u8; 64 * 1024];
            let mut state = 0x9e37_79b9_7f4a_7c15_u64;
            let mut offset = 0;
            while offset < wanted {
                // Noise: zeros might take no room at all on a file system that compresses.
                for bytes in block.chunks_exact_mut(8) {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    bytes.copy_from_slice(&state.to_le_bytes());
                }
                let length = (wanted - offset).min(block.len() as u64);
                let part = block.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
                write_full(&*file, part, offset)?;
                offset += length;
            }
            file.sync_all()
        });
        self.full = match made {
            Ok(()) => None,
            Err(error) => {
                let _ = self.files.remove(&self.path);
                // A disk that fails otherwise is found out by the writer, where it matters.
                is_full(&error).then(|| error.to_string())
            }
        };
    }
}
