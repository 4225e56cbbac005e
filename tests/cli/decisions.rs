//! What a person decides: `cancel`, `retry`, `resolve`, `release`.

use serde_json::Value;

use super::{Shop, sale, sales};

#[test]
fn what_never_left_can_be_called_off() {
    let shop = Shop::new();
    shop.feed(&["enqueue"], sales(3)).status(0);
    let done = shop.run(&["--json", "cancel", "k1", "--reason", "wrong article"]).status(0).one();
    assert_eq!((&done["key"], &done["state"], &done["done"]), (&"k1".into(), &"cancelled".into(), &true.into()));
    let show = shop.run(&["--json", "show", "k1"]).one();
    let event = show["events"].as_array().and_then(|events| events.last()).expect("an event");
    assert_eq!((&event["event"], &event["who"]), (&Value::from("cancelled"), &Value::from("maria")));
    assert!(event["why"].as_str().is_some_and(|why| why.contains("wrong article")), "{event}");

    // One that is not possible does not keep the others.
    let ran = shop.run(&["--json", "cancel", "k1", "nobody", "k2", "--reason", "again"]).status(1);
    let said: Vec<(Value, Value)> =
        ran.lines().iter().map(|line| (line["key"].clone(), line["done"].clone())).collect();
    let expected: Vec<(Value, Value)> =
        [("k1", false), ("nobody", false), ("k2", true)].map(|(key, done)| (key.into(), done.into())).into();
    assert_eq!(said, expected);
    assert!(ran.lines().iter().all(|line| line["why"].as_str().is_some_and(|why| !why.is_empty())));
    let status = shop.run(&["--json", "status"]).status(0).one();
    assert_eq!((&status["counts"]["cancelled"], &status["counts"]["queued"]), (&2.into(), &1.into()));
}

#[test]
fn what_is_not_possible_says_why() {
    let shop = Shop::new();
    shop.feed(&["enqueue"], sales(2)).status(0);
    shop.run(&["cancel", "k1", "--reason", "x"]).status(0);
    for args in [
        &["retry", "k1"][..],
        &["retry", "nobody"],
        &["resolve", "k1", "--not-accepted", "--reason", "asked"],
        &["resolve", "k2", "--accepted", "6a0f3c1e9b7d2a4c5e6f7081", "--reason", "seen"],
        &["resolve", "nobody", "--not-accepted", "--reason", "asked"],
        &["release", "shop-roma"],
        &["release", "shop-napoli"],
        &["release", "shop-roma", "12345678903"],
    ] {
        let ran = shop.run(args).status(1);
        assert!(ran.out().starts_with("not done"), "{args:?}: {}{}", ran.out(), ran.err());
        let mut json = vec!["--json"];
        json.extend(args);
        let object = shop.run(&json).status(1).one();
        assert_eq!(object["done"], false, "{object}");
        assert!(object["why"].as_str().is_some_and(|why| !why.is_empty()), "{object}");
        assert!(object["key"].is_string() || object["account"].is_string(), "{object}");
    }
}

#[test]
fn a_waiting_document_can_be_tried_now() {
    let shop = Shop::new();
    shop.take(&sale("k1"));
    let done = shop.run(&["--json", "retry", "k1"]).status(0).one();
    assert_eq!((&done["done"], &done["state"]), (&true.into(), &"queued".into()));
}
