//! `fetch`, `company`, `receipts`: what is asked of a provider directly.

use super::dispatch::Sandbox;
use super::{sale, sales};

#[test]
fn a_delivered_document_can_be_fetched() {
    let (shop, sandbox) = Sandbox::shop();
    shop.take(&sale("k1"));
    let early = shop.run(&["--json", "fetch", "k1", "pdf"]).status(1).one();
    assert_eq!(early["error"]["code"], "not_delivered");
    shop.run(&["fetch", "nobody", "pdf"]).status(1);
    shop.run(&["drain", "--for", "60s"]).status(0);

    let path = shop.path("receipt.pdf");
    shop.run(&["fetch", "k1", "pdf", "-o", "receipt.pdf"]).status(0);
    assert!(std::fs::read(&path).expect("a file").starts_with(b"%PDF-"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    assert!(shop.run(&["fetch", "k1", "pdf"]).status(0).out().starts_with("%PDF-"));
    let no_text = shop.run(&["--json", "fetch", "k1", "pdf"]).status(1);
    assert_eq!(
        (no_text.one()["error"]["code"].as_str(), no_text.err().contains("-o FILE")),
        (Some("needs_file"), true)
    );
    let status = shop.run(&["--json", "fetch", "k1", "status"]).status(0).one();
    assert_eq!(status["fiscal_id"], "12345678903", "{status}");
    let details = shop.run(&["--json", "fetch", "k1", "details"]).status(0).one();
    assert!(details["items"].is_array(), "{details}");
    let not = shop.run(&["--json", "fetch", "k1", "crf0"]).status(1).one();
    assert_eq!(not["error"]["code"], "not_offered");

    shop.take(r#"{"key":"d1","kind":"draft","body":{"merchant_invoice_id":"TF-1","items":[{"description":"Borsa in pelle","quantity":1,"unit_price_with_vat":890,"vat_rate":22}]}}"#);
    shop.run(&["drain", "--for", "60s"]).status(0);
    let not_yet = shop.run(&["--json", "fetch", "d1", "customer"]).status(1).one();
    assert_eq!(not_yet["error"]["code"], "not_yet", "{not_yet}");
    let id = shop.run(&["--json", "show", "d1"]).one()["remote"]["remote_id"].as_str().expect("an id").to_owned();
    sandbox.ask("POST", &format!("/_sandbox/stamp/{id}/complete"), "");
    for what in ["customer", "status", "crf0"] {
        let value = shop.run(&["--json", "fetch", "d1", what]).status(0).one();
        assert!(value.is_object(), "{value}");
    }
    shop.run(&["fetch", "d1", "pdf", "-o", "invoice.pdf"]).status(0);
}

/// Where there never will be anything, it is said, and whom to ask instead.
#[test]
fn what_will_never_be_there_is_not_promised_for_later() {
    let (shop, sandbox) = Sandbox::shop();
    let said = |key: &str, what: &str| {
        let error = shop.run(&["--json", "fetch", key, what]).status(1).one()["error"].clone();
        (
            error["code"].as_str().unwrap_or_default().to_owned(),
            error["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let check = |key: &str, what: &str, code: &str, words: &str| {
        let (found, message) = said(key, what);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words) && !message.contains("not yet") && !message.contains("later"), "{message}");
    };
    shop.take(&sale("gone"));
    shop.run(&["cancel", "gone", "--reason", "mistake"]).status(0);
    check("gone", "pdf", "not_delivered", "never will");

    shop.take(r#"{"key":"d","kind":"draft","body":{"merchant_invoice_id":"TF-1","items":[{"description":"Borsa in pelle","quantity":1,"unit_price_with_vat":890,"vat_rate":22}]}}"#);
    shop.run(&["drain", "--for", "60s"]).status(0);
    let id = shop.run(&["--json", "show", "d"]).one()["remote"]["remote_id"].as_str().expect("an id").to_owned();
    assert_eq!(said("d", "note-pdf").0, "not_yet", "the merchant may still complete it");
    sandbox.ask("POST", &format!("/_sandbox/stamp/{id}/complete"), "");
    shop.run(&["retry", "d"]).status(0);
    shop.run(&["drain", "--for", "60s"]).status(0);
    assert_eq!(shop.run(&["--json", "show", "d"]).one()["state"], "registered");
    check("d", "note-pdf", "not_found", "no note of this invoice");
    shop.take(r#"{"key":"n","kind":"note_number","parent":"d","body":{"note":"credit_goods","number":"NC-1"}}"#);
    check("n", "note-pdf", "not_offered", "`staffetta fetch d note-pdf`");
    shop.run(&["drain", "--for", "60s"]).status(0);
    check("n", "pdf", "not_offered", "`staffetta fetch d pdf`");
    shop.run(&["fetch", "d", "note-pdf", "-o", "note.pdf"]).status(0);
    shop.take(r#"{"key":"c","kind":"void","parent":{"remote_id":"3d6f0a51"},"account":"taxfree","body":{"credit_note_number":"NC-2"}}"#);
    check("c", "pdf", "not_offered", "3d6f0a51");
}

/// What failed at the authority has no PDF, however often one asks.
#[test]
fn a_failed_sale_has_no_pdf() {
    let (shop, _sandbox) = Sandbox::shop_with(r#"[{"fault":{"type":"authority","outcome":"failed","code":"400"}}]"#);
    shop.take(&sale("k1"));
    shop.run(&["drain", "--for", "60s"]).status(3);
    let error = shop.run(&["--json", "fetch", "k1", "pdf"]).status(1).one();
    assert_eq!(error["error"]["code"], "not_found");
    assert!(error["error"]["message"].as_str().is_some_and(|text| text.contains("failed at the authority")), "{error}");
}

#[test]
fn companies_can_be_listed_made_changed_and_removed() {
    let (shop, _sandbox) = Sandbox::shop();
    let list = shop.run(&["--json", "company", "list"]).status(0).lines();
    assert!(list.iter().any(|row| row["fiscal_id"] == "12345678903"), "{list:?}");
    assert!(shop.run(&["company", "list"]).status(0).out().contains("12345678903"));
    let add = [
        "--json",
        "company",
        "add",
        "07643520567",
        "--name",
        "Bar Roma",
        "--email",
        "bar@example.com",
        "--receipts",
        "true",
    ];
    let made = shop.run(&add).status(0).one();
    assert_eq!((&made["fiscal_id"], &made["receipts"]), (&"07643520567".into(), &true.into()), "{made}");
    // There already, with the same values: no error.
    shop.run(&add).status(0);
    let other = ["--json", "company", "add", "07643520567", "--name", "Other", "--email", "bar@example.com"];
    assert_eq!(shop.run(&other).status(1).one()["error"]["code"], "conflict");
    let mut update = shop.command(&[
        "--json",
        "company",
        "update",
        "07643520567",
        "--receipts",
        "false",
        "--tax-code",
        "RSSMRA80A01H501U",
        "--password-env",
        "ADE_PASSWORD",
        "--pin-env",
        "ADE_PIN",
        "--callback",
        "receipt=https://till.example.com/hook",
    ]);
    update.env("ADE_PASSWORD", "s3cret-password").env("ADE_PIN", "12345678");
    let output = update.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let changed = shop.run(&["--json", "company", "show", "07643520567"]).status(0);
    assert_eq!(changed.one()["receipts"], false);
    assert!(!changed.out().contains("s3cret-password"));
    shop.run(&["company", "update", "07643520567"]).status(2);
    let missing = shop.run(&[
        "company",
        "update",
        "07643520567",
        "--tax-code",
        "X",
        "--password-env",
        "NO_A",
        "--pin-env",
        "NO_B",
    ]);
    assert!(missing.trouble().contains("NO_A"));
    shop.run(&["company", "remove", "07643520567"]).status(0);
    assert_eq!(shop.run(&["--json", "company", "show", "07643520567"]).status(1).one()["error"]["code"], "not_found");
    // Not every provider has them.
    assert_eq!(
        shop.run(&["--json", "company", "list", "--account", "taxfree"]).status(1).one()["error"]["code"],
        "not_offered"
    );
    shop.run(&["company", "list", "--account", "shop-napoli"]).trouble();
}

#[test]
fn the_providers_own_list_is_read_to_its_end() {
    let (shop, _sandbox) = Sandbox::shop();
    shop.feed(&["enqueue"], sales(130)).status(0);
    shop.run(&["drain", "--for", "120s"]).status(0);
    let all = shop.run(&["--json", "receipts", "shop-roma"]).status(0).lines();
    assert_eq!(all.len(), 130);
    let some =
        shop.run(&["--json", "receipts", "shop-roma", "--limit", "7", "--type", "sale", "--fiscal-id", "12345678903"]);
    assert_eq!(some.status(0).lines().len(), 7);
    let none = shop.run(&["receipts", "shop-roma", "--type", "void"]).status(0);
    assert_eq!(none.out(), "");
    assert_eq!(shop.run(&["receipts", "shop-roma"]).status(0).out().lines().count(), 131);
    let not = shop.run(&["--json", "receipts", "shop-milano", "--parent", "x"]).status(1).one();
    assert_eq!(not["error"]["code"], "not_offered");
    let unknown = shop.run(&["receipts", "shop-napoli"]).trouble();
    assert!(unknown.contains("shop-roma"), "{unknown}");
}
