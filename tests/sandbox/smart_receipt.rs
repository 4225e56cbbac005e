//! A-Cube's Smart Receipt, against what its document prints.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::http::{Bench, got};

/// S2's first example.
const SALE: &str = r#"{"fiscal_id":"string","items":[{"quantity":1,"description":"test","gross_price":10,
    "vat_rate_code":"4"}],"cash_payment_amount":10}"#;

async fn sell(bench: &Bench, token: &str) -> String {
    let got = bench.post("/smart-receipt/receipts", token, SALE).await;
    assert_eq!(got.status, StatusCode::CREATED, "{got:?}");
    got.json()["uuid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_sale_has_its_total_at_once_and_its_ids_later() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    let got = bench.post("/smart-receipt/receipts", &token, SALE).await;
    assert_eq!(got.status, StatusCode::CREATED);
    let answer = got.json();
    let uuid = answer["uuid"].as_str().unwrap();
    assert!(uuid::Uuid::parse_str(uuid).is_ok());
    assert_eq!(
        answer,
        json!({"uuid": uuid, "type": "sale", "status": "new", "fiscal_id": "string", "created_at": "2026-11-20 11:00:00",
            "total_amount": 10, "transaction_id": null, "document_number": null, "document_date": null,
            "error_code": null, "error_message": null, "return_receipts": [], "voiding_receipt": null,
            "returned_receipt": null, "voided_receipt": null})
    );
    let details = format!("/smart-receipt/receipts/{uuid}/details");
    assert_eq!(bench.get(&details, &token).await.json()["items"][0]["id"], Value::Null);
    bench.settle();
    let one = bench.get(&format!("/smart-receipt/receipts/{uuid}"), &token).await.json();
    assert_eq!((&one["status"], &one["document_date"]), (&json!("ready"), &json!("2026-11-20 12:00:00")));
    assert!(one["document_number"].as_str().unwrap().starts_with("DCW2026/"));
    assert_eq!(one.get("items"), None);
    let details = bench.get(&details, &token).await.json();
    assert!(details["items"][0]["id"].as_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(details["items"][0]["unit_price"].to_string(), "9.61538462");
    assert_eq!(details["total_vat_amount"].to_string(), "0.38461538");
}

#[tokio::test]
async fn relatives_are_linked_both_ways() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    let sale = sell(&bench, &token).await;
    let path = format!("/smart-receipt/receipts/{sale}");
    let early = bench.call(Method::DELETE, &path, &token, "").await;
    assert_eq!(
        (early.status, early.json()),
        (
            StatusCode::BAD_REQUEST,
            json!({"type": "https://tools.ietf.org/html/rfc2616#section-10", "title": "An error occurred",
                "detail": "Only receipts in submitted and ready status can be voided"})
        )
    );
    bench.settle();
    let item =
        bench.get(&format!("{path}/details"), &token).await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let back = bench
        .post(&format!("{path}/return"), &token, &format!(r#"{{"items":[{{"id":"{item}","quantity":0.5}}]}}"#))
        .await;
    assert_eq!(back.status, StatusCode::CREATED, "{back:?}");
    let back = back.json();
    assert_eq!(
        (&back["type"], &back["returned_receipt"]["uuid"], back["total_amount"].to_string()),
        (&json!("return"), &json!(sale), "5".into())
    );
    bench.settle();
    let shown = bench.get(&format!("{path}/details"), &token).await.json();
    assert_eq!(shown["items"][0]["return"].to_string(), "0.5");
    // The authority lets a sale with returns be voided, and so does the sandbox; its ledger says so.
    let void = bench.call(Method::DELETE, &path, &token, "").await;
    assert_eq!((void.status, void.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(bench.call(Method::DELETE, &path, &token, "").await.status, StatusCode::BAD_REQUEST);
    bench.settle();
    let parent = bench.get(&path, &token).await.json();
    assert_eq!((&parent["status"], &parent["return_receipts"][0]["uuid"]), (&json!("voided"), &back["uuid"]));
    let void = parent["voiding_receipt"]["uuid"].as_str().unwrap();
    let void = bench.get(&format!("/smart-receipt/receipts/{void}"), &token).await.json();
    assert_eq!((&void["type"], &void["voided_receipt"]["uuid"]), (&json!("void"), &json!(sale)));
    let ledger = bench.sandbox.ledger();
    assert_eq!(
        ledger.iter().map(|entry| (entry.kind.as_str(), entry.after_returns)).collect::<Vec<_>>(),
        [("receipt", false), ("return", false), ("void", true)]
    );
    assert!(ledger[1..].iter().all(|entry| entry.parent_remote_id.as_deref() == Some(&sale)));
}

#[tokio::test]
async fn a_void_has_no_time_limit_here() {
    let bench =
        Bench::with(staffetta::sandbox::Settings { token_lifetime: "10d".parse().unwrap(), ..Default::default() });
    let token = bench.smart_token().await;
    let sale = sell(&bench, &token).await;
    bench.clock.advance(TimeDelta::days(3));
    let void = bench.call(Method::DELETE, &format!("/smart-receipt/receipts/{sale}"), &token, "").await;
    assert_eq!(void.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_pdf_comes_for_the_accept_header() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    let sale = sell(&bench, &token).await;
    let details = format!("/smart-receipt/receipts/{sale}/details");
    let pdf = || bench.request(Method::GET, &details, &token, "").header("accept", "application/pdf");
    assert_eq!(got(pdf()).await.status, StatusCode::NOT_FOUND);
    bench.settle();
    let pdf = got(pdf()).await;
    assert_eq!((pdf.status, pdf.headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/pdf"));
    assert!(pdf.text.starts_with("%PDF-1.4"));
}

#[tokio::test]
async fn lists_have_pages_of_thirty() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    for _ in 0..35 {
        sell(&bench, &token).await;
    }
    let list = async |query: &str| {
        let got = bench.get(&format!("/smart-receipt/receipts{query}"), &token).await;
        assert_eq!(got.status, StatusCode::OK, "{got:?}");
        got.json().as_array().unwrap().len()
    };
    assert_eq!((list("").await, list("?page=2").await, list("?page=3").await), (30, 5, 0));
    assert_eq!(
        (list("?itemsPerPage=100").await, list("?itemsPerPage=500").await, list("?itemsPerPage=10&page=4").await),
        (35, 35, 5)
    );
    assert_eq!(
        (list("?status=new&fiscal_id=string&type=sale&itemsPerPage=100").await, list("?status=ready").await),
        (35, 0)
    );
    bench.settle();
    assert_eq!(list("?document_date[after]=2026-11-20&document_date[before]=2026-11-20&itemsPerPage=100").await, 35);
    assert_eq!(list("?document_date[after]=2026-11-21").await, 0);
    assert_eq!(bench.get("/smart-receipt/receipts?page=0", &token).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn tokens_are_asked_for_and_grow_old() {
    let bench = Bench::new();
    let refused = async |token: &str| {
        let got = bench.get("/smart-receipt/receipts", token).await;
        (got.status.as_u16(), got.json())
    };
    let firewall = |message: &str| (401, json!({"code": 401, "message": message}));
    assert_eq!(refused("").await, firewall("JWT Token not found"));
    assert_eq!(refused("nonsense").await, firewall("Invalid JWT Token"));
    assert_eq!(refused(&bench.stamp_token().await).await, firewall("Invalid JWT Token"));
    let token = bench.smart_token().await;
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(bench.get("/smart-receipt/receipts", &token).await.status, StatusCode::OK);
    bench.clock.advance(TimeDelta::hours(24));
    assert_eq!(refused(&token).await, firewall("Expired JWT Token"));
    let token = bench.smart_token().await;
    bench.sandbox.expire_tokens();
    assert_eq!(refused(&token).await, firewall("Expired JWT Token"));
    // By the provider's own clock, whatever ours says.
    bench.sandbox.change(|settings| settings.clock_skew_ms = i64::MIN);
    bench.sandbox.change(|settings| settings.clock_skew_ms = -3_600_000);
    let token = bench.smart_token().await;
    bench.clock.advance(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    assert_eq!(bench.get("/smart-receipt/receipts", &token).await.status, StatusCode::OK);
    bench.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(refused(&token).await, firewall("Expired JWT Token"));
    for body in [r#"{"email":"a@b","password":"wrong-password"}"#, r#"{"email":"","password":"x"}"#, "{}", "nonsense"] {
        let got = bench.post("/smart-receipt/login", "", body).await;
        assert_eq!((got.status.as_u16(), got.json()), firewall("Invalid credentials."), "{body}");
    }
}

#[tokio::test]
async fn companies_are_registered_before_they_sell() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    let base = "/smart-receipt/business-registry-configurations";
    let made = bench.post(base, &token, r#"{"fiscal_id":"98765432109","name":"Bar","email":"bar@example.com"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let sale = SALE.replace("\"string\"", "\"98765432109\"");
    let unknown = bench.post("/smart-receipt/receipts", &token, &sale).await;
    assert_eq!(unknown.json()["violations"], json!([{"propertyPath": "fiscal_id", "message": "Unknown fiscal id"}]));
    let put = async |path: &str, body: &str| {
        bench.call(Method::PUT, &format!("{base}/{path}"), &token, body).await.status.as_u16()
    };
    assert_eq!(put(&id, r#"{"receipts_enabled":true}"#).await, 200);
    let credentials = format!("{id}/credentials/fisconline");
    assert_eq!(put(&credentials, r#"{"tax_code":"x","password":"wrong-password","pin":"1"}"#).await, 422);
    assert_eq!(put(&credentials, r#"{"tax_code":"x","password":"right","pin":"1"}"#).await, 204);
    assert_eq!(bench.post("/smart-receipt/receipts", &token, &sale).await.status, StatusCode::CREATED);
    let twice = bench.post(base, &token, r#"{"fiscal_id":"98765432109","name":"Bar"}"#).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert_eq!(bench.get(base, &token).await.json().as_array().unwrap().len(), 6);
    assert_eq!(bench.get(&format!("{base}/{id}"), &token).await.json()["receipts_enabled"], json!(true));
    assert_eq!(bench.call(Method::DELETE, &format!("{base}/{id}"), &token, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(put(&id, "{}").await, 404);
}

#[tokio::test]
async fn what_is_not_there_is_404_in_the_providers_shape() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    for (method, path) in [
        (Method::GET, "/smart-receipt/receipts/nobody"),
        (Method::GET, "/smart-receipt/receipts/nobody/details"),
        (Method::DELETE, "/smart-receipt/receipts/nobody"),
        (Method::POST, "/smart-receipt/receipts/nobody/return"),
        (Method::GET, "/smart-receipt/elsewhere"),
    ] {
        let got = bench.call(method, path, &token, r#"{"items":[{"id":"1","quantity":1}]}"#).await;
        assert_eq!((got.status, &got.json()["title"]), (StatusCode::NOT_FOUND, &json!("An error occurred")), "{path}");
    }
}
