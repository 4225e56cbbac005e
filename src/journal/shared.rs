//! What the writer and everybody else share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::ThreadId;
use std::time::Duration;

use uuid::Uuid;

use super::error::{JournalError, Result};
use super::files::Files;
use super::gate::Gate;
use super::layers::Layers;
use super::line::Line;
use super::reader::Segments;
use super::transaction::Transaction;
use crate::clock::Clock;

/// What a transaction came to: whether to keep what it recorded, and whom to tell when that is durable.
pub(crate) struct Verdict {
    pub keep: bool,
    pub answer: Box<dyn FnOnce(Result<()>) + Send>,
}

/// A transaction that waits for its turn; called with an error when it will get none.
pub(crate) type Job = Box<dyn FnOnce(Result<&mut Transaction<'_>>) -> Option<Verdict> + Send>;

/// Called after each commit group with the last sequence number.
pub(crate) type Callback = Arc<dyn Fn(u64) + Send + Sync>;

/// Numbers for people who watch the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes of all segments but the archived.
    pub journal_bytes: u64,
    /// Segments but the archived.
    pub segments: u64,
    /// The last sequence number.
    pub last_seq: u64,
    /// Commit groups since the journal was opened: each is one write and one flush.
    pub flushes: u64,
    /// How long the last write and flush took.
    pub last_flush: Duration,
    /// And all of them together.
    pub total_flush: Duration,
    /// Bytes written to segments since the journal was opened.
    pub written_bytes: u64,
    /// Index entries not yet in the index's files.
    pub index_pending: usize,
    /// Whether the disk was full when last looked at.
    pub full: bool,
    /// Whether the journal takes nothing more until it is opened again.
    pub poisoned: bool,
}

pub(crate) struct Shared {
    pub dir: PathBuf,
    pub id: Uuid,
    pub files: Arc<dyn Files>,
    pub clock: Arc<dyn Clock>,
    pub segments: Segments,
    pub layers: Layers,
    pub last_seq: AtomicU64,
    pub stats: Mutex<Stats>,
    pub callbacks: RwLock<Vec<Callback>>,
    /// Held while the journal in use is verified: one at a time.
    pub verifying: Mutex<()>,
    /// Held while archiving: one at a time, and the journal's lock is not given back before it is done.
    pub archiving: Mutex<()>,
    /// The newest segment is to be sealed although it is short.
    pub seal_wanted: AtomicBool,
    poisoned: Mutex<Option<String>>,
    is_poisoned: AtomicBool,
    pub line: Line,
    /// The writer's thread, once it is begun.
    pub writer: OnceLock<ThreadId>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn new(
        dir: PathBuf,
        files: Arc<dyn Files>,
        clock: Arc<dyn Clock>,
        id: Uuid,
        segments: Segments,
        layers: Layers,
    ) -> Shared {
        Shared {
            dir,
            id,
            files,
            clock,
            segments,
            layers,
            last_seq: AtomicU64::new(0),
            stats: Mutex::default(),
            callbacks: RwLock::default(),
            verifying: Mutex::default(),
            archiving: Mutex::default(),
            seal_wanted: AtomicBool::new(false),
            poisoned: Mutex::new(None),
            is_poisoned: AtomicBool::new(false),
            line: Line::default(),
            writer: OnceLock::new(),
        }
    }

    /// Nothing more is written.
    pub fn poison(&self, error: &JournalError) {
        tracing::error!(%error, "the journal takes nothing more until it is opened again");
        lock(&self.poisoned).get_or_insert_with(|| error.to_string());
        self.is_poisoned.store(true, Ordering::Release);
    }

    pub fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::Acquire)
    }

    /// The error for those who come after a failure.
    pub fn poisoned(&self) -> Option<JournalError> {
        if !self.is_poisoned() {
            return None;
        }
        lock(&self.poisoned).clone().map(|why| JournalError::Poisoned { why })
    }

    pub fn on_writer_thread(&self) -> bool {
        self.writer.get() == Some(&std::thread::current().id())
    }

    /// Hands transactions over, together as far as there is room; waits while too many wait already. Where to wait for what
    /// becomes of them, if any was taken.
    pub fn submit(&self, jobs: impl IntoIterator<Item = Job>) -> Option<Arc<Gate>> {
        self.line.submit(jobs, self.on_writer_thread())
    }

    /// Hands one over without waking the writer: [`Line::wake`] must follow.
    pub fn put(&self, job: Job) {
        self.line.put(job, self.on_writer_thread());
    }
}
