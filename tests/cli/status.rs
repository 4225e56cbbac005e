//! `status` where a person must do something, and `verify` where nothing was ever taken.

use super::{Shop, sale};

/// Renamed, or taken away: its documents go nowhere until a person acts.
#[test]
fn an_account_that_left_the_configuration_needs_a_person() {
    let shop = Shop::new();
    shop.take(&sale("k1"));
    shop.take(&sale("k2"));
    shop.run(&["status"]).status(0);
    shop.change(&[("name = \"shop-roma\"", "name = \"shop-lazio\"")]);
    let status = shop.run(&["--json", "status"]).status(3).one();
    let line = &status["attention"][0];
    assert_eq!((&status["needs_person"], &line["account"]), (&true.into(), &"shop-roma".into()), "{status}");
    assert_eq!((&line["what"], &line["key"]), (&"account_missing".into(), &serde_json::Value::Null), "{status}");
    assert_eq!(status["attention"].as_array().map(Vec::len), Some(1), "once an account: {status}");
    assert!(line["why"].as_str().is_some_and(|why| why.contains("2 of its documents")), "{status}");
    assert_eq!(status["next_due"], serde_json::Value::Null, "{status}");
    let said = shop.run(&["status"]).status(3).out();
    assert!(said.contains("shop-roma  account_missing: the account is not in the configuration"), "{said}");
    for line in shop.run(&["--json", "list"]).status(0).lines() {
        let reason = line["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("shop-roma is not in the configuration") && reason.contains("cancel"), "{reason}");
    }
    shop.run(&["cancel", "k1", "k2", "--reason", "sold elsewhere"]).status(0);
    shop.run(&["status"]).status(0);
}

#[test]
fn a_journal_that_was_never_made_is_sound() {
    let shop = Shop::new();
    let ran = shop.run(&["--json", "verify"]).status(0);
    let found = ran.one();
    assert_eq!((&found["sound"], &found["records"], &found["documents"]), (&true.into(), &0.into(), &0.into()));
    assert_eq!(found["damage"], serde_json::json!([]));
    assert!(ran.err().contains("there is no journal at"), "{}", ran.err());
    assert!(!shop.path("journal").exists(), "looking makes none");
    // Something else in its place is no journal.
    shop.file("journal", "");
    assert!(shop.run(&["verify"]).trouble().contains("there is no journal at"));
}
