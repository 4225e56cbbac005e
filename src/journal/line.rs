//! The line of transactions before the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::JournalError;
use super::gate::{Gate, Gates};
use super::shared::{Job, lock};
use crate::domain::limits::MAX_GROUP;

/// Transactions that may wait; beyond it producers wait to hand theirs over.
const MAX_WAITING: usize = 4 * MAX_GROUP;

/// The line.
#[derive(Default)]
pub(crate) struct Line {
    queue: Mutex<Queue>,
    /// For the writer: as many are there as it wants.
    there: Condvar,
    /// For producers: there is room again.
    room: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Of those who came since the writer last took some.
    gate: Arc<Gate>,
    /// The writer sleeps until so many wait: to wake it for each would cost more than the rest of a transaction. `None`: it
    /// is awake, or was woken.
    wanted: Option<usize>,
    /// Producers that wait for room.
    crowd: usize,
    stop: bool,
}

impl Queue {
    /// Whether the writer is to be woken; said once.
    fn enough(&mut self) -> bool {
        let enough = self.stop || self.wanted.is_some_and(|wanted| self.jobs.len() >= wanted);
        enough && self.wanted.take().is_some()
    }

    /// Whether the writer must wait for more; if so it is woken when they are there.
    fn wants(&mut self, wanted: usize) -> bool {
        let few = self.jobs.len() < wanted && !self.stop;
        self.wanted = few.then_some(wanted);
        few
    }
}

impl Line {
    /// Hands transactions over, together as far as there is room; waits while too many wait already, unless `at_once`.
    /// Where to wait for what becomes of them, if any was taken.
    pub fn submit(&self, jobs: impl IntoIterator<Item = Job>, at_once: bool) -> Option<Arc<Gate>> {
        let (queue, gate) = self.add(jobs, at_once);
        self.wake_from(queue);
        gate
    }

    /// As [`submit`](Self::submit), but a writer that sleeps is woken only by [`wake`](Self::wake), or by others.
    pub fn put(&self, job: Job, at_once: bool) {
        drop(self.add([job], at_once));
    }

    /// Wakes the writer, if it sleeps and as many are there as it wants.
    pub fn wake(&self) {
        self.wake_from(lock(&self.queue));
    }

    fn wake_from(&self, mut queue: MutexGuard<'_, Queue>) {
        let enough = queue.enough();
        drop(queue);
        if enough {
            self.there.notify_one();
        }
    }

    fn add(&self, jobs: impl IntoIterator<Item = Job>, at_once: bool) -> (MutexGuard<'_, Queue>, Option<Arc<Gate>>) {
        let mut gate = None;
        let mut queue = lock(&self.queue);
        for job in jobs {
            while queue.jobs.len() >= MAX_WAITING && !queue.stop && !at_once {
                if queue.enough() {
                    self.there.notify_one(); // of those handed over so far
                }
                queue.crowd += 1;
                queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.crowd -= 1;
            }
            if queue.stop {
                drop(queue);
                job(Err(JournalError::Closed));
                queue = lock(&self.queue);
            } else {
                queue.jobs.push_back(job);
                gate = Some(queue.gate.clone()); // those of the ones before open no later
            }
        }
        (queue, gate)
    }

    /// Takes up to `max` transactions, waiting for one; none when it is time to stop.
    pub fn take(&self, max: usize, wait: bool, gates: &mut Gates) -> VecDeque<Job> {
        let mut queue = lock(&self.queue);
        if wait {
            let none = |queue: &mut Queue| queue.wants(1);
            queue = self.there.wait_while(queue, none).unwrap_or_else(PoisonError::into_inner);
        }
        self.drain(queue, max, gates)
    }

    /// Takes up to `max` transactions, waiting for `wanted`, but not longer than `patience`.
    pub fn take_more(&self, max: usize, wanted: usize, patience: Duration, gates: &mut Gates) -> VecDeque<Job> {
        let mut queue = lock(&self.queue);
        if !patience.is_zero() {
            let few = |queue: &mut Queue| queue.wants(wanted);
            let waited = self.there.wait_timeout_while(queue, patience, few);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.drain(queue, max, gates)
    }

    fn drain(&self, mut queue: MutexGuard<'_, Queue>, max: usize, gates: &mut Gates) -> VecDeque<Job> {
        queue.wanted = None; // it is awake
        let count = queue.jobs.len().min(max);
        let jobs: VecDeque<Job> = queue.jobs.drain(..count).collect();
        if count > 0 {
            // Those for whom there was no room this time find the gate open and look for themselves.
            gates.add(std::mem::take(&mut queue.gate));
        }
        let crowded = queue.crowd > 0;
        drop(queue);
        if crowded {
            self.room.notify_all();
        }
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
        self.there.notify_all();
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::journal::error::Result;
    use crate::journal::gate::tests::goes_through;
    use crate::journal::transaction::Transaction;

    fn job() -> Job {
        Box::new(|_: Result<&mut Transaction<'_>>| None)
    }

    #[test]
    fn the_writer_is_woken_by_as_many_as_it_wants_and_no_sooner() {
        let line = Line::default();
        let mut gates = Gates::default();
        let hour = Duration::from_secs(3600);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| line.take_more(9, 3, hour, &mut gates).len());
            while lock(&line.queue).wanted != Some(3) {
                std::thread::yield_now();
            }
            line.submit([job(), job()], false);
            assert_eq!(lock(&line.queue).wanted, Some(3), "it sleeps on");
            line.submit([job()], false);
            assert_eq!(writer.join().unwrap(), 3);
        });
        assert_eq!(line.take_more(9, 1, Duration::ZERO, &mut gates).len(), 0);
        line.stop();
        assert_eq!(line.take(9, true, &mut gates).len(), 0);
    }

    #[test]
    fn every_gate_opens_when_the_line_was_taken_in_pieces() {
        let line = Line::default();
        let mut gates = Gates::default();
        let first = line.submit([job(), job()], false).unwrap();
        assert_eq!(line.take(1, true, &mut gates).len(), 1);
        let second = line.submit([job()], false).unwrap();
        gates.open();
        goes_through(&first); // the second of these two looks for its answer itself
        assert_eq!(line.take(9, true, &mut gates).len(), 2);
        gates.open();
        goes_through(&second);
    }

    #[test]
    fn who_comes_too_late_is_told_and_waits_for_nothing() {
        let line = Line::default();
        line.stop();
        assert!(line.submit([job()], false).is_none());
    }

    #[test]
    fn producers_wait_for_room_and_go_on_when_there_is_some() {
        let line = Arc::new(Line::default());
        let (there, told) = mpsc::channel();
        let producer = line.clone();
        std::thread::spawn(move || {
            there.send(producer.submit((0..MAX_WAITING + 1).map(|_| job()), false).is_some()).unwrap();
        });
        while lock(&line.queue).crowd == 0 {
            std::thread::yield_now();
        }
        assert!(told.try_recv().is_err(), "there is no room");
        assert_eq!(line.take(MAX_GROUP, true, &mut Gates::default()).len(), MAX_GROUP);
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(true));
        assert_eq!(line.waiting(), MAX_WAITING + 1 - MAX_GROUP);
    }
}
