//! What every task of the dispatcher needs: the queue, the settings, and ways to the journal from async code.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::settings::Settings;
use crate::clock::Clock;
use crate::domain::event::DocEvent;
use crate::domain::id::DocId;
use crate::domain::state::State;
use crate::error::Error;
use crate::journal::View;
use crate::queue::Queue;

/// What every task needs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) settings: Arc<Settings>,
}

impl Shared {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.queue.clock().now()
    }

    /// Time that only goes forward.
    pub(super) fn ticks(&self) -> Duration {
        self.queue.clock().monotonic()
    }

    /// Journals one event of a document, if it is still in `expected`; tells whether it was.
    pub(super) async fn record(&self, id: DocId, expected: State, events: Vec<DocEvent>) -> Result<bool, Error> {
        self.transact(move |txn| {
            match txn.progress(id)? {
                Some(progress) if progress.state == expected => {}
                _ => return Ok(false),
            }
            for event in events {
                txn.record(id, event)?;
            }
            Ok(true)
        })
        .await
    }

    /// A transaction from async code. The wait is on a blocking thread: the journal knows no runtime.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut crate::journal::Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let queue = self.queue.clone();
        let joined = tokio::task::spawn_blocking(move || queue.journal().transact(act)).await;
        joined.map_err(|error| Error::Dispatcher(format!("a journal task ended: {error}")))??
    }

    /// A read that may touch the disk, from async code.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Queue) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let queue = self.queue.clone();
        let joined = tokio::task::spawn_blocking(move || look(&queue)).await;
        joined.map_err(|error| Error::Dispatcher(format!("a journal task ended: {error}")))?
    }
}
