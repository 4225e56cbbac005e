//! What there is about a sale before it is corrected (PROVIDERS.md 4.3, 6).

use serde_json::{Value, json as value};

use super::look_ups::Shop;
use super::*;

fn parent(provider: ProviderKind, more: Value) -> Value {
    let mut parent = match provider {
        OPENAPI => value!({"id": "parent", "type": "sale", "status": "ready"}),
        _ => value!({"uuid": "parent", "type": "sale", "status": "ready", "return_receipts": []}),
    };
    for (name, member) in more.as_object().expect("an object") {
        parent[name] = member.clone();
    }
    parent
}

fn child(id: &str, kind: &str, status: &str) -> Value {
    value!({"id": id, "uuid": id, "type": kind, "status": status, "parent_receipt_id": "parent"})
}

/// In a word: what a void, or a return, is told.
fn word(outcome: &StandingOutcome) -> String {
    match outcome {
        StandingOutcome::Untold => "untold".to_owned(),
        StandingOutcome::Failed { .. } => "failed".to_owned(),
        StandingOutcome::Hold(hold) => format!("hold {}", hold.reason.name()),
        StandingOutcome::Known(Standing { voided, returns, items }) => {
            let lines: Vec<String> =
                items.iter().map(|item| format!("{} of {}", item.returned, item.quantity)).collect();
            format!("{} {} {}", if *voided { "voided" } else { "stands" }, returns.join(","), lines.join(","))
                .trim()
                .to_owned()
        }
    }
}

#[tokio::test]
async fn a_sale_at_openapi_with_its_corrections() {
    let sale = |more| parent(OPENAPI, more);
    let line = value!({"id": "489432", "quantity": 2, "return": "1.00", "description": "Caffe", "gross_price": 1});
    for (what, rows, expected) in [
        ("nothing", vec![sale(value!({}))], "stands"),
        ("a return", vec![sale(value!({})), child("a", "return", "ready")], "stands a"),
        ("one on its way", vec![sale(value!({})), child("a", "return", "new")], "stands a"),
        ("one that failed", vec![sale(value!({})), child("a", "return", "failed")], "stands"),
        ("voided", vec![sale(value!({"status": "voided"}))], "voided"),
        ("a void on its way", vec![sale(value!({})), child("a", "void", "new")], "voided"),
        ("a void that failed", vec![sale(value!({})), child("a", "void", "failed")], "stands"),
        ("what was given back", vec![sale(value!({"items": [line]}))], "stands  1.00 of 2"),
        ("it is gone", vec![], "untold"),
    ] {
        for kind in [Kind::Void, Kind::Return] {
            let (outcome, lines) = Shop::of(rows.clone()).standing(OPENAPI, &call(OPENAPI, kind)).await;
            assert_eq!(word(&outcome), expected, "{what}");
            assert!(lines.iter().all(|line| line.starts_with("GET ")), "{lines:?}");
        }
    }
    for broken in ["/IT-receipts/parent", "parent_receipt_id"] {
        let shop = Shop::of(vec![sale(value!({}))]).broken(broken);
        assert_eq!(word(&shop.standing(OPENAPI, &call(OPENAPI, Kind::Void)).await.0), "failed", "{broken}");
    }
}

#[tokio::test]
async fn a_sale_at_smart_receipt_with_its_corrections() {
    let sale = |more| parent(SMART, more);
    for (what, rows, expected) in [
        ("nothing", vec![sale(value!({}))], "stands"),
        ("a return", vec![sale(value!({"return_receipts": ["a"]})), child("a", "return", "ready")], "stands a"),
        ("one that failed", vec![sale(value!({"return_receipts": ["a"]})), child("a", "return", "failed")], "stands"),
        (
            "one that lives beside one that failed",
            vec![
                sale(value!({"return_receipts": ["a", "b"]})),
                child("a", "return", "failed"),
                child("b", "return", "new"),
            ],
            "stands b",
        ),
        ("one that is gone", vec![sale(value!({"return_receipts": ["a"]}))], "stands"),
        ("voided", vec![sale(value!({"status": "voided"}))], "voided"),
        ("a void on its way", vec![sale(value!({"voiding_receipt": "a"})), child("a", "void", "new")], "voided"),
        ("a void that failed", vec![sale(value!({"voiding_receipt": "a"})), child("a", "void", "failed")], "stands"),
        ("returns are not told", vec![value!({"uuid": "parent", "status": "ready"})], "stands"),
        ("it is gone", vec![], "untold"),
    ] {
        let (outcome, lines) = Shop::of(rows).standing(SMART, &call(SMART, Kind::Void)).await;
        assert_eq!(word(&outcome), expected, "{what}");
        assert!(lines.iter().all(|line| line.starts_with("GET ")), "{lines:?}");
    }
    let broken = Shop::of(vec![sale(value!({"return_receipts": ["a"]}))]).broken("/receipts/a");
    assert_eq!(word(&broken.standing(SMART, &call(SMART, Kind::Void)).await.0), "failed");
    // A return asks for the lines instead.
    let line = value!({"id": "489432", "quantity": 2, "return": 1, "description": "Caffe", "gross_price": 1});
    let shop = Shop::of(vec![sale(value!({"return_receipts": ["a"]}))]).alone("parent", value!({"items": [line]}));
    assert_eq!(word(&shop.standing(SMART, &call(SMART, Kind::Return)).await.0), "stands  1 of 2");
}

#[tokio::test]
async fn nothing_is_asked_about_what_corrects_nothing() {
    for (provider, kind) in
        [(OPENAPI, Kind::Receipt), (SMART, Kind::Receipt), (STAMP, Kind::Draft), (STAMP, Kind::Void)]
    {
        let (outcome, lines) = Shop::of(vec![]).standing(provider, &call(provider, kind)).await;
        assert_eq!((word(&outcome).as_str(), lines), ("untold", vec![]));
    }
}
