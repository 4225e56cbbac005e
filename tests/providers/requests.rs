//! What is put on the wire.

use super::fault_server::{FaultServer, Received, json};
use super::*;

async fn sent(provider: ProviderKind, call: &Call) -> Received {
    let server = FaultServer::start(|request| if is_login(request) { logged_in() } else { json(500, "{}") }).await;
    adapter(provider, &server).submit(call).await;
    server.requests().into_iter().find(|request| !is_login(request)).expect("a submission")
}

#[tokio::test]
async fn a_sale_to_openapi() {
    let request = sent(OPENAPI, &call(OPENAPI, Kind::Receipt)).await;
    assert_eq!(request.line(), "POST /IT-receipts");
    assert_eq!(request.header("authorization"), Some("Bearer the-token"));
    assert_eq!(request.header("idempotency-key"), Some("till-3/2026-11-22/000123"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("referer"), None);
    assert_eq!(
        request.text(),
        r#"{"fiscal_id":"12345678903","items":[{"quantity":2,"description":"Caffè","unit_price":1.20,"vat_rate_code":"10"},{"quantity":1,"description":"Cornetto, vuoto","unit_price":1.50,"vat_rate_code":"10","discount":0.10}],"cash_payment_amount":3.80,"tags":["oq-till-3/2026-11-22/000123"]}"#
    );
}

#[tokio::test]
async fn everything_that_a_sale_can_have() {
    let json = r#"{"fiscal_id":"12345678903","items":[{"quantity":1.50,"description":"x","unit_price":12.90000001,
        "vat_rate_code":"N2","discount":0,"complimentary":true,"sku":"S"}],"cash_payment_amount":0,"electronic_payment_amount":1.00,
        "ticket_restaurant_payment_amount":2.00,"ticket_restaurant_quantity":2,"services_uncollected_amount":3.00,
        "goods_uncollected_amount":4.00,"discount":0.50,"invoice_issuing":false,"lottery_code":"1a3v5g7f","linked_receipt":"L",
        "tags":["a","b"],"email":"c@example.com"}"#;
    let body = Body::from_json(Kind::Receipt, json).expect("a body");
    let whole = Call { body, ..call(OPENAPI, Kind::Receipt) };
    assert_eq!(
        sent(OPENAPI, &whole).await.text(),
        r#"{"fiscal_id":"12345678903","items":[{"quantity":1.50,"description":"x","unit_price":12.90000001,"vat_rate_code":"N2","complimentary":true,"sku":"S"}],"cash_payment_amount":0,"electronic_payment_amount":1.00,"ticket_restaurant_payment_amount":2.00,"ticket_restaurant_quantity":2,"services_uncollected_amount":3.00,"goods_uncollected_amount":4.00,"discount":0.50,"lottery_code":"1A3V5G7F","linked_receipt":"L","tags":["a","b","oq-till-3/2026-11-22/000123"]}"#
    );
    let request = sent(SMART, &whole).await;
    assert_eq!(request.line(), "POST /receipts");
    assert_eq!(request.header("idempotency-key"), Some("till-3/2026-11-22/000123"));
    assert_eq!(
        request.text(),
        r#"{"fiscal_id":"12345678903","items":[{"quantity":1.50,"description":"x","unit_price":12.90000001,"vat_rate_code":"N2","complimentary":true}],"electronic_payment_amount":1.00,"ticket_restaurant_payment_amount":2.00,"ticket_restaurant_quantity":2,"services_uncollected_amount":3.00,"goods_uncollected_amount":4.00,"discount":0.50,"lottery_code":"1A3V5G7F","linked_receipt":"L","email":"c@example.com"}"#
    );
    // The eleventh tag would be refused: then ours stays at home.
    let tags: Vec<String> = (0..10).map(|n| format!("\"t{n}\"")).collect();
    let body = Body::from_json(Kind::Receipt, &json.replace(r#""a","b""#, &tags.join(","))).expect("a body");
    let text = sent(OPENAPI, &Call { body, ..call(OPENAPI, Kind::Receipt) }).await.text();
    assert!(text.contains("\"t9\"]") && !text.contains("oq-"), "{text}");
}

#[tokio::test]
async fn corrections() {
    let request = sent(OPENAPI, &call(OPENAPI, Kind::Return)).await;
    assert_eq!(
        (request.line().as_str(), request.text().as_str()),
        ("PATCH /IT-receipts/parent", r#"{"items":[{"id":"489432","quantity":1}]}"#)
    );
    assert_eq!(request.header("idempotency-key"), Some("till-3/2026-11-22/000123"));
    let request = sent(OPENAPI, &call(OPENAPI, Kind::Void)).await;
    assert_eq!((request.line().as_str(), request.text().as_str()), ("DELETE /IT-receipts/parent", ""));
    assert_eq!(request.header("idempotency-key"), Some("till-3/2026-11-22/000123"));
    let request = sent(SMART, &call(SMART, Kind::Return)).await;
    assert_eq!(
        (request.line().as_str(), request.text().as_str()),
        ("POST /receipts/parent/return", r#"{"items":[{"id":"489432","quantity":1}]}"#)
    );
    assert_eq!(sent(SMART, &call(SMART, Kind::Void)).await.line(), "DELETE /receipts/parent");
}

#[tokio::test]
async fn tax_free() {
    let request = sent(STAMP, &call(STAMP, Kind::Draft)).await;
    assert_eq!(request.line(), "POST /api/i/invoices/draft");
    // The example of Stamp's own document, to the digit.
    assert_eq!(
        request.text(),
        r#"{"MerchantInvoiceId":"STAMP1234","CreatedOn":"2018-12-25T10:30:00","Items":[{"ItemCode":"GIA223","Description":"Giacca in pelle verde","Quantity":1,"UnitPriceWithVat":1500.99,"VatRate":22},{"ItemCode":null,"Description":"Camicia a quadri rossa","Quantity":5,"UnitPriceWithVat":120.20,"VatRate":22}],"Discount":30.66}"#
    );
    for (note, path) in [("debit_vat", "debit"), ("credit_goods", "creditgoods"), ("credit_vat", "creditvat")] {
        let body =
            Body::from_json(Kind::NoteNumber, &format!(r#"{{"note":"{note}","number":"N-1"}}"#)).expect("a body");
        let request = sent(STAMP, &Call { body, ..call(STAMP, Kind::NoteNumber) }).await;
        assert_eq!(request.line(), format!("POST /api/i/invoices/parent/note/{path}/number"));
        assert_eq!(request.text(), r#"{"InvoiceNoteNumber":"N-1"}"#);
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("idempotency-key"), Some("till-3/2026-11-22/000123"));
    }
    let request = sent(STAMP, &call(STAMP, Kind::Void)).await;
    assert_eq!(
        (request.line().as_str(), request.text().as_str()),
        ("POST /api/invoices/parent/cancel", r#"{"InvoiceNoteNumber":"NC-1"}"#)
    );
}

#[tokio::test]
async fn the_other_form_of_a_drafts_date_and_another_path() {
    let server = FaultServer::start(|request| if is_login(request) { logged_in() } else { json(500, "{}") }).await;
    let mut config = config(STAMP, &server.url(""));
    if let Endpoint::Stamp { created_on, paths, .. } = &mut config.endpoint {
        *created_on = CreatedOn::Italian;
        paths.draft = "/v2/drafts".to_owned();
    }
    connect_adapter(config, TestClock::at(NOW)).expect("an adapter").submit(&call(STAMP, Kind::Draft)).await;
    let request = server.requests().pop().expect("a submission");
    assert_eq!(request.line(), "POST /v2/drafts");
    assert!(request.text().contains(r#""CreatedOn":"25/12/2018 10:30:00""#), "{}", request.text());
}

/// `DELETE /IT-receipts/..` would be another call altogether.
#[tokio::test]
async fn a_parents_id_cannot_change_the_call() {
    for provider in [OPENAPI, SMART, STAMP] {
        for (id, path) in [("..", None), ("", None), (".", None), ("a/../b?c=d#e", Some("a%2F..%2Fb%3Fc=d%23e"))] {
            let server =
                FaultServer::start(|request| if is_login(request) { logged_in() } else { json(500, "{}") }).await;
            let call = Call { parent_id: Some(id.to_owned()), ..call(provider, Kind::Void) };
            let outcome = adapter(provider, &server).submit(&call).await;
            match path {
                None => {
                    assert_eq!(word(&outcome.outcome), "refused", "{provider} {id}");
                    assert!(server.requests().is_empty());
                }
                Some(path) => assert!(
                    server.requests().iter().any(|request| request.target.contains(path)),
                    "{:?}",
                    server.lines()
                ),
            }
        }
        for unbound in [
            Call { parent_id: None, ..call(provider, Kind::Void) },
            Call { return_items: Vec::new(), ..call(provider, Kind::Return) },
        ] {
            let server = FaultServer::start(|_| json(500, "{}")).await;
            assert_eq!(word(&adapter(provider, &server).submit(&unbound).await.outcome), "refused");
            assert!(server.requests().is_empty(), "{:?}", server.lines());
        }
    }
}

#[test]
fn what_cannot_be_configured() {
    let fails = |provider, base: &str| {
        connect_adapter(config(provider, base), TestClock::at(NOW)).err().map(|err| err.to_string())
    };
    let message = fails(OPENAPI, "http://invoice.openapi.com").expect("an error");
    assert!(message.starts_with("base_url: plain http"), "{message}");
    assert!(fails(SMART, "https://user:secret@it.api.acubeapi.com").is_some_and(|message| !message.contains("secret")));
    assert!(fails(STAMP, "stamp.example").is_some());
    let mut no_token = config(OPENAPI, "https://invoice.openapi.com");
    no_token.endpoint = Endpoint::Openapi { base_url: "https://invoice.openapi.com".to_owned(), token: "a\nb".into() };
    assert!(connect_adapter(no_token, TestClock::at(NOW)).is_err());
    let mut other = config(OPENAPI, "https://invoice.openapi.com");
    other.account.provider = STAMP;
    assert!(connect_adapter(other, TestClock::at(NOW)).is_err());
}
