//! A disk that runs full while the journal is in use, more or less soon; and that says it has room, so that the index meets
//! that in the middle of a batch. Not a measurement but a check, which needs a small disk of its own:
//!
//! `mount -t tmpfs -o size=24m none /mnt/small`, then `cargo bench --bench small_disk -- /mnt/small`.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use staffetta::domain::id::DocId;
use staffetta::journal::{Journal, JournalError, Options, RealFiles, View, verify};

use self::around::{Around, Real};

#[path = "../tests/support/around.rs"]
mod around;
#[path = "../tests/papers/few.rs"]
mod few;

/// Documents whose outcomes come when the disk is full.
const OUTCOMES: usize = 600;
const STEPS: u64 = 40;

/// The machine's files, on a disk that seems to have room for all.
struct Boastful;

impl Around for Boastful {
    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

fn open(dir: &Path) -> Result<Journal, JournalError> {
    let options =
        Options { files: Arc::new(Real(Boastful)), segment_bytes: 1_000_000, index_batch: 500, ..Options::default() };
    Ok(Journal::open(dir, options)?.0)
}

/// Takes so many times fifty documents, until some are refused.
fn take(journal: &Journal, taken: &mut Vec<(String, DocId)>, wanted: usize) -> Option<JournalError> {
    for _ in 0..wanted {
        let begun = taken.len();
        let names = (0..50).map(|n| format!("{begun}-{n}"));
        let begin = |name: String| (name.clone(), journal.begin(move |txn| txn.enqueue(few::sale(&name))));
        let pending: Vec<_> = names.map(begin).collect();
        let mut refused = None;
        for (name, pending) in pending {
            match pending.wait().unwrap_or_else(Err) {
                Ok(id) => taken.push((name, id)),
                Err(error) => refused = Some(error),
            }
        }
        if refused.is_some() {
            return refused;
        }
    }
    None
}

/// As a dispatcher, which waits while the disk is full. How often it was.
fn when_there_is_room(record: impl Fn() -> Result<(), JournalError>) -> Result<u32, JournalError> {
    const TIMES: u32 = 200;
    for times in 0..TIMES {
        match record() {
            Err(JournalError::Full { .. }) => std::thread::park_timeout(Duration::from_millis(5)),
            done => return done.map(|()| times),
        }
    }
    record().map(|()| TIMES)
}

fn step(disk: &Path, left: u64, reopened: bool) -> Result<(usize, u32, usize), Box<dyn Error>> {
    let (dir, ballast): (PathBuf, PathBuf) = (disk.join("journal"), disk.join("ballast"));
    let _ = (std::fs::remove_dir_all(&dir), std::fs::remove_file(&ballast)); // of a run before
    let journal = open(&dir)?;
    let mut taken = Vec::new();
    if let Some(error) = take(&journal, &mut taken, 20) {
        return Err(error.into());
    }
    let file = std::fs::File::create(&ballast)?;
    while (&file).write_all(&[7; 4_096]).is_ok() {}
    file.set_len(file.metadata()?.len().saturating_sub(left))?;
    drop(file);
    match take(&journal, &mut taken, 1_000) {
        Some(JournalError::Full { .. }) => {}
        other => return Err(format!("it should run full: {other:?}").into()),
    }
    let mut refused = 0;
    for (n, (_, id)) in taken.iter().enumerate().take(OUTCOMES) {
        let outcome = if n % 2 == 0 { few::accepted(&format!("r-{n}"), None) } else { few::unknown(None) };
        for event in [few::sending(1), outcome] {
            refused += when_there_is_room(|| few::record(&journal, *id, event.clone()))?;
        }
    }
    let pending = journal.stats().index_pending;
    let journal = if reopened {
        drop(journal);
        open(&dir)? // on a disk that is still full
    } else {
        journal
    };
    std::fs::remove_file(&ballast)?;
    taken.push(("room".to_owned(), few::enqueue(&journal, few::sale("room"))?));
    if let Some(error) = take(&journal, &mut taken, 20) {
        return Err(error.into());
    }
    for (n, (key, id)) in taken.iter().enumerate() {
        let found = journal.find(&few::key(key))?;
        let facts = journal.history(*id)?.len();
        if found != Some(*id) || facts != if n < OUTCOMES { 3 } else { 1 } {
            return Err(format!("{key} is {found:?}, with {facts} facts").into());
        }
    }
    drop(journal);
    let report = verify(&dir, Arc::new(RealFiles))?;
    if !report.sound {
        return Err(format!("{report:?}").into());
    }
    Ok((taken.len(), refused, pending))
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(disk) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        println!("small_disk: needs the directory of a small disk of its own; see its first lines");
        return Ok(());
    };
    println!("| bytes left | documents | outcomes refused at first | entries in memory |\n|---|---|---|---|");
    for number in 0..STEPS {
        let left = number * 60_000;
        let done = step(Path::new(&disk), left, number % 2 == 1);
        let (documents, refused, pending) = done.map_err(|error| format!("with {left} bytes left: {error}"))?;
        println!("| {left} | {documents} | {refused} | {pending} |");
    }
    Ok(())
}
