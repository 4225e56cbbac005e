//! A shop to test a till in: everything around the till's own code, wired together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::runtime::{Builder, Runtime};

use super::authority::Authority;
use super::clock::TestClock;
use super::disk::Sim;
use super::power::{Cut, Disk};
use super::random::Random;
use crate::dispatcher::{Dispatcher, Managed, Settings};
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar::Window;
use crate::domain::outcome::{Answer, LookUpOutcome, SubmitOutcome, TrackOutcome};
use crate::error::Error;
use crate::journal;
use crate::provider::{Call, Claimed, Lost, Provider, Tracked};
use crate::queue::{Options, Queue};

/// Where the journal is on the [`Sim`].
const DIR: &str = "/till/journal";
/// Paused time jumps to the next timer whenever all tasks seem idle, and while one of ours waits for the journal's
/// thread that must not be a far one.
const STEP: Duration = Duration::from_millis(250);

/// A shop to test a till in, without network, disk, runtime or waiting: a [`Queue`] on a disk in memory, a
/// [`Dispatcher`], a scripted [`Authority`] behind its line, and a [`TestClock`]. The till's code is given
/// [`queue`](Shop::queue) and may be synchronous, or asynchronous inside [`run`](Shop::run). Time passes only in
/// [`pass`](Shop::pass), [`drain`](Shop::drain) and `run`: between them the dispatcher stands still, so that a seed
/// repeats what it did.
///
/// It has a tokio runtime of its own: use it in plain `#[test]` functions, not inside another runtime, where its methods
/// panic.
pub struct Shop {
    process: Process,
    account: Account,
    authority: Authority,
    clock: Arc<TestClock>,
    sim: Sim,
    /// What of the disk is durable.
    disk: Disk,
    random: Random,
    // Last: the others' tasks run in it.
    runtime: Runtime,
}

/// What ends with the process.
struct Process {
    dispatcher: Dispatcher,
    queue: Queue,
    line: Arc<AtomicBool>,
}

impl Shop {
    /// A shop with one account at Openapi that takes receipts of every VAT number and keeps the authority's blackout, at
    /// this moment. The seed decides what goes wrong, once [`Authority::set_chances`] says how much.
    ///
    /// # Errors
    /// As [`Queue::open`]; not on a disk that works.
    pub fn open(now: DateTime<Utc>, seed: u64) -> Result<Shop, Error> {
        let name = "shop".parse().expect("a name");
        let provider = ProviderKind::Openapi;
        Shop::open_with(Account { name, provider, fiscal_ids: Vec::new(), blackout: Window::AUTHORITY }, now, seed)
    }

    /// A shop with this account; its provider decides which kinds of documents it takes.
    ///
    /// # Errors
    /// As [`Shop::open`].
    pub fn open_with(account: Account, now: DateTime<Utc>, seed: u64) -> Result<Shop, Error> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.map_err(|error| Error::Dispatcher(format!("no runtime can be made: {error}")))?;
        let clock = {
            let _inside = runtime.enter();
            Arc::new(TestClock::starting_at(now))
        };
        let authority = Authority::new(account.provider, Arc::clone(&clock), seed);
        let sim = Sim::default();
        let process = Process::start(&runtime, &account, &authority, &clock, &sim)?;
        let (disk, random) = (Disk::default(), Random::new(seed));
        Ok(Shop { process, account, authority, clock, sim, disk, random, runtime })
    }

    /// The queue. After [`kill`](Shop::kill) and [`cut_power`](Shop::cut_power) it is another one: ask again.
    pub fn queue(&self) -> &Queue {
        &self.process.queue
    }

    /// The provider and the authority behind it.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The time, which can be set wrong.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The disk, which can fail and fill up. After a failed write the queue takes nothing more until it is opened again:
    /// [`Sim::heal`], then [`kill`](Shop::kill).
    pub fn disk(&self) -> &Sim {
        &self.sim
    }

    /// Time passes, and the dispatcher works. A day takes a moment.
    pub fn pass(&self, time: Duration) {
        self.runtime.block_on(async {
            let mut left = time;
            while !left.is_zero() {
                let step = left.min(STEP);
                tokio::time::sleep(step).await;
                left -= step;
            }
        });
    }

    /// Time passes until nothing more can be done ([`Dispatcher::drained`]), at most so much; `false` when it was not
    /// enough. To see everything through, let nothing go wrong any more: `authority().set_chances(Chances::NONE)`.
    #[must_use = "what is not drained proves nothing"]
    pub fn drain(&self, at_most: Duration) -> bool {
        self.runtime.block_on(async {
            let drained = self.process.dispatcher.drained();
            tokio::pin!(drained);
            let mut left = at_most;
            while !left.is_zero() {
                tokio::select! {
                    biased;
                    () = &mut drained => return true,
                    () = tokio::time::sleep(left.min(STEP)) => left -= left.min(STEP),
                }
            }
            false
        })
    }

    /// Runs a till that is asynchronous, in the shop's time.
    pub fn run<F: Future>(&self, till: F) -> F::Output {
        self.runtime.block_on(till)
    }

    /// The process is killed (`kill -9`) and started again: what it had written is there, flushed or not; of a request on the
    /// wire nobody knows. The till's own variables are the test's to forget.
    ///
    /// # Errors
    /// As [`Queue::open`]: when the disk was told to fail.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.end();
        self.sim = Sim::after_kill(&self.disk);
        self.begin()
    }

    /// The power is cut, and the machine starts again: of what was not flushed as much is left as `how` says, drawn from the
    /// seed.
    ///
    /// # Errors
    /// As [`Shop::kill`].
    pub fn cut_power(&mut self, how: Cut) -> Result<(), Error> {
        self.end();
        let image = self.disk.cut(how, &mut self.random);
        (self.disk, self.sim) = (Disk::of(&image), Sim::of(&image));
        self.begin()
    }

    /// From now on nothing that the process does is seen by anybody: it sends no more, and its disk is another's.
    fn end(&mut self) {
        self.process.line.store(false, Ordering::SeqCst);
        self.sim.log().iter().for_each(|op| self.disk.play(op));
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.process = Process::start(&self.runtime, &self.account, &self.authority, &self.clock, &self.sim)?;
        Ok(())
    }
}

impl Process {
    fn start(
        runtime: &Runtime,
        account: &Account,
        authority: &Authority,
        clock: &Arc<TestClock>,
        sim: &Sim,
    ) -> Result<Process, Error> {
        let _inside = runtime.enter();
        let files = Arc::new(sim.clone());
        let journal = journal::Options { files, index_in_memory: true, ..journal::Options::default() };
        let options = Options { clock: clock.clone(), accounts: vec![account.clone()], journal };
        let queue = Queue::open_with(Path::new(DIR), options)?;
        let line = Arc::new(AtomicBool::new(true));
        let provider = Line { up: Arc::clone(&line), authority: authority.clone() };
        let managed = Managed::new(account.clone(), Arc::new(provider));
        let dispatcher = Dispatcher::start_with(&queue, vec![managed], Settings::default())?;
        Ok(Process { dispatcher, queue, line })
    }
}

/// A process's line to its provider: nothing new goes out once the process is dead.
struct Line {
    up: Arc<AtomicBool>,
    authority: Authority,
}

impl Line {
    async fn open(&self) {
        if !self.up.load(Ordering::SeqCst) {
            std::future::pending().await
        }
    }
}

#[async_trait]
impl Provider for Line {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.open().await;
        self.authority.submit(call).await
    }

    async fn look_up(&self, lost: &Lost, claimed: &dyn Claimed) -> Answer<LookUpOutcome> {
        self.open().await;
        self.authority.look_up(lost, claimed).await
    }

    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        self.open().await;
        self.authority.track(tracked).await
    }
}
