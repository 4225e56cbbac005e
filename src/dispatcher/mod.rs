//! The dispatcher: drains the queue in the background. It writes the intent before each request and the outcome after,
//! looks up what is in doubt instead of sending it again, and keeps to the blackout, deadlines and dependencies.

mod apart;
pub(crate) mod bind;
mod ended;
mod engine;
mod gate;
mod gather;
mod holds;
mod idle;
mod lane;
mod look;
mod office;
pub mod plan;
mod reconcile;
mod settings;
mod shared;
mod standing;
mod stock;
mod submit;
#[cfg(test)]
mod tests;
mod track;
mod unreadable;
mod wire;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

pub use lane::{Lane, Lanes};
pub use settings::{Managed, Settings, Unreachable};

use crate::error::Error;
use crate::queue::Queue;
use engine::{Engine, Stop};

/// A running dispatcher. Dropping it stops it at once, which is safe: what was on the wire is in doubt and looked up by
/// the next one. [`Dispatcher::stop`] lets it finish instead.
pub struct Dispatcher {
    stop: watch::Sender<Stop>,
    /// The journal's last sequence number when nothing more could be done; 0 while something can.
    idle: watch::Receiver<u64>,
    queue: Queue,
    ended: watch::Receiver<bool>,
}

impl Dispatcher {
    /// Starts with the default settings. Inside a tokio runtime it runs there, otherwise on a thread of its own.
    ///
    /// # Errors
    /// When the journal cannot be written, no thread can be made, or the queue has a dispatcher already: two would not know
    /// of each other's open calls. One that was only dropped is still stopping for a while.
    pub fn start(queue: &Queue, accounts: Vec<Managed>) -> Result<Dispatcher, Error> {
        Dispatcher::start_with(queue, accounts, Settings::default())
    }

    /// Starts with settings.
    ///
    /// # Errors
    /// As [`Dispatcher::start`].
    pub fn start_with(queue: &Queue, accounts: Vec<Managed>, settings: Settings) -> Result<Dispatcher, Error> {
        let Ok(runtime) = Handle::try_current() else { return Dispatcher::start_apart(queue, accounts, settings) };
        let (dispatcher, work) = Dispatcher::prepare(queue, accounts, settings)?;
        drop(runtime.spawn(work));
        Ok(dispatcher)
    }

    /// As [`Dispatcher::start_with`], but always on a thread of its own. Inside a runtime of several threads its many short
    /// steps would be handed from one to the other, which costs about a quarter more of the processor.
    ///
    /// # Errors
    /// As [`Dispatcher::start`].
    pub fn start_apart(queue: &Queue, accounts: Vec<Managed>, settings: Settings) -> Result<Dispatcher, Error> {
        let (dispatcher, work) = Dispatcher::prepare(queue, accounts, settings)?;
        apart::spawn("staffetta-dispatcher", work)
            .map_err(|error| Error::Dispatcher(format!("no thread can be made: {error}")))?;
        Ok(dispatcher)
    }

    fn prepare(
        queue: &Queue,
        accounts: Vec<Managed>,
        settings: Settings,
    ) -> Result<(Dispatcher, impl Future<Output = ()> + Send + use<>), Error> {
        let claim = queue.claim_dispatch().ok_or_else(|| {
            let why = "this queue has a dispatcher already, or one that is still stopping: await its `stop` first";
            Error::Dispatcher(why.to_owned())
        })?;
        let (stop, stopped) = watch::channel(Stop::No);
        let (idle_sender, idle) = watch::channel(0);
        let (ended_sender, ended) = watch::channel(false);
        let engine = Engine::prepare(queue.clone(), accounts, settings, stopped, idle_sender)?;
        let work = async move {
            engine.run().await;
            drop(claim);
            ended_sender.send_replace(true);
        };
        Ok((Dispatcher { stop, idle, queue: queue.clone(), ended }, work))
    }

    /// Stops: starts nothing more, waits for what is on the wire, at most the answer's time-out.
    ///
    /// # Errors
    /// None at present; kept for what may be found on the way out.
    pub async fn stop(self) -> Result<(), Error> {
        self.ask_to_stop(false);
        self.ended().await;
        Ok(())
    }

    /// Stops at once. What is on the wire is in doubt, and looked up at the next start.
    pub async fn stop_now(self) {
        self.ask_to_stop(true);
        self.ended().await;
    }

    /// Asks for a stop without waiting: gently, or at once. Who asked for it at once does not take that back by asking again.
    pub fn ask_to_stop(&self, at_once: bool) {
        let wanted = if at_once { Stop::Now } else { Stop::Gently };
        self.stop.send_if_modified(|stop| {
            let more = *stop < wanted;
            *stop = wanted.max(*stop);
            more
        });
    }

    /// Waits until the dispatcher has stopped.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // An error means that the task is gone, which is the same.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Waits until nothing more can be done: every document is final, held, under a hold, a draft that waits for its
    /// merchant, or waits for another that only a person can move. Returns also when the dispatcher stops.
    pub async fn drained(&self) {
        let mut idle = self.idle.clone();
        let known = self.queue.journal().last_seq();
        let mut ended = self.ended.clone();
        tokio::select! {
            _ = idle.wait_for(|reached| *reached > 0 && *reached >= known) => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
    }

    /// As [`Dispatcher::stop`], for a program without a runtime.
    ///
    /// # Errors
    /// When no runtime can be made to wait in.
    pub fn stop_blocking(self) -> Result<(), Error> {
        Self::block_on(self.stop())?
    }

    /// As [`Dispatcher::drained`], for a program without a runtime.
    ///
    /// # Errors
    /// When no runtime can be made to wait in.
    pub fn drained_blocking(&self) -> Result<(), Error> {
        Self::block_on(self.drained())
    }

    fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Error> {
        let runtime = Builder::new_current_thread().build();
        Ok(runtime.map_err(|error| Error::Dispatcher(format!("no runtime can be made: {error}")))?.block_on(work))
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.stop.send_if_modified(|stop| {
            let running = *stop == Stop::No;
            if running {
                *stop = Stop::Now;
            }
            running
        });
    }
}
