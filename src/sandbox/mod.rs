#![doc = include_str!("guide.md")]

mod admin;
mod ask;
mod authority;
mod callbacks;
mod configuration;
mod deliver;
mod document;
mod edge;
mod fault;
mod fault_json;
mod files;
mod ids;
mod ledger;
mod live;
mod log;
mod net;
mod oauth;
mod openapi;
mod pdf;
mod portal;
mod query;
mod read;
mod registry;
mod reply;
mod settings;
mod smart_receipt;
mod stamp;
mod stamp_invoice;
mod token;
mod world;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};

pub use ask::{Call, UnknownCall};
pub use fault::{Ending, Fault, FaultPlan, FaultPlanError, Outcome, Rule};
pub use ledger::{LedgerEntry, LedgerItem};
pub use live::Count;
pub use log::Logged;
pub use settings::{BadSpan, Blackout, Credentials, CustomsStatus, Day, Delay, Settings, Span};

use edge::Shared;
use net::Command;
use world::World;

/// Where and with what a sandbox starts.
pub struct Options {
    /// Where it listens; a loopback address. Port 0: any that is free.
    pub listen: SocketAddr,
    /// How the providers behave.
    pub settings: Settings,
    /// What goes wrong from the start; its settings, if it has any, are laid over the others.
    pub faults: FaultPlan,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            settings: Settings::default(),
            faults: FaultPlan::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// A running sandbox. It ends when it is dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Starts on a free port of this machine, on the current tokio runtime, with the machine's clock.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn start(settings: Settings) -> io::Result<Sandbox> {
        Sandbox::start_with(Options { settings, ..Options::default() })
    }

    /// Starts with everything chosen.
    ///
    /// # Errors
    /// When the port cannot be opened, the address is not of this machine alone, the fault plan's settings are wrong, or
    /// no tokio runtime is there.
    pub fn start_with(options: Options) -> io::Result<Sandbox> {
        if !options.listen.ip().is_loopback() {
            let message = format!("{} is not a loopback address: the sandbox serves this machine only", options.listen);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let listener = net::bind(options.listen)?;
        let addr = listener.local_addr()?;
        let now = options.clock.now();
        let mut world = World::new(options.settings, format!("http://{addr}"), now);
        admin::install(&mut world, options.faults, now)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { world: Mutex::new(world), clock: options.clock, commands: sender });
        let task = tokio::spawn(net::supervise(listener, addr, Arc::clone(&shared), receiver));
        Ok(Sandbox { shared, addr, task })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:…`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Everything that the providers said yes to, in order.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        let now = self.shared.clock.now();
        ledger::entries(&self.shared.world(), now)
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<Logged> {
        self.shared.world().log.iter().cloned().collect()
    }

    /// Begins another fault plan.
    ///
    /// # Errors
    /// When the settings that it brings are wrong; then the old plan goes on.
    pub fn set_faults(&self, plan: FaultPlan) -> Result<(), FaultPlanError> {
        let now = self.shared.clock.now();
        admin::install(&mut self.shared.world(), plan, now).map_err(FaultPlanError)
    }

    /// Ends the fault plan.
    pub fn clear_faults(&self) {
        self.shared.world().live = live::Live::default();
    }

    /// How often each rule of the plan was seen and applied.
    pub fn fault_counts(&self) -> Vec<Count> {
        self.shared.world().live.counts().to_vec()
    }

    /// How the providers behave now.
    pub fn settings(&self) -> Settings {
        self.shared.world().settings.clone()
    }

    /// Makes them behave otherwise.
    pub fn set_settings(&self, settings: Settings) {
        let now = self.shared.clock.now();
        self.shared.world().set_settings(settings, now);
    }

    /// Changes some settings.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings();
        change(&mut settings);
        self.set_settings(settings);
    }

    /// Makes every token given out so far too old.
    pub fn expire_tokens(&self) {
        self.shared.world().token_epoch += 1;
    }

    /// The merchant completes a draft, by its `InvoiceId` or `DraftId`; whether there is one.
    pub fn complete(&self, id: &str) -> bool {
        let now = self.shared.clock.now();
        let mut world = self.shared.world();
        let index = world.by_invoice.get(id).or_else(|| world.by_draft.get(id)).copied();
        if let Some(index) = index {
            portal::complete(&mut world, index, now);
        }
        index.is_some()
    }

    /// Customs decide on a completed invoice; whether it is one.
    pub fn decide(&self, id: &str, status: CustomsStatus) -> bool {
        let now = self.shared.clock.now();
        let mut world = self.shared.world();
        let index = world.by_invoice.get(id).or_else(|| world.by_draft.get(id)).copied();
        index.is_some_and(|index| admin::decide(&mut world, index, status, now))
    }

    /// Forgets every document and request.
    pub fn reset(&self) {
        let now = self.shared.clock.now();
        self.shared.world().reset(now);
    }

    /// No network: the port is closed and every connection ended, until [`go_online`](Sandbox::go_online).
    pub async fn go_offline(&self) {
        let (done, told) = oneshot::channel();
        self.command(Command::Offline { ms: None, done: Some(done) }, told).await;
    }

    /// The network is back: the same port is opened again.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn go_online(&self) -> io::Result<()> {
        let (done, told) = oneshot::channel();
        self.command(Command::Online { done }, told).await.unwrap_or_else(|| Err(io::Error::other("it has stopped")))
    }

    /// Ends it: closes the port and every connection.
    pub async fn stop(self) {
        let (done, told) = oneshot::channel();
        self.command(Command::Stop { done }, told).await;
    }

    async fn command<T>(&self, command: Command, told: oneshot::Receiver<T>) -> Option<T> {
        self.shared.commands.send(command).ok()?;
        told.await.ok()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}
