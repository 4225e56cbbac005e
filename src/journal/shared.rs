//! What the writer and everybody else share.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::ThreadId;
use std::time::Duration;

use uuid::Uuid;

use super::error::{JournalError, Result};
use super::files::Files;
use super::layers::Layers;
use super::reader::Segments;
use super::transaction::Transaction;
use crate::clock::Clock;
use crate::domain::limits::MAX_GROUP;

/// What a transaction came to: whether to keep what it recorded, and whom to tell when that is durable.
pub(crate) struct Verdict {
    pub keep: bool,
    pub answer: Box<dyn FnOnce(Result<()>) + Send>,
}

/// A transaction that waits for its turn; called with an error when it will get none.
pub(crate) type Job = Box<dyn FnOnce(Result<&mut Transaction<'_>>) -> Option<Verdict> + Send>;

/// Called after each commit group with the last sequence number.
pub(crate) type Callback = Arc<dyn Fn(u64) + Send + Sync>;

/// Transactions that may wait; beyond it producers wait to hand theirs over.
const MAX_WAITING: usize = 4 * MAX_GROUP;

#[derive(Default)]
pub(crate) struct Queue {
    jobs: VecDeque<Job>,
    /// The writer sleeps until so many wait: to wake it for each would cost more than the rest of a transaction.
    wanted: usize,
    stop: bool,
}

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
    queue: Mutex<Queue>,
    changed: Condvar,
    pub writer: Mutex<Option<ThreadId>>,
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
            queue: Mutex::default(),
            changed: Condvar::new(),
            writer: Mutex::new(None),
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
        *lock(&self.writer) == Some(std::thread::current().id())
    }

    /// Hands transactions over, together as far as there is room; waits while too many wait already.
    pub fn submit(&self, jobs: impl IntoIterator<Item = Job>) {
        let on_writer_thread = self.on_writer_thread();
        let mut queue = lock(&self.queue);
        for job in jobs {
            while queue.jobs.len() >= MAX_WAITING && !queue.stop && !on_writer_thread {
                self.changed.notify_all(); // of those handed over so far
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            if queue.stop {
                drop(queue);
                job(Err(JournalError::Closed));
                queue = lock(&self.queue);
            } else {
                queue.jobs.push_back(job);
            }
        }
        let enough = queue.jobs.len() >= queue.wanted;
        drop(queue);
        if enough {
            self.changed.notify_all();
        }
    }

    /// Takes up to `max` transactions, waiting for one; none when it is time to stop.
    pub fn take_jobs(&self, max: usize, wait: bool) -> VecDeque<Job> {
        let mut queue = lock(&self.queue);
        queue.wanted = 1;
        while wait && queue.jobs.is_empty() && !queue.stop {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        self.drain(queue, max)
    }

    /// Takes up to `max` transactions, waiting for `wanted`, but not longer than `patience`.
    pub fn take_more(&self, max: usize, wanted: usize, patience: Duration) -> VecDeque<Job> {
        let mut queue = lock(&self.queue);
        if queue.jobs.len() < wanted && !patience.is_zero() {
            queue.wanted = wanted;
            let few = |queue: &mut Queue| queue.jobs.len() < wanted && !queue.stop;
            let waited = self.changed.wait_timeout_while(queue, patience, few);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.drain(queue, max)
    }

    fn drain(&self, mut queue: MutexGuard<'_, Queue>, max: usize) -> VecDeque<Job> {
        queue.wanted = usize::MAX; // it is awake
        let count = queue.jobs.len().min(max);
        let jobs = queue.jobs.drain(..count).collect();
        drop(queue);
        self.changed.notify_all();
        jobs
    }

    /// Transactions that wait.
    pub fn waiting(&self) -> usize {
        lock(&self.queue).jobs.len()
    }

    /// Whether it takes no more transactions.
    pub fn is_stopping(&self) -> bool {
        lock(&self.queue).stop
    }

    /// Takes no more transactions; those that wait are still done.
    pub fn stop(&self) {
        lock(&self.queue).stop = true;
        self.changed.notify_all();
    }
}
