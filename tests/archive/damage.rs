//! A flipped bit in an archive is found and named; what it does not touch is read.

use std::any::Any;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use staffetta::journal::{File, Files, Found, Journal, JournalError, Options, RealFiles, View, read_all, verify};
use staffetta::testing::{Image, Sim};

use super::{ALL, DIR, archived, day, facts, named, names, open, options, sell};
use crate::papers::*;

#[test]
fn any_byte_flipped_is_found_and_named() {
    let (sim, _) = archived();
    let whole = sim.image();
    let all = facts(&open(&Sim::of(&whole)).unwrap()).unwrap();
    let (mut opened, mut refused, mut documents) = (0, 0, BTreeSet::new());
    for path in named(&whole, ".arc").iter().take(2) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let segment: u64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        for offset in 0..whole[path].len() {
            let mut image = whole.clone();
            image.get_mut(path).unwrap()[offset] ^= 1 << (offset % 8);
            let place = || format!("{name} byte {offset}");
            let report = verify(Path::new(DIR), Arc::new(Sim::of(&image))).unwrap();
            assert!(!report.sound, "{}: sound", place());
            for damage in &report.damage {
                assert!(damage.what.contains(name) && damage.segment == segment, "{}: {damage:?}", place());
            }
            match open(&Sim::of(&image)) {
                // The head is there twice, and the list of documents is for `verify` alone.
                Ok(journal) => {
                    opened += 1;
                    assert_eq!(facts(&journal).unwrap(), all, "{}", place());
                }
                // Without an index all of it is read: what was in the frame is not known, so nothing may be taken.
                Err(JournalError::Damaged { segment: at, what, .. }) => {
                    refused += 1;
                    assert!(at == segment && what.contains(name), "{}: {what}", place());
                    let keys: BTreeSet<_> = report.damage.iter().filter_map(|d| d.key.as_ref()).collect();
                    assert!(!keys.is_empty(), "{}: no document is named", place());
                    documents.extend(keys.into_iter().map(ToString::to_string));
                }
                Err(error) => panic!("{}: {error}", place()),
            }
        }
    }
    assert!(opened > 100 && refused > 100, "{opened} opened, {refused} refused");
    assert!(documents.contains("old-0") && documents.contains("old-1"), "{documents:?}");
}

#[test]
fn any_length_cut_and_a_missing_archive_are_found() {
    let (sim, _) = archived();
    let whole = sim.image();
    let path = named(&whole, ".arc").swap_remove(1);
    for length in (0..whole[&path].len()).step_by(7) {
        let mut image = whole.clone();
        image.get_mut(&path).unwrap().truncate(length);
        let report = verify(Path::new(DIR), Arc::new(Sim::of(&image))).unwrap();
        assert!(!report.sound && report.damage[0].what.contains(".arc"), "{length}: {report:?}");
        let _ = open(&Sim::of(&image)).map(|journal| facts(&journal).unwrap());
    }
    let mut image = whole.clone();
    image.remove(&path);
    assert!(!verify(Path::new(DIR), Arc::new(Sim::of(&image))).unwrap().sound);
    assert!(matches!(open(&Sim::of(&image)), Err(JournalError::Damaged { .. })));
    // Exchanged for another one, whose own checksums are right.
    let mut image = whole.clone();
    let other = whole[&named(&whole, ".arc")[2]].clone();
    image.insert(path, other);
    assert!(!verify(Path::new(DIR), Arc::new(Sim::of(&image))).unwrap().sound);
    assert!(open(&Sim::of(&image)).is_err());
}

/// With several frames only the documents of the damaged one cannot be read; the journal opens with its index and goes on.
#[test]
fn a_damaged_frame_costs_its_documents_alone() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { reserve_bytes: 10, segment_bytes: 400_000, ..Options::default() };
    let open = || Journal::open(folder.path(), options()).unwrap();
    let (journal, _) = open();
    for n in 0..100 {
        let mut taken = sale(&format!("large-{n:03}"));
        taken.body = format!("{n:010}").repeat(300);
        let id = enqueue(&journal, taken).unwrap();
        record(&journal, id, sending(1)).unwrap();
        record(&journal, id, registered(&format!("r-{n}"))).unwrap();
    }
    assert_eq!(journal.archive(ALL).unwrap().segments, 1);
    journal.close().unwrap();
    let path = folder.path().join("archives/00000000000000000001.arc");
    let mut bytes = std::fs::read(&path).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    // The third of several: its head tells of each frame, from byte 144 on, the length unpacked and packed.
    let third = number(12) + number(148) + number(160);
    bytes[third + 40] ^= 4;
    std::fs::write(&path, bytes).unwrap();

    let (journal, recovery) = open();
    assert_eq!(recovery.rebuilt, None);
    let (mut lost, mut read) = (BTreeSet::new(), 0);
    for n in 0..100 {
        let name = format!("large-{n:03}");
        let id = journal.find(&key(&name)).unwrap().unwrap();
        match journal.history(id) {
            Ok(history) => {
                assert_eq!(history.len(), 3);
                assert!(journal.document(id).unwrap().unwrap().body.starts_with(&format!("{n:010}")));
                read += 1;
            }
            Err(JournalError::Damaged { segment: 1, what, .. }) => {
                assert!(what.contains("archive 00000000000000000001.arc, frame 2: its checksum is wrong"), "{what}");
                lost.insert(name);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((12..25).contains(&lost.len()) && read == 100 - lost.len(), "{lost:?}");
    enqueue(&journal, sale("new")).unwrap();
    journal.close().unwrap();
    let report = verify(folder.path(), Arc::new(RealFiles)).unwrap();
    let named: BTreeSet<_> = report.damage.iter().filter_map(|d| d.key.as_ref().map(ToString::to_string)).collect();
    assert_eq!(named, lost, "{report:?}");
    assert_eq!(report.damage.len(), lost.len());
    // And all that is readable is read.
    let mut found = 0;
    read_all(folder.path(), Arc::new(RealFiles), |met| found += usize::from(matches!(met, Found::Record(_)))).unwrap();
    assert!(found >= 3 * (100 - lost.len()), "{found}");
}

/// A disk that says it wrote what it did not is met when the archive is read back: the segment stays.
#[test]
fn an_archive_is_read_back_before_its_segment_goes() {
    let sim = day();
    let liar = Watched::new(&sim);
    let lying = Options { files: Arc::new(liar.clone()), ..options(&sim) };
    let (journal, _) = Journal::open(Path::new(DIR), lying).unwrap();
    let all = facts(&journal).unwrap();
    liar.lies.store(true, Ordering::SeqCst);
    let before = names(&sim, ".seg").len();
    let error = journal.archive(ALL).unwrap_err().to_string();
    assert!(error.contains("was not written as it should be"), "{error}");
    assert_eq!(names(&sim, ".seg").len(), before + 1, "but for the newest, which was sealed, all are as they were");
    assert!(names(&sim, ".arc").is_empty() && named(&sim.image(), ".tmp").is_empty());
    liar.lies.store(false, Ordering::SeqCst);
    assert!(journal.archive(ALL).unwrap().segments > 4);
    assert_eq!(facts(&journal).unwrap(), all);
}

/// A segment that is not as it was written keeps its bytes, and the others are archived.
#[test]
fn a_damaged_segment_is_not_archived() {
    let folder = tempfile::tempdir().unwrap();
    let open =
        || Journal::open(folder.path(), Options { reserve_bytes: 10, segment_bytes: 1_200, ..Options::default() });
    let journal = open().unwrap().0;
    (0..10).for_each(|n| {
        sell(&journal, &format!("old-{n}"));
    });
    journal.close().unwrap();
    let path = folder.path().join("segments/00000000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[500] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let journal = open().unwrap().0;
    let done = journal.archive(ALL).unwrap();
    assert_eq!((done.unsound.len(), done.unsound[0].segment), (1, 1), "{done:?}");
    assert!(done.segments > 3 && std::fs::read(&path).unwrap() == bytes);
}

/// To read one document no more than its frame is read, not the archive.
#[test]
fn one_document_is_read_without_unpacking_the_segment() {
    let sim = Sim::default();
    let watched = Watched::new(&sim);
    let large = Options { files: Arc::new(watched.clone()), segment_bytes: 3_000_000, ..options(&sim) };
    let (journal, _) = Journal::open(Path::new(DIR), large).unwrap();
    let mut dice = staffetta::testing::Random::new(1);
    let mut ids = Vec::new();
    for n in 0..60 {
        let mut taken = sale(&format!("large-{n}"));
        taken.body = (0..2_000).map(|_| format!("{:016x}", dice.draw())).collect();
        ids.push(enqueue(&journal, taken).unwrap());
        record(&journal, ids[n], sending(1)).unwrap();
        record(&journal, ids[n], registered("r")).unwrap();
    }
    let done = journal.archive(ALL).unwrap();
    assert!(done.segments == 1 && done.archive_bytes > 800_000, "{done:?}");
    watched.read.store(0, Ordering::SeqCst);
    assert!(journal.document(ids[30]).unwrap().is_some());
    let read = watched.read.load(Ordering::SeqCst);
    assert!(read < 200_000, "{read} bytes of {}", done.archive_bytes);
}

/// The simulated files, with the bytes counted that are read of archives; or lying about what is written to them.
#[derive(Clone)]
struct Watched {
    sim: Sim,
    read: Arc<AtomicU64>,
    lies: Arc<AtomicBool>,
}

impl Watched {
    fn new(sim: &Sim) -> Watched {
        Watched { sim: sim.clone(), read: Arc::default(), lies: Arc::default() }
    }

    fn of(&self, path: &Path, file: Arc<dyn File>) -> Arc<dyn File> {
        match path.starts_with(Path::new(DIR).join("archives")) {
            true => Arc::new(Handle { watched: self.clone(), file }),
            false => file,
        }
    }
}

struct Handle {
    watched: Watched,
    file: Arc<dyn File>,
}

impl Files for Watched {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.sim.create_dir(dir)
    }
    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.sim.names(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.of(path, self.sim.create(path)?))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.of(path, self.sim.open(path)?))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.sim.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.sim.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.sim.sync_dir(dir)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Result<Box<dyn Any + Send + Sync>, String>> {
        self.sim.lock(path, holder)
    }
    fn boot_id(&self) -> Option<String> {
        self.sim.boot_id()
    }
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let there = self.file.read_at(buffer, offset)?;
        self.watched.read.fetch_add(there as u64, Ordering::SeqCst);
        Ok(there)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut bytes = bytes.to_vec();
        if self.watched.lies.load(Ordering::SeqCst) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        self.file.write_at(&bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

/// As README.md tells it: `segments/`, then `archives/`, nothing else; also without the newest segment.
#[test]
fn a_copy_of_segments_and_archives_is_a_backup() {
    let (sim, _) = archived();
    let whole = sim.image();
    let all = facts(&open(&Sim::of(&whole)).unwrap()).unwrap();
    let is = |path: &Path, ext: &str| path.extension().is_some_and(|found| found == ext);
    let copied: Image = whole.into_iter().filter(|(path, _)| is(path, "seg") || is(path, "arc")).collect();
    let newest = named(&copied, ".seg").pop().unwrap();
    for without in [None, Some(&newest)] {
        let copy: Image =
            copied.iter().filter(|(path, _)| Some(*path) != without).map(|(p, c)| (p.clone(), c.clone())).collect();
        let sim = Sim::of(&copy);
        assert_eq!(verify(Path::new(DIR), Arc::new(sim.clone())).unwrap().damage, []);
        let journal = open(&sim).unwrap();
        assert_eq!(facts(&journal).unwrap(), all);
        enqueue(&journal, sale("on-it-goes")).unwrap();
        journal.close().unwrap();
        assert!(verify(Path::new(DIR), Arc::new(sim.clone())).unwrap().sound);
        assert_eq!(facts(&open(&sim).unwrap()).unwrap().len(), all.len() + 1);
    }
}
