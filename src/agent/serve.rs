//! Connections: as many as there is room for, each with bounds in bytes and time; the others are told to come again.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::guard::Guard;
use super::reply::{self, Answer};
use super::{StartError, told};
use crate::domain::limits::{MAX_CONNECTIONS, MAX_HEAD, MAX_HEADERS, MAX_IDLE_S, MAX_REFUSALS, MAX_REQUEST_S};

/// How long somebody who is sent away may take to hear it.
const REFUSAL: Duration = Duration::from_secs(1);
/// What accepting waits when the system has no more room.
const PAUSE: Duration = Duration::from_millis(20);

/// What is said to one connection too many.
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\ncontent-length: 117\r\n\r\n\
{\"error\":{\"code\":\"busy\",\"message\":\"too many connections: come again in a moment; nothing was taken\",\"violations\":[]}}";

/// Room for connections, over all listeners.
pub(super) struct Rooms {
    served: Arc<Semaphore>,
    refused: Arc<Semaphore>,
}

impl Default for Rooms {
    fn default() -> Rooms {
        let semaphore = |n| Arc::new(Semaphore::new(n));
        Rooms { served: semaphore(MAX_CONNECTIONS), refused: semaphore(MAX_REFUSALS) }
    }
}

/// A connection's two directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Where connections come from.
pub(super) trait Listener: Send + 'static {
    type Stream: Stream;
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;
    async fn accept(&self) -> io::Result<Self::Stream> {
        let (stream, _) = TcpListener::accept(self).await?;
        let _ = stream.set_nodelay(true); // an answer late by a delayed ACK is still an answer
        Ok(stream)
    }
}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {
    type Stream = tokio::net::UnixStream;
    async fn accept(&self) -> io::Result<Self::Stream> {
        Ok(tokio::net::UnixListener::accept(self).await?.0)
    }
}

/// Listens at a loopback address.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    bind().map_err(|source| StartError::Listen { address, source })
}

/// Serves until told to stop, and then lets answers that are being given come to their end.
pub(super) async fn serve(
    listener: impl Listener,
    guard: Guard,
    router: Router,
    rooms: Arc<Rooms>,
    mut stopping: watch::Receiver<bool>,
) {
    let guard = Arc::new(guard);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = told(&mut stopping) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: they come back when connections end.
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&rooms.served).try_acquire_owned() {
            Ok(room) => {
                let (guard, router, stopping) = (Arc::clone(&guard), router.clone(), stopping.clone());
                connections.spawn(connection(stream, guard, router, room, stopping));
            }
            Err(_) => {
                let Ok(room) = Arc::clone(&rooms.refused).acquire_owned().await else { break };
                connections.spawn(refuse(stream, room));
            }
        }
    }
    drop(listener); // whoever comes now finds nobody, and looks at the journal's lock again
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: impl Stream,
    guard: Arc<Guard>,
    router: Router,
    _room: OwnedSemaphorePermit,
    mut stopping: watch::Receiver<bool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        let (guard, router) = (Arc::clone(&guard), router.clone());
        async move { Ok::<_, std::convert::Infallible>(answer(&guard, &router, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(MAX_IDLE_S))
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// One call, in its time.
async fn answer(guard: &Guard, router: &TowerToHyperService<Router>, request: axum::http::Request<Incoming>) -> Answer {
    if let Err(refused) = guard.check(&request) {
        tracing::warn!(status = refused.status().as_u16(), "the agent refused a call");
        return *refused;
    }
    let method = request.method().clone();
    let limit = Duration::from_secs(MAX_REQUEST_S);
    let answer = match tokio::time::timeout(limit, router.call(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(never)) => match never {},
        Err(_) => {
            let why = "this took too long; what was handed over whole is done, and the same key gives the same ticket";
            let mut answer = reply::busy(why);
            // The rest of a body that did not come is not waited for.
            answer.headers_mut().insert("connection", axum::http::HeaderValue::from_static("close"));
            answer
        }
    };
    // No path: it has a key or an account in it, and a query may have anything.
    tracing::debug!(%method, status = answer.status().as_u16(), "the agent answered");
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!("the agent had to send a caller away");
    }
    answer
}

/// Says that there is no room, in good order: closing at once would take the answer back.
async fn refuse(mut stream: impl Stream, _room: OwnedSemaphorePermit) {
    let said = async {
        stream.write_all(FULL.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Who does not listen has been told all the same.
    let _ = tokio::time::timeout(REFUSAL, said).await;
}

#[cfg(test)]
mod tests {
    use super::FULL;

    #[test]
    fn the_refusal_is_a_whole_answer() {
        let (head, body) = FULL.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
