//! Events: from any number on, without gaps or repeats, across restarts; a slow reader holds nobody up.

use std::io::Write;
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::{Agent, Events, offline, online, request};
use crate::cli::{sale, sales};

/// What the journal has, one event a line: key, event, sequence number.
fn story(shop: &crate::cli::Shop) -> Vec<(u64, String, String)> {
    let mut all = Vec::new();
    for document in shop.run(&["export"]).status(0).lines() {
        for event in document["events"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            all.push((event["seq"].as_u64().unwrap(), text(&document["key"]), text(&event["event"])));
        }
    }
    all.sort();
    all
}

#[test]
fn they_go_on_across_restarts_without_gap_or_repeat() {
    let (shop, _sandbox) = online();
    let mut seen: Vec<(u64, String, String)> = Vec::new();
    let mut after = 0;
    for round in 0..3 {
        let agent = Agent::start(&shop);
        let key = format!("round{round}");
        // By the address and by the header, as a library that reconnects does; the header counts more.
        let header = after.to_string();
        let events = match round {
            0 => agent.follow(0),
            1 => Events::open(&agent.socket, "/v1/events", &[("last-event-id", &header)]),
            _ => Events::open(&agent.socket, "/v1/events?after=0", &[("last-event-id", &header)]),
        };
        assert_eq!(events.status, 200);
        agent.batch([sale(&key), sale(&format!("{key}b"))].join("\n"));
        let mut open = 2;
        for change in events {
            after = change["seq"].as_u64().unwrap();
            let text = |name: &str| change[name].as_str().unwrap().to_owned();
            seen.push((after, text("key"), text("event")));
            open -= usize::from(change["state"] == "registered" && change["event"] != "tracked");
            if open == 0 {
                break;
            }
        }
        if round == 1 { agent.kill() } else { drop(agent.stop()) }
    }
    assert!(seen.len() >= 3 * 2 * 4, "{seen:?}");
    assert_eq!(seen, story(&shop));
}

#[test]
fn the_state_is_the_one_after_the_event() {
    let (shop, _sandbox) = online();
    let agent = Agent::start(&shop);
    agent.batch(sales(3));
    for key in ["k1", "k2", "k3"] {
        agent.until(key, "registered");
    }
    let last = |key: &str| {
        let events = agent.get(&format!("/v1/documents/{key}")).json()["events"].clone();
        events.as_array().and_then(|events| events.last()).and_then(|event| event["seq"].as_u64())
    };
    let last = ["k1", "k2", "k3"].into_iter().filter_map(last).max().unwrap();
    let mut states = std::collections::BTreeMap::new();
    for change in agent.follow(0) {
        let (key, state) = (change["key"].as_str().unwrap().to_owned(), change["state"].as_str().unwrap().to_owned());
        assert_ne!(change["key"], Value::Null);
        states.entry(key).or_insert_with(Vec::new).push(state);
        if change["seq"] == last {
            break;
        }
    }
    for (_, mut states) in states {
        states.dedup();
        assert_eq!(states, ["queued", "sending", "accepted", "registered"]);
    }
}

#[test]
fn by_default_they_begin_now_and_what_is_not_there_yet_is_refused() {
    let shop = offline();
    let agent = Agent::start(&shop);
    agent.post("/v1/documents", &sale("old"));
    let mut events = Events::open(&agent.socket, "/v1/events", &[]);
    let mut body = String::new();
    // Its first words say from where on it tells: after them nothing is missed.
    while !body.starts_with(": after") {
        body = events.lines.next().unwrap().unwrap();
    }
    agent.post("/v1/documents", &sale("new"));
    assert!(events.find(|change| change["event"] == "enqueued").is_some_and(|change| change["key"] == "new"));
    assert_eq!(agent.get("/v1/events?after=1000000").json()["error"]["code"], "ahead");
    for wrong in ["after=x", "after=-1", "from=1"] {
        assert_eq!(agent.get(&format!("/v1/events?{wrong}")).status, 400, "{wrong}");
    }
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    let shop = offline();
    let agent = Agent::start(&shop);
    let slow: Vec<UnixStream> = (0..10)
        .map(|_| {
            let mut stream = UnixStream::connect(&agent.socket).unwrap();
            stream.write_all(&request("GET", "/v1/events?after=0", &[], b"")).unwrap();
            stream
        })
        .collect();
    // Some megabytes of events: far more than a socket holds.
    for n in 0..5 {
        let lines: String = (0..2_000).map(|i| sale(&format!("k{n}-{i}")) + "\n").collect();
        assert_eq!(agent.batch(lines).lines().len(), 2_000);
    }
    let enqueued = agent.follow(0).filter(|change| change["event"] == "enqueued").take(10_000).count();
    assert_eq!(enqueued, 10_000);
    drop(slow);
    agent.stop();
}
