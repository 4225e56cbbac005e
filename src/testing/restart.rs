//! How the [machine](super::machine) ends and begins again: a kill, a power cut, a good stop.

use std::path::Path;

use super::Happened;
use super::action::Arrival;
use super::disk::Sim;
use super::invariants;
use super::machine::{Checked, DIR, Last, Machine};
use super::model::Model;
use super::power::{Cut, Disk};
use super::random::Random;
use crate::clock::Clock;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar::Window;
use crate::domain::event::Entry;
use crate::domain::state::State;
use crate::journal::{self, View};
use crate::queue::{Options, Queue};

impl Machine {
    /// The process ends without a word, and another one begins.
    pub fn kill(&mut self, arrived: u8) -> Checked {
        self.lose_wire(arrived);
        self.sim.log().iter().for_each(|op| self.disk.play(op));
        self.queue = None; // closes in good order, but on a disk that nobody looks at any more
        self.sim = Sim::after_kill(&self.disk);
        let perhaps = self.perhaps.take().map(|(_, model)| model);
        self.open(std::iter::once(self.model.clone()).chain(perhaps).collect())
    }

    /// The power goes. Of what was acknowledged everything must be there; of the last thing that was not, all or nothing.
    pub fn cut(&mut self, how: Cut, undone: usize, seed: u8) -> Checked {
        let log = self.sim.log();
        let (mut least, mut allowed) = (log.len(), vec![self.model.clone()]);
        if let Some((from, model)) = self.perhaps.take() {
            least = from;
            allowed.push(model);
        } else if let Some(Last { from, told, before }) = self.last.take() {
            least = from;
            if log.len().saturating_sub(undone).max(from) < told {
                // It was not acknowledged, so what follows from it has not happened either.
                self.wire.retain(|key| before.docs.get(key).is_some_and(|doc| doc.state == State::Sending));
                self.note("cut within a write");
                self.finals.retain(|key, state| before.docs.get(key).is_some_and(|doc| doc.state == *state));
                allowed.push(before);
            }
        }
        self.lose_wire(seed);
        let kept = log.len().saturating_sub(undone).max(least);
        log.iter().take(kept).for_each(|op| self.disk.play(op));
        let image = self.disk.cut(how, &mut Random::new(seed.into()));
        self.queue = None;
        self.disk = Disk::of(&image);
        self.sim = Sim::of(&image);
        self.open(allowed)
    }

    fn lose_wire(&mut self, arrived: u8) {
        let now = self.clock.monotonic();
        for (bit, key) in std::mem::take(&mut self.wire).iter().enumerate() {
            let how = if arrived >> (bit % 8) & 1 == 1 { Arrival::Already } else { Arrival::Never };
            self.provider.arrive(key, how, now);
        }
    }

    /// Closes the journal in good order, looks at all of it once more, and tells what has happened.
    pub fn end(mut self) -> Checked<Happened> {
        let mut happened = std::mem::take(&mut self.happened);
        let recorded = self.queue()?.journal().events_after(0, usize::MAX).map_err(|error| error.to_string())?;
        for record in recorded {
            let name = match &record.entry {
                Entry::Document { event, .. } => event.name(),
                Entry::Enqueued(_) => "enqueued",
                Entry::Hold(_) => "hold",
                Entry::Released { .. } => "released",
                Entry::Opened { .. } | Entry::Closed => continue,
            };
            *happened.entry(name).or_default() += 1;
        }
        self.queue()?.close().map_err(|error| format!("it does not close: {error}"))?;
        let report = journal::verify(Path::new(DIR), self.files()).map_err(|error| format!("verify: {error}"))?;
        if report.sound { Ok(happened) } else { Err(format!("verify: {:?}", report.damage)) }
    }

    /// Opens what is on the disk; it must be as one of these.
    pub fn open(&mut self, allowed: Vec<Model>) -> Checked {
        (self.last, self.perhaps, self.trouble) = (None, None, false);
        self.doubts.clear(); // the new process knows nothing of the old one's time
        let journal = journal::Options {
            files: self.files(),
            segment_bytes: 4_000,
            reserve_bytes: 3_000,
            index_in_memory: true,
            ..journal::Options::default()
        };
        let account = Account {
            name: "shop".parse().expect("a name"),
            provider: ProviderKind::SmartReceipt,
            fiscal_ids: Vec::new(),
            blackout: Window::NONE,
        };
        let options = Options { clock: self.clock.clone(), accounts: vec![account], journal };
        let queue = Queue::open_with(DIR, options).map_err(|error| format!("it does not open: {error}"))?;
        let mut wrong = Vec::new();
        for (number, mut model) in allowed.into_iter().enumerate() {
            model.reopened();
            match invariants::same(&queue, &model) {
                Ok(()) => {
                    self.model = model;
                    self.queue = Some(queue);
                    self.note(if number == 0 { "opened" } else { "opened with the other of two truths" });
                    return Ok(());
                }
                Err(why) => wrong.push(why),
            }
        }
        Err(format!("after opening: {}", wrong.join("; nor: ")))
    }
}
