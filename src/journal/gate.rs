//! Where those wait whose transactions are in the writer's hands: opened for all of them at once. To wake each by itself
//! cost the writer a change of threads for every one, for who is woken goes first; and while one after the other took
//! its turn on the writer's core, the other cores slept.
//!
//! They go a few at a time, each lot let go by the one before as soon as it runs: were all of them in line for the cores
//! at once, the writer would come last, and have most of them to decide while the other cores sleep.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// So many go at a time, …
const LOT: usize = 8;
/// … in so many lots; those who are more are of the last.
const LOTS: usize = 16;

/// Opens once. That it is open says only that it is time to look: each answer lies in its own slot.
#[derive(Default)]
pub(crate) struct Gate {
    lots: [OnceLock<()>; LOTS],
    come: AtomicUsize,
}

impl Gate {
    /// Waits until it is open.
    pub fn wait(&self) {
        // Whoever is of a later lot has all of the lot before ahead of him, and each of those opens the next.
        let lot = (self.come.fetch_add(1, Ordering::Relaxed) / LOT).min(LOTS - 1);
        if let Some(lot) = self.lots.get(lot) {
            lot.wait();
        }
        self.open_lot(lot + 1);
    }

    fn open(&self) {
        self.open_lot(0);
    }

    fn open_lot(&self, lot: usize) {
        if let Some(lot) = self.lots.get(lot) {
            let _ = lot.set(()); // it may be open already
        }
    }
}

/// The gates of those whose transactions the writer has taken. They open whatever becomes of the writer.
#[derive(Default)]
pub(crate) struct Gates(Vec<Arc<Gate>>);

impl Gates {
    pub fn add(&mut self, gate: Arc<Gate>) {
        self.0.push(gate);
    }

    /// Lets all go who wait: they have their answers, or will not have one.
    pub fn open(&mut self) {
        self.0.drain(..).for_each(|gate| gate.open());
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        self.open();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// A gate that stays shut is a failure, not a test without end.
    pub fn goes_through(gate: &Arc<Gate>) {
        let (went, told) = mpsc::channel();
        let gate = gate.clone();
        std::thread::spawn(move || {
            gate.wait();
            went.send(())
        });
        told.recv_timeout(Duration::from_secs(20)).expect("it opens");
    }

    #[test]
    fn all_who_wait_go_when_it_opens_and_who_comes_later_does_not_wait() {
        let gate = Arc::new(Gate::default());
        let mut gates = Gates::default();
        gates.add(gate.clone());
        gates.add(gate.clone()); // of two lots of transactions
        let (went, told) = mpsc::channel();
        const MANY: usize = LOT * LOTS + 8; // more than all lots were made for
        for _ in 0..MANY {
            let (gate, went) = (gate.clone(), went.clone());
            std::thread::spawn(move || {
                gate.wait();
                went.send(())
            });
        }
        assert!(told.try_recv().is_err(), "it is shut");
        gates.open();
        (0..MANY).for_each(|_| told.recv_timeout(Duration::from_secs(20)).expect("all go"));
        goes_through(&gate);
    }

    #[test]
    fn a_lot_is_let_go_by_the_one_before() {
        let gate = Gate::default();
        let open = || gate.lots.iter().filter(|lot| lot.get().is_some()).count();
        gate.open();
        assert_eq!(open(), 1, "the others are not in line for a core yet");
        for gone in 1..=LOT * LOTS {
            gate.wait();
            assert_eq!(open(), (gone.div_ceil(LOT) + 1).min(LOTS));
        }
    }

    #[test]
    fn they_open_when_their_holder_ends_badly() {
        let gate = Arc::new(Gate::default());
        let held = gate.clone();
        let ended = std::thread::spawn(move || {
            let mut gates = Gates::default();
            gates.add(held);
            panic!("the end");
        });
        assert!(ended.join().is_err());
        goes_through(&gate);
    }
}
