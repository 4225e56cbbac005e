//! The last five minutes of the Italian day.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;
use staffetta::sandbox::{Blackout, Settings};

use super::http::Bench;
use super::openapi::SALE;

#[tokio::test]
async fn openapi_queues_for_the_next_day() {
    let bench = Bench::at("2026-11-22T22:55:00Z", Settings::default());
    let id = bench.sell().await;
    bench.clock.advance(TimeDelta::minutes(5));
    assert_eq!(bench.one(&id).await["status"], "new", "midnight itself is only the beginning");
    assert!(!bench.sandbox.ledger()[0].issued);
    bench.settle();
    let sale = bench.one(&id).await;
    assert_eq!((&sale["status"], &sale["document_date"]), (&json!("ready"), &json!("2026-11-22T23:00:00.000Z")));
    let entry = &bench.sandbox.ledger()[0];
    assert_eq!((entry.in_blackout, entry.document_date.as_deref()), (true, Some("2026-11-23")));
    assert_eq!(entry.received_rome.as_deref(), Some("2026-11-22T23:55:00"));
    assert!(bench.sandbox.requests()[0].in_blackout);
    assert_eq!(bench.list("?document_date=2026-11-22").await.len(), 1, "days in UTC unless told otherwise");
}

#[tokio::test]
async fn the_second_before_is_still_today() {
    let bench = Bench::at("2026-07-01T21:54:59Z", Settings::default());
    let id = bench.sell().await;
    bench.settle();
    assert_eq!(bench.one(&id).await["status"], "ready");
    let entry = &bench.sandbox.ledger()[0];
    assert_eq!((entry.in_blackout, entry.document_date.as_deref()), (false, Some("2026-07-01")));
}

#[tokio::test]
async fn new_years_numbers_are_the_new_years() {
    let bench = Bench::at("2026-12-31T22:58:00Z", Settings::default());
    let id = bench.sell().await;
    bench.clock.advance(TimeDelta::minutes(3));
    assert!(bench.one(&id).await["document_number"].as_str().unwrap().starts_with("OPENAPI2027/"));
}

#[tokio::test]
async fn a_cube_says_500_and_stores_nothing() {
    let bench = Bench::at("2026-11-22T22:54:59Z", Settings::default());
    let token = bench.smart_token().await;
    let body = SALE.replace("YourCompanyFiscal_id", "string");
    let sell = async || bench.post("/smart-receipt/receipts", &token, &body).await;
    let sold = sell().await.json()["uuid"].as_str().unwrap().to_owned();
    bench.settle();
    let got = sell().await;
    assert_eq!(
        (got.status, got.json()),
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({"type": "https://tools.ietf.org/html/rfc2616#section-10", "title": "An error occurred",
                "detail": "SERVICE_UNAVAILABLE"})
        )
    );
    let path = format!("/smart-receipt/receipts/{sold}");
    assert_eq!(bench.call(Method::DELETE, &path, &token, "").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(bench.get(&path, &token).await.json()["status"], "ready", "reading is allowed");
    assert_eq!(bench.sandbox.ledger().len(), 1);
    bench.clock.advance(TimeDelta::minutes(5));
    assert_eq!(sell().await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn what_a_cube_cannot_deliver_the_same_day_fails() {
    let settings =
        Settings { submit_delay: "10s".parse().unwrap(), ready_delay: "11s".parse().unwrap(), ..Settings::default() };
    let bench = Bench::at("2026-11-22T22:54:55Z", settings);
    let token = bench.smart_token().await;
    let body = SALE.replace("YourCompanyFiscal_id", "string");
    let uuid = bench.post("/smart-receipt/receipts", &token, &body).await.json()["uuid"].as_str().unwrap().to_owned();
    let one = async || {
        let one = bench.get(&format!("/smart-receipt/receipts/{uuid}"), &token).await.json();
        (one["status"].as_str().unwrap().to_owned(), one["error_message"].clone())
    };
    assert_eq!(one().await.0, "new");
    bench.clock.advance(TimeDelta::seconds(30));
    assert_eq!(one().await, ("retry".to_owned(), json!("SERVICE_UNAVAILABLE")));
    bench.clock.set("2026-11-22T22:58:00Z");
    assert_eq!(
        one().await,
        ("failed".to_owned(), json!("Receipt could not be confirmed the same day it was requested"))
    );
    bench.clock.advance(TimeDelta::hours(1));
    assert!(!bench.sandbox.ledger()[0].issued);
}

#[tokio::test]
async fn it_can_be_switched_off_and_on() {
    let off = Settings { blackout: Blackout::Off, ..Settings::default() };
    let bench = Bench::at("2026-11-22T22:56:00Z", off);
    let id = bench.sell().await;
    bench.settle();
    assert_eq!(bench.one(&id).await["status"], "ready");
    assert!(bench.sandbox.ledger()[0].in_blackout, "the flag tells the hour, not the setting");
    bench.clock.set("2026-11-23T11:00:00Z");
    bench.sandbox.change(|settings| settings.blackout = Blackout::On);
    let waiting = bench.sell().await;
    bench.clock.advance(TimeDelta::hours(3));
    assert_eq!(bench.one(&waiting).await["status"], "new");
    bench.sandbox.change(|settings| settings.blackout = Blackout::Real);
    bench.settle();
    assert_eq!(bench.one(&waiting).await["status"], "ready");
}
