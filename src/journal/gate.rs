//! Where those wait whose transactions are in the writer's hands: opened for all of them at once. To wake each by itself
//! cost the writer a change of threads for every one, for who is woken goes first; and while one after the other took
//! its turn on the writer's core, the other cores slept.

use std::sync::{Arc, OnceLock};

/// Opens once. That it is open says only that it is time to look: each answer lies in its own slot.
#[derive(Default)]
pub(crate) struct Gate(OnceLock<()>);

impl Gate {
    /// Waits until it is open.
    pub fn wait(&self) {
        self.0.wait();
    }

    fn open(&self) {
        let _ = self.0.set(()); // it may be open already
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
        for _ in 0..8 {
            let (gate, went) = (gate.clone(), went.clone());
            std::thread::spawn(move || {
                gate.wait();
                went.send(())
            });
        }
        assert!(told.try_recv().is_err(), "it is shut");
        gates.open();
        (0..8).for_each(|_| told.recv_timeout(Duration::from_secs(20)).expect("all go"));
        goes_through(&gate);
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
