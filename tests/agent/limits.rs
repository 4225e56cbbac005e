//! Too much of anything is sent away, and nothing that was said to be taken is lost by it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::{Agent, exchange, offline, parse, request};
use crate::cli::sale;

const KIND: [(&str, &str); 1] = [("content-type", "application/json")];

#[test]
fn heads_and_bodies_have_bounds() {
    let shop = offline();
    let agent = Agent::start(&shop);
    let connect = || UnixStream::connect(&agent.socket).unwrap();
    let long = "x".repeat(20_000);
    assert_eq!(exchange(connect(), &request("GET", "/v1/status", &[("x", &long)], b"")).status, 431);
    let many: Vec<(String, String)> = (0..100).map(|n| (format!("x{n}"), "y".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(exchange(connect(), &request("GET", "/v1/status", &many, b"")).status, 431);
    let path = format!("/v1/documents/{long}");
    assert!([414, 431].contains(&exchange(connect(), &request("GET", &path, &[], b"")).status));
    // By what is announced, and by what comes.
    let body = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(exchange(connect(), &request("POST", "/v1/documents", &KIND, &body)).status, 413);
    let head = "POST /v1/documents HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(exchange(connect(), &[head.as_bytes(), &chunk].concat()).status, 413);
    let reason = format!("{{\"reason\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(exchange(connect(), &request("POST", "/v1/documents/k/cancel", &KIND, reason.as_bytes())).status, 413);
    let batch = format!(
        "POST /v1/documents HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        17 * 1024 * 1024
    );
    assert_eq!(exchange(connect(), batch.as_bytes()).status, 413);
    for nonsense in ["\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{3}\u{1}", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = connect();
        stream.write_all(nonsense.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(agent.post("/v1/documents", &sale("k1")).status, 201);
}

#[test]
fn bodies_that_fill_the_memory_are_sent_away() {
    let shop = offline();
    let agent = Agent::start(&shop);
    // Announced and not sent: each holds its room.
    let head = format!(
        "POST /v1/documents HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        16 * 1024 * 1024
    );
    let announce = || {
        let mut stream = UnixStream::connect(&agent.socket).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    // Again where the machine was so slow that the first were given up meanwhile.
    let mut waiting: Vec<UnixStream> = Vec::new();
    let answer = loop {
        assert!(waiting.len() < 200, "there is always room");
        waiting.extend((0..8).map(|_| announce()));
        let mut early = (0..500).map(|n| agent.post("/v1/documents", &sale(&format!("early{n}"))));
        if let Some(refused) = early.find(|answer| answer.status == 503) {
            break refused;
        }
    };
    assert_eq!(answer.json()["error"]["code"], "busy");
    assert!(answer.header("retry-after").is_some());
    // Looking needs no room.
    assert_eq!(agent.get("/v1/status").status, 200);
    drop(waiting);
    let mut answer = agent.post("/v1/documents", &sale("late"));
    while answer.status == 503 {
        answer = agent.post("/v1/documents", &sale("late"));
    }
    assert_eq!(answer.status, 201);
}

#[test]
fn connections_too_many_are_refused_politely() {
    let shop = offline();
    let agent = Agent::start(&shop);
    // One that works before, and goes on.
    let mut served = UnixStream::connect(&agent.socket).unwrap();
    let ask = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut buffer = [0; 4096];
    let mut healthy = |stream: &mut UnixStream| {
        stream.write_all(ask.as_bytes()).unwrap();
        let read = stream.read(&mut buffer).unwrap();
        parse(&buffer[..read]).status
    };
    assert_eq!(healthy(&mut served), 200);
    let idle: Vec<UnixStream> = (0..399).map(|_| UnixStream::connect(&agent.socket).unwrap()).collect();
    let mut refused = 0;
    for _ in 0..600 {
        let answer = exchange(UnixStream::connect(&agent.socket).unwrap(), &request("GET", "/healthz", &[], b""));
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some() && answer.json()["error"]["code"] == "busy");
            refused += 1;
        }
    }
    assert!(refused > 500, "{refused}");
    assert_eq!(healthy(&mut served), 200);
    drop(idle);
    let mut answer = exchange(
        UnixStream::connect(&agent.socket).unwrap(),
        &request("POST", "/v1/documents", &KIND, sale("k1").as_bytes()),
    );
    while answer.status == 503 {
        answer = exchange(
            UnixStream::connect(&agent.socket).unwrap(),
            &request("POST", "/v1/documents", &KIND, sale("k1").as_bytes()),
        );
    }
    assert_eq!(answer.status, 201);
}

#[test]
fn too_many_who_follow_are_sent_away() {
    let shop = offline();
    let agent = Agent::start(&shop);
    let followers: Vec<super::Events> = (0..64).map(|_| agent.follow(0)).collect();
    assert!(followers.iter().all(|events| events.status == 200));
    assert_eq!(agent.get("/v1/events?after=0").status, 503);
    assert_eq!(agent.post("/v1/documents", &sale("k1")).status, 201);
}
