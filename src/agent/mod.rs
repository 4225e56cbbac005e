//! The agent: what holds the journal serves it to others on this machine (CONTRACT.md 6). Tills in any language hand over
//! a sale with one HTTP call, and every command works while `run` does.
//!
//! **What is promised**
//! 1. A 201 is said when the document is durable. Callers at the same time share commit groups.
//! 2. What was handed over whole is done whole, whether or not anybody waits for the answer; what was not, is not begun.
//! 3. Everything has a bound ([`limits`](crate::domain::limits)): too much is answered with 503 and `Retry-After`, before
//!    anything was taken.
//! 4. Nobody but this user gets in: a socket of mode 0600, or TCP on a loopback address with a token; `Host` and `Origin`
//!    are checked, so that no web page in the till's browser gets in either.
//! 5. Nobody holds the queue up: whoever follows it reads the journal by position, at a pace of their own.
//!
//! No answer has a secret in it, and what is in a document only the answer about that document.

pub(crate) mod client;

mod callbacks;
mod decisions;
mod documents;
mod events;
mod export;
mod guard;
mod intake;
mod metrics;
mod reply;
mod router;
mod serve;
mod socket;
pub(crate) mod token;
mod wait;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::dispatcher::Dispatcher;
use crate::domain::id::AccountName;
use crate::domain::limits::{MAX_BODIES, MAX_HANDED, MAX_READS, MAX_STREAMS};
use crate::error::Error;
use crate::queue::Queue;
use metrics::Metrics;

/// The socket's name in the journal's folder.
pub(crate) const SOCKET: &str = "agent.sock";
/// How long answers that are being given may take when the agent stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where the agent listens, and whom it lets in.
pub struct Options {
    /// The journal's folder: the socket is made there.
    pub folder: PathBuf,
    /// A loopback address beside the socket, with the token that is asked for there.
    pub listen: Option<(SocketAddr, SecretString)>,
    /// The secrets with which providers call back; an account without one takes no callbacks.
    pub callbacks: HashMap<AccountName, SecretString>,
}

/// Why the agent cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket cannot be made.
    #[error("the agent cannot make its socket {}: {source}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The address cannot be listened at.
    #[error("the agent cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// Only this machine is served.
    #[error("{0} is not a loopback address: the agent serves this machine only")]
    NotLoopback(SocketAddr),
}

/// What every call needs.
pub(crate) struct Desk {
    queue: Queue,
    dispatcher: Option<Arc<Dispatcher>>,
    callbacks: HashMap<AccountName, SecretString>,
    metrics: Metrics,
    /// Documents that may be handed to the journal.
    handed: Arc<Semaphore>,
    /// KiB of bodies that may be read.
    bodies: Arc<Semaphore>,
    /// Reads that may be under way.
    reads: Arc<Semaphore>,
    /// Streams that may be open.
    streams: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Desk {
    /// Something that reads or writes the journal and may wait for the disk. It is done to its end even if nobody waits.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Queue) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ended = |_| Error::Dispatcher("the agent stops".to_owned());
        let turn = Arc::clone(&self.reads).acquire_owned().await.map_err(ended)?;
        let queue = self.queue.clone();
        let work = move || {
            let _turn = turn;
            look(&queue)
        };
        let joined = tokio::task::spawn_blocking(work).await;
        joined.map_err(|error| Error::Dispatcher(format!("a task of the agent ended: {error}")))?
    }
}

/// Waits for the word to stop.
async fn told(stopping: &mut watch::Receiver<bool>) {
    // An error means that the agent is gone: the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Where the agent listens, before it serves: whoever calls waits. Made first, so that a place that cannot be had is known
/// before anything is sent.
pub struct Listening {
    tcp: Option<(tokio::net::TcpListener, SocketAddr, SecretString)>,
    #[cfg(unix)]
    socket: tokio::net::UnixListener,
    made: Option<socket::Made>,
    callbacks: HashMap<AccountName, SecretString>,
}

impl Listening {
    /// Begins to listen, on the current tokio runtime. The caller holds the journal: that is what makes a socket found
    /// there one of a dead process.
    ///
    /// # Errors
    /// [`StartError`]: nobody listens then.
    pub fn start(options: Options) -> Result<Listening, StartError> {
        let Options { folder, listen, callbacks } = options;
        let tcp = match listen {
            None => None,
            Some((address, token)) => {
                let listener = serve::listen(address)?;
                let bound = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
                Some((listener, bound, token))
            }
        };
        #[cfg(unix)]
        {
            let (socket, made) = socket::make(&folder)?;
            Ok(Listening { tcp, socket, made: Some(made), callbacks })
        }
        #[cfg(not(unix))]
        Ok(Listening { tcp, made: socket::make(&folder)?, callbacks })
    }

    /// The TCP address, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(|(_, address, _)| *address)
    }

    /// Serves this queue. `dispatcher` is asked when somebody waits for the queue to drain.
    pub fn serve(self, queue: &Queue, dispatcher: Option<Arc<Dispatcher>>) -> Agent {
        let (stop, stopping) = watch::channel(false);
        let semaphore = |n: usize| Arc::new(Semaphore::new(n));
        let desk = Arc::new(Desk {
            queue: queue.clone(),
            dispatcher,
            callbacks: self.callbacks,
            metrics: Metrics::start(queue),
            handed: semaphore(MAX_HANDED),
            bodies: semaphore(MAX_BODIES / 1024),
            reads: semaphore(MAX_READS),
            streams: semaphore(MAX_STREAMS),
            stopping: stopping.clone(),
        });
        let rooms = Arc::new(serve::Rooms::default());
        let router = router::router(Arc::clone(&desk));
        let mut tasks = JoinSet::new();
        tasks.spawn(metrics::follow(desk));
        if let Some((listener, address, token)) = self.tcp {
            let guard = guard::Guard::tcp(address, &token);
            tasks.spawn(serve::serve(listener, guard, router.clone(), Arc::clone(&rooms), stopping.clone()));
        }
        #[cfg(unix)]
        tasks.spawn(serve::serve(self.socket, guard::Guard::socket(), router, rooms, stopping));
        Agent { stop, tasks, _socket: self.made }
    }
}

/// A serving agent. Dropping it stops it at once; [`Agent::stop`] lets it finish its answers.
pub struct Agent {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    _socket: Option<socket::Made>,
}

impl Agent {
    /// Takes no more calls, finishes the answers that are being given, and takes the socket away.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}
