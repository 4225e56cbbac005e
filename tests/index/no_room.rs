//! The index finds no room on the disk: what should be in its files stays in memory, and all goes on. On a disk that is
//! really full, and says that it is not: `benches/small_disk.rs`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use staffetta::journal::{Journal, Options};
use staffetta::testing::Random;
use tempfile::tempdir;

use super::{check_entries, check_views, live, open, options};
use crate::support::around::{Around, Real};
use crate::support::booted::Booted;

/// A disk that says how much room it has, rightly or not.
struct Said(Arc<AtomicU64>);

impl Around for Said {
    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.load(Ordering::SeqCst))
    }
    fn boot_id(&self) -> Option<String> {
        Booted(Some("one")).boot_id()
    }
}

fn on(disk: &Arc<AtomicU64>) -> Options {
    Options { files: Arc::new(Real(Said(disk.clone()))), ..options("one") }
}

/// Lives on until the index has gone to its files.
fn live_until_it_is_stored(journal: &Journal, dice: &mut Random) {
    for _ in 0..100 {
        live(journal, dice, 10);
        if journal.stats().index_pending < 180 {
            return;
        }
    }
    panic!("it stays in memory: {:?}", journal.stats());
}

#[test]
fn while_the_disk_has_little_room_the_index_stays_in_memory() {
    let (dir, disk, mut dice) = (tempdir().unwrap(), Arc::new(AtomicU64::new(1_000_000)), Random::new(11));
    live(&open(dir.path()).0, &mut dice, 100);
    for round in 0..2 {
        let (journal, recovery) = Journal::open(dir.path(), on(&disk)).unwrap();
        assert!(
            (round == 0 || recovery.replayed > 0) && (recovery.clean && recovery.rebuilt.is_none()),
            "{recovery:?}"
        );
        live(&journal, &mut dice, 250);
        check_views(&journal);
        assert!(journal.stats().index_pending > 300 && !journal.is_poisoned() && !journal.stats().full);
        journal.close().unwrap();
        check_entries(dir.path());
    }
    let journal = Journal::open(dir.path(), on(&disk)).unwrap().0;
    live(&journal, &mut dice, 100);
    disk.store(1_000_000_000, Ordering::SeqCst);
    live_until_it_is_stored(&journal, &mut dice);
    check_views(&journal);
    drop(journal);
    check_entries(dir.path());
    assert_eq!(open(dir.path()).1.replayed, 0);
}

/// The redo file is the first that is written of a batch, and where a disk that is fuller than it said mostly tells.
#[cfg(target_os = "linux")]
#[test]
fn a_batch_that_finds_no_room_is_put_in_later() {
    let (dir, mut dice) = (tempdir().unwrap(), Random::new(12));
    let journal = open(dir.path()).0;
    live(&journal, &mut dice, 250);
    let redo = dir.path().join("index/redo");
    for _ in 0..5 {
        // In place of what the flusher has there at the moment, if anything; it removes what it could not write.
        std::os::unix::fs::symlink("/dev/full", redo.with_extension("full")).unwrap();
        std::fs::rename(redo.with_extension("full"), &redo).unwrap();
        while redo.is_symlink() {
            live(&journal, &mut dice, 20);
        }
        check_views(&journal);
    }
    live_until_it_is_stored(&journal, &mut dice);
    drop(journal);
    check_entries(dir.path());
    let (journal, recovery) = open(dir.path());
    assert!(recovery.clean && recovery.rebuilt.is_none() && recovery.replayed == 0, "{recovery:?}");
    check_views(&journal);
}
