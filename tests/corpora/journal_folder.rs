//! A journal's folder, damaged: opening it, verifying it and reading what is readable never panic, and what is not as it
//! was written is never taken for true.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use chrono::DateTime;
use staffetta::domain::event::Entry;
use staffetta::domain::id::DocId;
use staffetta::journal::{Found, Journal, JournalError, Options, Recorded, View, raw, read_all, verify};
use staffetta::testing::{HandClock, Image, Sim};
use uuid::Uuid;

use crate::papers::{accepted, enqueue, record, sale, sending, unknown};

const DIR: &str = "/till/journal";
/// More at once is rubble, and says no more.
const MOST: usize = 6;

/// Something that happens to a folder. Files are numbered in the order of their names; offsets wrap around.
#[derive(Debug, Arbitrary)]
enum Damage {
    Flip {
        file: u8,
        offset: u16,
        bit: u8,
    },
    Write {
        file: u8,
        offset: u16,
        bytes: [u8; 8],
    },
    Zero {
        file: u8,
        offset: u16,
        length: u8,
    },
    Cut {
        file: u8,
        length: u16,
    },
    Append {
        file: u8,
        bytes: Vec<u8>,
    },
    Take {
        file: u8,
        offset: u16,
        length: u16,
    },
    Repeat {
        file: u8,
        offset: u16,
        length: u16,
    },
    Graft {
        from: u8,
        offset: u16,
        length: u16,
        to: u8,
        at: u16,
    },
    Remove {
        file: u8,
    },
    Exchange {
        one: u8,
        other: u8,
    },
    Copy {
        from: u8,
        to: u8,
    },
    Stray {
        name: u8,
        bytes: Vec<u8>,
    },
    /// A record is changed and its checksum put right, as no accident does: only the chain of hashes can tell.
    Forge {
        file: u8,
        record: u8,
        offset: u16,
        bytes: [u8; 4],
    },
}

struct Whole {
    id: Uuid,
    image: Image,
    records: Vec<Recorded>,
}

fn options(sim: &Sim) -> Options {
    Options {
        clock: Arc::new(HandClock::starting_at(DateTime::from_timestamp(1_795_000_000, 0).expect("a moment"))),
        files: Arc::new(sim.clone()),
        segment_bytes: 1_500,
        reserve_bytes: 10,
        index_in_memory: true,
        ..Options::default()
    }
}

/// A few documents with some history in several segments, closed in good order.
static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    let sim = Sim::default();
    let (journal, _) = Journal::open(Path::new(DIR), options(&sim)).expect("a new journal");
    let ids: Vec<DocId> = (0..4).map(|n| enqueue(&journal, sale(&format!("doc-{n}"))).expect("taken")).collect();
    for event in [sending(1), accepted("r-0", None)] {
        record(&journal, ids[0], event).expect("recorded");
    }
    for event in [sending(1), unknown(None)] {
        record(&journal, ids[1], event).expect("recorded");
    }
    let id = journal.id();
    journal.close().expect("closed");
    let mut image = sim.image();
    image.remove(&Path::new(DIR).join("reserve"));
    let records = read(&sim).expect("it can be read").0;
    Whole { id, image, records }
});

fn read(sim: &Sim) -> Result<(Vec<Recorded>, usize), JournalError> {
    let (mut records, mut damage) = (Vec::new(), 0);
    read_all(Path::new(DIR), Arc::new(sim.clone()), |found| match found {
        Found::Record(record) => records.push(record),
        Found::Damage(_) => damage += 1,
    })?;
    Ok((records, damage))
}

/// Where the records of a segment are: its header has 104 bytes, a record's 88, the length is at byte 8.
fn records(segment: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 104);
    while let Some(length) = segment.get(at + 8..at + 12).and_then(|length| length.try_into().ok()) {
        let end = at + 88 + u32::from_le_bytes(length) as usize;
        if end > segment.len() {
            break;
        }
        found.push(at..end);
        at = end;
    }
    found
}

fn damage(id: Uuid, image: &mut Image, what: Damage) {
    let names: Vec<PathBuf> = image.keys().cloned().collect();
    let name = |number: u8| names.get(usize::from(number) % names.len().max(1)).cloned().unwrap_or_default();
    let range = |content: &Vec<u8>, offset: u16, length: usize| {
        let from = usize::from(offset) % (content.len() + 1);
        from..(from + length).min(content.len())
    };
    let mut change = |file: u8, change: &dyn Fn(&mut Vec<u8>)| image.get_mut(&name(file)).into_iter().for_each(change);
    match what {
        Damage::Flip { file, offset, bit } => change(file, &|content| {
            let range = range(content, offset, 1);
            content[range].iter_mut().for_each(|byte| *byte ^= 1 << (bit % 8));
        }),
        Damage::Write { file, offset, bytes } => change(file, &|content| {
            let range = range(content, offset, bytes.len());
            content[range].iter_mut().zip(bytes).for_each(|(byte, new)| *byte = new);
        }),
        Damage::Zero { file, offset, length } => change(file, &|content| {
            let range = range(content, offset, length.into());
            content[range].fill(0);
        }),
        Damage::Cut { file, length } => change(file, &|content| content.truncate(length.into())),
        Damage::Append { file, bytes } => change(file, &|content| content.extend(bytes.iter().take(400))),
        Damage::Take { file, offset, length } => change(file, &|content| {
            let range = range(content, offset, length.into());
            content.drain(range);
        }),
        Damage::Repeat { file, offset, length } => change(file, &|content| {
            let range = range(content, offset, length.into());
            let (at, again) = (range.end, content[range].to_vec());
            content.splice(at..at, again);
        }),
        Damage::Graft { from, offset, length, to, at } => {
            let Some(source) = image.get(&name(from)) else { return };
            let piece = source[range(source, offset, length.into())].to_vec();
            if let Some(content) = image.get_mut(&name(to)) {
                let at = usize::from(at) % (content.len() + 1);
                content.splice(at..at, piece);
            }
        }
        Damage::Forge { file, record, offset, bytes } => change(file, &|content| {
            let records = records(content);
            let Some(range) = records.get(usize::from(record) % records.len().max(1)).cloned() else { return };
            let changed = content[range.clone()].iter_mut().skip(12 + usize::from(offset) % (range.len() - 12));
            changed.zip(bytes).for_each(|(byte, new)| *byte = new);
            raw::seal(id, &mut content[range]);
        }),
        Damage::Remove { file } => drop(image.remove(&name(file))),
        Damage::Exchange { one, other } => {
            let (one, other) = (name(one), name(other));
            let (first, second) = (image.get(&one).cloned(), image.get(&other).cloned());
            if let (Some(first), Some(second)) = (first, second) {
                image.insert(one, second);
                image.insert(other, first);
            }
        }
        Damage::Copy { from, to } => {
            let content = image.get(&name(from)).cloned();
            if let Some(content) = content {
                image.insert(name(to), content);
            }
        }
        Damage::Stray { name, bytes } => {
            let names =
                ["segments/00000000000000000003.seg", "segments/x.seg", "segments/1", "checkpoint", "checkpoint.new"];
            let name = names[usize::from(name) % names.len()];
            image.insert(Path::new(DIR).join(name), bytes.into_iter().take(400).collect());
        }
    }
}

pub fn run(bytes: &[u8]) {
    let whole = &*WHOLE;
    let mut input = Unstructured::new(bytes);
    let mut image = whole.image.clone();
    let (mut done, mut forged) = (Vec::new(), false);
    while done.len() < MOST && !input.is_empty() {
        let Ok(what) = Damage::arbitrary(&mut input) else { break };
        forged |= matches!(what, Damage::Forge { .. });
        done.push(format!("{what:?}"));
        damage(whole.id, &mut image, what);
    }
    judge(whole, &image, forged).unwrap_or_else(|why| panic!("{why}: {done:#?}"));
}

/// The record was written by us, as it is.
fn is_ours(whole: &Whole, record: &Recorded) -> bool {
    whole.records.iter().any(|ours| ours == record)
}

fn judge(whole: &Whole, image: &Image, forged: bool) -> Result<(), String> {
    let readable = read(&Sim::of(image));
    if let Ok((records, _)) = &readable
        && !forged
        && let Some(strange) = records.iter().find(|record| !is_ours(whole, record))
    {
        return Err(format!("never written, and read: {strange:?}"));
    }
    let report = verify(Path::new(DIR), Arc::new(Sim::of(image)));
    let checkpoint = Path::new(DIR).join("checkpoint");
    let witness = image.get(&checkpoint) == whole.image.get(&checkpoint);
    let sim = Sim::of(image);
    let opened = Journal::open(Path::new(DIR), options(&sim));
    if let (Err(error), Ok(report)) = (&opened, &report)
        && report.sound
    {
        return Err(format!("sound, and it does not open: {error}"));
    }
    let Ok((journal, recovery)) = opened else { return Ok(()) };
    if forged && !witness {
        return Ok(()); // the last record, forged, and nobody left who knew it
    }
    if recovery.created {
        // Nothing at all was left of it.
        let left = image.keys().any(|path| path.to_string_lossy().ends_with(".seg"));
        return if left || witness { Err("a new journal was begun on top of the old one".to_owned()) } else { Ok(()) };
    }
    let records =
        journal.events_after(0, usize::MAX).map_err(|error| format!("opened, and cannot be read: {error}"))?;
    let documents = |records: &[Recorded]| {
        let of_documents = |record: &&Recorded| matches!(record.entry, Entry::Enqueued(_) | Entry::Document { .. });
        records.iter().filter(of_documents).cloned().collect::<Vec<_>>()
    };
    let (ours, now) = (documents(&whole.records), documents(&records));
    // An interrupted submission becomes a fact of its own at open; nothing else is added.
    let known = &now[..now.len().min(ours.len())];
    if !ours.starts_with(known) || now.len() > ours.len() {
        return Err(format!("opened, and it says what was never written: {now:?}"));
    }
    if witness && now.len() < ours.len() {
        return Err(format!("opened, with its witness, and {} facts are missing", ours.len() - now.len()));
    }
    match report {
        Ok(report) if report.sound || !witness => Ok(()),
        Ok(report) => Err(format!("it opens, and is damaged: {:?}", report.damage)),
        Err(error) => Err(format!("it opens, and cannot be verified: {error}")),
    }
}
