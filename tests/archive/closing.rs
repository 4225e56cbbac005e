//! A journal that is closed while an archive is being made.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use staffetta::journal::{File, Files, Journal, JournalError, Options, RealFiles};
use tempfile::tempdir;

use super::index::open;
use super::{ALL, facts, sell};
use crate::support::around::{Around, Real};

/// Real files; the first archive is only begun when closing has come to its last step, and well after.
#[derive(Clone, Default)]
struct Slow {
    begun: Arc<AtomicBool>,
    marked: Arc<(Mutex<bool>, Condvar)>,
    closed: Arc<AtomicBool>,
    too_early: Arc<AtomicBool>,
}

impl Around for Slow {
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
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)?;
        if self.begun.load(SeqCst) && to.ends_with("checkpoint") {
            *self.marked.0.lock().unwrap() = true;
            self.marked.1.notify_all();
        }
        Ok(())
    }
}

#[test]
fn closing_waits_for_the_archive_in_hand() {
    let (folder, files) = (tempdir().unwrap(), Slow::default());
    let options = Options { segment_bytes: 20_000, files: Arc::new(Real(files.clone())), ..Options::default() };
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

#[test]
fn a_journal_closed_while_it_is_archived_is_opened_again_as_it_was() {
    let folder = tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (0..200).for_each(|n| {
        sell(&journal, &format!("old-{n:03}"));
    });
    let all = facts(&journal).unwrap();
    std::thread::scope(|scope| {
        let archiving = scope.spawn(|| journal.archive(ALL));
        while !folder.path().join("archives").exists() && !archiving.is_finished() {
            std::thread::yield_now();
        }
        journal.close().unwrap();
        let names = || -> BTreeSet<_> {
            let entries = fs::read_dir(folder.path().join("archives")).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let left = names();
        assert!(left.iter().all(|name| !name.ends_with(".tmp")), "{left:?}");
        let (again, _) = open(folder.path());
        let ended = archiving.join().unwrap();
        assert!(matches!(&ended, Err(JournalError::Closed) | Ok(_)), "{ended:?}");
        // The journal opened again may be at a table of what is archived.
        let archives = |names: BTreeSet<String>| names.into_iter().filter(|name| !name.contains(".idx"));
        assert!(archives(names()).eq(archives(left)));
        assert_eq!(facts(&again).unwrap(), all);
    });
}
