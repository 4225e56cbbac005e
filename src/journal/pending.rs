//! A transaction on its way to the writer's thread, and the answer on its way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::error::{JournalError, Result, panic_words};
use super::gate::Gate;
use super::shared::{Job, Verdict, lock};
use super::transaction::Transaction;

/// Where the answer of a transaction will be.
type Place<T, E> = Arc<Slot<Result<Result<T, E>>>>;

/// A transaction handed over.
#[must_use = "what it recorded is durable only once it was waited for"]
pub struct Pending<T, E> {
    pub(super) slot: Place<T, E>,
    /// Opens when the answer is there, or soon before; none where it is there already.
    pub(super) gate: Option<Arc<Gate>>,
}

impl<T, E> Pending<T, E> {
    /// Waits until what it recorded is durable.
    ///
    /// # Errors
    /// As [`transact`](super::Journal::transact).
    pub fn wait(self) -> Result<Result<T, E>, JournalError> {
        if let Some(gate) = self.gate {
            gate.wait();
        }
        self.slot.wait().unwrap_or(Err(JournalError::Closed))
    }
}

/// Where one answer is left. A channel would do, at three times the cost; with many tills that is felt.
pub(super) struct Slot<T> {
    state: Mutex<Answer<T>>,
    there: Condvar,
}

struct Answer<T> {
    value: Option<T>,
    /// Nobody will leave one any more.
    over: bool,
    /// Whoever wants it went through the gate and found nothing yet.
    wanted: bool,
}

impl<T> Slot<T> {
    fn wait(&self) -> Option<T> {
        let open = |state: &mut Answer<T>| {
            state.wanted = !state.over;
            state.wanted
        };
        self.there.wait_while(lock(&self.state), open).unwrap_or_else(PoisonError::into_inner).value.take()
    }
}

/// The right to leave an answer; dropped without one it says that none will come.
struct Promise<T>(Option<Arc<Slot<T>>>);

impl<T> Promise<T> {
    fn keep(mut self, value: T) {
        self.end(Some(value));
    }

    fn end(&mut self, value: Option<T>) {
        let Some(slot) = self.0.take() else { return };
        let mut state = lock(&slot.state);
        (state.value, state.over) = (value, true);
        let wanted = state.wanted;
        drop(state);
        if wanted {
            slot.there.notify_one();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// A transaction for someone who waits, and where its answer will be.
pub(super) fn awaited<T, E>(f: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static) -> (Job, Place<T, E>)
where
    T: Send + 'static,
    E: Send + 'static,
{
    let state = Mutex::new(Answer { value: None, over: false, wanted: false });
    let slot = Arc::new(Slot { state, there: Condvar::new() });
    let promise = Promise(Some(slot.clone()));
    (job(f, move |answer| promise.keep(answer)), slot)
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// What does not come is a failure, not a test without end.
    const LONGEST: Duration = Duration::from_secs(20);

    fn answer(pending: Pending<(), JournalError>) -> Result<Result<(), JournalError>> {
        let (send, told) = mpsc::channel();
        std::thread::spawn(move || send.send(pending.wait()));
        told.recv_timeout(LONGEST).expect("an answer")
    }

    fn alone() -> (Job, Pending<(), JournalError>) {
        let (job, slot) = awaited(|_| Ok::<(), JournalError>(()));
        (job, Pending { slot, gate: None })
    }

    #[test]
    fn a_transaction_that_is_dropped_says_that_no_answer_will_come() {
        let (job, pending) = alone();
        drop(job);
        assert!(matches!(answer(pending), Err(JournalError::Closed)));
        let (job, pending) = alone();
        assert!(job(Err(JournalError::Full { why: "no room".to_owned() })).is_none());
        assert!(matches!(answer(pending), Err(JournalError::Full { .. })));
    }

    #[test]
    fn who_finds_the_gate_open_and_no_answer_is_told_by_itself() {
        let (job, pending) = alone();
        let slot = pending.slot.clone();
        let (went, told) = mpsc::channel();
        std::thread::spawn(move || went.send(pending.wait()));
        let says_so = |_| {
            std::thread::yield_now();
            lock(&slot.state).wanted
        };
        assert!((0..10_000_000).any(says_so), "it says that it waits");
        drop(job);
        assert!(matches!(told.recv_timeout(LONGEST), Ok(Err(JournalError::Closed))));
    }
}
