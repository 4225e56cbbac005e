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
//! **Files** (folder 0700, files 0600): `segments/*.seg` the facts; `archives/*.arc` those of them that were archived,
//! `archives/*.idx` what the index says of those;
//! `checkpoint` a witness of how far they were durable;
//! `index/` the view, may be deleted when nobody has the journal open; `reserve` room kept aside; `lock`. Segments but the
//! newest never change: a backup copies `segments/` (the newest one last), then `archives/`, and needs nothing else.
//!
//! **Not covered**: a drive that reports as durable what it only holds in a volatile cache.

mod apply;
mod archive;
mod archiving;
mod blocks;
mod chain;
mod checkpoint;
mod durable;
mod error;
mod files;
mod filter;
mod folders;
mod gate;
mod handle;
mod heads;
mod index;
mod keys;
mod layers;
mod line;
mod live;
mod merge;
mod near;
mod note;
mod options;
mod packed;
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
mod resolve;
mod salvage;
mod seal;
mod sealed;
mod segment;
mod shared;
mod stored;
mod sums;
mod table;
mod tabling;
mod top;
mod transaction;
mod verify;
mod view;
mod writer;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

pub use self::archiving::{Archived, Unsound};
use self::durable::Live;
pub use self::error::JournalError;
pub use self::files::{File, Files, RealFiles};
use self::handle::{Handle, finish, take_lock};
pub use self::options::{Options, Recovery};
pub use self::pending::Pending;
use self::pending::{awaited, job};
pub use self::shared::Stats;
use self::shared::lock;
pub(crate) use self::transaction::Ready;
pub use self::transaction::Transaction;
pub use self::verify::{Damage, Found, Report, read_all, verify};
pub use self::view::{Filter, Group, Recorded, View};
use crate::domain::state::State;

/// An open journal. Clones are the same journal; when the last one goes it is closed.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

/// Wakes the writer when it is dropped.
#[must_use]
pub(crate) struct Wakes(Journal);

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.handle.shared.line.wake();
    }
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
        let (job, slot) = awaited(f);
        let gate = self.handle.shared.submit([job]);
        Pending { slot, gate }
    }

    /// Begins many, one after the other with nothing between: as far as they fit they share a flush.
    pub(crate) fn begin_all<T, E, F>(&self, all: impl IntoIterator<Item = F>) -> Vec<Pending<T, E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (jobs, slots): (Vec<_>, Vec<_>) = all.into_iter().map(awaited).unzip();
        let gate = self.handle.shared.submit(jobs);
        slots.into_iter().map(|slot| Pending { slot, gate: gate.clone() }).collect()
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

    /// As [`begin_then`](Self::begin_then), but a writer that sleeps is woken only when what this returns is dropped, or by
    /// others: a thread that hands over several one after the other wakes it once.
    pub(crate) fn lay_down<T, E>(
        &self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        then: impl FnOnce(Result<Result<T, E>, JournalError>) + Send + 'static,
    ) -> Wakes
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.handle.shared.put(job(f, then));
        Wakes(self.clone())
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
