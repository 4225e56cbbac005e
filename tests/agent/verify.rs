//! `verify` of a journal in use: sound while tills write, and damage is found as without an agent.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Agent, offline};
use crate::cli::{sale, sales};

#[test]
fn it_is_sound_while_tills_write() {
    let shop = offline();
    let agent = Agent::start(&shop);
    agent.batch(sales(500));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for till in 0..4 {
            let (agent, over) = (&agent, &over);
            scope.spawn(move || {
                // Bounded, so that the journal does not outgrow the reading.
                for n in 0..60 {
                    let lines: String = (0..20).map(|i| sale(&format!("t{till}-{n}-{i}")) + "\n").collect();
                    assert_eq!(agent.batch(lines).lines().len(), 20);
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        let all: Vec<_> = (0..6).map(|_| agent.get("/v1/verify").json()).collect();
        over.store(true, Ordering::Relaxed);
        let mut before = 0;
        for found in all {
            assert_eq!(found["sound"], true, "{found}");
            assert_eq!(found["index_left_out"], serde_json::Value::Null);
            let documents = found["documents"].as_u64().unwrap();
            assert!(documents >= before.max(500), "{found}");
            before = documents;
        }
    });
    agent.stop();
    assert_eq!(shop.run(&["--json", "verify"]).status(0).one()["sound"], true);
}

#[test]
fn damage_is_found_and_named() {
    let shop = offline();
    shop.feed(&["enqueue"], sales(50)).status(0);
    let agent = Agent::start(&shop);
    let mut segments = std::fs::read_dir(shop.path("journal/segments")).expect("a folder").flatten();
    let segment = segments.next().expect("a segment").path();
    let bytes = std::fs::read(&segment).expect("readable");
    let at = bytes.windows(4).position(|four| four == "Caff".as_bytes()).expect("a document");
    // In place: the agent has the file open.
    let file = std::fs::OpenOptions::new().write(true).open(&segment).expect("writable");
    std::os::unix::fs::FileExt::write_all_at(&file, b"C\x01ff", at as u64).expect("written");
    let with = shop.run(&["verify"]).status(2);
    let found = shop.run(&["--json", "verify"]).status(2).lines().remove(0);
    assert_eq!(found["sound"], false, "{found}");
    agent.stop();
    let without = shop.run(&["verify"]).status(2);
    let places = |text: String| -> Vec<String> {
        let offset = |line: &str| Some(line.split("byte ").nth(1)?.split(':').next()?.to_owned());
        text.lines().filter_map(offset).collect()
    };
    assert!(!places(with.out()).is_empty(), "{}", with.out());
    assert_eq!(places(with.out()), places(without.out()), "{}\n{}", with.out(), without.out());
    assert_eq!(with.err(), without.err());
}
