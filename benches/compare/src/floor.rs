//! A file system whose flush of a file takes at least a fixed time: the journal's own seam, so that a disk whose flush
//! is very quick or erratic can be compared on.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use staffetta::journal::{File, Files, RealFiles};

use self::around::Around;

#[path = "../../../tests/support/around.rs"]
pub mod around;

pub struct Floor(pub Duration);

struct Slow {
    file: Arc<dyn File>,
    floor: Duration,
}

/// Does it, and takes at least so long.
pub fn at_least<T>(floor: Duration, act: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = act();
    // Something else may wake the thread before its time.
    while let Some(rest) = floor.checked_sub(started.elapsed()).filter(|rest| !rest.is_zero()) {
        park_timeout(rest);
    }
    done
}

impl Floor {
    fn slow(&self, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(Slow { file: file?, floor: self.0 }))
    }
}

impl Around for Floor {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.slow(RealFiles.create(path))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.slow(RealFiles.open(path))
    }
}

impl File for Slow {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        at_least(self.floor, || self.file.sync_data())
    }
    fn sync_all(&self) -> io::Result<()> {
        at_least(self.floor, || self.file.sync_all())
    }
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}
