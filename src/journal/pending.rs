//! A transaction on its way to the writer's thread, and the answer on its way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use super::error::{JournalError, Result, panic_words};
use super::shared::{Job, Verdict};
use super::transaction::Transaction;

/// A transaction handed over.
#[must_use = "what it recorded is durable only once it was waited for"]
pub struct Pending<T, E> {
    receiver: mpsc::Receiver<Result<Result<T, E>>>,
}

impl<T, E> Pending<T, E> {
    /// Waits until what it recorded is durable.
    ///
    /// # Errors
    /// As [`Journal::transact`].
    pub fn wait(self) -> Result<Result<T, E>, JournalError> {
        self.receiver.recv().unwrap_or(Err(JournalError::Closed))
    }
}

/// A transaction for someone who waits.
pub(super) fn awaited<T, E>(
    f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
) -> (Job, Pending<T, E>)
where
    T: Send + 'static,
    E: Send + 'static,
{
    let (sender, receiver) = mpsc::sync_channel(1);
    // Whoever no longer waits needs no answer: a failed send is nothing.
    (job(f, move |answer| drop(sender.send(answer))), Pending { receiver })
}

/// A transaction, and what is called with its answer.
pub(super) fn job<T, E>(
    f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    then: impl FnOnce(Result<Result<T, E>>) + Send + 'static,
) -> Job
where
    T: Send + 'static,
    E: Send + 'static,
{
    Box::new(move |turn| {
        let transaction = match turn {
            Ok(transaction) => transaction,
            Err(error) => {
                then(Err(error));
                return None;
            }
        };
        match catch_unwind(AssertUnwindSafe(|| f(transaction))) {
            Ok(result) => {
                let keep = result.is_ok();
                let answer = move |fate: Result<()>| then(fate.map(|()| result));
                Some(Verdict { keep, answer: Box::new(answer) })
            }
            Err(panic) => {
                then(Err(JournalError::Panicked(panic_words(&*panic))));
                None
            }
        }
    })
}
