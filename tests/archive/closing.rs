//! A journal that is closed while an archive is being made.

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use staffetta::journal::{File, Files, Journal, Options, RealFiles};
use tempfile::tempdir;

use super::{ALL, sell};

/// Real files; the first archive is only begun when closing has come to its last step, and well after.
#[derive(Clone, Default)]
struct Slow {
    begun: Arc<AtomicBool>,
    marked: Arc<(Mutex<bool>, Condvar)>,
    closed: Arc<AtomicBool>,
    too_early: Arc<AtomicBool>,
}

impl Files for Slow {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealFiles.create_dir(dir)
    }
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealFiles.names(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let archive = path.parent().is_some_and(|folder| folder.ends_with("archives"));
        if archive && !self.begun.swap(true, SeqCst) {
            let (marked, told) = &*self.marked;
            drop(told.wait_timeout_while(marked.lock().unwrap(), Duration::from_secs(20), |marked| !*marked).unwrap());
            // Time enough for whoever does not wait.
            for _ in 0..20_000 {
                std::thread::yield_now();
                self.too_early.fetch_or(self.closed.load(SeqCst), SeqCst);
            }
        }
        RealFiles.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        RealFiles.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)?;
        if self.begun.load(SeqCst) && to.ends_with("checkpoint") {
            *self.marked.0.lock().unwrap() = true;
            self.marked.1.notify_all();
        }
        Ok(())
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
    fn boot_id(&self) -> Option<String> {
        RealFiles.boot_id()
    }
}

#[test]
fn closing_waits_for_the_archive_in_hand() {
    let (folder, files) = (tempdir().unwrap(), Slow::default());
    let options = Options { segment_bytes: 20_000, files: Arc::new(files.clone()), ..Options::default() };
    let (journal, _) = Journal::open(folder.path(), options).unwrap();
    (0..200).for_each(|n| {
        sell(&journal, &format!("old-{n:03}"));
    });
    std::thread::scope(|scope| {
        let archiving = scope.spawn(|| journal.archive(ALL));
        while !files.begun.load(SeqCst) && !archiving.is_finished() {
            std::thread::yield_now();
        }
        assert!(!archiving.is_finished(), "there was something to archive");
        journal.close().unwrap();
        files.closed.store(true, SeqCst);
        drop(archiving.join().unwrap()); // that it was closed, or all is done
    });
    assert!(!files.too_early.load(SeqCst), "closed while an archive was being made");
}
