//! Every rule is shown a mistake that it must find, and something that only looks like one.

use super::source::Source;
use super::{LONGEST, arrows, clocks, floats, lengths, names, naps, panics, unfinished};

#[test]
fn every_rule_finds_what_it_is_for() {
    type Rule = fn(&Source) -> Vec<String>;
    let wrong: [(Rule, &str, &str); 30] = [
        (arrows, "src/domain/money.rs", "use crate::clock::Clock;"),
        (arrows, "src/journal/writer.rs", "use crate::{domain::id::Key, queue};"),
        (arrows, "src/provider/http.rs", "fn f() -> crate::queue::Queue {}"),
        (arrows, "src/queue/mod.rs", "use crate::provider::Call;"),
        (arrows, "src/sandbox/mod.rs", "use crate::provider::Call;"),
        (arrows, "src/dispatcher/mod.rs", "use crate::cli;"),
        (arrows, "src/queue/story.rs", "use super::super::provider::Call;"),
        (arrows, "src/domain/mod.rs", "use super::Queue;"),
        (arrows, "src/domain/id.rs", "use crate::Queue;"),
        (arrows, "src/provider/turns.rs", "use crate::sandbox::Sandbox;\n#[cfg(test)]\nmod tests { fn f() {} }"),
        (arrows, "src/provider/turns/tests.rs", "use crate::queue::Queue;"),
        (arrows, "src/cellar/mod.rs", ""),
        (names, "src/journal/layers.rs", "use sled::Db;"),
        (names, "src/dispatcher/submit.rs", "fn f(_: reqwest::Error) {}"),
        (names, "src/journal/mod.rs", "println!();"),
        (names, "src/domain/check.rs", "use std::fs::File;"),
        (names, "src/journal/mod.rs", "async fn f() {}"),
        (clocks, "src/queue/mod.rs", "let now = chrono::Utc::now();"),
        (clocks, "src/dispatcher/gate.rs", "use std::time::{Duration, Instant};"),
        (clocks, "src/journal/mod.rs", "let at = std::time::SystemTime::UNIX_EPOCH;"),
        (floats, "src/domain/money.rs", "fn f(x: f64) {}"),
        (floats, "src/domain/totals.rs", "let x = 0.5;"),
        (lengths, "src/domain/totals.rs", "\n"),
        (unfinished, "src/domain/totals.rs", concat!("// TO", "DO: later")),
        (unfinished, "src/domain/totals.rs", "fn f() { todo!() }"),
        (unfinished, "tests/x.rs", "#[ignore]"),
        (unfinished, "tests/x.rs", "std::thread::sleep(second);"),
        (panics, "src/journal/record.rs", "fn f() { g().unwrap() }"),
        (naps, "tests/x.rs", "#[tokio::test]\nasync fn f() { tokio::time::sleep(x).await }"),
        (naps, "tests/x.rs", "fn f() { sleep(x) }"),
    ];
    for (rule, path, text) in wrong {
        let text = if text == "\n" { text.repeat(LONGEST + 1) } else { text.to_owned() };
        assert_eq!(rule(&Source::new(path, &text)).len(), 1, "{path}: {text}");
    }
    let right: [(Rule, &str, &str); 13] = [
        (arrows, "src/queue/mod.rs", "use crate::journal::{self, provider};\nuse crate::{domain::{id, cli}, view};"),
        (arrows, "src/queue/story.rs", "// crate::provider\nuse super::Queue;\nlet x = \"crate::cli\";"),
        (arrows, "src/sandbox/live.rs", "#[cfg(test)]\nmod tests { use super::super::ask::Call; }"),
        (arrows, "src/provider/turns.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::testing::TestClock; }"),
        (arrows, "src/provider/turns/tests.rs", "use crate::sandbox::Sandbox;"),
        (names, "src/journal/index.rs", "use sled::Db;"),
        (names, "src/journal/mod.rs", "/// sled\n/* reqwest */ let unsledded = 1;"),
        (clocks, "src/clock.rs", "Utc::now()"),
        (clocks, "src/cli/mod.rs", "let local = from_local_datetime(x); // Utc::now"),
        (floats, "src/domain/money.rs", "let x = y.0.1; let r = 0..1; let t = \"1.5\"; let u = 'f'; // 1.5 f64"),
        (panics, "src/journal/record.rs", "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { f().unwrap() } }"),
        (naps, "tests/x.rs", "#[tokio::test(start_paused = true)]\nasync fn f() { tokio::time::sleep(x).await }"),
        (unfinished, "src/domain/totals.rs", "let todo = r#\"todo!() \"#; let c = '\"'; let d = b'\\'';"),
    ];
    for (rule, path, text) in right {
        assert_eq!(rule(&Source::new(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}
