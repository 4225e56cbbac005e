//! One call to an agent: a connection of its own, the request, and its answer whole or piece by piece.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use futures_util::StreamExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Client, Failed, Place};
use crate::domain::limits::MAX_ANSWER;
use crate::view::{ErrorView, NotTaken};

/// Longest wait for an answer that is not read piece by piece; the agent gives up before.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for the connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How often an agent that has too much to do is asked again, and after what pause.
const BUSY_TIMES: u32 = 60;
const BUSY_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Said {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Client {
    /// Whether somebody listens.
    pub(crate) async fn is_there(&self) -> bool {
        self.connect().await.is_ok()
    }

    /// One call. An agent that has too much to do is asked again: it did nothing.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<(&str, &[u8])>) -> Result<Said, Failed> {
        for _ in 0..BUSY_TIMES {
            let call = self.while_alive(self.once(method.clone(), path, body));
            let said = tokio::time::timeout(PATIENCE, call).await.map_err(|_| self.silent(PATIENCE))??;
            if said.status != StatusCode::SERVICE_UNAVAILABLE || !said.is_busy() {
                return Ok(said);
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        Err(Failed::Gone("it has too much to do".to_owned()))
    }

    pub(super) async fn once(&self, method: Method, path: &str, body: Option<(&str, &[u8])>) -> Result<Said, Failed> {
        let response = self.send(method, path, body).await?;
        let status = response.status();
        let mut parts = Body::new(response.into_body()).into_data_stream();
        let mut bytes = Vec::new();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part.map_err(gone)?);
            if bytes.len() > 4 * MAX_ANSWER {
                return Err(strange("it does not end"));
            }
        }
        Ok(Said { status, body: bytes.into() })
    }

    /// One call whose answer is read piece by piece, without a limit of time, until `take` has enough.
    pub(super) async fn stream(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &[u8])>,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Failed> {
        self.while_alive(self.read_through(method, path, body, take)).await
    }

    async fn read_through(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &[u8])>,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Failed> {
        let response = self.send(method, path, body).await?;
        let status = response.status();
        let mut parts = Body::new(response.into_body()).into_data_stream();
        let mut said = Vec::new();
        while let Some(part) = parts.next().await {
            let part = part.map_err(gone)?;
            if status != StatusCode::OK {
                said.extend_from_slice(&part);
            } else if !take(&part) {
                return Ok(());
            }
        }
        if status == StatusCode::OK { Ok(()) } else { Err(Said { status, body: said.into() }.failed()) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<axum::http::Response<hyper::body::Incoming>, Failed> {
        let connected = tokio::time::timeout(CONNECT, self.connect()).await;
        let stream = connected.map_err(|_| Failed::Gone("it does not take the call".to_owned()))?.map_err(gone)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
        tokio::spawn(async move {
            // What goes wrong is heard by who waits for the answer.
            let _ = connection.await;
        });
        let mut request = Request::builder().method(method).uri(path);
        match &self.place {
            Place::Socket(_) => request = request.header("host", "localhost"),
            Place::Tcp(address, token) => {
                let bearer = format!("Bearer {}", token.expose_secret());
                request = request.header("host", address.to_string()).header("authorization", bearer);
            }
        }
        let body = match body {
            Some((kind, bytes)) => {
                request = request.header("content-type", kind);
                Body::from(bytes.to_vec())
            }
            None => Body::empty(),
        };
        sender.send_request(request.body(body).map_err(strange)?).await.map_err(gone)
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        match &self.place {
            #[cfg(unix)]
            Place::Socket(folder) => {
                let (path, _kept) = crate::agent::socket::reachable(folder, crate::agent::SOCKET)?;
                Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
            }
            #[cfg(not(unix))]
            Place::Socket(_) => Err(std::io::ErrorKind::Unsupported.into()),
            Place::Tcp(address, _) => Ok(Box::new(tokio::net::TcpStream::connect(address).await?)),
        }
    }
}

/// A connection's two directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Said {
    pub fn wanted(self, status: StatusCode) -> Result<Said, Failed> {
        if self.status == status { Ok(self) } else { Err(self.failed()) }
    }

    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failed> {
        serde_json::from_slice(&self.body).map_err(strange)
    }

    fn error(&self) -> Option<ErrorView> {
        serde_json::from_slice::<NotTaken>(&self.body).ok().map(|said| said.error)
    }

    fn is_busy(&self) -> bool {
        self.error().is_some_and(|error| error.code == "busy")
    }

    pub fn failed(&self) -> Failed {
        match self.error() {
            Some(error) => Failed::Said(self.status, error),
            None => strange(format!("status {}", self.status)),
        }
    }
}

fn gone(error: impl std::fmt::Display) -> Failed {
    Failed::Gone(error.to_string())
}

pub(super) fn strange(error: impl std::fmt::Display) -> Failed {
    Failed::Strange(error.to_string())
}
