//! What is printed: help, JSON shapes, a reader that goes away, statuses of mistyped commands.

use std::process::Stdio;

use serde_json::Value;

use super::{Shop, sale, sales};

const COMMANDS: [&str; 18] = [
    "init", "enqueue", "run", "drain", "status", "list", "show", "retry", "cancel", "resolve", "release", "fetch",
    "company", "receipts", "verify", "export", "sandbox", "demo",
];

#[test]
fn every_command_has_help_with_an_example() {
    let shop = Shop::bare();
    let help = shop.run(&["--help"]).status(0).out();
    for command in COMMANDS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command} in {help}");
        let own = shop.run(&[command, "--help"]).status(0).out();
        assert!(own.contains("Example") && own.contains(command), "{own}");
        assert_eq!(own, shop.run(&[command, "--help"]).out());
    }
    assert!(shop.run(&["--version"]).status(0).out().starts_with("staffetta "));
}

#[test]
fn a_mistyped_command_is_our_trouble() {
    let shop = Shop::new();
    for args in [
        &["enqeue"][..],
        &[],
        &["list", "--state", "lost"],
        &["list", "--kind", "invoice"],
        &["list", "--since", "yesterday"],
        &["list", "--limit", "-1"],
        &["show"],
        &["cancel", "k1"],
        &["cancel", "--reason", "x"],
        &["cancel", "k1", "--reason", " "],
        &["resolve", "k1", "--reason", "x"],
        &["resolve", "k1", "--accepted", "a", "--not-accepted", "--reason", "x"],
        &["drain", "--until", "25:00"],
        &["drain", "--for", "soon"],
        &["export", "--format", "xml"],
        &["fetch", "k1", "photo"],
        &["sandbox", "--listen", "everywhere"],
    ] {
        let ran = shop.run(args).status(2);
        assert!(!ran.err().is_empty(), "{args:?}");
        assert_eq!(ran.out(), "", "{args:?}");
    }
    let error = shop.run(&["--json", "list", "--state", "lost"]).status(2).one();
    assert_eq!(error["error"]["code"], "usage");
    assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains("lost")), "{error}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let shop = Shop::new();
    shop.feed(&["enqueue"], sales(2_000)).status(0);
    for args in [&["list"][..], &["--json", "list"], &["export"], &["export", "--format", "csv"], &["show", "k1"]] {
        let mut child = shop.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{args:?}");
    }
}

#[test]
fn nobody_on_standard_error_is_no_error_either() {
    let shop = Shop::new();
    for (args, status) in [(&["enqueue"][..], 0), (&["show", "nobody"], 1), (&["list", "--config", "none"], 2)] {
        let mut child = shop.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
        drop(child.stderr.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(status), "{args:?}");
    }
}

#[test]
fn the_objects_have_the_promised_members() {
    let shop = Shop::new();
    shop.take(&sale("k1"));
    shop.take(r#"{"key":"k2","kind":"return","parent":"k1","body":{"items":[{"line":0,"quantity":1}]}}"#);

    let taken = shop.feed(&["--json", "enqueue"], sale("k3")).one();
    members(&taken, &["key", "id", "state", "duplicate"]);

    let list = shop.run(&["--json", "list"]).status(0).lines();
    assert_eq!(list.len(), 3);
    for line in &list {
        members(line, &["key", "id", "kind", "account", "fiscal_id", "state", "issued_at", "enqueued_at", "attempts"]);
        may_have(line, &["reason", "due_at"]);
    }
    let show = shop.run(&["--json", "show", "k2"]).status(0).one();
    members(
        &show,
        &["key", "id", "kind", "account", "state", "body", "parent", "children", "attention", "remote", "events"],
    );
    assert_eq!(show["parent"], "k1");
    members(&show["events"][0], &["seq", "at", "event"]);
    let parent = shop.run(&["--json", "show", "k1"]).status(0).one();
    assert_eq!(parent["children"], serde_json::json!(["k2"]));
    assert_eq!(parent["totals"]["total_amount"], "1.00");
    assert_eq!(parent["fiscal_id"], "12345678903");
    // Amounts are decimal strings, in what the till said too.
    let body = &parent["body"];
    assert_eq!([&body["cash_payment_amount"], &body["discount"]], ["1", "0"]);
    let item = &body["items"][0];
    assert_eq!([&item["unit_price"], &item["quantity"], &item["discount"]], ["1.00", "1", "0"]);
    assert_eq!(show["body"]["items"][0], serde_json::json!({"line": 0, "quantity": "1"}));

    let status = shop.run(&["--json", "status"]).status(0).one();
    members(&status, &["counts", "needs_person", "oldest_unsent", "attention", "accounts"]);
    assert_eq!(status["counts"]["queued"], 3);
    assert_eq!(status["needs_person"], false);
    members(&status["oldest_unsent"], &["key", "age_s"]);
    let accounts = status["accounts"].as_array().expect("a list");
    assert_eq!(accounts.len(), 3);
    members(&accounts[0], &["name", "provider", "counts", "blackout", "holds"]);
    members(&accounts[0]["blackout"], &["active"]);

    let verify = shop.run(&["--json", "verify"]).status(0).one();
    members(&verify, &["sound", "records", "documents", "damage"]);
    assert_eq!((&verify["sound"], &verify["documents"]), (&Value::from(true), &Value::from(3)));

    // `export` prints what `show` prints, and an unchanged journal gives the same bytes twice.
    let export = shop.run(&["export"]).status(0);
    assert_eq!(export.lines().len(), 3);
    assert_eq!(export.lines()[1], shop.run(&["--json", "show", "k2"]).one());
    assert_eq!(export.out(), shop.run(&["export"]).out());
    assert_eq!(export.out(), shop.run(&["export", "--json"]).out());
    let csv = shop.run(&["export", "--format", "csv"]).status(0).out();
    assert_eq!(csv, shop.run(&["export", "--format", "csv"]).out());
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.starts_with("key,id,kind,account,"), "{csv}");
    assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("k1,") && line.contains(",1.00,")), "{csv}");
}

#[test]
fn lists_can_be_narrowed() {
    let shop = Shop::new();
    shop.feed(&["enqueue"], sales(5)).status(0);
    shop.take(&sale("m1").replace("shop-roma", "shop-milano").replace("12345678903", "01234567897"));
    shop.take(r#"{"key":"v1","kind":"return","parent":"k1","body":{"items":[{"line":0,"quantity":1}]}}"#);
    let keys = |args: &[&str]| -> Vec<String> {
        let mut all = vec!["--json", "list"];
        all.extend(args);
        let ran = shop.run(&all).status(0);
        ran.lines().iter().map(|line| line["key"].as_str().unwrap_or("?").to_owned()).collect()
    };
    assert_eq!(keys(&[]), ["k1", "k2", "k3", "k4", "k5", "m1", "v1"]);
    assert_eq!(keys(&["--account", "shop-milano"]), ["m1"]);
    assert_eq!(keys(&["--kind", "return"]), ["v1"]);
    assert_eq!(keys(&["--state", "registered"]), [""; 0]);
    assert_eq!(keys(&["--limit", "2"]), ["k1", "k2"]);
    assert_eq!(keys(&["--limit", "0"]), [""; 0]);
    assert_eq!(keys(&["--since", "1h"]).len(), 7);
    assert_eq!(keys(&["--since", "2999-01-01"]).len(), 0);
    let people = shop.run(&["list", "--limit", "1"]).status(0).out();
    assert!(people.lines().count() == 2 && people.contains("KEY") && people.contains("k1"), "{people}");
    let exported = shop.run(&["export", "--since", "2999-01-01"]).status(0).out();
    assert_eq!(exported, "");
    assert_eq!(shop.run(&["export", "--until", "2999-01-01"]).lines().len(), 7);
    // By the time of the sale, in both: it is what a day's or a month's register is of.
    let late = sale("late").replace("\"kind\"", "\"issued_at\":\"2026-01-31T22:59:59Z\",\"kind\"");
    shop.take(&late);
    for command in ["list", "export"] {
        let ran = |args: &[&str]| shop.run(&[&["--json", command], args].concat()).status(0).lines().len();
        assert_eq!((ran(&["--since", "2026-01-31"]), ran(&["--since", "2026-02-01"])), (8, 7), "{command}");
    }
    let until = |day: &str| shop.run(&["export", "--until", day]).status(0).lines().len();
    assert_eq!((until("2026-02-01"), until("2026-01-31")), (1, 0));
}

#[test]
fn people_can_read_everything() {
    let shop = Shop::new();
    shop.take(&sale("k1"));
    let show = shop.run(&["show", "k1"]).status(0).out();
    for part in ["k1", "receipt", "shop-roma", "queued", "Caffè", "total_amount", "events"] {
        assert!(show.contains(part), "{part}: {show}");
    }
    let status = shop.run(&["status"]).status(0).out();
    for part in ["1 document", "queued", "k1", "shop-roma", "openapi", "taxfree"] {
        assert!(status.contains(part), "{part}: {status}");
    }
    assert!(shop.run(&["verify"]).status(0).out().contains("sound"));
    let unknown = shop.run(&["show", "nobody"]).status(1);
    assert!(unknown.err().contains("nobody") && unknown.err().contains("staffetta list"), "{}", unknown.err());
    assert_eq!(shop.run(&["--json", "show", "nobody"]).status(1).one()["error"]["code"], "unknown_key");
}

#[test]
fn a_journal_in_use_names_the_process_that_holds_it() {
    let shop = Shop::new();
    let holder = staffetta::queue::Queue::open(shop.path("journal")).expect("a journal");
    let said = shop.run(&["enqueue"]).trouble();
    assert!(said.contains(&std::process::id().to_string()), "{said}");
    let error = shop.run(&["--json", "status"]).status(2).one();
    assert_eq!(error["error"]["code"], "journal_locked");
    holder.close().expect("closes");
    drop(holder);
    shop.run(&["status"]).status(0);
}

#[test]
fn damage_is_found_and_named() {
    let shop = Shop::new();
    shop.feed(&["enqueue"], sales(50)).status(0);
    let mut segments = std::fs::read_dir(shop.path("journal/segments")).expect("a folder").flatten();
    let segment = segments.next().expect("a segment").path();
    let mut bytes = std::fs::read(&segment).expect("readable");
    let at = bytes.windows(4).position(|four| four == "Caff".as_bytes()).expect("a document");
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).expect("writable");
    let ran = shop.run(&["--json", "verify"]).status(2);
    let report = ran.lines().remove(0);
    assert_eq!(report["sound"], false);
    let damage = &report["damage"][0];
    members(damage, &["segment", "offset", "what"]);
    let ran = shop.run(&["verify"]).status(2);
    assert!(ran.out().contains("damage") || ran.err().contains("damage"), "{}{}", ran.out(), ran.err());
}

/// Every member is there and not null.
#[track_caller]
fn members(object: &Value, names: &[&str]) {
    for name in names {
        assert!(!object[name].is_null(), "{name} in {object}");
    }
}

/// Every member has its promised name, if it is there.
#[track_caller]
fn may_have(object: &Value, names: &[&str]) {
    for name in names {
        assert!(object.get(name).is_none_or(|value| value.is_null() || value.is_string()), "{name} in {object}");
    }
}

/// A log in a file or a pipe is searched and kept: no codes of colours in it.
#[test]
fn what_is_said_into_a_pipe_has_no_colours() {
    let shop = Shop::new();
    shop.feed(&["-vv", "enqueue"], sales(1)).status(0);
    let said = shop.run(&["-vv", "list"]).status(0).err();
    assert!(said.contains("journal open"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
