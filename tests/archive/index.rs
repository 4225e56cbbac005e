//! The index's files are made anew: the room that sled never gives back is gone, and nothing else.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use staffetta::journal::{Journal, JournalError, Options, RealFiles, Recovery, View, verify};
use tempfile::tempdir;

use super::{ALL, facts, sell};
use crate::papers::*;

fn open(folder: &Path) -> (Journal, Recovery) {
    let options = Options { segment_bytes: 20_000, index_batch: 100, reserve_bytes: 10, ..Options::default() };
    Journal::open(folder, options).unwrap()
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { size(&path) } else { fs::metadata(path).unwrap().len() }).sum()
}

#[test]
fn the_index_is_made_anew_and_says_the_same() {
    let folder = tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (0..300).for_each(|n| {
        sell(&journal, &format!("old-{n:03}"));
    });
    enqueue(&journal, sale("waits")).unwrap();
    let all = facts(&journal).unwrap();
    let done = journal.archive(ALL).unwrap();
    let (before, after) = done.index.unwrap();
    assert!(after * 2 < before, "{done:?}");
    assert_eq!(facts(&journal).unwrap(), all);
    // On it goes, with the new files, through a good stop …
    sell(&journal, "later");
    journal.close().unwrap();
    assert!(size(&folder.path().join("index")) < before, "the old files are gone");
    let report = verify(folder.path(), Arc::new(RealFiles)).unwrap();
    assert!(report.sound && report.index_left_out.is_none(), "{report:?}");
    let (journal, recovery) = open(folder.path());
    assert!(recovery.clean && recovery.rebuilt.is_none() && recovery.replayed == 0, "{recovery:?}");
    assert_eq!(facts(&journal).unwrap().len(), all.len() + 1);
    // … a second time …
    sell(&journal, "last");
    let id = journal.find(&key("waits")).unwrap().unwrap();
    record(&journal, id, sending(1)).unwrap();
    record(&journal, id, registered("r")).unwrap();
    assert!(journal.archive(ALL).unwrap().index.is_some());
    journal.close().unwrap();
    let report = verify(folder.path(), Arc::new(RealFiles)).unwrap();
    assert!(report.sound && report.index_left_out.is_none(), "{report:?}");
    // … and a rebuild from the archives.
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    let (journal, recovery) = open(folder.path());
    assert!(recovery.rebuilt.is_some() && recovery.replayed > 1_200, "{recovery:?}");
    let now = facts(&journal).unwrap();
    assert!(all.iter().all(|(name, fact)| name == "waits" || now[name] == *fact) && now.len() == all.len() + 2);
}

/// A process that was killed while the copy was made leaves it; the next open removes it and uses what there was.
#[test]
fn half_a_copy_is_removed() {
    let folder = tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (0..20).for_each(|n| {
        sell(&journal, &format!("old-{n:03}"));
    });
    journal.close().unwrap();
    let half = folder.path().join("index/sled-2");
    fs::create_dir(&half).unwrap();
    fs::copy(folder.path().join("index/sled/conf"), half.join("conf")).unwrap();
    fs::write(half.join("db"), b"half").unwrap();
    let (journal, recovery) = open(folder.path());
    assert!(recovery.clean && recovery.rebuilt.is_none(), "{recovery:?}");
    assert!(!half.exists() && facts(&journal).unwrap().len() == 20);
}

/// Tills go on selling and readers go on reading while it is done.
#[test]
fn the_journal_goes_on_while_it_is_archived() {
    let folder = tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (0..100).for_each(|n| {
        sell(&journal, &format!("old-{n:03}"));
    });
    std::thread::scope(|scope| {
        let tills: Vec<_> = (0..2)
            .map(|till| {
                let journal = journal.clone();
                scope.spawn(move || {
                    for n in 0..60 {
                        sell(&journal, &format!("till-{till}/{n}"));
                        assert_eq!(journal.history(journal.find(&key("old-007")).unwrap().unwrap()).unwrap().len(), 4);
                    }
                })
            })
            .collect();
        let two = [(); 2].map(|()| scope.spawn(|| journal.archive(ALL).unwrap().segments));
        let archived: u64 = two.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(archived > 2, "{archived}");
        tills.into_iter().for_each(|till| till.join().unwrap());
    });
    assert_eq!(facts(&journal).unwrap().len(), 220);
    journal.archive(ALL).unwrap();
    journal.close().unwrap();
    let report = verify(folder.path(), Arc::new(RealFiles)).unwrap();
    assert!(report.sound && report.index_left_out.is_none() && report.documents == 220, "{report:?}");
}

/// `verify` of the journal in use reads each segment wherever it is by then.
#[test]
fn a_journal_in_use_is_verified_while_it_is_archived() {
    let folder = tempdir().unwrap();
    let (journal, _) = open(folder.path());
    (0..200).for_each(|n| {
        sell(&journal, &format!("old-{n:03}"));
    });
    std::thread::scope(|scope| {
        let archiving = scope.spawn(|| journal.archive(ALL).unwrap().segments);
        loop {
            let over = archiving.is_finished();
            let report = journal.verify().unwrap();
            assert!(report.sound && report.documents == 200 && report.index_left_out.is_none(), "{report:?}");
            if over {
                break;
            }
        }
        assert!(archiving.join().unwrap() > 5);
    });
}

/// Closing waits for the archive in hand: nobody else has the journal while it is made.
#[test]
fn closing_waits_for_the_archive_in_hand() {
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
        let left = fs::read_dir(folder.path().join("archives")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
        let (again, _) = open(folder.path());
        let count = fs::read_dir(folder.path().join("archives")).unwrap().count();
        let ended = archiving.join().unwrap();
        assert!(matches!(&ended, Err(JournalError::Closed) | Ok(_)), "{ended:?}");
        assert_eq!(fs::read_dir(folder.path().join("archives")).unwrap().count(), count);
        assert_eq!(facts(&again).unwrap(), all);
    });
}
