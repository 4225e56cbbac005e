//! The index's files are made anew: the room that sled never gives back is gone, and nothing else.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use staffetta::journal::{Journal, JournalError, Options, RealFiles, Recovery, View, verify};
use tempfile::tempdir;

use super::{ALL, facts, sell};
use crate::papers::*;

pub fn open(folder: &Path) -> (Journal, Recovery) {
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

/// The journal's folder in numbers: the index's files, and the tables.
fn tables(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder.join("archives")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "idx")).collect()
}

/// Everything that is asked of archived documents without their records.
fn asked(journal: &Journal) -> String {
    use staffetta::domain::state::State;
    use staffetta::journal::Filter;
    let shop = "shop".parse().unwrap();
    let list = |filter: &Filter| journal.list(filter, None, usize::MAX).unwrap();
    let registered = Filter { state: Some(State::Registered), ..Filter::default() };
    let documents = list(&Filter::default());
    let by_remote: Vec<_> = documents
        .iter()
        .filter_map(|doc| Some((doc.remote_id.clone()?, journal.by_remote(&shop, doc.remote_id.as_deref()?).unwrap())))
        .collect();
    let by_key: Vec<_> = documents.iter().map(|doc| journal.find(&doc.key).unwrap()).collect();
    let families: Vec<_> = documents.iter().map(|doc| journal.children(doc.id).unwrap()).collect();
    let elsewhere = journal.children_of_remote("elsewhere").unwrap();
    let named: Vec<_> = ["i-1", "i-2", "i-3"].map(|name| journal.by_invoice_name(Some(&shop), name).unwrap()).into();
    format!(
        "{documents:?} {:?} {by_remote:?} {by_key:?} {families:?} {elsewhere:?} {named:?} {:?} {:?} {:?} {:?}",
        list(&registered).len(),
        journal.counts().unwrap(),
        journal.needing_attention(100).unwrap(),
        journal.oldest_unsent().unwrap(),
        journal.events_after(100, 3).unwrap(),
    )
}

/// All sorts of documents, most of them at their end.
fn shop(folder: &Path) -> Journal {
    use staffetta::domain::document::Kind;
    use staffetta::domain::event::ParentRef;
    let (journal, _) = open(folder);
    let finish = |id, name: &str| {
        record(&journal, id, sending(1)).unwrap();
        record(&journal, id, accepted(&format!("r-{name}"), None)).unwrap();
        record(&journal, id, registered(&format!("r-{name}"))).unwrap();
    };
    for n in 0..150 {
        let parent = sell(&journal, &format!("old-{n:03}"));
        if n % 10 == 0 {
            let back = enqueue(&journal, about(&format!("back-{n:03}"), Kind::Return, parent)).unwrap();
            finish(back, &format!("back-{n:03}"));
        }
        if n % 50 == 0 {
            let mut void = sale(&format!("void-{n:03}"));
            (void.kind, void.parent) = (Kind::Void, Some(ParentRef::Remote("elsewhere".into())));
            finish(enqueue(&journal, void).unwrap(), &format!("void-{n:03}"));
            let mut draft = sale(&format!("draft-{n:03}"));
            draft.invoice_name = Some(format!("i-{}", n / 50 + 1));
            finish(enqueue(&journal, draft).unwrap(), &format!("draft-{n:03}"));
        }
    }
    journal
}

#[test]
fn what_the_index_says_of_archived_documents_is_in_a_table_and_said_as_before() {
    let folder = tempdir().unwrap();
    let journal = shop(folder.path());
    let waits = enqueue(&journal, sale("waits")).unwrap();
    let (before, all) = (asked(&journal), facts(&journal).unwrap());
    let done = journal.archive(ALL).unwrap();
    assert!(done.segments > 3 && done.kept == 0, "{done:?}");
    let (index, table) = (done.index.unwrap().1, done.table.unwrap());
    assert!(table > 1_000 && tables(folder.path()).len() == 1, "{index} {table}");
    let same = |journal: &Journal, when: &str| {
        assert_eq!(asked(journal), before, "{when}");
        assert_eq!(facts(journal).unwrap(), all, "{when}");
        for name in ["old-000", "back-000", "void-000"] {
            assert!(matches!(enqueue(journal, sale(name)), Err(JournalError::KeyTaken(_))), "{when}");
        }
        let report = journal.verify().unwrap();
        assert!(report.sound && report.index_left_out.is_none(), "{when}: {report:?}");
    };
    same(&journal, "while it is open");
    journal.close().unwrap();
    let report = verify(folder.path(), Arc::new(RealFiles)).unwrap();
    assert!(report.sound && report.index_left_out.is_none(), "{report:?}");
    let (journal, recovery) = open(folder.path());
    assert!(recovery.clean && recovery.rebuilt.is_none() && recovery.replayed == 0, "{recovery:?}");
    same(&journal, "after a stop");
    journal.close().unwrap();
    // Made anew, also its table; and opened with that.
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    let (journal, recovery) = open(folder.path());
    assert!(recovery.rebuilt.is_some() && recovery.replayed > 600, "{recovery:?}");
    same(&journal, "rebuilt");
    journal.close().unwrap();
    assert_eq!(tables(folder.path()).len(), 1);
    assert!(fs::metadata(&tables(folder.path())[0]).unwrap().len() * 9 / 10 < table);
    let (journal, recovery) = open(folder.path());
    assert!(recovery.rebuilt.is_none() && recovery.replayed == 0, "{recovery:?}");
    same(&journal, "with the table that was made when it was rebuilt");
    // What is written to later is newer than the table says, and so it stays when that is made anew.
    let id = journal.find(&key("old-001")).unwrap().unwrap();
    let raised = |raised| staffetta::domain::event::DocEvent::Attention { code: "x".into(), why: "y".into(), raised };
    record(&journal, id, raised(true)).unwrap();
    record(&journal, waits, sending(1)).unwrap();
    record(&journal, waits, registered("r-waits")).unwrap();
    let told = |journal: &Journal| journal.progress(id).unwrap().unwrap().attention.len();
    assert_eq!((told(&journal), journal.needing_attention(9).unwrap()), (1, vec![id]));
    assert!(journal.archive(ALL).unwrap().table.is_some() && tables(folder.path()).len() == 1);
    assert_eq!((told(&journal), journal.needing_attention(9).unwrap()), (1, vec![id]));
    record(&journal, id, raised(false)).unwrap();
    // Another id than before, which the provider may give as long as it is asked.
    let tracked =
        staffetta::domain::event::DocEvent::Tracked { remote: remote("r-other"), why: String::new(), due_at: None };
    record(&journal, id, tracked).unwrap();
    let shop = "shop".parse().unwrap();
    let found = |journal: &Journal| {
        let by = |name| journal.by_remote(&shop, name).unwrap();
        (told(journal), journal.needing_attention(9).unwrap(), by("r-old-001"), by("r-other"))
    };
    assert_eq!(found(&journal), (0, vec![], None, Some(id)));
    assert!(journal.verify().unwrap().sound);
    journal.close().unwrap();
    assert!(verify(folder.path(), Arc::new(RealFiles)).unwrap().sound);
    let (journal, _) = open(folder.path());
    assert_eq!(found(&journal), (0, vec![], None, Some(id)));
}

/// A flipped bit in the table, in any part of it: `verify` tells, and with the index removed all is as before.
#[test]
fn a_damaged_or_missing_table_is_told_and_made_anew() {
    let folder = tempdir().unwrap();
    let journal = shop(folder.path());
    journal.archive(ALL).unwrap();
    let (before, all) = (asked(&journal), facts(&journal).unwrap());
    journal.close().unwrap();
    let table = tables(folder.path()).remove(0);
    let whole = fs::read(&table).unwrap();
    for offset in (0..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[offset] ^= 0x10;
        fs::write(&table, bytes).unwrap();
        let report = verify(folder.path(), Arc::new(RealFiles)).unwrap();
        assert!(!report.sound, "byte {offset}");
        assert!(report.damage.iter().all(|damage| damage.what.contains(".idx")), "{report:?}");
    }
    // Told by the journal in use too, which goes on with what it does not need it for.
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 1;
    fs::write(&table, &bytes).unwrap();
    let (journal, _) = open(folder.path());
    let report = journal.verify().unwrap();
    assert!(!report.sound && report.damage[0].what.contains("remove the folder `index`"), "{report:?}");
    // Whoever needs it hears of it; the next open makes it anew.
    assert!(journal.list(&staffetta::journal::Filter::default(), None, usize::MAX).is_err());
    drop(journal);
    let (journal, recovery) = open(folder.path());
    assert!(recovery.rebuilt.is_some(), "{recovery:?}");
    assert_eq!((asked(&journal), facts(&journal).unwrap()), (before.clone(), all.clone()));
    journal.close().unwrap();
    for what in ["missing", "cut", "of another journal"] {
        let table = tables(folder.path()).remove(0);
        match what {
            "missing" => fs::remove_file(&table).unwrap(),
            "cut" => fs::write(&table, &whole[..whole.len() / 2]).unwrap(),
            _ => {
                let other = tempdir().unwrap();
                let journal = shop(other.path());
                journal.archive(ALL).unwrap();
                drop(journal);
                fs::copy(&tables(other.path())[0], &table).unwrap();
            }
        }
        let report = verify(folder.path(), Arc::new(RealFiles)).unwrap();
        assert!(!report.sound, "{what}");
        let (journal, recovery) = open(folder.path());
        assert!(recovery.rebuilt.is_some(), "{what}: {recovery:?}");
        assert_eq!((asked(&journal), facts(&journal).unwrap()), (before.clone(), all.clone()), "{what}");
        journal.close().unwrap();
        assert!(
            tables(folder.path()).len() == 1 && verify(folder.path(), Arc::new(RealFiles)).unwrap().sound,
            "{what}"
        );
    }
}

/// Killed after the segments became archives and before the index's files were made anew: the next open does it.
#[test]
fn an_index_of_fewer_archives_is_made_anew_at_the_next_open() {
    let folder = tempdir().unwrap();
    let journal = shop(folder.path());
    journal.close().unwrap();
    let index = tempdir().unwrap();
    let keep = |from: &Path, to: &Path| {
        fn copy(from: &Path, to: &Path) {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
                let to = to.join(entry.file_name());
                if entry.path().is_dir() {
                    copy(&entry.path(), &to)
                } else {
                    fs::copy(entry.path(), to).map(drop).unwrap()
                }
            }
        }
        copy(from, to)
    };
    let (journal, _) = open(folder.path());
    let before = asked(&journal);
    journal.close().unwrap();
    keep(&folder.path().join("index"), index.path());
    let checkpoint = fs::read(folder.path().join("checkpoint")).unwrap();
    let newest =
        fs::read_dir(folder.path().join("segments")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let end = fs::read(&newest).unwrap();
    let (journal, _) = open(folder.path());
    journal.archive(ALL).unwrap();
    journal.close().unwrap();
    // The archives as they are, the index and the end of the journal as they were.
    for entry in fs::read_dir(folder.path().join("segments")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let name = newest.file_stem().unwrap().to_owned();
    fs::remove_file(folder.path().join("archives").join(name).with_extension("arc")).unwrap_or_default();
    fs::write(&newest, end).unwrap();
    fs::write(folder.path().join("checkpoint"), checkpoint).unwrap();
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    keep(index.path(), &folder.path().join("index"));
    let had = fs::read(tables(folder.path()).remove(0)).unwrap();
    let (journal, recovery) = open(folder.path());
    assert!(recovery.clean && recovery.rebuilt.is_none(), "{recovery:?}");
    assert_eq!(asked(&journal), before);
    journal.close().unwrap();
    assert_eq!(tables(folder.path()).len(), 1, "the table that nobody names is gone, and one is made");
    assert_ne!(fs::read(tables(folder.path()).remove(0)).unwrap(), had);
    let (journal, recovery) = open(folder.path());
    assert!(recovery.clean && recovery.rebuilt.is_none() && recovery.replayed == 0, "{recovery:?}");
    assert_eq!(asked(&journal), before);
    assert_eq!(journal.archive(ALL).unwrap().segments, 1);
}
