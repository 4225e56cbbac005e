//! What is archived is read as if it had not been, whatever happens while it is made; and what is wrong with an archive
//! is found and named.

mod closing;
pub mod command;
mod cuts;
mod damage;
mod index;
mod queue;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use staffetta::domain::event::{Enqueued, Entry};
use staffetta::domain::id::DocId;
use staffetta::journal::{Archived, Journal, JournalError, Recorded, View, verify};
use staffetta::testing::{Image, Sim};

use crate::papers::*;
use crate::support::segments::{DIR, open, options};

/// Until then: everything.
const ALL: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

/// Takes a sale and brings it to its end.
fn sell(journal: &Journal, name: &str) -> DocId {
    let id = enqueue(journal, sale(name)).unwrap();
    record(journal, id, sending(1)).unwrap();
    record(journal, id, accepted(&format!("r-{name}"), None)).unwrap();
    record(journal, id, registered(&format!("r-{name}"))).unwrap();
    id
}

/// A journal of several segments, closed in good order: ten sales at their end, and one in the middle that waits.
fn day() -> Sim {
    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    (0..5).for_each(|n| {
        sell(&journal, &format!("old-{n}"));
    });
    enqueue(&journal, sale("waits")).unwrap();
    (5..10).for_each(|n| {
        sell(&journal, &format!("old-{n}"));
    });
    journal.close().unwrap();
    assert!(named(&sim.image(), ".seg").len() > 5);
    sim
}

/// The same, archived.
fn archived() -> (Sim, Archived) {
    let sim = day();
    let journal = open(&sim).unwrap();
    let done = journal.archive(ALL).unwrap();
    journal.close().unwrap();
    (sim, done)
}

fn named(image: &Image, extension: &str) -> Vec<PathBuf> {
    image.keys().filter(|path| path.to_string_lossy().ends_with(extension)).cloned().collect()
}

fn names(sim: &Sim, extension: &str) -> Vec<u64> {
    let number = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    named(&sim.image(), extension).iter().map(number).collect()
}

/// Everything that a journal says of its documents, by key.
type Facts = BTreeMap<String, (Enqueued, Vec<Recorded>)>;

fn facts(journal: &Journal) -> Result<Facts, JournalError> {
    let mut facts = Facts::new();
    for recorded in journal.events_after(0, usize::MAX)? {
        if let Entry::Enqueued(taken) = recorded.entry {
            let id = DocId(recorded.seq);
            assert_eq!(journal.find(&taken.key)?, Some(id));
            let document = journal.document(id)?;
            assert_eq!(document.as_ref(), Some(&*taken));
            facts.insert(taken.key.to_string(), (*taken, journal.history(id)?));
        }
    }
    Ok(facts)
}

#[test]
fn what_is_archived_is_read_as_before() {
    let sim = day();
    let (before, live) = (sim.used(), names(&sim, ".seg"));
    let journal = open(&sim).unwrap();
    let (all, bytes) = (facts(&journal).unwrap(), journal.stats().journal_bytes);
    let done = journal.archive(ALL).unwrap();
    // The one that waits keeps its segment; all others, the newest too, are gone.
    assert_eq!((done.segments as usize, done.kept, done.unsound.len()), (live.len() - 1, 1, 0), "{done:?}");
    assert!(names(&sim, ".seg").len() == 2 && names(&sim, ".arc").len() == live.len() - 1);
    assert!(done.archive_bytes < done.bytes && sim.used() < before, "{done:?}");
    let stats = journal.stats();
    assert_eq!(stats.segments, 2);
    assert!(stats.journal_bytes < bytes - done.bytes + 300, "{stats:?}");
    assert_eq!(facts(&journal).unwrap(), all);
    // While it is open, after a good stop, and rebuilt from the first record to the last.
    let id = journal.find(&key("waits")).unwrap().unwrap();
    record(&journal, id, sending(1)).unwrap();
    journal.close().unwrap();
    let report = verify(Path::new(DIR), Arc::new(sim.clone())).unwrap();
    assert!(report.sound && report.documents == 11, "{report:?}");
    let (journal, recovery) = Journal::open(Path::new(DIR), options(&sim)).unwrap();
    assert!(recovery.clean && recovery.replayed > 40, "{recovery:?}");
    let now = facts(&journal).unwrap();
    assert!(all.iter().all(|(name, fact)| name == "waits" || now[name] == *fact));
    assert_eq!(now["waits"].1.len(), 2);
    // Then it is done with too.
    record(&journal, id, accepted("r-waits", None)).unwrap();
    record(&journal, id, registered("r-waits")).unwrap();
    assert_eq!((journal.archive(ALL).unwrap().kept, names(&sim, ".seg").len()), (0, 1));
    assert_eq!(facts(&journal).unwrap()["waits"].1.len(), 4);
}

#[test]
fn a_second_time_there_is_nothing_to_do() {
    let (sim, _) = archived();
    for _ in 0..2 {
        let (journal, before) = (open(&sim).unwrap(), (names(&sim, ".seg"), names(&sim, ".arc")));
        let done = journal.archive(ALL).unwrap();
        assert_eq!((done.segments, done.kept, done.index), (0, 1, None));
        assert_eq!((names(&sim, ".seg"), names(&sim, ".arc")), before);
    }
    let journal = open(&Sim::default()).unwrap();
    assert_eq!(journal.archive(ALL).unwrap(), Archived::default());
    journal.close().unwrap();
    assert!(matches!(journal.archive(ALL), Err(JournalError::Closed)));
}

/// Final, no longer followed, and old enough: all three.
#[test]
fn what_is_young_or_followed_stays() {
    let sim = day();
    let journal = open(&sim).unwrap();
    let oldest =
        facts(&journal).unwrap().values().map(|(_, history)| history[3.min(history.len() - 1)].at).min().unwrap();
    let done = journal.archive(oldest - chrono::TimeDelta::microseconds(1)).unwrap();
    assert_eq!((done.segments, names(&sim, ".arc").len()), (0, 0));
    drop(journal);

    let sim = Sim::default();
    let journal = open(&sim).unwrap();
    let id = enqueue(&journal, sale("followed")).unwrap();
    record(&journal, id, sending(1)).unwrap();
    let customs = staffetta::domain::event::DocEvent::Registered {
        remote: remote("r"),
        how: staffetta::domain::event::How::Answer,
        due_at: Some(at(60)),
    };
    record(&journal, id, customs).unwrap();
    (0..4).for_each(|n| {
        sell(&journal, &format!("n-{n}"));
    });
    let done = journal.archive(ALL).unwrap();
    assert!(done.kept == 1 && names(&sim, ".seg")[0] == 1, "{done:?}");
}

/// Records of an archived document may still come; they go to the newest segment.
#[test]
fn what_is_archived_may_still_get_attention_and_children() {
    let (sim, _) = archived();
    let journal = open(&sim).unwrap();
    let id = journal.find(&key("old-1")).unwrap().unwrap();
    let child = enqueue(&journal, about("back", staffetta::domain::document::Kind::Return, id)).unwrap();
    let raised = staffetta::domain::event::DocEvent::Attention { code: "x".into(), why: "y".into(), raised: true };
    record(&journal, id, raised).unwrap();
    let told = |journal: &Journal| {
        let attention = journal.progress(id).unwrap().unwrap().attention.len();
        (journal.children(id).unwrap(), journal.history(id).unwrap().len(), attention)
    };
    assert_eq!(told(&journal), (vec![child], 5, 1));
    journal.close().unwrap();
    assert!(verify(Path::new(DIR), Arc::new(sim.clone())).unwrap().sound);
    let journal = open(&sim).unwrap();
    assert_eq!(told(&journal), (vec![child], 5, 1));
    assert!(matches!(enqueue(&journal, sale("old-1")), Err(JournalError::KeyTaken(of)) if of == id));
}
