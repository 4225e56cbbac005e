//! The port: opening and closing it, and ending connections the hard way.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::deliver;
use super::edge::{self, Abort, Shared};
use super::fault::Ending;

/// How often due callbacks are looked for, once somebody wants any.
const LOOK: Duration = Duration::from_millis(100);

/// To the task that owns the port.
pub enum Command {
    /// Close it and end every connection; for so long, or until told.
    Offline {
        /// Milliseconds.
        ms: Option<u64>,
        /// Told when it is done.
        done: Option<oneshot::Sender<()>>,
    },
    /// Open it again.
    Online {
        /// Told when it is done.
        done: oneshot::Sender<io::Result<()>>,
    },
    /// Somebody wants callbacks.
    Callbacks,
    /// End.
    Stop {
        /// Told when it is done.
        done: oneshot::Sender<()>,
    },
}

/// Binds the port. A second process on it is refused; a port just closed can be taken again at once.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Owns the port until told to stop.
pub async fn supervise(
    listener: TcpListener,
    addr: SocketAddr,
    shared: Arc<Shared>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut reopen: Option<Pin<Box<Sleep>>> = None;
    let mut look: Option<Pin<Box<Sleep>>> = None;
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::Offline { ms, done }) => {
                    listener = None;
                    connections.shutdown().await;
                    reopen = ms.map(|ms| Box::pin(tokio::time::sleep(Duration::from_millis(ms))));
                    tell(done, ());
                }
                Some(Command::Online { done }) => {
                    reopen = None;
                    let opened = match &listener {
                        Some(_) => Ok(()),
                        None => bind(addr).map(|opened| listener = Some(opened)),
                    };
                    tell(Some(done), opened);
                }
                Some(Command::Callbacks) => look = look.or_else(|| Some(Box::pin(tokio::time::sleep(LOOK)))),
                Some(Command::Stop { done }) => {
                    drop(listener);
                    connections.shutdown().await;
                    tell(Some(done), ());
                    return;
                }
                None => return,
            },
            () = wait(&mut reopen) => match bind(addr) {
                Ok(opened) => (listener, reopen) = (Some(opened), None),
                // Somebody else has it for the moment.
                Err(_) => reopen = Some(Box::pin(tokio::time::sleep(Duration::from_millis(50)))),
            },
            () = wait(&mut look) => {
                deliver::send_due(&shared);
                look = Some(Box::pin(tokio::time::sleep(LOOK)));
            }
            accepted = accept(listener.as_ref()) => match accepted {
                Ok(stream) => drop(connections.spawn(serve(stream, Arc::clone(&shared)))),
                // Out of file descriptors, most likely: they come back when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Tells who asked; who has gone need not be told.
fn tell<T>(done: Option<oneshot::Sender<T>>, what: T) {
    if let Some(done) = done {
        let _ = done.send(what);
    }
}

async fn wait(sleep: &mut Option<Pin<Box<Sleep>>>) {
    match sleep {
        Some(sleep) => sleep.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// One connection, until it ends or a fault ends it.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true); // an answer late by a delayed ACK is still an answer
    let world = Arc::clone(&shared);
    let service = service_fn(move |request| Box::pin(edge::answer(Arc::clone(&world), request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner();
    let abort = ended.as_ref().err().and_then(|error| error.source()?.downcast_ref::<Abort>().copied());
    match abort {
        Some(Abort::Refuse(_) | Abort::End(Ending::Reset)) => {
            let _ = stream.set_zero_linger(); // without it the end is only less abrupt
        }
        _ => {
            let _ = stream.shutdown().await; // the client may have gone already
        }
    }
    drop(stream);
    if let Some(Abort::Refuse(ms)) = abort {
        let _ = shared.commands.send(Command::Offline { ms: Some(ms), done: None }); // gone: stopping anyway
    }
}
