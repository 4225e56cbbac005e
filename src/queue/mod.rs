//! The queue as a till meets it: open, enqueue, look, decide. Everything here is synchronous and works from any thread,
//! with no runtime and no network; what is returned as taken is safe on disk.

mod accounts;
mod attention;
mod clocks;
mod due;
mod feed;
mod intake;
pub(crate) mod item_ids;
pub(crate) mod lines;
mod operator;
pub(crate) mod parents;
mod reading;
mod reason;
mod salvage;
mod story;
mod telling;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::domain::account::Account;
use crate::domain::event::DocEvent;
use crate::domain::id::{AccountName, DocId, Key};
use crate::domain::state::Progress;
use crate::error::Error;
use crate::journal::{self, Archived, Journal, Recovery, View};
use crate::view::DocumentView;

pub(crate) use accounts::{Accounts, Companies};
pub(crate) use intake::Begun;
pub(crate) use operator::clip;
pub use salvage::Salvage;
pub use story::Story;

/// The time-outs of a dispatcher's default settings and what it adds to them.
const GUARD: Duration = Duration::from_secs(5 + 30 + 2);

/// How a queue is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The accounts that documents may go to. May be empty: then they are assigned when a dispatcher starts.
    pub accounts: Vec<Account>,
    /// How the journal is kept.
    pub journal: journal::Options,
}

impl Default for Options {
    fn default() -> Options {
        Options { clock: Arc::new(SystemClock), accounts: Vec::new(), journal: journal::Options::default() }
    }
}

/// The durable queue. Cheap to clone; the journal closes with the last clone, or with [`Queue::close`].
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    clock: Arc<dyn Clock>,
    recovery: Recovery,
    accounts: RwLock<Accounts>,
    /// What the dispatcher learned of the providers' clocks; for `status`.
    clocks: clocks::Clocks,
    /// When the authority's password was changed last, where the configuration says so; for `status`.
    credentials: RwLock<HashMap<AccountName, chrono::NaiveDate>>,
    /// How long before the blackout nothing is sent any more; for what is said of it.
    guard: RwLock<Duration>,
    changes: watch::Receiver<u64>,
    /// A dispatcher is at work.
    dispatched: AtomicBool,
}

/// A queue's one dispatcher. Two would not know of each other's open calls.
pub(crate) struct Dispatching(Queue);

impl Drop for Dispatching {
    fn drop(&mut self) {
        self.0.inner.dispatched.store(false, Ordering::Release);
    }
}

impl Queue {
    /// Opens the queue in this folder, or makes a new one. One process at a time.
    ///
    /// # Errors
    /// When the folder cannot be used, another process holds it (it is named), or the journal is damaged (the place is named).
    pub fn open(path: impl AsRef<Path>) -> Result<Queue, Error> {
        Queue::open_with(path, Options::default())
    }

    /// Opens the queue with options.
    ///
    /// # Errors
    /// As [`Queue::open`].
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Queue, Error> {
        let journal_options = journal::Options { clock: Arc::clone(&options.clock), ..options.journal };
        let (journal, recovery) = Journal::open(path.as_ref(), journal_options)?;
        let (sender, changes) = watch::channel(journal.last_seq());
        journal.on_commit(move |seq| {
            sender.send_replace(seq);
        });
        let queue = Queue {
            inner: Arc::new(Inner {
                clocks: clocks::Clocks::of(&journal),
                journal,
                clock: options.clock,
                recovery,
                accounts: RwLock::new(options.accounts.into()),
                credentials: RwLock::default(),
                guard: RwLock::new(GUARD),
                changes,
                dispatched: AtomicBool::new(false),
            }),
        };
        queue.doubt_interrupted()?;
        Ok(queue)
    }

    /// A request that was on the wire when the process stopped may have arrived: nobody knows, so it is in doubt.
    fn doubt_interrupted(&self) -> Result<(), Error> {
        let interrupted = self.inner.recovery.interrupted.clone();
        if interrupted.is_empty() {
            return Ok(());
        }
        self.inner.journal.transact(move |txn| -> Result<(), Error> {
            for id in interrupted {
                let why = "the process stopped while sending".to_owned();
                txn.record(id, DocEvent::Unknown { why, status: None, due_at: None })?;
            }
            Ok(())
        })?
    }

    /// What opening found: a torn tail, an index that had to be rebuilt, documents that were being sent.
    pub fn recovery(&self) -> &Recovery {
        &self.inner.recovery
    }

    /// Closes the journal in good order. Later calls fail.
    ///
    /// # Errors
    /// When the last flush fails.
    pub fn close(&self) -> Result<(), Error> {
        self.inner.clocks.keep(&self.inner.journal);
        Ok(self.inner.journal.close()?)
    }

    /// Moves the sealed segments whose documents are all final, are no longer followed, and have been so for this long
    /// into compressed archives, and makes the index's files anew. Everything is still found, shown, exported and
    /// verified; keys stay taken. The queue goes on meanwhile.
    ///
    /// # Errors
    /// When the disk is full or fails. What was archived before stays so, and nothing is lost.
    pub fn archive(&self, older_than: Duration) -> Result<Archived, Error> {
        let until = TimeDelta::from_std(older_than).ok().and_then(|age| self.clock().now().checked_sub_signed(age));
        Ok(self.inner.journal.archive(until.unwrap_or(DateTime::<Utc>::MIN_UTC))?)
    }

    /// Waits until something happens to the document, and returns it as it is then. Returns at once if it is final and
    /// nothing more is asked about it (customs are still asked about a registered tax-free invoice).
    ///
    /// # Errors
    /// [`Error::UnknownKey`], or the journal's own trouble.
    pub async fn watch(&self, key: &str) -> Result<DocumentView, Error> {
        let mut changes = self.inner.changes.clone();
        let id = self.id_of(key)?;
        let before = self.journal().progress(id)?;
        loop {
            changes.borrow_and_update();
            let now = self.journal().progress(id)?;
            let over = |progress: &Progress| progress.state.is_final() && progress.due_at.is_none();
            if now != before || now.as_ref().is_some_and(over) {
                return self.get(key);
            }
            if changes.changed().await.is_err() {
                return self.get(key); // closed: nothing will change any more
            }
        }
    }

    /// For who dispatches; `None` while another does.
    pub(crate) fn claim_dispatch(&self) -> Option<Dispatching> {
        (!self.inner.dispatched.swap(true, Ordering::AcqRel)).then(|| Dispatching(self.clone()))
    }

    /// Names the accounts that documents may go to, and assigns those that had none yet.
    pub(crate) fn set_accounts(&self, accounts: Vec<Account>) -> Result<(), Error> {
        *write(&self.inner.accounts) = accounts.into();
        self.route_unrouted()
    }

    pub(crate) fn accounts(&self) -> Accounts {
        read(&self.inner.accounts).clone()
    }

    /// This account, and the others of its provider with a VAT number in common: to the provider they are one.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn of_one_company(&self, account: &AccountName) -> Result<Arc<[AccountName]>, Error> {
        self.accounts().company(self.journal(), account)
    }

    pub(crate) fn set_skew(&self, account: &AccountName, skew_ms: i64) {
        self.inner.clocks.hear(&self.inner.journal, account, skew_ms);
    }

    /// The provider's clock minus ours as it was heard last, by whichever process.
    pub(crate) fn last_skew_ms(&self, account: &AccountName) -> Option<i64> {
        self.inner.clocks.last(account)
    }

    /// Says when the authority's password of an account was changed last, for `status` and its warnings.
    pub fn set_credentials_changed(&self, account: &AccountName, on: chrono::NaiveDate) {
        write(&self.inner.credentials).insert(account.clone(), on);
    }

    /// Says how long before the blackout nothing is sent any more, because it could still be on the wire when that begins;
    /// for `status` and the reasons of documents. Without it: as long as it is with a dispatcher's default settings.
    pub fn set_guard(&self, guard: Duration) {
        *write(&self.inner.guard) = guard;
    }

    pub(crate) fn guard(&self) -> Duration {
        *read(&self.inner.guard)
    }

    pub(crate) fn credentials_changed(&self, account: &AccountName) -> Option<chrono::NaiveDate> {
        read(&self.inner.credentials).get(account).copied()
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.clone()
    }

    pub(crate) fn id_of(&self, key: &str) -> Result<DocId, Error> {
        let unknown = || Error::UnknownKey(key.to_owned());
        let parsed: Key = key.parse().map_err(|_| unknown())?;
        self.journal().find(&parsed)?.ok_or_else(unknown)
    }
}

/// A lock is poisoned only by a panic while it was held; the data behind ours are replaced whole, so they stay good.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
