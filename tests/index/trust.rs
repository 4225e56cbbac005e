//! Which index is believed when a journal is opened; any other costs a rebuild and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use staffetta::journal::{Journal, Options};
use staffetta::testing::Random;
use tempfile::{TempDir, tempdir};

use super::{as_if_killed, check_entries, check_views, copy, live, open, options};
use crate::papers::*;
use crate::support::around::Real;
use crate::support::booted::Booted;

/// A journal that was used, closed in good order; and as it was found after a kill just before.
fn closed_and_killed(seed: u64, steps: u64) -> (TempDir, TempDir) {
    let (dir, killed) = (tempdir().unwrap(), tempdir().unwrap());
    let (journal, _) = open(dir.path());
    live(&journal, &mut Random::new(seed), steps);
    as_if_killed(&journal, dir.path(), killed.path());
    (dir, killed)
}

#[test]
fn after_the_machine_stopped_only_an_index_left_in_good_order_is_trusted() {
    let (dir, killed) = closed_and_killed(9, 200);
    let unknown = Options { files: Arc::new(Real(Booted(None))), ..options("one") };
    for (options, checkpoint, why) in [(unknown, true, "does not say"), (options("one"), false, "no checkpoint")] {
        let copied = tempdir().unwrap();
        copy(killed.path(), copied.path());
        if !checkpoint {
            std::fs::remove_file(copied.path().join("checkpoint")).unwrap();
        }
        let (journal, recovery) = Journal::open(copied.path(), options).unwrap();
        assert!(recovery.rebuilt.as_ref().is_some_and(|said| said.contains(why)), "{recovery:?}");
        check_views(&journal);
    }
    let (journal, recovery) = Journal::open(dir.path(), options("two")).unwrap();
    assert!(recovery.clean && recovery.rebuilt.is_none(), "{recovery:?}");
    check_views(&journal);
    let (journal, recovery) = Journal::open(killed.path(), options("two")).unwrap();
    assert!(recovery.rebuilt.is_some_and(|why| why.contains("machine stopped")));
    check_views(&journal);
    drop(journal);
    check_entries(killed.path());
    // A backup of the segments alone is a whole journal.
    let backup = tempdir().unwrap();
    copy(&killed.path().join("segments"), &backup.path().join("segments"));
    let (journal, recovery) = open(backup.path());
    assert!(recovery.rebuilt.is_some() && recovery.clean);
    check_views(&journal);
}

/// Files of the index, the largest last.
fn index_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(index_files(&path)) } else { files.push(path) }
    }
    files.sort_by_key(|path| std::fs::metadata(path).unwrap().len());
    files
}

#[test]
fn whatever_happens_to_the_index_costs_a_rebuild_and_nothing_else() {
    let (dir, killed) = closed_and_killed(10, 150);
    let damage = |name: &str, from: &Path, f: &dyn Fn(&Path)| {
        let copied = tempdir().unwrap();
        copy(from, copied.path());
        f(&copied.path().join("index"));
        let (journal, recovery) = open(copied.path());
        check_views(&journal);
        enqueue(&journal, sale("after")).unwrap();
        drop(journal);
        assert!(recovery.rebuilt.is_some(), "{name}: {recovery:?}");
        check_entries(copied.path());
    };
    for (from, state) in [(dir.path(), "closed"), (killed.path(), "killed")] {
        damage(&format!("{state}, left half written"), from, &|index| {
            std::fs::write(index.join("sled/snap.00000000000000AB.generating"), b"half").unwrap();
        });
        damage(&format!("{state}, broken when last used"), from, &|index| {
            std::fs::write(index.join("broken"), b"").unwrap()
        });
        damage(&format!("{state}, empty files"), from, &|index| {
            index_files(index).iter().for_each(|path| std::fs::write(path, b"").unwrap());
        });
        damage(&format!("{state}, a file in its place"), from, &|index| {
            std::fs::remove_dir_all(index).unwrap();
            std::fs::write(index, b"what is this").unwrap();
        });
    }
    // After a good stop every single byte counts.
    let mut dice = Random::new(11);
    let files = index_files(&dir.path().join("index/sled"));
    for _ in 0..20 {
        let file = &files[dice.below(files.len() as u64) as usize];
        let mut content = std::fs::read(file).unwrap();
        if content.is_empty() {
            continue;
        }
        let offset = dice.below(content.len() as u64) as usize;
        content[offset] ^= 1 << dice.below(8);
        let name = file.strip_prefix(dir.path().join("index")).unwrap();
        damage(&format!("{} byte {offset}", name.display()), dir.path(), &|index| {
            std::fs::write(index.join(name), &content).unwrap()
        });
    }
}
