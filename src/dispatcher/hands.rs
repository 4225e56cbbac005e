//! Threads on which documents are sent, beside the dispatcher's own: connecting and talking take most of the time of a
//! drain, and one thread does no more than one core allows. What is decided is decided on the dispatcher's thread, and the
//! order of what is recorded is the order in which it is handed to the journal, whichever thread does that.

use std::io;
use std::num::NonZero;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// With these many a drain waits for its provider and for the disk.
const MOST: usize = 3;

/// The threads.
pub(super) struct Hands(Vec<Hand>);

struct Hand {
    runtime: Handle,
    /// The thread ends when this goes.
    _stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Hands {
    /// None: all is done on the dispatcher's thread.
    pub(super) fn none() -> Hands {
        Hands(Vec::new())
    }

    /// One for each core but the one that the dispatcher itself has, as far as so many requests at once keep them busy.
    pub(super) fn of_this_machine(in_flight: usize) -> Hands {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Hands::new(MOST.min(cores.saturating_sub(1)).min(in_flight.saturating_sub(1)))
    }

    /// So many; fewer where the system gives no more.
    pub(super) fn new(count: usize) -> Hands {
        let mut hands = Vec::with_capacity(count);
        for _ in 0..count {
            match Hand::new() {
                Ok(hand) => hands.push(hand),
                Err(error) => {
                    tracing::warn!(%error, hands = hands.len(), "no more threads can be made to send with");
                    break;
                }
            }
        }
        Hands(hands)
    }

    /// The one that has the least to do of what is `under_way`, each by the number of its thread; 0 is the dispatcher's own.
    pub(super) fn idlest(&self, under_way: impl Iterator<Item = usize> + Clone) -> usize {
        let load = |hand: &usize| under_way.clone().filter(|one| one == hand).count();
        (0..=self.0.len()).min_by_key(load).unwrap_or(0)
    }

    /// Where to spawn what a thread is to do; nothing: here.
    pub(super) fn get(&self, hand: usize) -> Option<&Handle> {
        self.0.get(hand.checked_sub(1)?).map(|hand| &hand.runtime)
    }
}

impl Hand {
    fn new() -> io::Result<Hand> {
        let (stop, stopped) = oneshot::channel();
        let (runtime, thread) = spawn("staffetta-sender", async move { drop(stopped.await) })?;
        Ok(Hand { runtime, _stop: stop, thread })
    }
}

/// A thread with a runtime of its own, which ends with `work`. The runtime is made and dropped there: where the caller has
/// one, to drop another panics.
pub(super) fn spawn(
    name: &str,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<(Handle, JoinHandle<()>)> {
    let (tell, told) = mpsc::channel();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(tell.send(Err(error))),
        };
        drop(tell.send(Ok(runtime.handle().clone())));
        runtime.block_on(work);
        // A name that is being resolved while the line is down is not waited for: that takes half a minute.
        runtime.shutdown_background();
    })?;
    let runtime = told.recv().map_err(io::Error::other)??;
    Ok((runtime, thread))
}

impl Drop for Hands {
    fn drop(&mut self) {
        // All are told before any is waited for.
        let threads: Vec<_> = self.0.drain(..).map(|hand| hand.thread).collect();
        for thread in threads {
            // What panicked there was told where it was waited for.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
