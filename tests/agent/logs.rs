//! What is written to logs has no secret and no customer in it, at the highest verbosity, whatever fails.

use std::process::Stdio;

use super::{Agent, online};
use crate::cli::Shop;

/// Planted where secrets and personal data belong.
const TOKEN: &str = "tok-3f9a-planted-secret";
const PASSWORD: &str = "pwd-77c1-planted-secret";
const CALLBACK: &str = "cb-51d0-planted-secret";
const CUSTOMER: &str = "Ermenegilda Brambillasca";
const EMAIL: &str = "ermenegilda@customer.example";

fn sale(key: &str) -> String {
    format!(
        r#"{{"key":"{key}","kind":"receipt","account":"shop-roma","body":{{"fiscal_id":"12345678903","items":[{{"quantity":1,"description":"Caffè per {CUSTOMER}","unit_price":"1.00","vat_rate_code":"10"}}],"cash_payment_amount":1,"tags":["{CUSTOMER}"]}}}}"#
    )
}

#[test]
fn logs_have_no_secret_and_no_customer_in_them() {
    let (shop, sandbox) = online();
    shop.change(&[
        ("token = \"sandbox-token\"", &format!("token = \"{TOKEN}\"\ncallback_secret = \"{CALLBACK}\"")),
        ("password = \"sandbox-password\"", &format!("password = \"{PASSWORD}\"")),
        ("# listen = \"127.0.0.1:7071\"", "listen = \"127.0.0.1:0\""),
    ]);
    let mut written = Vec::new();
    // With answers, with a provider that refuses the secret, with one that talks nonsense, with none at all.
    for rules in [
        "[]",
        r#"[{"call":"submit","fault":{"type":"status","code":401,"body":{"message":"no"}}}]"#,
        r#"[{"call":"submit","fault":{"type":"broken_json"}}]"#,
        r#"[{"call":"submit","fault":{"type":"drop_after"}}]"#,
    ]
    .iter()
    .enumerate()
    {
        let (round, rules) = rules;
        sandbox.ask("POST", "/_sandbox/faults", &format!("{{\"faults\":{rules}}}"));
        for format in ["text", "json"] {
            written.push(one(&shop, &format!("{round}{format}"), format));
        }
    }
    let token = std::fs::read_to_string(shop.path("agent.token")).unwrap();
    let written = written.concat();
    assert!(written.contains("DEBUG") && written.contains("the agent answered"), "it says much: {written}");
    assert!(written.lines().any(|line| line.starts_with("{\"timestamp\"")), "{written}");
    for secret in [TOKEN, PASSWORD, CALLBACK, CUSTOMER, EMAIL, "Ermenegilda", token.trim()] {
        let line = written.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    // Where the document is asked for it is there, or this test proves nothing.
    assert!(shop.run(&["show", "0text"]).out().contains(CUSTOMER));
}

/// One life of an agent with everything that is asked of it; what it and the commands wrote.
fn one(shop: &Shop, key: &str, format: &str) -> String {
    let args = ["-vvv", "--log-format", format];
    shop.run(&["release", "shop-roma"]);
    let agent = Agent::start_with(shop, &[&args[..], &["run"]].concat());
    assert!([200, 201].contains(&agent.post("/v1/documents", &sale(key)).status));
    let note = format!(
        r#"{{"key":"d{key}","kind":"draft","body":{{"merchant_invoice_id":"TF-{key}","items":[{{"description":"{CUSTOMER}","quantity":1,"unit_price_with_vat":890,"vat_rate":22}}]}}}}"#
    );
    agent.post("/v1/documents", &note);
    agent.post("/v1/documents", &sale(key).replace("\"cash_payment_amount\":1", "\"cash_payment_amount\":9"));
    agent.post("/v1/documents", &sale("").replace("\"body\"", &format!("\"{CUSTOMER}\"")));
    agent.batch([sale(key), format!("{{{CUSTOMER}"), sale(&format!("{key}b"))].join("\n"));
    let encoded = CUSTOMER.replace(' ', "%20");
    agent.get(&format!("/v1/documents/{encoded}"));
    agent.get(&format!("/v1/documents?account={encoded}&state={encoded}"));
    agent.post(&format!("/v1/documents/{key}/cancel"), &format!("{{\"reason\":\"{CUSTOMER}\"}}"));
    let bearer = format!("Bearer {CALLBACK}");
    agent.call("POST", "/v1/callbacks/shop-roma", &[("authorization", &bearer)], format!("{{\"id\":\"{CUSTOMER}\"}}"));
    agent.call("POST", "/v1/callbacks/shop-roma", &[("authorization", &format!("{bearer}x"))], EMAIL);
    let moved = |change: serde_json::Value| {
        change["key"] == key && change["event"] != "enqueued" || change["event"] == "account_held"
    };
    assert!(agent.follow(0).any(moved));
    let mut written = String::new();
    for command in [&["status"][..], &["drain", "--for", "300ms"], &["fetch", key, "details"], &["verify"]] {
        let args = [&args[..], command].concat();
        let output = shop.command(&args).stdout(Stdio::null()).output().expect("it runs");
        written.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    written.push_str(&agent.stop().join("\n"));
    written + "\n"
}
