//! A server that answers as it is told, or fails as networks do, and remembers every request that reached it whole.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection it came on.
    pub connection: usize,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// A whole answer; the connection stays open if the client likes.
    Say(Vec<u8>),
    /// These bytes and no more, then a clean close.
    Break(Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// These bytes, then silence.
    Hang(Vec<u8>),
    /// These bytes, then the same ones again and again.
    Endless(Vec<u8>, Vec<u8>),
}

/// What to do with a connection before any request was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnAccept {
    Serve,
    Reset,
    /// Answers to anything with this, which no TLS client takes for a handshake.
    Babble,
}

pub struct FaultServer {
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<Received>>>,
}

impl FaultServer {
    pub async fn start(answer: impl Fn(&Received) -> Act + Send + Sync + 'static) -> FaultServer {
        FaultServer::start_with(OnAccept::Serve, answer).await
    }

    pub async fn start_with(
        on_accept: OnAccept,
        answer: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> FaultServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&log));
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                tokio::spawn(async move { serve(stream, connection, on_accept, &*answer, &kept).await });
            }
        });
        FaultServer { address, log }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Received> {
        locked(&self.log).clone()
    }

    /// The requests as `METHOD target`.
    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Received::line).collect()
    }
}

fn locked(log: &Mutex<Vec<Received>>) -> MutexGuard<'_, Vec<Received>> {
    log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    on_accept: OnAccept,
    answer: &(dyn Fn(&Received) -> Act + Send + Sync),
    log: &Mutex<Vec<Received>>,
) -> Option<()> {
    match on_accept {
        OnAccept::Serve => {}
        OnAccept::Reset => return reset(stream),
        OnAccept::Babble => {
            let mut some = [0; 64];
            let read = stream.read(&mut some).await.ok()?;
            assert!(read > 0, "the client said nothing");
            return stream.write_all(b"220 this is not TLS\r\n").await.ok();
        }
    }
    while let Some(request) = read_request(&mut stream, connection).await {
        locked(log).push(request.clone());
        match answer(&request) {
            Act::Say(bytes) => stream.write_all(&bytes).await.ok()?,
            Act::Break(bytes) => return stream.write_all(&bytes).await.ok(),
            Act::Reset(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                stream.flush().await.ok()?;
                return reset(stream);
            }
            Act::Hang(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.ok()? > 0 {} // until the client gives up
                return None;
            }
            Act::Endless(head, more) => {
                stream.write_all(&head).await.ok()?;
                loop {
                    stream.write_all(&more).await.ok()?;
                }
            }
        }
    }
    None
}

/// Closing with no time to linger sends RST instead of FIN.
fn reset(stream: TcpStream) -> Option<()> {
    stream.set_zero_linger().ok()
}

async fn read_request(stream: &mut TcpStream, connection: usize) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(bytes.get(..head_end)?).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request = Received { method, target, headers, body: bytes.split_off(head_end + 4), connection };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0usize);
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}

/// A whole answer with a body.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// A whole answer of JSON.
pub fn json(status: u16, body: &str) -> Act {
    let body = if status == 204 { "" } else { body };
    Act::Say(answer(status, &[("content-type", "application/json")], body.as_bytes()))
}
