//! The wire: how many requests may be at the providers at once, and how many intents are written ahead of their turn.
//! Each intent is durable before its request leaves: where the disk takes longer than a provider, the wire would wait for
//! it. Then more intents are begun than there are places, and only then: what is written ahead is in doubt after a kill.
//! What was begun and not sent is not sent any more when something speaks against it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::domain::id::DocId;

/// Intents written ahead at most, for each place.
const AHEAD: usize = 8;

/// The wire of a dispatcher.
pub(super) struct Wire {
    places: Semaphore,
    most: usize,
    ahead: AtomicUsize,
    /// Documents that were begun and whose request was not.
    waiting: Mutex<HashSet<DocId>>,
}

impl Wire {
    /// With places for so many requests.
    pub(super) fn new(most: usize) -> Wire {
        Wire {
            places: Semaphore::new(most.min(Semaphore::MAX_PERMITS)),
            most,
            ahead: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }

    /// How many intents may be written beyond the places there are.
    pub(super) fn ahead(&self) -> usize {
        self.ahead.load(Ordering::Relaxed)
    }

    /// A document's intent is about to be written.
    pub(super) fn begins(&self, id: DocId) {
        self.waiting().insert(id);
    }

    /// From now on its request may be at the provider; or there will be none.
    pub(super) fn leaves(&self, id: DocId) {
        self.waiting().remove(&id);
    }

    /// The documents whose request has certainly not begun, whatever their intents say.
    pub(super) fn not_begun(&self) -> HashSet<DocId> {
        self.waiting().clone()
    }

    /// A place for what is no submission.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok() // it is never closed
    }

    /// A place for a document whose intent took so long to be written, in turn. `ticks` tells the time.
    pub(super) async fn place_after(
        &self,
        intent: Duration,
        ticks: impl Fn() -> Duration,
    ) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            let free = self.places.available_permits() + 1;
            // All that may were begun, and there are places left: the wire waits for the disk.
            if self.waiting().len() >= self.ahead() + free {
                self.set(self.ahead() + 1);
            }
            return Some(place);
        }
        let since = ticks();
        let place = self.place().await;
        // The disk would have been fast enough had this been begun later.
        if ticks().saturating_sub(since) > intent {
            self.set(self.ahead().saturating_sub(1));
        }
        place
    }

    pub(super) fn set(&self, ahead: usize) {
        self.ahead.store(ahead.min(self.most.saturating_mul(AHEAD)), Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, HashSet<DocId>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a provider's gate was closed. What was begun before is not sent after.
#[derive(Clone, Default)]
pub(super) struct Closings(Arc<AtomicU64>);

impl Closings {
    /// Nothing is sent of what was begun until now.
    pub(super) fn close(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// A pass that is good until then.
    pub(super) fn pass(&self) -> Pass {
        Pass { seen: self.0.load(Ordering::Acquire), closings: self.clone() }
    }
}

/// Leave to send, as long as nothing speaks against it.
pub(super) struct Pass {
    closings: Closings,
    seen: u64,
}

impl Pass {
    /// Whether it is still good.
    pub(super) fn is_good(&self) -> bool {
        self.closings.0.load(Ordering::Acquire) == self.seen
    }

    /// What was learnt speaks against sending what else was begun.
    pub(super) fn close(&self) {
        self.closings.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(2);
    const LONG: Duration = Duration::from_millis(300);

    /// A wire with two places; so many documents were begun.
    fn wire(begun: u64, ahead: usize) -> Wire {
        let wire = Wire::new(2);
        (0..begun).for_each(|id| wire.begins(DocId(id)));
        wire.set(ahead);
        wire
    }

    async fn place(wire: &Wire) -> SemaphorePermit<'_> {
        wire.place_after(SHORT, || Duration::ZERO).await.unwrap()
    }

    /// A place that is only free after so long.
    async fn late(wire: &Wire, after: Duration) {
        let (one, other) = (place(wire).await, place(wire).await);
        let before = wire.ahead();
        let times = std::cell::Cell::new([Duration::ZERO, after].into_iter());
        let tell = || {
            let mut left = times.take();
            let now = left.next().unwrap();
            times.set(left);
            now
        };
        let waits = wire.place_after(SHORT, tell);
        tokio::pin!(waits);
        tokio::select! {
            biased;
            _ = &mut waits => panic!("there was no place"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(wire.ahead(), before);
        drop((one, other));
        drop(waits.await.unwrap());
    }

    #[tokio::test]
    async fn more_are_begun_when_all_were_and_the_wire_still_has_places() {
        for (begun, ahead, then) in [(2, 0, 1), (1, 0, 0), (3, 1, 2), (2, 1, 1), (100, 16, 16)] {
            let wire = wire(begun, ahead);
            drop(place(&wire).await);
            assert_eq!(wire.ahead(), then, "{begun} begun, {ahead} ahead");
        }
    }

    #[tokio::test]
    async fn fewer_are_begun_when_they_wait_longer_than_an_intent_takes() {
        for (ahead, after, then) in [(1, SHORT, 1), (1, LONG, 0), (3, LONG, 2)] {
            let wire = wire(1, ahead);
            late(&wire, after).await;
            assert_eq!(wire.ahead(), then, "{ahead} ahead, after {after:?}");
        }
        let wire = wire(0, 0);
        late(&wire, LONG).await;
        assert_eq!(wire.ahead(), 0);
    }

    #[tokio::test]
    async fn any_number_of_places_can_be_asked_for() {
        let wire = Wire::new(usize::MAX);
        assert_eq!(wire.ahead(), 0, "none before it is known that the disk is slow");
        drop(place(&wire).await);
    }
}
