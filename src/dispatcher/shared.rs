//! What every task of the dispatcher needs: the queue, the settings, and ways to the journal from async code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio::sync::{RwLock, mpsc, oneshot};

use super::lane::Lanes;
use super::settings::Settings;
use super::wire::Wire;
use crate::clock::Clock;
use crate::domain::event::DocEvent;
use crate::domain::id::{AccountName, DocId};
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::{JournalError, Transaction, View};
use crate::queue::{Companies, Queue};

/// A provider took a document. Its lane and its place among the requests are free from now on: what is sent next on the
/// lane is journaled after this outcome, so it cannot leave before this outcome is durable.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: DocId,
    pub(super) clock_skew_ms: Option<i64>,
    /// When it has to be looked at again.
    pub(super) due_at: Option<DateTime<Utc>>,
}

/// What every task needs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) settings: Arc<Settings>,
    pub(super) wire: Arc<Wire>,
    /// To the engine, as soon as the outcome was handed to the journal.
    taken: mpsc::UnboundedSender<Taken>,
    /// Facts that tasks of this dispatcher have recorded.
    own: Arc<AtomicU64>,
    /// Shared by the reads that are under way.
    reads: Arc<RwLock<()>>,
    /// The accounts of one company, by each of them.
    companies: Arc<Companies>,
    pub(super) lanes: Arc<Lanes>,
}

impl Shared {
    pub(super) fn new(queue: Queue, settings: Settings) -> Result<(Shared, mpsc::UnboundedReceiver<Taken>), Error> {
        let (taken, told) = mpsc::unbounded_channel();
        let wire = Arc::new(Wire::new(settings.in_flight));
        let (own, reads) = (Arc::default(), Arc::default());
        let companies = queue.accounts().companies(queue.journal())?.clone();
        let lanes = Arc::new(Lanes::new(queue.accounts().iter().map(|account| &**account)));
        Ok((Shared { queue, settings: Arc::new(settings), wire, taken, own, reads, companies, lanes }, told))
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.queue.clock().now()
    }

    /// Time that only goes forward.
    pub(super) fn ticks(&self) -> Duration {
        self.queue.clock().monotonic()
    }

    /// An account and the others of the same company: their ids at the provider are one another's.
    pub(super) fn company(&self, account: &AccountName) -> Arc<[AccountName]> {
        self.companies.of(account)
    }

    /// Of a document's account; nobody for one that has none.
    pub(super) fn company_of(&self, progress: &Progress) -> Arc<[AccountName]> {
        progress.account.as_ref().map_or_else(|| Arc::from([]), |account| self.company(account))
    }

    /// Tells the engine at once that a document was taken. Its outcome must be handed over already.
    pub(super) fn tell(&self, taken: Taken) {
        // Nobody listens only where the dispatcher is gone.
        let _ = self.taken.send(taken);
    }

    /// How many of the facts up to `seq`, the last that was told of, others than this dispatcher's tasks recorded (plus
    /// what was there before). Never too many, and right as soon as the
    /// writer has told of its last group: it counts ours before.
    pub(super) fn foreign(&self, seq: u64) -> i64 {
        seq.wrapping_sub(self.own.load(Ordering::Acquire)).cast_signed()
    }

    /// Hands events of a document over, to be recorded if it is still in `expected`; what this returns tells whether it was.
    pub(super) fn record(
        &self,
        id: DocId,
        expected: State,
        events: Vec<DocEvent>,
    ) -> impl Future<Output = Result<bool, Error>> + Send + use<> {
        self.hand_over(move |txn| record(txn, id, expected, events))
    }

    /// Hands a transaction to the journal now, after all that were handed over before; what this returns is ready when it
    /// is durable, and need not be waited for. No thread waits meanwhile.
    pub(super) fn hand_over<T, F>(&self, act: F) -> impl Future<Output = Result<T, Error>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    {
        let still = self.queue.clock().stand_still();
        let (tell, told) = oneshot::channel();
        let own = Arc::clone(&self.own);
        let wakes = self.queue.journal().lay_down(
            move |txn| act(txn).map(|done| (done, txn.recorded())),
            move |answer: Result<Result<(T, u64), Error>, JournalError>| {
                let answer = answer.map_err(Error::from).flatten().map(|(done, recorded)| {
                    own.fetch_add(recorded, Ordering::AcqRel);
                    done
                });
                drop(tell.send(answer)); // whoever no longer waits needs no answer
            },
        );
        // Those who can go on now may hand over too: to wake the writer costs more than all else about it.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { drop(wakes) })), // after them
            Err(_) => drop(wakes),
        }
        async move {
            let answer = told.await.unwrap_or(Err(Error::Journal(JournalError::Closed)));
            drop(still);
            answer
        }
    }

    /// Waits for the reads that are under way: they go on when the tasks that asked for them are gone.
    pub(super) async fn reads_end(&self) {
        drop(self.reads.write().await);
    }

    /// A read that may touch the disk, from async code.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Queue) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (queue, under_way) = (self.queue.clone(), Arc::clone(&self.reads).read_owned().await);
        let work = move || {
            let read = look(&queue);
            drop((queue, under_way)); // in this order: who has ended holds no journal
            read
        };
        let joined = tokio::task::spawn_blocking(work).await;
        joined.map_err(|error| Error::Dispatcher(format!("a journal task ended: {error}")))?
    }
}

/// Records one event of a document, if it is still in `expected`; tells whether it was.
pub(super) fn record(
    txn: &mut Transaction<'_>,
    id: DocId,
    expected: State,
    events: Vec<DocEvent>,
) -> Result<bool, Error> {
    match txn.progress(id)? {
        Some(progress) if progress.state == expected => {}
        _ => return Ok(false),
    }
    for event in events {
        txn.record(id, event)?;
    }
    Ok(true)
}
