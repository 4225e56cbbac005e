//! The worked cases, sent over HTTP: the same verdicts, words and totals as at intake.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::http::Bench;

fn vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Path and message; where the text is only ours, path alone is compared.
fn violations(list: &Value) -> BTreeSet<String> {
    let one = |violation: &Value| {
        let (path, message) = (violation["propertyPath"].as_str().unwrap(), violation["message"].as_str().unwrap());
        if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") }
    };
    list.as_array().unwrap().iter().map(one).collect()
}

#[tokio::test]
async fn sales_at_both_providers() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    let (mut taken, mut refused) = (0, 0);
    for vector in vectors("sales") {
        let id = vector["id"].as_str().unwrap();
        let expected = violations(&vector["violations"]);
        for provider in ["openapi", "acube"] {
            if !["common", provider].contains(&vector["provider"].as_str().unwrap()) {
                continue;
            }
            let mut input = vector["input"].clone();
            let before = bench.sandbox.ledger().len();
            let got = if provider == "openapi" {
                // The one field that Openapi wants even when it is 0.
                if input.get("cash_payment_amount").is_none() {
                    input["cash_payment_amount"] = json!(0);
                }
                bench.post("/openapi/IT-receipts", "t", &input.to_string()).await
            } else {
                bench.post("/smart-receipt/receipts", &token, &input.to_string()).await
            };
            let after = bench.sandbox.ledger();
            if vector["verdict"] == "valid" {
                assert!(got.status.is_success(), "{id} {provider}: {got:?}");
                let entry = after.last().unwrap();
                for name in
                    ["total_amount", "total_amount_exact", "total_taxable_amount", "total_vat_amount", "total_discount"]
                {
                    let ours = serde_json::to_value(entry).unwrap()[name].clone();
                    assert_eq!(ours, vector["totals"][name], "{id} {provider} {name}");
                }
                taken += 1;
                continue;
            }
            refused += 1;
            assert_eq!(after.len(), before, "{id} {provider}");
            let answer = got.json();
            if provider == "openapi" && expected.iter().any(|one| one.starts_with("fiscal_id")) {
                assert_eq!((got.status, &answer["error"]), (StatusCode::NOT_FOUND, &json!(111)), "{id}");
                continue;
            }
            assert_eq!(got.status, StatusCode::BAD_REQUEST, "{id} {provider}: {got:?}");
            let detail = if provider == "openapi" { &answer["message"] } else { &answer["detail"] };
            let words: BTreeSet<String> = detail.as_str().unwrap().lines().map(str::to_owned).collect();
            assert_eq!(words, expected, "{id} {provider}");
            if provider == "acube" {
                assert_eq!(violations(&answer["violations"]), expected, "{id}");
                assert_eq!(
                    (&answer["type"], &answer["title"]),
                    (&json!("https://tools.ietf.org/html/rfc2616#section-10"), &json!("An error occurred"))
                );
            }
        }
    }
    assert!(taken >= 50 && refused >= 40, "{taken} {refused}");
}

#[tokio::test]
async fn drafts_at_stamp() {
    let bench = Bench::new();
    let token = bench.stamp_token().await;
    for vector in vectors("tax-free-drafts") {
        let got = bench.post("/stamp/api/i/invoices/draft", &token, &vector["input"].to_string()).await;
        if vector["verdict"] == "valid" {
            assert_eq!(got.status, StatusCode::OK, "{vector} {got:?}");
            let entry = bench.sandbox.ledger().pop().unwrap();
            assert_eq!(json!(entry.total_amount), vector["totals"]["gross_total"], "{vector}");
        } else {
            let answer = got.json();
            let words: BTreeSet<String> = answer["ErrorMessage"].as_str().unwrap().lines().map(str::to_owned).collect();
            assert_eq!((got.status, words), (StatusCode::BAD_REQUEST, violations(&vector["violations"])), "{vector}");
        }
    }
}

/// S2's samples of refusals, whole.
#[tokio::test]
async fn the_printed_refusals_are_the_same_letter_by_letter() {
    let bench = Bench::new();
    let token = bench.smart_token().await;
    let apples = |more: &str, item: &str| {
        format!(
            r#"{{"fiscal_id":"123456789",{more},"items":[{{"quantity":1.0,"description":"Apples","unit_price":1.00,{item}"vat_rate_code":"22"}}]}}"#
        )
    };
    let cases = [
        (
            apples(r#""cash_payment_amount":1.00,"discount":0.5"#, ""),
            "",
            "Total paid and uncollected amounts is not matching the items total amount.",
        ),
        (
            apples(r#""cash_payment_amount":1.00,"invoice_issuing":true"#, ""),
            "invoice_issuing",
            "No paid or uncollected amounts should be specified when invoice issuing is set.",
        ),
        (
            r#"{"fiscal_id":"not_existent","cash_payment_amount":11.00,"items":[{"quantity":1.0,"description":"Apples","unit_price":11.00,"vat_rate_code":"22"}]}"#.to_owned(),
            "fiscal_id",
            "Unknown fiscal id",
        ),
        (
            r#"{"fiscal_id":"123456789","cash_payment_amount":1.00,"electronic_payment_amount":1.00,"lottery_code":"1234567X","items":[{"quantity":1.0,"description":"Oranges","unit_price":2.00,"vat_rate_code":"22"}]}"#.to_owned(),
            "lottery_code",
            "The lottery code cannot be used if the total amount is lower than EUR 1.00 or if the payment was not fully electronic. Please remove the lottery code.",
        ),
        (
            r#"{"fiscal_id":"123456789","cash_payment_amount":1.00,"items":[{"quantity":1.0,"description":"Apples","unit_price":1.00,"discount":2.0,"vat_rate_code":"22"},{"quantity":1.0,"description":"Oranges","unit_price":2.00,"vat_rate_code":"22"}]}"#.to_owned(),
            "items[0].gross_discount",
            "Discount cannot be greater or equal to total amount",
        ),
    ];
    for (body, path, message) in cases {
        let got = bench.post("/smart-receipt/receipts", &token, &body).await;
        let detail = if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") };
        let expected = json!({"type": "https://tools.ietf.org/html/rfc2616#section-10", "title": "An error occurred",
            "detail": detail, "violations": [{"propertyPath": path, "message": message}]});
        assert_eq!((got.status, got.json()), (StatusCode::BAD_REQUEST, expected));
    }
}

#[tokio::test]
async fn what_is_no_receipt_is_refused_and_nothing_panics() {
    let bench = Bench::new();
    let (smart, stamp) = (bench.smart_token().await, bench.stamp_token().await);
    let huge = format!(r#"{{"fiscal_id":"string","cash_payment_amount":1,"items":[{}]}}"#, "[".repeat(100_000));
    let bodies = [
        "",
        "null",
        "1",
        "\"x\"",
        "[]",
        "{}",
        "{\"items\":{}}",
        "\u{feff}{}",
        "{\"fiscal_id\":7}",
        &huge,
        r#"{"fiscal_id":"string","items":[{"quantity":1e400,"description":1,"unit_price":null,"vat_rate_code":22}],"cash_payment_amount":"NaN"}"#,
        r#"{"fiscal_id":"string","items":[[1,2]],"cash_payment_amount":1}"#,
        r#"{"fiscal_id":"string","fiscal_id":"string","items":[],"cash_payment_amount":1}"#,
        r#"{"fiscal_id":"string","items":[null],"tags":[1,[2]],"cash_payment_amount":-1}"#,
    ];
    for body in bodies {
        for (path, token) in [
            ("/openapi/IT-receipts", "t"),
            ("/openapi/IT-configurations", "t"),
            ("/smart-receipt/receipts", &*smart),
            ("/smart-receipt/business-registry-configurations", &smart),
            ("/stamp/api/i/invoices/draft", &stamp),
            ("/stamp/api/auth/sign", ""),
            ("/smart-receipt/login", ""),
            ("/_sandbox/faults", ""),
            ("/_sandbox/settings", ""),
        ] {
            let got = bench.post(path, token, body).await;
            let fine = got.status.is_client_error() || (path.starts_with("/_sandbox") && got.status == StatusCode::OK);
            assert!(fine, "{path} {}: {got:?}", &body[..body.len().min(100)]);
        }
    }
    let big = format!(r#"{{"x":"{}"}}"#, "a".repeat(5 * 1024 * 1024));
    let got = bench.request(reqwest::Method::POST, "/openapi/IT-receipts", "t", &big).send().await;
    assert!(got.map_or(true, |answer| answer.status() == StatusCode::PAYLOAD_TOO_LARGE));
    assert_eq!(bench.sandbox.ledger().len(), 0);
}
