//! A damaged journal: what is readable is read, what is wrong is named, and nothing else stops.

use std::fs;

use serde_json::Value;

use super::dispatch::Sandbox;
use super::{Ran, Shop, sales};

/// Flips a bit in the record of this document.
fn damage(shop: &Shop, key: &str) {
    let mut segments: Vec<_> =
        fs::read_dir(shop.path("journal/segments")).unwrap().map(|e| e.unwrap().path()).collect();
    segments.sort();
    let mut bytes = fs::read(&segments[0]).unwrap();
    let at = bytes.windows(key.len()).position(|bytes| bytes == key.as_bytes()).unwrap();
    bytes[at + key.len() + 60] ^= 1;
    fs::write(&segments[0], bytes).unwrap();
}

fn keys(ran: &Ran) -> Vec<String> {
    ran.lines().iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect()
}

fn all_but(missing: usize) -> Vec<String> {
    (10..30).filter(|n| *n != missing).map(|n| format!("k{n}")).collect()
}

/// `k10` to `k29`, so that no key is the beginning of another.
fn twenty() -> String {
    sales(29).lines().skip(9).map(|line| format!("{line}\n")).collect()
}

#[test]
fn one_unreadable_document_is_held_and_nineteen_are_delivered() {
    let (shop, sandbox) = Sandbox::shop();
    shop.feed(&["enqueue"], twenty()).status(0);
    damage(&shop, "k15");
    let drained = shop.command(&["--json", "drain"]).env("OPENAPI_TOKEN", "sandbox").output().unwrap();
    assert_eq!(drained.status.code(), Some(3), "{drained:?}");
    let report: Value = serde_json::from_slice(&drained.stdout).unwrap();
    assert_eq!((report["registered"].as_u64(), sandbox.ledger().len()), (Some(19), 19));
    let left = report["left"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["key"], &left[0]["state"]), (1, &"k15".into(), &"held".into()));
    let reason = left[0]["reason"].as_str().unwrap();
    for word in ["segment 00000000000000000001 at byte ", "backup", "staffetta retry k15"] {
        assert!(reason.contains(word), "{reason}");
    }
    let status = shop.run(&["--json", "status"]).status(3).one();
    assert_eq!((&status["needs_person"], &status["attention"][0]["key"]), (&true.into(), &"k15".into()));
    assert_eq!(shop.run(&["--json", "list"]).status(0).lines().len(), 20);
    let verified = shop.run(&["--json", "verify"]).status(2).one();
    assert_eq!(verified["damage"][0]["key"], "k15");
    let exported = shop.run(&["export"]).status(2);
    assert_eq!(keys(&exported), all_but(15));
    assert!(exported.err().contains("k15") && exported.err().contains("damaged"), "{}", exported.err());
    shop.run(&["show", "k15"]).trouble();
    shop.run(&["cancel", "k15", "--reason", "enqueued anew"]).status(0);
    shop.run(&["status"]).status(0);
}

#[test]
fn a_journal_too_damaged_to_open_is_still_read() {
    let shop = Shop::new();
    shop.feed(&["enqueue"], twenty()).status(0);
    shop.run(&["cancel", "k20", "--reason", "called off"]).status(0);
    let whole = shop.run(&["export"]).status(0);
    let csv = shop.run(&["export", "--format", "csv"]).status(0).out();
    let list = shop.run(&["--json", "list"]).status(0);
    let shown = shop.run(&["--json", "show", "k20"]).status(0).one();
    damage(&shop, "k15");
    fs::remove_dir_all(shop.path("journal/index")).unwrap();
    let refused = shop.run(&["status"]).trouble();
    assert!(refused.contains("segment 00000000000000000001") && refused.contains("`export`"), "{refused}");

    let without =
        |text: &str| text.lines().filter(|line| !line.contains("k15")).map(|line| format!("{line}\n")).collect();
    let exported = shop.run(&["export"]).status(2);
    let expected: String = without(&whole.out());
    assert_eq!(exported.out(), expected);
    assert_eq!(exported.out(), shop.run(&["export"]).status(2).out());
    assert!(exported.err().contains("segment 00000000000000000001, byte "), "{}", exported.err());
    assert!(exported.err().contains("(document k15)"), "{}", exported.err());
    let expected: String = without(&csv);
    assert_eq!(shop.run(&["export", "--format", "csv"]).status(2).out(), expected);
    let expected: String = without(&list.out());
    assert_eq!(shop.run(&["--json", "list"]).status(2).out(), expected);
    assert_eq!(keys(&shop.run(&["--json", "list", "--state", "cancelled"]).status(2)), ["k20"]);
    assert_eq!(keys(&shop.run(&["--json", "list", "--limit", "3"]).status(2)).len(), 3);
    assert_eq!(shop.run(&["--json", "show", "k20"]).status(2).one(), shown);
    assert_eq!(shop.run(&["show", "k15"]).status(2).out(), "");
    // Reading changes nothing, and whatever else is asked is refused.
    shop.feed(&["enqueue"], sales(1)).status(2);
    shop.run(&["cancel", "k20", "--reason", "x"]).trouble();
}

#[test]
fn a_key_that_is_a_formula_is_none_in_csv() {
    let shop = Shop::new();
    shop.take(&super::sale("=1+1"));
    shop.take(&super::sale("-17"));
    let csv = shop.run(&["export", "--format", "csv"]).status(0).out();
    let keys: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(keys, ["'=1+1", "-17"]);
}

#[test]
fn times_are_as_exact_everywhere() {
    let shop = Shop::new();
    shop.feed(&["enqueue"], sales(1)).status(0);
    for _ in 0..3 {
        let status = shop.run(&["--json", "status"]).one();
        let due = status["next_due"].as_str().unwrap().to_owned();
        let digits = due.split_once('.').map_or(0, |(_, rest)| rest.trim_end_matches('Z').len());
        assert!(digits <= 6, "{due}");
    }
}
