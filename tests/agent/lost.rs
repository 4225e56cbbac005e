//! The agent does what it was asked to, and dies before it has said so: the command asks again, finds it done, and says so.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;

use serde_json::Value;
use staffetta::prelude::*;

use super::offline;
use crate::cli::{Shop, sales};
use crate::interrupted::stopped_while_sending;

/// Holds the journal as an agent does. Decides what it is asked to decide first, gives the journal back, and never answers.
fn dies_before_it_answers(shop: &Shop) -> JoinHandle<String> {
    let queue = Queue::open(shop.path("journal")).unwrap();
    let listener = UnixListener::bind(shop.path("journal/agent.sock")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Some((head, body)) = request(stream.unwrap()) else { continue }; // somebody looked whether we are here
            let said = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let (who, why) = (said("who"), said("reason"));
            let decision = match head.split(['/', ' ']).find(|part| ["cancel", "resolve"].contains(part)).unwrap() {
                "cancel" => queue.cancel("k1", &who, &why),
                _ => queue.resolve("k1", body["accepted"].as_str(), &who, &why),
            };
            queue.close().unwrap();
            return decision.unwrap().why;
        }
        unreachable!("it listens for ever")
    })
}

fn request(mut stream: UnixStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 1024];
        let read = stream.read(&mut some).unwrap();
        bytes.extend_from_slice(&some[..read]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return Some((head.lines().next().unwrap().to_owned(), body));
        }
        if read == 0 {
            return None;
        }
    }
}

#[test]
fn a_cancel_whose_answer_was_lost_is_done() {
    let shop = offline();
    shop.feed(&["enqueue"], sales(1)).status(0);
    let agent = dies_before_it_answers(&shop);
    let said = shop.run(&["--json", "cancel", "k1", "--reason", " wrong article "]).status(0).one();
    assert_eq!(agent.join().unwrap(), "called off");
    assert_eq!((&said["done"], &said["state"]), (&true.into(), &"cancelled".into()), "{said}");
    let show = shop.run(&["--json", "show", "k1"]).status(0).one();
    let cancelled = show["events"].as_array().unwrap().iter().filter(|event| event["event"] == "cancelled").count();
    assert_eq!(cancelled, 1, "{show}");
    // Asked anew it is another request, and final is final.
    let again = shop.run(&["--json", "cancel", "k1", "--reason", "wrong article"]).status(1).one();
    assert_eq!((&again["done"], &again["state"]), (&false.into(), &"cancelled".into()), "{again}");
}

#[test]
fn what_somebody_else_called_off_is_not_ours() {
    let shop = offline();
    shop.feed(&["enqueue"], sales(1)).status(0);
    shop.run(&["cancel", "k1", "--reason", "wrong article"]).status(0);
    // The same words, but said before: the agent refuses, dies, and the question asked again is refused too.
    let agent = dies_before_it_answers(&shop);
    let said = shop.run(&["--json", "cancel", "k1", "--reason", "wrong article"]).status(1).one();
    assert_eq!(agent.join().unwrap(), "it is cancelled, which is final");
    assert_eq!(said["done"], false, "{said}");
}

#[test]
fn a_finding_whose_answer_was_lost_is_recorded() {
    let shop = offline();
    shop.feed(&["enqueue"], sales(1)).status(0);
    stopped_while_sending(&shop.path("journal"), "k1");
    let agent = dies_before_it_answers(&shop);
    let said = shop.run(&["--json", "resolve", "k1", "--accepted", "6a0f3c1e", "--reason", "seen"]).status(0).one();
    assert!(agent.join().unwrap().contains("6a0f3c1e"));
    assert_eq!((&said["done"], &said["state"]), (&true.into(), &"accepted".into()), "{said}");
}
