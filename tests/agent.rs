//! The agent (CONTRACT.md 6): the real program over real sockets. Every answer is held against `openapi.json`, so that the
//! file cannot drift from what is said.

mod callbacks;
mod commands;
mod crash;
mod events;
mod examples;
mod guard;
mod limits;
mod logs;
mod lost;
mod schema;
mod table;
mod verify;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use serde_json::Value;

use crate::cli::dispatch::{Sandbox, signal};
use crate::cli::{Shop, sale};

/// `run`, serving; ends with the test.
pub struct Agent {
    child: Child,
    /// Reads what it says, to the end: a full pipe would stop it.
    said: Option<JoinHandle<Vec<String>>>,
    pub socket: PathBuf,
    /// What it said that it listens at.
    pub greeting: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Agent {
    /// Starts `run` in this shop and waits until it serves.
    pub fn start(shop: &Shop) -> Agent {
        Agent::start_with(shop, &["run"])
    }

    pub fn start_with(shop: &Shop, args: &[&str]) -> Agent {
        let mut child = shop.command(args).stderr(Stdio::piped()).spawn().expect("it runs");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (sender, greeting) = channel();
        let said = std::thread::spawn(move || {
            let greets = |line: &String| line.contains("dispatching for");
            let tell = |line: &String| {
                if greets(line) {
                    sender.send(line.clone()).unwrap_or_default()
                }
            };
            lines.map(|line| line.expect("text")).inspect(tell).collect()
        });
        let greeting = greeting.recv().expect("it serves");
        Agent { child, said: Some(said), socket: shop.path("journal/agent.sock"), greeting }
    }

    /// SIGTERM, and its end; everything that it said.
    pub fn stop(mut self) -> Vec<String> {
        signal(&self.child, "-TERM");
        let said = self.said.take().expect("once").join().expect("it ends");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
        said
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        call(&self.socket, method, path, headers, body.as_ref())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.call("POST", path, &[("content-type", "application/json")], body)
    }

    pub fn batch(&self, lines: impl AsRef<[u8]>) -> Answer {
        self.call("POST", "/v1/documents", &[("content-type", "application/x-ndjson")], lines)
    }

    /// Follows the events after `after`.
    pub fn follow(&self, after: u64) -> Events {
        Events::open(&self.socket, &format!("/v1/events?after={after}"), &[])
    }

    /// Waits until this document is `state`.
    pub fn until(&self, key: &str, state: &str) {
        let reached = self.follow(0).any(|change| change["key"] == key && change["state"] == state);
        assert!(reached, "{key} never came to {state}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request's bytes.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// One call over the socket, held against the description.
pub fn call(socket: &Path, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let answer = exchange(UnixStream::connect(socket).expect("it listens"), &request(method, path, headers, body));
    schema::check(method, path, &answer);
    answer
}

/// Sends these bytes and reads the answer to its end.
pub fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Answer {
    // An answer may come before everything was sent: then the rest is not taken.
    let _ = stream.write_all(bytes);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    parse(&all)
}

pub fn parse(all: &[u8]) -> Answer {
    let end = all.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(all)));
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|first| first.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: all[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some() {
        answer.body = unchunked(&answer.body);
    }
    answer
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16).expect("a length");
        let Some(chunk) = rest.get(end + 2..end + 2 + length) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 2 + length + 2..).unwrap_or_default();
    }
    body
}

/// The events as they come.
pub struct Events {
    lines: std::io::Lines<BufReader<UnixStream>>,
    pub status: u16,
}

impl Events {
    pub fn open(socket: &Path, path: &str, headers: &[(&str, &str)]) -> Events {
        let mut stream = UnixStream::connect(socket).expect("it listens");
        stream.write_all(&request("GET", path, headers, b"")).expect("it reads");
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().expect("an answer").expect("text");
        Events { lines, status: first.split(' ').nth(1).expect("a status").parse().expect("a number") }
    }
}

impl Iterator for Events {
    type Item = Value;
    fn next(&mut self) -> Option<Value> {
        let mut id = None;
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some(seq) = line.strip_prefix("id: ") {
                id = seq.parse::<u64>().ok();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let change: Value = serde_json::from_str(data).expect("JSON");
                assert_eq!(change["seq"].as_u64(), id, "{change}");
                schema::matches("Change", &change);
                return Some(change);
            }
        }
    }
}

/// A shop whose providers cannot be reached: what is taken stays queued.
pub fn offline() -> Shop {
    Shop::with(&[
        ("127.0.0.1:7070", "127.0.0.1:9"),
        ("initial = \"5s\", factor", "initial = \"1h\", factor"),
        ("max = \"15m\"", "max = \"2h\""),
    ])
}

/// A shop with a sandbox.
pub fn online() -> (Shop, Sandbox) {
    Sandbox::shop()
}

/// One over TCP.
pub fn tcp(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    exchange(TcpStream::connect(address).expect("it listens"), &request(method, path, headers, b""))
}

/// A sale of `n` things.
pub fn sale_of(key: &str, n: usize) -> String {
    sale(key).replace("\"quantity\":1", &format!("\"quantity\":{n}")).replace("_amount\":1", &format!("_amount\":{n}"))
}
