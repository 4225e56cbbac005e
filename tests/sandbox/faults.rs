//! Each fault as a client sees it, and what it leaves in the ledger.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use staffetta::domain::account::ProviderKind;
use staffetta::sandbox::{Call, FaultPlan, Settings};

use super::http::{Bench, got};
use super::openapi::SALE;

fn plan(fault: &str) -> FaultPlan {
    FaultPlan::parse(format!(r#"{{"faults":[{{"call":"submit","times":1,"fault":{fault}}}]}}"#).as_bytes()).unwrap()
}

/// Sells once under a fault: what the client saw, and how many documents that made.
async fn spoilt(bench: &Bench, fault: &str) -> (Result<reqwest::Response, reqwest::Error>, usize) {
    bench.sandbox.set_faults(plan(fault)).unwrap();
    let before = bench.sandbox.ledger().len();
    let sent = bench.request(Method::POST, "/openapi/IT-receipts", "t", SALE).send().await;
    (sent, bench.sandbox.ledger().len() - before)
}

#[tokio::test]
async fn connections_end_before_or_after_processing() {
    let bench = Bench::new();
    for (fault, documents) in [
        (r#"{"type":"drop_before"}"#, 0),
        (r#"{"type":"drop_before","how":"close"}"#, 0),
        (r#"{"type":"drop_after"}"#, 1),
        (r#"{"type":"drop_after","how":"close"}"#, 1),
        (r#"{"type":"hang","ms":1,"processed":false}"#, 0),
        (r#"{"type":"hang","ms":1}"#, 1),
    ] {
        let (sent, made) = spoilt(&bench, fault).await;
        let error = sent.expect_err(fault);
        assert!(error.is_request() && !error.is_connect(), "{fault}: {error:?}");
        assert_eq!(made, documents, "{fault}");
        let logged = bench.sandbox.requests().pop().unwrap();
        assert_eq!((logged.status, logged.processed), (None, documents == 1), "{fault}");
        // Used up: the next one is served.
        bench.sell().await;
    }
}

/// A reset and an orderly end are two things on the wire.
#[tokio::test]
async fn a_reset_is_a_reset() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = Bench::new();
    for (how, reset) in [("reset", true), ("close", false)] {
        bench.sandbox.set_faults(plan(&format!(r#"{{"type":"drop_after","how":"{how}"}}"#))).unwrap();
        let mut stream = tokio::net::TcpStream::connect(bench.sandbox.addr()).await.unwrap();
        let head = format!(
            "POST /openapi/IT-receipts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nContent-Length: {}\r\n\r\n{SALE}",
            SALE.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        assert_eq!((read.is_err(), answer.len()), (reset, 0), "{how}: {read:?}");
    }
    assert_eq!(bench.sandbox.ledger().len(), 2);
}

#[tokio::test]
async fn a_hanging_answer_times_out() {
    let bench = Bench::new();
    bench.sandbox.set_faults(plan(r#"{"type":"hang","ms":"60s"}"#)).unwrap();
    let request = bench.request(Method::POST, "/openapi/IT-receipts", "t", SALE).timeout(Duration::from_millis(100));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(bench.sandbox.ledger().len(), 1);
}

#[tokio::test]
async fn bodies_are_halved_broken_endless_or_empty() {
    let bench = Bench::new();
    let (sent, made) = spoilt(&bench, r#"{"type":"half_answer"}"#).await;
    let answer = sent.unwrap();
    assert_eq!((answer.status(), made), (StatusCode::OK, 1));
    let announced = answer.content_length().unwrap();
    assert!(announced > 500);
    let error = answer.bytes().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");

    let (sent, made) = spoilt(&bench, r#"{"type":"broken_json"}"#).await;
    let text = sent.unwrap().text().await.unwrap();
    assert!(made == 1 && text.starts_with('{') && serde_json::from_str::<serde_json::Value>(&text).is_err());

    let (sent, made) = spoilt(&bench, r#"{"type":"empty_body"}"#).await;
    let answer = sent.unwrap();
    assert_eq!((answer.status(), answer.content_length(), made), (StatusCode::OK, Some(0), 1));

    let (sent, made) = spoilt(&bench, r#"{"type":"huge_body","bytes":20000000}"#).await;
    let body = sent.unwrap().bytes().await.unwrap();
    assert_eq!((body.len(), &body[..9], made), (20_000_000, &br#"{"data":""#[..], 1));
}

#[tokio::test]
async fn statuses_come_in_the_providers_shapes() {
    let bench = Bench::new();
    let (sent, made) = spoilt(&bench, r#"{"type":"status","code":429,"headers":{"Retry-After":2}}"#).await;
    let answer = sent.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"], made), (429, &"2".parse().unwrap(), 0));
    let (sent, made) = spoilt(&bench, r#"{"type":"status","code":500,"processed":true,"body":{"a":1.10}}"#).await;
    let answer = sent.unwrap();
    assert_eq!((answer.status().as_u16(), made), (500, 1));
    assert_eq!(answer.text().await.unwrap(), r#"{"a":1.10}"#);
    for code in [400, 401, 402, 403, 404, 408, 422, 500, 502, 503, 504] {
        let (sent, made) = spoilt(&bench, &format!(r#"{{"type":"status","code":{code}}}"#)).await;
        let answer = sent.unwrap();
        assert_eq!((answer.status().as_u16(), made), (code, 0));
        let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["success"], json!(false));
    }
    let token = bench.smart_token().await;
    for (code, detail) in [
        (403, "CANNOT_SEND_DATA_FOR_THIS_LEGAL_ENTITY"),
        (422, "INVALID_CREDENTIALS"),
        (500, "SERVICE_UNAVAILABLE"),
        (400, "BAD_REQUEST"),
    ] {
        bench.sandbox.set_faults(plan(&format!(r#"{{"type":"status","code":{code}}}"#))).unwrap();
        let got = bench.post("/smart-receipt/receipts", &token, "{}").await;
        assert_eq!((got.status.as_u16(), &got.json()["detail"]), (code, &json!(detail)));
    }
    let (sent, made) = spoilt(&bench, r#"{"type":"html","code":200,"processed":true}"#).await;
    let answer = sent.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap(), made),
        (200, "text/html", 1)
    );
    let (sent, made) = spoilt(&bench, r#"{"type":"redirect"}"#).await;
    let answer = sent.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap(), made),
        (307, "/openapi/IT-receipts", 0)
    );
}

#[tokio::test]
async fn a_late_answer_is_processed_early_or_late() {
    let bench = Bench::new();
    let (sent, made) = spoilt(&bench, r#"{"type":"delay","ms":20}"#).await;
    assert_eq!((sent.unwrap().status(), made), (StatusCode::OK, 1));
    // Processed late, although the client gave up long before.
    bench.sandbox.set_faults(plan(r#"{"type":"delay","ms":1500,"late":true}"#)).unwrap();
    let request = bench.request(Method::POST, "/openapi/IT-receipts", "t", SALE).timeout(Duration::from_millis(50));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(bench.sandbox.ledger().len(), 1, "not yet");
    tokio::time::timeout(Duration::from_secs(20), async {
        while bench.sandbox.ledger().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(bench.sandbox.requests().pop().unwrap().status, Some(200));
}

#[tokio::test]
async fn lists_lag_and_documents_are_lost() {
    let bench = Bench::new();
    let json = br#"{"faults":[{"call":"list","fault":{"type":"lag_lists","ms":3000}},
        {"call":"submit","skip":1,"times":1,"fault":{"type":"lose_after_202"}}]}"#;
    bench.sandbox.set_faults(FaultPlan::parse(json).unwrap()).unwrap();
    let (kept, lost) = (bench.sell().await, bench.sell().await);
    assert_eq!(bench.list("").await.len(), 0);
    bench.clock.advance(chrono::TimeDelta::seconds(3));
    let list = bench.list("").await;
    assert_eq!((list.len(), &list[0]["id"]), (1, &json!(kept)));
    assert_eq!(bench.get(&format!("/openapi/IT-receipts/{lost}"), "t").await.status, StatusCode::NOT_FOUND);
    let ledger = bench.sandbox.ledger();
    assert_eq!((ledger[1].status.as_str(), ledger[1].issued), ("lost", false));
}

#[tokio::test]
async fn the_authority_refuses_or_keeps_one_waiting() {
    let bench = Bench::new();
    let json = br#"[{"call":"submit","times":1,"fault":{"type":"authority","outcome":"failed","code":"403","message":"CANNOT_SEND_DATA_FOR_THIS_LEGAL_ENTITY"}},
        {"call":"submit","times":1,"fault":{"type":"authority","outcome":"retry","ms":"10m","code":"422","message":"INVALID_CREDENTIALS"}}]"#;
    bench.sandbox.set_faults(FaultPlan::parse(json).unwrap()).unwrap();
    let (failed, waiting) = (bench.sell().await, bench.sell().await);
    assert_eq!(bench.one(&failed).await["status"], "new");
    bench.settle();
    let one = bench.one(&failed).await;
    assert_eq!((&one["status"], &one["error_code"]), (&json!("failed"), &json!("403")));
    assert_eq!((&one["document_number"], &one["items"][0]["id"]), (&json!(""), &serde_json::Value::Null));
    let one = bench.one(&waiting).await;
    assert_eq!((&one["status"], &one["error_message"]), (&json!("retry"), &json!("INVALID_CREDENTIALS")));
    bench.clock.advance(chrono::TimeDelta::minutes(10));
    let one = bench.one(&waiting).await;
    assert_eq!((&one["status"], &one["error_message"]), (&json!("ready"), &serde_json::Value::Null));
    assert_eq!(bench.list("?status=failed").await.len(), 1);
    let issued: Vec<bool> = bench.sandbox.ledger().iter().map(|entry| entry.issued).collect();
    assert_eq!(issued, [false, true]);
    let void = bench.call(Method::DELETE, &format!("/openapi/IT-receipts/{failed}"), "t", "").await;
    assert_eq!(void.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_refused_connection_is_refused_for_a_while() {
    let bench = Bench::with(Settings::default());
    let (sent, made) = spoilt(&bench, r#"{"type":"refuse_connection","ms":500}"#).await;
    assert!(sent.unwrap_err().is_request());
    assert_eq!(made, 0);
    // From here on nobody listens; then somebody does again.
    let (mut refused, mut served) = (0, false);
    tokio::time::timeout(Duration::from_secs(20), async {
        while !served {
            match bench.request(Method::POST, "/openapi/IT-receipts", "t", SALE).send().await {
                Ok(_) => served = true,
                Err(error) if error.is_connect() => refused += 1,
                Err(_) => {} // the last moments of the old port
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(refused > 0);
    assert_eq!(bench.sandbox.ledger().len(), 1);
}

#[tokio::test]
async fn every_call_can_be_hit_and_the_sandboxes_own_cannot() {
    let bench = Bench::new();
    let all = br#"[{"fault":{"type":"status","code":418}}]"#;
    bench.sandbox.set_faults(FaultPlan::parse(all).unwrap()).unwrap();
    let calls = [
        (Method::POST, "/openapi/IT-receipts", ProviderKind::Openapi, Call::Submit),
        (Method::GET, "/openapi/IT-receipts", ProviderKind::Openapi, Call::List),
        (Method::GET, "/openapi/IT-receipts/x", ProviderKind::Openapi, Call::Get),
        (Method::PATCH, "/openapi/IT-receipts/x", ProviderKind::Openapi, Call::Return),
        (Method::DELETE, "/openapi/IT-receipts/x", ProviderKind::Openapi, Call::Void),
        (Method::GET, "/openapi/IT-configurations", ProviderKind::Openapi, Call::Configuration),
        (Method::POST, "/openapi/oauth/tokens", ProviderKind::Openapi, Call::Login),
        (Method::GET, "/openapi/callbacks", ProviderKind::Openapi, Call::Diagnostics),
        (Method::POST, "/smart-receipt/login", ProviderKind::SmartReceipt, Call::Login),
        (Method::GET, "/smart-receipt/receipts/x/details", ProviderKind::SmartReceipt, Call::Details),
        (Method::POST, "/smart-receipt/receipts/x/return", ProviderKind::SmartReceipt, Call::Return),
        (Method::POST, "/stamp/api/i/invoices/draft", ProviderKind::Stamp, Call::Draft),
        (Method::POST, "/stamp/api/i/invoices/x/note/debit/number", ProviderKind::Stamp, Call::Note),
        (Method::POST, "/stamp/api/invoices/x/cancel", ProviderKind::Stamp, Call::Cancel),
        (Method::GET, "/stamp/api/i/invoices/x/status", ProviderKind::Stamp, Call::Status),
        (Method::GET, "/portal/draft-invoice/x", ProviderKind::Stamp, Call::Portal),
    ];
    let count = calls.len() as u64;
    for (method, path, provider, call) in calls {
        assert_eq!(bench.call(method, path, "", "").await.status.as_u16(), 418, "{path}");
        let logged = bench.sandbox.requests().pop().unwrap();
        assert_eq!(
            (logged.provider.as_str(), logged.call.as_str(), logged.fault.as_deref()),
            (provider.name(), call.name(), Some("status"))
        );
    }
    assert_eq!(bench.get("/_sandbox/ledger", "").await.status, StatusCode::OK);
    assert_eq!(bench.sandbox.fault_counts()[0].applied, count);
    bench.sandbox.clear_faults();
    bench.sell().await;
}

#[tokio::test]
async fn the_plan_comes_and_goes_over_http() {
    let bench = Bench::new();
    let body = r#"{"seed":1,"settings":{"submit_delay":"1h"},"faults":[{"provider":"openapi","call":"submit","times":1,"fault":{"type":"status","code":503}}]}"#;
    let set = bench.post("/_sandbox/faults", "", body).await;
    assert_eq!(set.status, StatusCode::OK, "{set:?}");
    assert_eq!(bench.sandbox.settings().submit_delay, "1h".parse().unwrap());
    assert_eq!(bench.post("/openapi/IT-receipts", "t", SALE).await.status.as_u16(), 503);
    bench.sell().await;
    let shown = bench.get("/_sandbox/faults", "").await.json();
    assert_eq!(shown["counts"], json!([{"seen": 2, "applied": 1}]));
    assert_eq!(
        bench.post("/_sandbox/faults", "", &shown["plan"].to_string()).await.status,
        StatusCode::OK,
        "it can be sent back"
    );
    assert_eq!(bench.call(Method::DELETE, "/_sandbox/faults", "", "").await.status, StatusCode::OK);
    assert_eq!(bench.get("/_sandbox/faults", "").await.json()["plan"]["faults"], json!([]));
    for (bad, words) in [
        (
            r#"{"faults":[{"fault":{"type":"status","code":503,"codes":1}}]}"#,
            "faults[0].fault: unknown member \"codes\"",
        ),
        (r#"{"settings":{"submit":1}}"#, "unknown field `submit`"),
        ("{", "EOF"),
    ] {
        let got = bench.post("/_sandbox/faults", "", bad).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST);
        assert!(got.json()["error"].as_str().unwrap().contains(words), "{got:?}");
    }
    let reply = got(bench.request(Method::GET, "/_sandbox/requests?call=submit", "", "")).await.json();
    assert_eq!(reply.as_array().unwrap().len(), 2);
    assert_eq!(
        (&reply[0]["status"], &reply[0]["fault"], &reply[0]["processed"]),
        (&json!(503), &json!("status"), &json!(false))
    );
}
