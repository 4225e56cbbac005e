//! Tax-free invoices on Stamp: the draft, the merchant, customs, the three notes' numbers, the cancel.

use std::time::Duration;

use serde_json::{Value, json};
use staffetta::prelude::*;
use staffetta::sandbox::{CustomsStatus, Delay};

use super::bench::Setup;
use super::{Bench, compare};

fn draft(key: &str, number: &str) -> Value {
    json!({"key": key, "kind": "draft", "body": {
        "merchant_invoice_id": number, "created_on": "2026-11-20T09:58:00", "discount": "30.66", "items": [
            {"item_code": "GIA223", "description": "Giacca in pelle verde", "quantity": 1,
                "unit_price_with_vat": "1500.99", "vat_rate": 22},
            {"item_code": null, "description": "Foulard di seta", "quantity": 3, "unit_price_with_vat": 200.5,
                "vat_rate": "22"}]}})
}

fn note(key: &str, parent: &str, note: &str, number: &str) -> Value {
    json!({"key": key, "kind": "note_number", "parent": parent, "body": {"note": note, "number": number}})
}

fn cancel(key: &str, parent: &str, number: &str) -> Value {
    json!({"key": key, "kind": "void", "parent": parent, "body": {"credit_note_number": number}})
}

fn patient_merchant() -> Bench {
    let mut setup = Setup::default();
    setup.sandbox.merchant_delay = Delay::Never;
    Bench::with(setup)
}

#[tokio::test]
async fn a_draft_waits_for_its_merchant_and_then_for_customs() {
    let mut bench = patient_merchant();
    let sent = draft("d", "TF-1");
    bench.take(&sent);
    bench.start();
    // Nothing more can be done before the merchant has been there.
    bench.drained().await;
    let (view, entry) = (bench.get("d"), bench.entry("d"));
    assert_eq!((view.state, entry.kind.as_str(), entry.issued), (State::Accepted, "draft", false));
    let remote = &view.remote;
    assert_eq!((&remote.draft_id, remote.invoice_id.as_ref()), (&entry.draft_id, Some(&entry.remote_id)));
    assert_eq!((&remote.remote_id, &remote.otello_id, &remote.customs), (&remote.invoice_id, &None, &None));
    let portal = format!("{}/portal/draft-invoice/{}", bench.sandbox.base_url(), entry.draft_id.as_ref().unwrap());
    assert_eq!(remote.portal_url, Some(portal));

    assert_eq!(entry.merchant_invoice_id.as_deref(), Some("TF-1"));
    assert_eq!(entry.document_date.as_deref(), Some("2026-11-20"));
    assert_eq!(entry.items.len(), 2);
    for (item, line) in sent["body"]["items"].as_array().unwrap().iter().zip(&entry.items) {
        assert_eq!(
            (item["description"].as_str(), item["item_code"].as_str()),
            (Some(line.description.as_str()), line.id.as_deref())
        );
        for (name, theirs) in
            [("quantity", &line.quantity), ("unit_price_with_vat", &line.unit_price), ("vat_rate", &line.vat_rate_code)]
        {
            assert_eq!(compare::decimal(&compare::digits(item, name)), compare::decimal(theirs), "{name}");
        }
    }
    // By hand: 1500.99 + 601.50 − 30.66; without VAT 1230.32 + 493.03 − 25.13.
    let ours: Value = serde_json::from_str(view.totals.as_ref().unwrap().get()).unwrap();
    assert_eq!((ours["gross_total"].as_str(), entry.total_amount.as_deref()), (Some("2071.83"), Some("2071.83")));
    assert_eq!((ours["net_total"].as_str(), entry.total_taxable_amount.as_deref()), (Some("1698.22"), Some("1698.22")));
    assert_eq!((ours["discount_gross"].as_str(), entry.discount.as_deref()), (Some("30.66"), Some("30.66")));

    assert!(bench.sandbox.complete(&entry.remote_id));
    let view = bench.registered("d").await;
    let entry = bench.entry("d");
    assert!(entry.issued && entry.otello_id.is_some());
    assert_eq!((&view.remote.otello_id, view.remote.customs.as_deref()), (&entry.otello_id, Some("pending")));
    bench.drained().await;
    // Customs are still awaited, so there is something to wait for.
    let watched = tokio::time::timeout(Duration::ZERO, bench.queue.watch("d"));
    assert!(watched.await.is_err());
    for (status, name) in [(CustomsStatus::Approved, "approved"), (CustomsStatus::Rejected, "rejected")] {
        // Approved is final: what customs might say later changes nothing.
        bench.sandbox.decide(&entry.remote_id, status);
        let expected = if name == "rejected" { "approved" } else { name };
        if name == expected {
            bench.until("d", |view| view.remote.customs.as_deref() == Some(name)).await;
        }
        bench.drained().await;
        assert_eq!(bench.get("d").remote.customs.as_deref(), Some(expected));
    }
    assert!(tokio::time::timeout(Duration::ZERO, bench.queue.watch("d")).await.is_ok());
    assert_eq!(bench.get("d").attention, []);
    assert_eq!((bench.sandbox.ledger().len(), bench.submissions().len()), (1, 1));
}

#[tokio::test]
async fn customs_that_refuse_ask_for_a_debit_note() {
    let mut setup = Setup::default();
    setup.sandbox.customs_delay = Delay::After(Duration::from_millis(1));
    setup.sandbox.customs_status = CustomsStatus::Rejected;
    let mut bench = Bench::with(setup);
    bench.take(draft("d", "TF-1"));
    bench.start();
    let rejected =
        |view: &staffetta::view::DocumentView| view.attention.iter().any(|one| one.what == "debit_note_needed");
    bench.until("d", rejected).await;
    bench.take(note("n", "d", "debit_vat", "ND-1"));
    bench.drained().await;
    let (view, entry) = (bench.get("n"), bench.entry("n"));
    assert_eq!(
        (view.state, entry.note.as_deref(), entry.note_number.as_deref()),
        (State::Registered, Some("debit_vat"), Some("ND-1"))
    );
}

/// Taken together with their drafts, and delivered when the merchant has completed them.
#[tokio::test]
async fn the_three_note_numbers_and_a_cancel() {
    let mut bench = patient_merchant();
    let children = [
        ("n1", note("n1", "d1", "debit_vat", "ND-2026/1")),
        ("n2", note("n2", "d2", "credit_goods", "NC-2026/2")),
        ("n3", note("n3", "d3", "credit_vat", "NC-2026/3")),
        ("c4", cancel("c4", "d4", "NC-2026/4")),
    ];
    let drafts = ["d1", "d2", "d3", "d4"];
    for (index, key) in drafts.iter().enumerate() {
        bench.take(draft(key, &format!("TF-{index}")));
    }
    bench.start();
    for key in drafts {
        bench.until(key, |view| view.state == State::Accepted).await;
    }
    for (_, child) in &children {
        bench.take(child);
    }
    // "Not completed yet" is an answer like any other, and nothing is lost by it.
    for (key, _) in &children {
        let asked = |view: &staffetta::view::DocumentView| view.attempts >= 2;
        let waits = bench.until(key, asked).await;
        assert!(matches!(waits.state, State::Queued | State::Sending), "{key} {}", waits.state);
    }
    assert_eq!(bench.sandbox.ledger().len(), 4);
    for key in drafts {
        assert!(bench.sandbox.complete(&bench.entry(key).remote_id));
    }
    for (key, _) in &children {
        bench.registered(key).await;
    }
    for key in drafts {
        bench.registered(key).await;
    }
    bench.drained().await;
    for ((key, child), parent) in children.iter().zip(drafts) {
        let (view, entry, invoice) = (bench.get(key), bench.entry(key), bench.entry(parent));
        let body = &child["body"];
        assert_eq!((view.state, view.kind.name()), (State::Registered, entry.kind.as_str()));
        assert_eq!(entry.note.as_deref(), body.get("note").and_then(Value::as_str), "{key}");
        let number = body.get("number").or_else(|| body.get("credit_note_number"));
        assert_eq!(entry.note_number.as_deref(), number.and_then(Value::as_str), "{key}");
        assert_eq!(entry.parent_remote_id.as_ref(), Some(&invoice.remote_id));
        assert_eq!(view.remote.invoice_id.as_ref(), Some(&invoice.remote_id));
        assert_eq!(bench.get(parent).children, [*key]);
    }
    bench.until("d4", |view| view.remote.customs.as_deref() == Some("cancelled")).await;
    assert_eq!(bench.sandbox.ledger().len(), 8);
}

#[tokio::test]
async fn a_cancel_of_a_draft_that_never_left_sends_nothing() {
    let mut bench = Bench::new();
    bench.take(draft("d", "TF-1"));
    assert_eq!(bench.take(cancel("c", "d", "NC-1")).state, State::Cancelled);
    bench.start();
    bench.drained().await;
    assert_eq!((bench.get("d").state, bench.get("c").state), (State::Cancelled, State::Cancelled));
    assert!(bench.sandbox.requests().is_empty(), "{}", bench.story());
    // The number is free again.
    bench.take(draft("e", "TF-1"));
    bench.registered("e").await;
}
