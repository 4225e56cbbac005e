//! Each row of the contract's table.

use serde_json::{Value, json};

use super::{Agent, offline, online, sale_of};
use crate::cli::{sale, sales};

#[test]
fn a_document_is_taken_known_refused_or_reused() {
    let shop = offline();
    let agent = Agent::start(&shop);
    let taken = agent.post("/v1/documents", &sale("till-1/1"));
    assert_eq!((taken.status, taken.json()["duplicate"].as_bool()), (201, Some(false)), "{}", taken.text());
    assert_eq!(taken.json()["key"], "till-1/1");
    let again = agent.post("/v1/documents", &sale("till-1/1").replace("\"1.00\"", "1.0"));
    assert_eq!((again.status, again.json()["duplicate"].as_bool()), (200, Some(true)));
    assert_eq!(again.json()["id"], taken.json()["id"]);
    let reused = agent.post("/v1/documents", &sale_of("till-1/1", 2));
    assert_eq!((reused.status, &reused.json()["error"]["code"]), (409, &json!("key_reused")));
    let wrong = agent.post("/v1/documents", &sale("k2").replace("_amount\":1", "_amount\":7"));
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (422, &json!("invalid")));
    assert!(!wrong.json()["error"]["violations"].as_array().unwrap().is_empty());
    assert_eq!(wrong.json()["key"], "k2");
    let unknown = agent.post("/v1/documents", &sale("k2").replace("\"kind\"", "\"colour\":1,\"kind\""));
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (422, &json!("unknown_field")));
    assert!(unknown.text().contains("colour"));
    let bad = agent.post("/v1/documents", &sale("k 2").replace("\"quantity\":1", "\"quantity\":0"));
    let paths: Vec<_> =
        bad.json()["error"]["violations"].as_array().unwrap().iter().map(|one| one["propertyPath"].clone()).collect();
    assert_eq!(
        (bad.status, bad.json()["key"].clone(), paths),
        (422, json!("k 2"), vec![json!("key"), json!("items[0].quantity")])
    );
    for body in ["", "{", "[]", "null", "1", "\u{0}", "{\"key\":\"k2\"", "{} {}"] {
        let answer = agent.post("/v1/documents", body);
        assert!([400, 422].contains(&answer.status), "{body}: {}", answer.text());
    }
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&sale("pretty")).unwrap()).unwrap();
    assert_eq!(agent.post("/v1/documents", &pretty).status, 201);
    let keyless = agent.post("/v1/documents", &sale("x").replace("\"key\":\"x\",", ""));
    assert_eq!(keyless.status, 201);
    assert!(keyless.json()["key"].as_str().is_some_and(|key| key.len() > 30));
    assert_eq!(agent.call("POST", "/v1/documents", &[], sale("k3")).status, 415);
    assert_eq!(agent.call("POST", "/v1/documents", &[("content-type", "text/plain")], sale("k3")).status, 415);
    let kind = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(agent.call("POST", "/v1/documents", &kind, sale("k3")).status, 201);
    assert_eq!(agent.get("/v1/documents").json()["documents"].as_array().unwrap().len(), 4);
}

#[test]
fn lines_are_answered_in_order_and_a_bad_one_stops_none() {
    let shop = offline();
    let agent = Agent::start(&shop);
    let child = r#"{"key":"r1","kind":"return","parent":"a","body":{"items":[{"line":0,"quantity":1}]}}"#;
    let long = format!("{{\"key\":\"long\",\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    let input =
        ["\u{feff}", &sale("a"), "\r\n\n{bad\n", child, "\n", &long, "\n", &sale("a"), "\n  \n", &sale("b")].concat();
    let answer = agent.batch(&input);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    let seen: Vec<(u64, String)> = answer
        .lines()
        .iter()
        .map(|line| {
            // What was taken before may be on its way already.
            let what = if line["duplicate"] == true { Some("again") } else { line["error"]["code"].as_str() };
            (line["line"].as_u64().unwrap(), what.or(line["state"].as_str()).unwrap().to_owned())
        })
        .collect();
    let expected = [(1, "queued"), (3, "malformed"), (4, "queued"), (5, "too_large"), (6, "again"), (8, "queued")];
    assert_eq!(seen, expected.map(|(line, what)| (line, what.to_owned())));
    let many = agent.batch(sales(3_000));
    assert_eq!(many.lines().len(), 3_000);
    assert!(many.lines().iter().enumerate().all(|(n, line)| line["key"] == format!("k{}", n + 1)));
    assert_eq!(agent.batch("").lines().len(), 0);
}

#[test]
fn documents_are_shown_and_listed_in_pages() {
    let shop = offline();
    let agent = Agent::start(&shop);
    agent.batch(sales(5));
    agent.post("/v1/documents", &sale("till-3/2026 11".replace(' ', "%").as_str()));
    let shown = agent.get("/v1/documents/till-3%2F2026%2511");
    assert_eq!((shown.status, &shown.json()["key"]), (200, &json!("till-3/2026%11")));
    assert_eq!(agent.get("/v1/documents/nobody").json()["error"]["code"], "unknown_key");
    assert_eq!(agent.get("/v1/documents/%FF").status, 400);
    let keys = |query: &str| -> Vec<String> {
        let page = agent.get(&format!("/v1/documents?{query}"));
        assert_eq!(page.status, 200, "{}", page.text());
        page.json()["documents"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys("kind=receipt&limit=2"), ["k1", "k2"]);
    let next = agent.get("/v1/documents?limit=2").json()["next"].as_str().unwrap().to_owned();
    assert_eq!(keys(&format!("limit=2&after={next}")), ["k3", "k4"]);
    assert_eq!(agent.get("/v1/documents").json()["next"], Value::Null);
    assert_eq!(
        keys("state=registered").len() + keys("account=shop-milano").len() + keys("since=2999-01-01T00:00:00Z").len(),
        0
    );
    assert_eq!(keys("state=&kind=&account=&since=&until=&after=&limit=2"), ["k1", "k2"], "an empty one is none");
    for wrong in
        ["state=lost", "limit=-1", "limit=x", "since=yesterday", "after=x", "colour=red", "kind=x", "limit=1&limit=2"]
    {
        assert_eq!(agent.get(&format!("/v1/documents?{wrong}")).status, 400, "{wrong}");
    }
    let export = agent.get("/v1/export");
    assert_eq!(export.lines().len(), 6);
    export.lines().iter().for_each(|document| super::schema::matches("Document", document));
    assert_eq!(agent.get("/v1/export?limit=2").lines().len(), 2);
    let verified = agent.get("/v1/verify").json();
    assert_eq!((&verified["sound"], &verified["documents"]), (&json!(true), &json!(6)), "{verified}");
}

#[test]
fn decisions_are_as_the_commands() {
    let shop = offline();
    let agent = Agent::start(&shop);
    agent.batch(sales(3));
    let answer = agent.post("/v1/documents/k1/retry", "");
    // It may be on the wire at this moment, which is a reason to say no.
    assert!(answer.status == 200 || answer.text().contains("on the wire"), "{}", answer.text());
    let mut cancelled = agent.post("/v1/documents/k2/cancel", r#"{"reason":"wrong","who":"anna"}"#);
    while cancelled.text().contains("may have reached") {
        cancelled = agent.post("/v1/documents/k2/cancel", r#"{"reason":"wrong","who":"anna"}"#);
    }
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("cancelled")), "{}", cancelled.text());
    assert_eq!(agent.get("/v1/documents/k2").json()["reason"], "wrong (anna)");
    let again = agent.post("/v1/documents/k2/cancel", r#"{"reason":"x"}"#);
    assert_eq!((again.status, &again.json()["done"]), (409, &json!(false)));
    for (path, body, status) in [
        ("/v1/documents/k3/cancel", "", 422),
        ("/v1/documents/k3/cancel", r#"{"reason":" "}"#, 422),
        ("/v1/documents/k3/cancel", r#"{"reason":7}"#, 400),
        ("/v1/documents/k3/cancel", r#"{"why":"x"}"#, 400),
        ("/v1/documents/k3/cancel", "[\"x\",null]", 400),
        ("/v1/documents/k3/resolve", r#"{"reason":"x"}"#, 422),
        ("/v1/documents/k3/resolve", r#"{"reason":"x","accepted":"a","not_accepted":true}"#, 422),
        ("/v1/documents/k2/resolve", r#"{"reason":"x","accepted":"a"}"#, 409),
        ("/v1/documents/nobody/retry", "{}", 404),
        ("/v1/documents/nobody/resolve", r#"{"reason":"x","not_accepted":true}"#, 404),
        ("/v1/accounts/shop-roma/release", "{}", 409),
        ("/v1/accounts/nobody/release", r#"{"fiscal_id":"1"}"#, 409),
    ] {
        let answer = agent.post(path, body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
    }
    let form = [("content-type", "text/plain")];
    assert_eq!(agent.call("POST", "/v1/documents/k3/cancel", &form, r#"{"reason":"x"}"#).status, 415);
}

#[test]
fn a_hold_is_released() {
    let (shop, _sandbox) = online();
    shop.change(&[("token = \"sandbox-token\"", "token = \"wrong-token\"")]);
    let agent = Agent::start(&shop);
    agent.post("/v1/documents", &sale("k1"));
    assert!(agent.follow(0).any(|change| change["event"] == "account_held" && change["account"] == "shop-roma"));
    assert_eq!(agent.get("/v1/status").json()["needs_person"], true);
    let metrics = agent.get("/metrics").text();
    assert!(metrics.contains("staffetta_holds{account=\"shop-roma\"} 1"), "{metrics}");
    let released = agent.post("/v1/accounts/shop-roma/release", r#"{"reason":"new token"}"#);
    assert_eq!((released.status, &released.json()["state"]), (200, &json!("released")), "{}", released.text());
    assert!(agent.follow(0).any(|change| change["event"] == "account_released"));
}

#[test]
fn status_metrics_and_health_tell_how_things_are() {
    let (shop, _sandbox) = online();
    let agent = Agent::start(&shop);
    agent.batch(sales(2));
    agent.until("k1", "registered");
    agent.until("k2", "registered");
    assert_eq!(agent.get("/v1/status").json()["counts"]["registered"], 2);
    assert_eq!(agent.get("/healthz").status, 200);
    assert_eq!(agent.get("/v1/drained").json()["drained"], true);
    // What is counted follows the journal, a moment behind.
    let all = "staffetta_outcomes_total{account=\"shop-roma\",outcome=\"registered\"} 2";
    let mut metrics = agent.get("/metrics");
    while !metrics.text().contains(all) {
        metrics = agent.get("/metrics");
    }
    for line in [
        "staffetta_documents{account=\"shop-roma\",state=\"registered\"} 2",
        "staffetta_attempts_total{account=\"shop-roma\"} 2",
        "staffetta_oldest_unsent_seconds 0",
        "staffetta_in_doubt_age_seconds 0",
        "staffetta_holds{account=\"taxfree\"} 0",
        "staffetta_blackout{account=\"shop-roma\"} 0",
        "staffetta_flush_seconds_count ",
        "staffetta_journal_bytes ",
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
    let description = agent.get("/v1/openapi.json").json();
    assert_eq!(description["openapi"], "3.1.0");
    assert_eq!(agent.call("DELETE", "/v1/documents/k1", &[], "").status, 405);
    assert_eq!(agent.get("/v1/documents/a/b").status, 404);
    assert_eq!(agent.get("/").status, 404);
}
