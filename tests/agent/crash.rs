//! What was answered with 201 is there after SIGKILL, whatever else was going on; who goes away changes nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Agent, offline, request};
use crate::cli::sale;

#[test]
fn what_was_said_to_be_taken_survives_a_kill() {
    let shop = offline();
    let (mut told, mut number) = (BTreeSet::new(), 0);
    for round in 0..4 {
        let agent = Agent::start(&shop);
        let (socket, heard, next) = (agent.socket.clone(), Mutex::new(Vec::new()), AtomicUsize::new(number));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let key = format!("k{}", next.fetch_add(1, Ordering::Relaxed));
                        let Ok(mut stream) = UnixStream::connect(&socket) else { return };
                        let body = sale(&key);
                        let kind = [("content-type", "application/json")];
                        if stream.write_all(&request("POST", "/v1/documents", &kind, body.as_bytes())).is_err() {
                            return;
                        }
                        let mut answer = String::new();
                        let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
                        if !answer.starts_with("HTTP/1.1 201") {
                            return; // it was killed
                        }
                        heard.lock().unwrap().push(key);
                    }
                });
            }
            let enough = 40 + 60 * round;
            while heard.lock().unwrap().len() < enough {
                std::thread::yield_now();
            }
            agent.kill();
        });
        number = next.into_inner();
        told.extend(heard.into_inner().unwrap());
        assert!(shop.path("journal/agent.sock").exists(), "a dead process leaves its socket");
    }
    let listed = shop.run(&["--json", "list"]).status(0).lines();
    let keys: BTreeSet<String> = listed.iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), listed.len());
    let lost: Vec<_> = told.difference(&keys).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(shop.run(&["--json", "verify"]).status(0).one()["sound"], true);
}

#[test]
fn who_goes_away_in_the_middle_changes_nothing() {
    let shop = offline();
    let agent = Agent::start(&shop);
    let kind = [("content-type", "application/json")];
    let lines = [("content-type", "application/x-ndjson")];
    // Half of a document, and half of a batch whose first lines are whole: nothing is begun.
    let whole = request("POST", "/v1/documents", &kind, sale("half").as_bytes());
    let batch = request("POST", "/v1/documents", &lines, [sale("b1"), sale("b2"), sale("b3")].join("\n").as_bytes());
    for bytes in [&whole[..whole.len() - 5], &batch[..batch.len() - 5]] {
        let mut stream = UnixStream::connect(&agent.socket).unwrap();
        stream.write_all(bytes).unwrap();
    }
    // Whole, and gone before the answer: taken, once.
    let gone: Vec<String> = (0..20).map(|n| format!("gone{n}")).collect();
    for key in &gone {
        let mut stream = UnixStream::connect(&agent.socket).unwrap();
        stream.write_all(&request("POST", "/v1/documents", &kind, sale(key).as_bytes())).unwrap();
        drop(stream);
    }
    for key in &gone {
        let answer = agent.post("/v1/documents", &sale(key));
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
    }
    let listed = agent.get("/v1/documents").json();
    let mut keys: Vec<&str> =
        listed["documents"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    let mut expected: Vec<&str> = gone.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(keys, expected);
}
