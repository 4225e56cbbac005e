//! The machine's file system, with something about it changed. Used by benches, too.

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;

use staffetta::journal::{File, Files, RealFiles};

/// What is changed; all else is as it is.
pub trait Around: Send + Sync + 'static {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        RealFiles.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        RealFiles.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)
    }
    fn free(&self, folder: &Path) -> io::Result<u64> {
        RealFiles.free(folder)
    }
    fn boot_id(&self) -> Option<String> {
        RealFiles.boot_id()
    }
}

/// The files with that change.
pub struct Real<A>(pub A);

impl<A: Around> Files for Real<A> {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealFiles.create_dir(dir)
    }
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealFiles.names(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.0.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.0.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealFiles.sync_dir(dir)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Result<Box<dyn Any + Send + Sync>, String>> {
        RealFiles.lock(path, holder)
    }
    fn free(&self, folder: &Path) -> io::Result<u64> {
        self.0.free(folder)
    }
    fn boot_id(&self) -> Option<String> {
        self.0.boot_id()
    }
}
