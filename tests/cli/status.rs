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

/// Each with the next step.
#[test]
fn a_journal_or_an_agent_that_cannot_be_where_it_should_says_what_to_do() {
    let shop = Shop::new();
    shop.file("journal", "");
    let said = shop.run(&["list"]).trouble();
    assert!(said.contains("the journal is a folder: name another path under [journal]"), "{said}");
    std::fs::remove_file(shop.path("journal")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    shop.change(&[("# listen = \"127.0.0.1:7071\"", &format!("listen = \"{address}\""))]);
    let said = shop.run(&["run"]).trouble();
    assert!(said.contains(&address.to_string()) && said.contains("`listen` under [agent]"), "{said}");
}

/// The index is a view: where it alone is wrong, nobody is sent for a backup.
#[test]
fn a_damaged_index_is_made_anew_and_not_restored() {
    let shop = Shop::new();
    shop.take(&sale("k1"));
    let index = shop.path("journal/index");
    for entry in std::fs::read_dir(&index).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        std::fs::write(entry, "junk").unwrap();
    }
    let ran = shop.run(&["verify"]).status(2);
    assert!(ran.err().contains("remove `index/`") && !ran.err().contains("backup"), "{}", ran.err());
    let found = shop.run(&["--json", "verify"]).status(2).one();
    assert!(found["damage"].as_array().is_some_and(|all| all.iter().all(|one| one["view"] == true)), "{found}");
    std::fs::remove_dir_all(&index).unwrap();
    shop.run(&["list"]).status(0);
    shop.run(&["verify"]).status(0);
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
