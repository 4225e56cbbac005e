//! The journal: every fact, in order, safe from kill, power cut, full disk and damage. Synchronous, no runtime needed.
//!
//! **What is promised**
//! 1. When [`Journal::transact`] returns, what it recorded is durable: written, flushed with `fdatasync`, in a file whose
//!    name is durable. A crash keeps all of a transaction or none of it.
//! 2. Facts are never changed or removed. Each record has a checksum and the SHA-256 of the one before: a flipped bit, a
//!    record removed, repeated or moved is found by [`verify`].
//! 3. A commit group is written only after the one before it is durable. So only the last group can be torn by a crash,
//!    and it was never acknowledged: it is cut, whole, when the journal is opened, and reported once. Anything else that is
//!    not as it should be is damage: the journal does not open and says where. What can not be told from a torn tail is
//!    damage to the very last group after a crash; a clean stop and each open seal what came before.
//! 4. The index is a view. Missing, damaged or not to be trusted, it is rebuilt from the facts.
//! 5. After a failed or doubtful write nothing more is written until the journal is opened again. A full disk is no such
//!    doubt: what was begun is cut off, new documents are refused, and with the room of a reserve file what becomes of
//!    the others is still recorded.
//! 6. Order comes from sequence numbers. The clock's time is written down and decides nothing.
//!
//! **Files** (folder 0700, files 0600): `segments/*.seg` the facts; `checkpoint` a witness of how far they were durable;
//! `index/` the view, may be deleted when nobody has the journal open; `reserve` room kept aside; `lock`. Segments but the
//! newest never change: a backup copies `segments/` (the newest one last) and needs nothing else.
//!
//! **Not covered**: a drive that reports as durable what it only holds in a volatile cache.

mod apply;
mod blocks;
mod chain;
mod checkpoint;
mod error;
mod files;
mod folders;
mod heads;
mod index;
mod keys;
mod layers;
mod live;
mod merge;
mod note;
mod pending;
mod place;
#[doc(hidden)]
pub mod raw;
mod reader;
mod record;
mod recovery;
mod redo;
mod replay;
mod reserve;
mod salvage;
mod seal;
mod segment;
mod shared;
mod stored;
mod sums;
mod transaction;
mod verify;
mod view;
mod writer;

use std::any::Any;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use uuid::Uuid;

use self::apply::{Entries, Pair};
pub use self::error::JournalError;
use self::error::{Result, panic_words};
pub use self::files::{File, Files, RealFiles};
pub use self::pending::Pending;
use self::pending::{awaited, job};
use self::record::Position;
pub use self::shared::Stats;
use self::shared::{Shared, lock};
pub use self::transaction::Transaction;
pub use self::verify::{Damage, Found, Report, read_all, verify};
use self::view::source::Source;
pub use self::view::{Filter, Group, Recorded, View};
use self::writer::Writer;
use crate::clock::{Clock, SystemClock};
use crate::domain::event::Entry;
use crate::domain::id::DocId;
use crate::domain::limits::{RESERVE_BYTES, SEGMENT_BYTES};
use crate::domain::state::State;

/// How to open a journal.
#[derive(Clone)]
pub struct Options {
    /// The clock whose time is written down.
    pub clock: Arc<dyn Clock>,
    /// The file system that holds the journal (the index's files are always on the machine's own).
    pub files: Arc<dyn Files>,
    /// Bytes after which a segment is sealed and a new one begun.
    pub segment_bytes: u64,
    /// Bytes of disk kept aside for what becomes of documents already taken when the disk is full.
    pub reserve_bytes: u64,
    /// Changed index entries that are kept in memory before they go to the index's files together. More is fewer bytes
    /// written, more memory, and more records read again after a kill.
    pub index_batch: usize,
    /// Keeps the index in memory: every open reads the whole journal, and memory grows with it. For tests and repairs.
    pub index_in_memory: bool,
    /// What this process does with the journal, for those who find it locked: `run`. May be empty.
    pub role: &'static str,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Arc::new(SystemClock),
            files: Arc::new(RealFiles),
            segment_bytes: SEGMENT_BYTES,
            reserve_bytes: RESERVE_BYTES,
            index_batch: 48 * 1024,
            index_in_memory: false,
            role: "",
        }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The journal was made now.
    pub created: bool,
    /// The last process closed it in good order.
    pub clean: bool,
    /// Bytes of a torn tail that were cut; they had never been acknowledged.
    pub cut: u64,
    /// Records read again to bring the index up.
    pub replayed: u64,
    /// Why the index was rebuilt, if it was.
    pub rebuilt: Option<String>,
    /// Documents found `sending`: nobody knows what became of them.
    pub interrupted: Vec<DocId>,
}

/// An open journal. Clones are the same journal; when the last one goes it is closed.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl Journal {
    /// Opens the journal in `dir`, or makes one there.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another process has it open; [`JournalError::Damaged`] when it is; [`JournalError::Version`]
    /// when a newer program wrote it; [`JournalError::Io`], [`JournalError::Full`] as the system says.
    pub fn open(dir: &Path, options: Options) -> Result<(Journal, Recovery), JournalError> {
        let guard = take_lock(dir, &*options.files, options.role)?;
        let recovery::Brought { writer, flusher, mut recovery } = recovery::open(dir, &options)?;
        let shared = writer.shared.clone();
        recovery.interrupted = Live(&shared).in_state(State::Sending, None, usize::MAX)?;
        let thread = std::thread::Builder::new().name("journal-writer".to_owned());
        let writer = thread
            .spawn(move || finish(writer.run(), flusher, guard))
            .map_err(|error| JournalError::io("start a thread for", dir, error))?;
        Ok((Journal { handle: Arc::new(Handle { shared, writer: Mutex::new(Some(writer)) }) }, recovery))
    }

    /// Runs `f` on the writer's thread, after every transaction handed over before, and returns when what it recorded is
    /// durable. When `f` returns an error nothing of it is recorded. An answer that rests on what others recorded in
    /// the same commit group waits until that is durable too.
    ///
    /// # Errors
    /// The outer error: nothing was recorded, or after [`JournalError::Poisoned`] or [`JournalError::Io`]: nobody knows
    /// until the journal is opened again. The inner one is what `f` returned.
    pub fn transact<T, E>(
        &self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, JournalError>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        if self.handle.shared.on_writer_thread() {
            return Err(JournalError::Nested);
        }
        self.begin(f).wait()
    }

    /// Hands `f` over like [`transact`](Self::transact) without waiting for it: transactions handed over together share
    /// commit groups. Blocks only while very many wait already.
    pub fn begin<T, E>(&self, f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static) -> Pending<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (job, pending) = awaited(f);
        self.handle.shared.submit([job]);
        pending
    }

    /// Begins many, one after the other with nothing between: as far as they fit they share a flush.
    pub(crate) fn begin_all<T, E, F>(&self, all: impl IntoIterator<Item = F>) -> Vec<Pending<T, E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (jobs, pending): (Vec<_>, Vec<_>) = all.into_iter().map(awaited).unzip();
        self.handle.shared.submit(jobs);
        pending
    }

    /// As [`begin`](Self::begin), and hands to `then` what [`transact`](Self::transact) would return. On the writer's
    /// thread: `then` must be short, and must not wait for a transaction.
    pub fn begin_then<T, E>(
        &self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        then: impl FnOnce(Result<Result<T, E>, JournalError>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.handle.shared.submit([job(f, then)]);
    }

    /// Calls `f` after each commit group, when it is durable and visible, with the last sequence number. On the writer's
    /// thread: `f` must be short, and must not wait for a transaction.
    pub fn on_commit(&self, f: impl Fn(u64) + Send + Sync + 'static) {
        self.handle.shared.callbacks.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(f));
    }

    /// The journal's own name, made with it.
    pub fn id(&self) -> Uuid {
        self.handle.shared.id
    }

    /// The sequence number of the last durable record.
    pub fn last_seq(&self) -> u64 {
        self.handle.shared.last_seq.load(Ordering::Acquire)
    }

    /// Whether a write failed, so that nothing more is written until the journal is opened again.
    pub fn is_poisoned(&self) -> bool {
        self.handle.shared.is_poisoned()
    }

    /// Numbers for people who watch the journal.
    pub fn stats(&self) -> Stats {
        let shared = &self.handle.shared;
        let (stats, index_pending) = (*lock(&shared.stats), shared.layers.pending());
        Stats { last_seq: self.last_seq(), index_pending, poisoned: shared.is_poisoned(), ..stats }
    }

    /// Reads the whole journal while it is in use, as [`verify`] does one that is not: every record that is durable when
    /// this begins, the chain of hashes, whether each fact can follow, and the index against the facts. Takes as long as
    /// reading everything does; others go on meanwhile.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(&self) -> Result<Report, JournalError> {
        verify::open_journal(self)
    }

    /// Does what was handed over, closes the journal in good order and gives its lock back. Later calls find it
    /// [closed](JournalError::Closed). Happens by itself when the last clone goes.
    ///
    /// # Errors
    /// What kept it from closing in good order. Nothing acknowledged is lost by that.
    pub fn close(&self) -> Result<(), JournalError> {
        self.handle.close()
    }
}

impl Handle {
    fn close(&self) -> Result<()> {
        self.shared.stop();
        if self.shared.on_writer_thread() {
            return Ok(()); // it ends when this transaction does
        }
        // Held while waiting, so that a second caller waits too.
        let mut writer = lock(&self.writer);
        match writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(JournalError::Panicked(panic_words(&*panic))),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the journal was not closed in good order; nothing acknowledged is lost");
        }
    }
}

/// The end of the writer's thread: a clean stop, if nothing has failed.
fn finish(mut writer: Writer, flusher: JoinHandle<()>, guard: Box<dyn Any + Send + Sync>) -> Result<()> {
    let shared = writer.shared.clone();
    let sealed = match shared.poisoned() {
        None => writer.record(&Entry::Closed),
        Some(error) => Err(error),
    };
    let flushed = sealed.and_then(|()| shared.layers.flush());
    shared.layers.stop_flusher();
    let joined = flusher.join().map_err(|panic| JournalError::index(panic_words(&*panic)));
    let store = shared.layers.take_store();
    let result =
        flushed.and(joined).and_then(|()| store.map_or(Ok(()), index::Store::close)).and_then(|()| writer.mark(true));
    drop(guard);
    result
}

fn take_lock(dir: &Path, files: &dyn Files, role: &str) -> Result<Box<dyn Any + Send + Sync>> {
    files.create_dir(dir).map_err(|error| JournalError::io("make", dir, error))?;
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).map_or("?".into(), |name| name.to_string_lossy());
    let path = dir.join("lock");
    let doing = if role.is_empty() { program } else { format!("{program} {role}").into() };
    match files.lock(&path, &format!("process {} ({doing})\n", std::process::id())) {
        Ok(Ok(guard)) => Ok(guard),
        Ok(Err(holder)) => {
            let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
            Err(JournalError::Locked { path: dir.to_owned(), holder })
        }
        Err(error) => Err(JournalError::io("lock", &path, error)),
    }
}

/// The durable state.
struct Live<'a>(&'a Shared);

impl Entries for Live<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.layers.get_under(&[], key)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.0.layers.scan_under(&[], from, to, limit)
    }
}

#[allow(private_interfaces, reason = "the trait is sealed")]
impl Source for Live<'_> {
    fn entries(&self) -> &dyn Entries {
        self
    }
    fn read(&self, at: Position) -> Result<(Recorded, Position)> {
        self.0.segments.read(at)
    }
    fn read_after(&self, seq: u64, near: Option<Position>, limit: usize) -> Result<Vec<Recorded>> {
        self.0.segments.read_after(seq, self.0.last_seq.load(Ordering::Acquire), near, limit)
    }
}

impl View for Live<'_> {}

impl Entries for Journal {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Live(&self.handle.shared).get(key)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        Live(&self.handle.shared).scan(from, to, limit)
    }
}

#[allow(private_interfaces, reason = "the trait is sealed")]
impl Source for Journal {
    fn entries(&self) -> &dyn Entries {
        self
    }
    fn read(&self, at: Position) -> Result<(Recorded, Position)> {
        Live(&self.handle.shared).read(at)
    }
    fn read_after(&self, seq: u64, near: Option<Position>, limit: usize) -> Result<Vec<Recorded>> {
        Live(&self.handle.shared).read_after(seq, near, limit)
    }
}

impl View for Journal {}
