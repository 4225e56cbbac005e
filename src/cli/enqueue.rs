//! `staffetta enqueue`: one document a line; a line is printed for each, in order, when it is safe on disk.
//!
//! A thread of its own reads and parses; this one checks, hands to the journal and prints. While a batch is made durable
//! the next is checked, if it is there; no line waits for one that has not come yet: a till on a pipe gets its answer at
//! once, a large file is taken in large groups.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::domain::limits::{MAX_GROUP, MAX_LINE};
use crate::error::{Error, Rejection};
use crate::queue::lines::{Content, Lines};
use crate::view::{ErrorView, NotTaken, Taken, Ticket};

use super::access::{Access, Line, Taking};
use super::config::Config;
use super::output::{Output, plain, tell};
use super::trouble::Trouble;
use super::{Exit, args};

/// Bytes of input after which a batch goes off, whatever the number of its lines: bounds the memory.
const BATCH_BYTES: usize = 2 * MAX_LINE;
/// Batches that may wait while one is being committed.
const WAITING: usize = 2;

/// An input with its name, where there are several.
struct Input {
    name: Option<Arc<str>>,
    from: Box<dyn Read + Send>,
}

/// A line on its way.
struct Entry {
    file: Option<Arc<str>>,
    line: u64,
    key: Option<String>,
    document: Result<Line, Rejection>,
}

/// Lines that were read together.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    bytes: usize,
    blank: u64,
}

/// What became of all lines.
#[derive(Default)]
struct Counts {
    taken: u64,
    duplicate: u64,
    refused: u64,
    blank: u64,
    /// Why the journal took something not, the first time.
    journal: Option<String>,
}

/// Takes every line of the inputs.
///
/// # Errors
/// [`Trouble`] `input` when an input cannot be opened (then nothing was taken) or read; what the journal says when it
/// cannot take documents.
pub fn run(
    args: &args::Enqueue,
    config: impl FnOnce() -> Result<Config, Trouble>,
    out: &mut Output,
) -> Result<Exit, Trouble> {
    let inputs = inputs(&args.files)?;
    let config = config()?;
    let mut journal = Access::open(&config)?;
    let (batches, committer) = sync_channel(WAITING);
    std::thread::Builder::new()
        .name("enqueue-reader".to_owned())
        .spawn(move || read_all(inputs, &batches))
        .map_err(|error| Trouble::new("input", format!("no thread can be started: {error}")))?;
    let mut counts = Counts::default();
    let read = commit_all(&mut journal, &committer, &mut counts, out);
    let closed = journal.close();
    tell(counts.summary());
    read?;
    if let Some(why) = counts.journal {
        return Err(Trouble::new("journal", why));
    }
    closed?;
    Ok(if counts.refused == 0 { Exit::DONE } else { Exit::REFUSED })
}

/// Opens every input before anything is taken.
fn inputs(files: &[PathBuf]) -> Result<Vec<Input>, Trouble> {
    let standard = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard } else { files };
    let several = files.len() > 1;
    if files.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Trouble::usage("standard input (-) can be read only once: name it once"));
    }
    let open = |path: &Path| -> Result<Input, Trouble> {
        let name = several.then(|| Arc::from(path.to_string_lossy()));
        if path.as_os_str() == "-" {
            return Ok(Input { name, from: Box::new(io::stdin()) });
        }
        let trouble = |why: String| Trouble::new("input", format!("{}: {why}; nothing was taken", path.display()));
        let file = File::open(path).map_err(|error| trouble(format!("cannot be read: {error}")))?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(trouble("is a folder: name a file of JSON Lines".to_owned()));
        }
        Ok(Input { name, from: Box::new(file) })
    };
    files.iter().map(|path| open(path)).collect()
}

/// The reading thread: parses, and hands on what is there before it waits for more.
fn read_all(inputs: Vec<Input>, to: &SyncSender<Result<Batch, Trouble>>) {
    for input in inputs {
        let name = input.name;
        let mut lines = Lines::new(input.from);
        let mut batch = Batch::default();
        loop {
            let full = batch.entries.len() >= MAX_GROUP || batch.bytes >= BATCH_BYTES;
            if (full || !lines.is_ready()) && !batch.is_empty() && to.send(Ok(std::mem::take(&mut batch))).is_err() {
                return;
            }
            match lines.next() {
                Ok(Some((line, content))) => batch.add(&name, line, content),
                Ok(None) => break,
                Err(error) => {
                    let what = name.as_deref().unwrap_or("the input");
                    let why = format!("{what} cannot be read further: {error}; what is printed above was taken");
                    let _ = to.send(Ok(batch));
                    let _ = to.send(Err(Trouble::new("input", why)));
                    return;
                }
            }
        }
        if to.send(Ok(batch)).is_err() {
            return;
        }
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.blank == 0
    }

    fn add(&mut self, file: &Option<Arc<str>>, line: u64, content: Content<'_>) {
        if let Content::Text(text) = content {
            self.bytes += text.len();
        }
        let (key, document) = match (content.document(), content) {
            (None, _) => {
                self.blank += 1;
                return;
            }
            (Some(Err((key, rejection))), _) => (key, Err(rejection)),
            (Some(Ok(document)), content) => {
                let text = if let Content::Text(text) = content { text } else { b"" };
                (document.said_key(), Ok(Line::new(document, text)))
            }
        };
        self.entries.push(Entry { file: file.clone(), line, key, document });
    }
}

/// Takes and prints until the reading thread has no more.
fn commit_all(
    journal: &mut Access<'_>,
    batches: &Receiver<Result<Batch, Trouble>>,
    counts: &mut Counts,
    out: &mut Output,
) -> Result<(), Trouble> {
    let mut before: Option<Underway> = None;
    loop {
        let next = if before.is_some() { batches.try_recv().ok() } else { batches.recv().ok() };
        let Some(next) = next else {
            // Nothing more is here yet: now those before need not wait any longer.
            let Some(underway) = before.take() else { return Ok(()) };
            finish(underway, counts, out)?;
            continue;
        };
        let (mut batch, mut failed) = match next {
            Ok(batch) => (batch, None),
            Err(trouble) => (Batch::default(), Some(trouble)),
        };
        // What was read meanwhile shares the commit group.
        while batch.entries.len() < MAX_GROUP && batch.bytes < BATCH_BYTES && failed.is_none() {
            match batches.try_recv() {
                Ok(Ok(more)) => {
                    batch.entries.extend(more.entries);
                    batch.bytes += more.bytes;
                    batch.blank += more.blank;
                }
                Ok(Err(trouble)) => failed = Some(trouble),
                Err(_) => break,
            }
        }
        counts.blank += batch.blank;
        let underway = begin(journal, batch.entries);
        if let Some(earlier) = before.take() {
            finish(earlier, counts, out)?;
        }
        let underway = underway?;
        match (failed, &underway.documents) {
            (None, Some(Taking::Begun(_))) => before = Some(underway),
            (None, _) => finish(underway, counts, out)?,
            (Some(trouble), _) => {
                finish(underway, counts, out)?;
                return Err(trouble);
            }
        }
    }
}

/// Lines with what refused them, and the documents of the others on their way.
struct Underway {
    lines: Vec<Waiting>,
    documents: Option<Taking>,
}

/// A line whose answer is not printed yet.
struct Waiting {
    file: Option<Arc<str>>,
    line: u64,
    key: Option<String>,
    refused: Option<Rejection>,
}

fn begin(journal: &mut Access<'_>, entries: Vec<Entry>) -> Result<Underway, Trouble> {
    let mut documents = Vec::with_capacity(entries.len());
    let mut lines = Vec::with_capacity(entries.len());
    for entry in entries {
        let refused = match entry.document {
            Ok(document) => {
                documents.push(document);
                None
            }
            Err(rejection) => Some(rejection),
        };
        lines.push(Waiting { file: entry.file, line: entry.line, key: entry.key, refused });
    }
    let documents = if documents.is_empty() { None } else { Some(journal.take_all(documents)?) };
    Ok(Underway { lines, documents })
}

/// Waits until a batch is safe, and prints what became of it.
fn finish(underway: Underway, counts: &mut Counts, out: &mut Output) -> Result<(), Trouble> {
    let mut tickets = underway.documents.map_or_else(Vec::new, Taking::wait).into_iter();
    for Waiting { file, line, key, refused } in underway.lines {
        let result = match refused {
            Some(rejection) => Err(rejection),
            None => match tickets.next() {
                Some(result) => result.map_err(|error| counts.rejection(error)),
                None => Err(Rejection::new("journal", "the journal gave no answer: not taken, try again")),
            },
        };
        match result {
            Ok(ticket) => {
                counts.taken += 1;
                counts.duplicate += u64::from(ticket.duplicate);
                print_taken(ticket, line, file.as_deref(), out)?;
            }
            Err(rejection) => {
                counts.refused += 1;
                print_refused(rejection, key, line, file.as_deref(), out)?;
            }
        }
    }
    out.flush()
}

impl Counts {
    /// An error of the queue as a line is refused with; trouble of the journal is remembered.
    fn rejection(&mut self, error: Error) -> Rejection {
        match error {
            Error::Rejected(rejection) => {
                if rejection.code == "journal" {
                    self.journal.get_or_insert_with(|| rejection.message.clone());
                }
                rejection
            }
            other => {
                let why = super::trouble_of(other).message;
                self.journal.get_or_insert_with(|| why.clone());
                Rejection::new("journal", format!("not taken, try again: {why}"))
            }
        }
    }

    fn summary(&self) -> String {
        let mut text = format!("{} taken", self.taken);
        for (count, what) in [(self.duplicate, "of them known already"), (self.refused, "refused")] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        match self.blank {
            0 => {}
            1 => text.push_str(", 1 blank line skipped"),
            n => {
                let _ = write!(text, ", {n} blank lines skipped");
            }
        }
        text
    }
}

fn print_taken(ticket: Ticket, line: u64, file: Option<&str>, out: &mut Output) -> Result<(), Trouble> {
    if out.is_json() {
        return out.object(&Taken::new(ticket, Some(line), file));
    }
    let Ticket { key, state, duplicate, .. } = ticket;
    let word = if duplicate { "known" } else { "taken" };
    out.line(format_args!("{word}    {key}  {state}"))
}

fn print_refused(
    rejection: Rejection,
    key: Option<String>,
    line: u64,
    file: Option<&str>,
    out: &mut Output,
) -> Result<(), Trouble> {
    let Rejection { code, message, violations } = rejection;
    if out.is_json() {
        let error = ErrorView { code: code.to_owned(), message, violations };
        return out.object(&NotTaken { key, line: Some(line), file: file.map(str::to_owned), error });
    }
    let mut text = String::from("refused  ");
    if let Some(file) = file {
        let _ = write!(text, "{file} ");
    }
    let _ = write!(text, "line {line}");
    if let Some(key) = key {
        let _ = write!(text, "  {key}");
    }
    let _ = write!(text, "  {code}: {message}");
    for violation in violations {
        let _ = write!(text, "; {violation}");
    }
    out.line(plain(&text))
}
