//! Stamp, against what its document prints.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};
use staffetta::sandbox::{CustomsStatus, Delay, Settings};

use super::http::{Bench, got};

/// S0's example.
const DRAFT: &str = r#"{"MerchantInvoiceId":"STAMP1234","CreatedOn":"2018-12-25T10:30:00","Items":[
    {"ItemCode":"GIA223","Description":"Giacca in pelle verde","Quantity":1,"UnitPriceWithVat":1500.99,"VatRate":22},
    {"ItemCode":null,"Description":"Camicia a quadri rossa","Quantity":5,"UnitPriceWithVat":120.20,"VatRate":22}],
    "Discount":30.66}"#;

async fn upload(bench: &Bench, token: &str) -> (String, String) {
    let got = bench.post("/stamp/api/i/invoices/draft", token, DRAFT).await;
    assert_eq!(got.status, StatusCode::OK, "{got:?}");
    let answer = got.json();
    assert_eq!(answer.as_object().unwrap().len(), 2);
    let id = |name: &str| answer[name].as_str().unwrap().to_owned();
    assert!(uuid::Uuid::parse_str(&id("DraftId")).is_ok() && uuid::Uuid::parse_str(&id("InvoiceId")).is_ok());
    (id("DraftId"), id("InvoiceId"))
}

fn never() -> Settings {
    Settings { merchant_delay: Delay::Never, ..Settings::default() }
}

#[tokio::test]
async fn a_login_gives_a_token_and_its_seconds() {
    let bench = Bench::new();
    let got = bench.post("/stamp/api/auth/sign", "", r#"{"Email":"user@email.com","Password":"password"}"#).await;
    assert_eq!((got.status, &got.json()["ExpiresIn"]), (StatusCode::OK, &json!(86400)));
    let wrong =
        bench.post("/stamp/api/auth/sign", "", r#"{"Email":"user@email.com","Password":"wrong-password"}"#).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    for token in ["", "nonsense", &bench.smart_token().await] {
        assert_eq!(bench.post("/stamp/api/i/invoices/draft", token, DRAFT).await.status, StatusCode::UNAUTHORIZED);
    }
    let token = bench.stamp_token().await;
    bench.clock.advance(TimeDelta::hours(24));
    assert_eq!(bench.post("/stamp/api/i/invoices/draft", &token, DRAFT).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.sandbox.ledger().len(), 0);
}

#[tokio::test]
async fn everything_waits_for_the_merchant() {
    let bench = Bench::with(never());
    let token = bench.stamp_token().await;
    let (draft, invoice) = upload(&bench, &token).await;
    bench.clock.advance(TimeDelta::hours(1));
    let not_yet = (400, json!({"ErrorCode": 101, "ErrorMessage": "Not found"}));
    let number = r#"{"InvoiceNoteNumber":"N-1"}"#;
    let gets = [
        "i/invoices/{}/status",
        "i/invoices/{}/customer",
        "invoices/{}/pdf",
        "invoices/{}/note/pdf",
        "invoices/{}/crf0",
    ];
    let posts = [
        "i/invoices/{}/note/debit/number",
        "i/invoices/{}/note/creditgoods/number",
        "i/invoices/{}/note/creditvat/number",
        "invoices/{}/cancel",
    ];
    let path = |shape: &str, id: &str| format!("/stamp/api/{}", shape.replace("{}", id));
    for id in [invoice.as_str(), draft.as_str(), "nobody"] {
        for shape in gets {
            let got = bench.get(&path(shape, id), &token).await;
            assert_eq!((got.status.as_u16(), got.json()), not_yet, "{shape}");
        }
        for shape in posts {
            let got = bench.post(&path(shape, id), &token, number).await;
            assert_eq!((got.status.as_u16(), got.json()), not_yet, "{shape}");
        }
    }
    // The merchant opens the link and saves.
    let page = bench.get(&format!("/portal/draft-invoice/{draft}"), "").await;
    assert_eq!(
        (page.status, page.headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    assert!(
        page.text.contains("STAMP1234") && page.text.contains("Giacca in pelle verde") && page.text.contains("2071.33"),
        "{}",
        page.text
    );
    assert_eq!(
        bench.get(&path(gets[0], &invoice), &token).await.status,
        StatusCode::BAD_REQUEST,
        "looking is not saving"
    );
    assert_eq!(bench.post(&format!("/portal/draft-invoice/{draft}"), "", "").await.status, StatusCode::OK);
    assert_eq!(bench.get("/portal/draft-invoice/nobody", "").await.status, StatusCode::NOT_FOUND);

    assert_eq!(bench.get(&path(gets[0], &invoice), &token).await.json(), json!({"Status": 0}));
    let customer = bench.get(&path(gets[1], &invoice), &token).await.json();
    assert_eq!(
        customer,
        json!({"DateOfBirth": "1990-03-01T00:00:00", "DocumentType": 0, "IdentityDocumentIssuingCountryIso2Code": "CH",
            "Fullname": "Luca Rossi", "IdentityDocumentId": "YA12345678"})
    );
    let crf0 = bench.get(&path(gets[4], &invoice), &token).await.json();
    assert_eq!(crf0["OtelloCommunicationId"].as_str().unwrap().len(), 9);
    assert_eq!(bench.get(&path(gets[3], &invoice), &token).await.status, StatusCode::BAD_REQUEST, "no note yet");
    for shape in posts {
        let got = bench.post(&path(shape, &invoice), &token, number).await;
        assert_eq!((got.status, got.text.as_str()), (StatusCode::OK, ""), "{shape}");
    }
    assert_eq!(bench.get(&path(gets[0], &invoice), &token).await.json(), json!({"Status": 3}));
    assert_eq!(bench.post(&path(posts[3], &invoice), &token, number).await.json()["ErrorCode"], json!(104));
    // Nothing is idempotent: the same number again is another paper.
    assert_eq!(bench.post(&path(posts[0], &invoice), &token, number).await.status, StatusCode::OK);
    assert_eq!(bench.post(&path(posts[0], &invoice), &token, "{}").await.status, StatusCode::BAD_REQUEST);
    let ledger = bench.sandbox.ledger();
    let papers: Vec<_> =
        ledger.iter().map(|entry| (entry.kind.as_str(), entry.note.as_deref(), entry.note_number.as_deref())).collect();
    let n = Some("N-1");
    assert_eq!(
        papers,
        [
            ("draft", None, None),
            ("note_number", Some("debit_vat"), n),
            ("note_number", Some("credit_goods"), n),
            ("note_number", Some("credit_vat"), n),
            ("void", None, n),
            ("note_number", Some("debit_vat"), n)
        ]
    );
    assert_eq!(
        (ledger[0].total_amount.as_deref(), ledger[0].total_taxable_amount.as_deref()),
        (Some("2071.33"), Some("1697.81"))
    );
    assert_eq!((ledger[0].status.as_str(), ledger[0].issued), ("cancelled", true));
}

#[tokio::test]
async fn links_to_files_work_for_a_day_without_a_token() {
    let bench = Bench::new();
    let token = bench.stamp_token().await;
    let (_, invoice) = upload(&bench, &token).await;
    bench.settle();
    bench
        .post(&format!("/stamp/api/i/invoices/{invoice}/note/debit/number"), &token, r#"{"InvoiceNoteNumber":"1"}"#)
        .await;
    for path in ["pdf", "note/pdf"] {
        let answer = bench.get(&format!("/stamp/api/invoices/{invoice}/{path}"), &token).await.json();
        let uri = answer["FileUri"].as_str().unwrap().to_owned();
        assert!(
            uri.starts_with(&bench.sandbox.base_url()) && uri.contains("&se=") && uri.contains("-OTELLO.pdf?"),
            "{uri}"
        );
        let file = got(bench.client.get(&uri)).await;
        assert_eq!((file.status, file.headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/pdf"));
        let forged = got(bench.client.get(uri.replace("Invoice-", "Invoice-x"))).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);
    }
    let answer = bench.get(&format!("/stamp/api/invoices/{invoice}/pdf"), &token).await.json();
    bench.clock.advance(TimeDelta::hours(24));
    assert_eq!(got(bench.client.get(answer["FileUri"].as_str().unwrap())).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_merchant_completes_by_himself_and_customs_decide() {
    let settings = Settings {
        customs_delay: Delay::After(std::time::Duration::from_secs(10)),
        customs_status: CustomsStatus::Rejected,
        ..Settings::default()
    };
    let bench = Bench::with(settings);
    let token = bench.stamp_token().await;
    let (_, invoice) = upload(&bench, &token).await;
    let status =
        async || bench.get(&format!("/stamp/api/i/invoices/{invoice}/status"), &token).await.json()["Status"].clone();
    bench.clock.advance(TimeDelta::milliseconds(999));
    assert_eq!(status().await, Value::Null);
    bench.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(status().await, json!(0));
    // What has happened stays, whatever the settings say later.
    bench.sandbox.change(|settings| settings.merchant_delay = Delay::Never);
    assert_eq!(status().await, json!(0));
    bench.clock.advance(TimeDelta::seconds(10));
    assert_eq!(status().await, json!(2));
    bench.sandbox.change(|settings| settings.customs_delay = Delay::Never);
    assert_eq!(status().await, json!(2));
    assert!(bench.sandbox.decide(&invoice, CustomsStatus::Approved));
    assert_eq!(status().await, json!(1));
    assert!(!bench.sandbox.decide("nobody", CustomsStatus::Approved));
}

#[tokio::test]
async fn bad_drafts_are_refused_with_their_paths() {
    let bench = Bench::new();
    let token = bench.stamp_token().await;
    let refused = async |body: &str| {
        let got = bench.post("/stamp/api/i/invoices/draft", &token, body).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{got:?}");
        got.json()["ErrorMessage"].as_str().unwrap().to_owned()
    };
    let short = refused(&DRAFT.replace("Giacca in pelle verde", "Gia")).await;
    assert_eq!(short, "Items[0].Description: Description must be minimum 5 characters.");
    assert!(refused(&DRAFT.replace("\"Discount\"", "\"Sconto\"")).await.contains("Sconto"));
    refused("nonsense").await;
    refused("{}").await;
    upload(&bench, &token).await;
    upload(&bench, &token).await; // no source says that the number must be unique
    bench.sandbox.change(|settings| settings.unique_merchant_invoice_id = true);
    assert_eq!(refused(DRAFT).await, "MerchantInvoiceId already used");
    assert_eq!(bench.sandbox.ledger().len(), 2);
}

#[tokio::test]
async fn the_two_prefixes_are_not_one() {
    let bench = Bench::new();
    let token = bench.stamp_token().await;
    let (_, invoice) = upload(&bench, &token).await;
    bench.settle();
    for path in ["i/invoices/{}/pdf", "invoices/{}/status", "i/invoices/{}/crf0", "invoices/{}/customer"] {
        let path = format!("/stamp/api/{}", path.replace("{}", &invoice));
        assert_eq!(bench.get(&path, &token).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let cancel =
        bench.post(&format!("/stamp/api/i/invoices/{invoice}/cancel"), &token, r#"{"InvoiceNoteNumber":"1"}"#).await;
    assert_eq!(cancel.status, StatusCode::NOT_FOUND);
}
