//! Callbacks: a hint with the right secret makes the document be asked about now, and nothing else follows from it.

use super::{Agent, online};
use crate::cli::sale;

#[test]
fn a_callback_is_a_hint_and_no_more() {
    let (shop, sandbox) = online();
    shop.change(&[
        ("initial = \"50ms\", max = \"200ms\"", "initial = \"1h\", max = \"2h\""),
        ("name = \"shop-roma\"", "name = \"shop-roma\"\ncallback_secret = \"call-me\""),
    ]);
    let agent = Agent::start(&shop);
    agent.post("/v1/documents", &sale("k1"));
    agent.until("k1", "accepted");
    let id = agent.get("/v1/documents/k1").json()["remote"]["remote_id"].as_str().unwrap().to_owned();
    while sandbox.ledger()[0]["status"] != "ready" {}
    let json = ("content-type", "application/json");
    let body = format!(r#"{{"data":{{"data":{{"id":"{id}","status":"failed"}}}}}}"#);
    let call = |account: &str, headers: &[(&str, &str)], body: &str| {
        agent.call("POST", &format!("/v1/callbacks/{account}"), headers, body)
    };
    for (account, secret) in [
        ("shop-roma", "Bearer wrong"),
        ("shop-roma", ""),
        ("shop-milano", "Bearer call-me"),
        ("nobody", "Bearer call-me"),
    ] {
        assert_eq!(call(account, &[json, ("authorization", secret)], &body).status, 401, "{account} {secret}");
    }
    let secret = ("authorization", "Bearer call-me");
    for nothing in ["", "{}", "[]", "x", r#"{"data":{"id":"000000000000000000000000"}}"#] {
        let answer = call("shop-roma", &[json, secret], nothing);
        assert_eq!((answer.status, answer.json()["asked"].as_u64()), (200, Some(0)), "{nothing}");
    }
    assert_eq!(agent.get("/v1/documents/k1").json()["state"], "accepted");
    let answer = call("shop-roma", &[json, ("x-callback-secret", "call-me")], &body);
    assert_eq!((answer.status, answer.json()["asked"].as_u64()), (200, Some(1)));
    // It said "failed"; what the provider itself says is what counts.
    agent.until("k1", "registered");
    let show = agent.get("/v1/documents/k1").json();
    assert!(show["events"].as_array().unwrap().iter().any(|event| event["who"] == "callback"), "{show}");
    let again = call("shop-roma", &[json, secret], &body);
    assert_eq!((again.status, again.json()["asked"].as_u64()), (200, Some(0)), "what is final is not asked about");
}
