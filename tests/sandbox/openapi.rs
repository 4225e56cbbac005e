//! Openapi's receipts, against what its document prints.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::http::{Bench, got};

pub const SALE: &str = r#"{"fiscal_id":"YourCompanyFiscal_id","items":[{"quantity":11,"description":"test ultimate",
    "unit_price":10,"vat_rate_code":"22","discount":0,"complimentary":false,"sku":"product1"}],
    "cash_payment_amount":110.00,"linked_receipt":"string","tags":[["store1","store2"]]}"#;

impl Bench {
    /// Sells, and gives the id.
    pub async fn sell(&self) -> String {
        let got = self.post("/openapi/IT-receipts", "t", SALE).await;
        assert_eq!(got.status, StatusCode::OK, "{got:?}");
        got.json()["data"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn one(&self, id: &str) -> Value {
        let got = self.get(&format!("/openapi/IT-receipts/{id}"), "t").await;
        assert_eq!(got.status, StatusCode::OK, "{got:?}");
        got.json()["data"].clone()
    }

    pub async fn list(&self, query: &str) -> Vec<Value> {
        let got = self.get(&format!("/openapi/IT-receipts{query}"), "t").await;
        assert_eq!(got.status, StatusCode::OK, "{got:?}");
        let answer = got.json();
        assert_eq!(
            (&answer["success"], &answer["message"], &answer["error"]),
            (&json!(true), &json!(""), &Value::Null)
        );
        answer["data"].as_array().unwrap().clone()
    }
}

/// The POST answer of S1, word for word but for the ids and times.
#[tokio::test]
async fn a_sale_is_answered_as_printed() {
    let bench = Bench::new();
    let got = bench.post("/openapi/IT-receipts", "t", SALE).await;
    assert_eq!(got.status, StatusCode::OK, "{got:?}");
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.headers["date"], "Fri, 20 Nov 2026 11:00:00 GMT");
    let answer = got.json();
    let id = answer["data"]["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let mut expected: Value = serde_json::from_str(
        r#"{"fiscal_id":"YourCompanyFiscal_id","items":[{"quantity":11,"description":"test ultimate","unit_price":10,
        "vat_rate_code":"22","complimentary":false,"discount":0,"sku":"product1"}],"cash_payment_amount":110,
        "invoice_issuing":false,"services_uncollected_amount":0,"goods_uncollected_amount":0,
        "electronic_payment_amount":0,"ticket_restaurant_payment_amount":0,"ticket_restaurant_quantity":0,"discount":0,
        "linked_receipt":"string","lottery_code":null,"created_at":"2026-11-20T11:00:00.000Z","error_message":null,
        "error_code":null,"total_amount":0,"document_number":"","document_date":null,"transaction_id":null,
        "create_timestamp":1795172400,"update_timestamp":1795172400,
        "status":"new","type":"sale","deductible_amount":0,"total_discount":0,"total_gross_discount":0,
        "total_taxable_amount":0,"total_uncollected_amount":0,"total_vat_amount":0,"tags":[["store1","store2"]]}"#,
    )
    .unwrap();
    expected["id"] = json!(id);
    assert_eq!(answer, json!({"data": expected, "success": true, "message": "", "error": null}));
}

#[tokio::test]
async fn a_sale_goes_from_new_to_ready_and_then_has_the_fiscal_shape() {
    let bench = Bench::new();
    let id = bench.sell().await;
    let new = bench.one(&id).await;
    assert_eq!(
        (&new["status"], &new["items"][0]["id"], &new["total_amount"]),
        (&json!("new"), &Value::Null, &json!(0))
    );
    assert_eq!(new["items"][0]["unit_price"], json!(10), "gross while new");
    bench.clock.advance(TimeDelta::milliseconds(199));
    assert_eq!(bench.one(&id).await["status"], "new");
    bench.clock.advance(TimeDelta::milliseconds(1));
    let submitted = bench.one(&id).await;
    assert_eq!(submitted["status"], "submitted");
    let item = submitted["items"][0]["id"].as_str().unwrap();
    bench.clock.advance(TimeDelta::milliseconds(200));
    let ready = bench.one(&id).await;
    let number = ready["document_number"].as_str().unwrap();
    assert!(number.starts_with("OPENAPI2026/") && number.len() == "OPENAPI2025/0000-4706".len(), "{number}");
    assert_eq!(
        ready["transaction_id"].as_str().unwrap().parse::<u64>().unwrap() % 10_000,
        number[17..].parse::<u64>().unwrap()
    );
    assert_eq!(ready["document_date"], "2026-11-20T11:00:00.000Z");
    let line: Value = serde_json::from_str(
        r#"{"quantity":11,"description":"test ultimate","gross_price":10,"vat_rate":"22","gross_discount":0,
        "complimentary":false,"unit_price":8.19672131,"return":0,"taxable_amount":90.16393443,
        "net_taxable_amount":90.16393443,"vat_amount":19.83606557,"total_amount":110,"unit_discount":0,"sku":"product1"}"#,
    )
    .unwrap();
    let mut shown = ready["items"][0].clone();
    assert_eq!(shown.as_object_mut().unwrap().remove("id"), Some(json!(item)), "an item keeps its id");
    assert_eq!(shown, line);
    let totals = ["status", "total_amount", "total_taxable_amount", "total_vat_amount", "total_discount"];
    assert_eq!(totals.map(|name| ready[name].to_string()), ["\"ready\"", "110", "90.16393443", "19.83606557", "0"],);
}

#[tokio::test]
async fn a_pdf_comes_for_the_content_type_that_the_document_names() {
    let bench = Bench::new();
    let id = bench.sell().await;
    let pdf = || {
        bench
            .request(Method::GET, &format!("/openapi/IT-receipts/{id}"), "t", "")
            .header("content-type", "application/pdf")
    };
    assert_eq!(got(pdf()).await.status, StatusCode::NOT_FOUND);
    bench.settle();
    let ready = got(pdf()).await;
    assert_eq!((ready.status, ready.headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/pdf"));
    assert!(ready.text.starts_with("%PDF-1.4") && ready.text.ends_with("%%EOF\n"));
}

#[tokio::test]
async fn a_return_is_a_new_receipt_with_nothing_in_it_until_it_is_submitted() {
    let bench = Bench::new();
    let id = bench.sell().await;
    let path = format!("/openapi/IT-receipts/{id}");
    let early = bench.call(Method::PATCH, &path, "t", r#"{"items":[{"id":"250652","quantity":1}]}"#).await;
    assert_eq!(early.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        early.json()["message"],
        "items[0].id: The id of return items must match with the ids of the original receipts"
    );
    bench.settle();
    let item = bench.one(&id).await["items"][0]["id"].as_str().unwrap().to_owned();
    let body = |quantity: &str| format!(r#"{{"items":[{{"id":"{item}","quantity":{quantity}}}]}}"#);
    let answer = bench.call(Method::PATCH, &path, "t", &body("1")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let data = answer.json()["data"].clone();
    let mut expected: Value = serde_json::from_str(
        r#"{"fiscal_id":"YourCompanyFiscal_id","items":[{}],"cash_payment_amount":0,"invoice_issuing":false,
        "services_uncollected_amount":0,"goods_uncollected_amount":0,"electronic_payment_amount":0,
        "ticket_restaurant_payment_amount":0,"ticket_restaurant_quantity":0,"discount":0,"linked_receipt":null,
        "lottery_code":null,"created_at":"2026-11-20T11:00:01.000Z","error_message":null,"error_code":null,
        "total_amount":null,"document_number":"","document_date":null,"transaction_id":null,
        "create_timestamp":1795172401,"status":"new","type":"return","deductible_amount":0,"total_discount":0,
        "total_gross_discount":0,"total_taxable_amount":0,"total_uncollected_amount":0,"total_vat_amount":0,
        "update_timestamp":1795172401,"tags":[["store1","store2"]]}"#,
    )
    .unwrap();
    expected["id"] = data["id"].clone();
    expected["parent_receipt_id"] = json!(id);
    assert_eq!(data, expected);
    bench.settle();
    let child = bench.one(data["id"].as_str().unwrap()).await;
    let line = &child["items"][0];
    assert_eq!((line["quantity"].to_string(), line["return"].to_string()), ("11".into(), "1".into()));
    assert_eq!((line["total_amount"].to_string(), line["vat_amount"].to_string()), ("10".into(), "1.80327869".into()));
    assert_ne!(line["id"], json!(item));
    assert_eq!(child["total_amount"].to_string(), "10");
    assert_eq!(bench.one(&id).await["items"][0]["return"], json!(0), "as in every sample");
    // Cumulative: ten are left.
    let over = bench.call(Method::PATCH, &path, "t", &body("10.5")).await;
    assert_eq!(over.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        over.json(),
        json!({"data": "null", "success": false, "error": 400, "message":
            "items[0].quantity: The quantity of the returned items should not be greater than the quantity of the original item"})
    );
    assert_eq!(bench.call(Method::PATCH, &path, "t", &body("10")).await.status, StatusCode::OK);
    assert_eq!(bench.call(Method::PATCH, &path, "t", &body("1")).await.status, StatusCode::BAD_REQUEST);
    // A line number is our own notion, not Openapi's.
    let line = bench.call(Method::PATCH, &path, "t", r#"{"items":[{"line":0,"quantity":1}]}"#).await;
    assert_eq!(line.status, StatusCode::BAD_REQUEST);
    let returns = bench.sandbox.ledger().into_iter().filter(|entry| entry.kind == "return").count();
    assert_eq!(returns, 2);
    let tagged = bench.sandbox.ledger().into_iter().filter(|entry| entry.tags.is_some()).count();
    assert_eq!(tagged, 1, "the ledger shows tags only where they came in");
}

/// Even the right id is no id before the authority has given it.
#[tokio::test]
async fn no_item_can_be_returned_before_the_authority_knows_it() {
    let seeded = || Bench::with(staffetta::sandbox::Settings { seed: Some(7), ..Default::default() });
    let (bench, twin) = (seeded(), seeded());
    let (id, same) = (bench.sell().await, twin.sell().await);
    assert_eq!(id, same, "a seed makes ids repeatable");
    bench.settle();
    let item = bench.one(&id).await["items"][0]["id"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"items":[{{"id":"{item}","quantity":1}}]}}"#);
    let path = format!("/openapi/IT-receipts/{id}");
    assert_eq!(twin.sandbox.ledger()[0].items[0].id, None);
    assert_eq!(twin.call(Method::PATCH, &path, "t", &body).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(bench.call(Method::PATCH, &path, "t", &body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_void_has_the_oddest_answer_of_all() {
    let bench = Bench::new();
    let id = bench.sell().await;
    let path = format!("/openapi/IT-receipts/{id}");
    let early = bench.call(Method::DELETE, &path, "t", "").await;
    assert_eq!(
        (early.status, &early.json()["message"]),
        (StatusCode::BAD_REQUEST, &json!("Only receipts in submitted and ready status can be voided"))
    );
    bench.settle();
    let answer = bench.call(Method::DELETE, &path, "t", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json();
    assert_eq!(answer["message"], format!("voided receipt: {id}"));
    assert_eq!((&answer["success"], &answer["error"]), (&json!(true), &json!("nulll")));
    let data = &answer["data"];
    assert_eq!((&data["items"]["quantity"], &data["cash_payment_amount"]), (&json!(11), &json!(110)));
    assert_eq!(
        (&data["status"], &data["total_amount"], &data["parent_receipt_id"]),
        (&json!("new"), &Value::Null, &json!(id))
    );
    assert_eq!(bench.one(&id).await["status"], "ready", "until the authority has the void");
    let second = bench.call(Method::DELETE, &path, "t", "").await;
    assert_eq!(
        (second.status, &second.json()["message"]),
        (StatusCode::BAD_REQUEST, &json!("The receipt has already been voided"))
    );
    bench.settle();
    assert_eq!(bench.one(&id).await["status"], "voided");
    let child = bench.one(data["id"].as_str().unwrap()).await;
    assert_eq!(
        (&child["type"], &child["status"], &child["cash_payment_amount"]),
        (&json!("void"), &json!("ready"), &json!(0))
    );
    assert_eq!(child["total_amount"], json!(110));
    let back = bench.call(Method::PATCH, &path, "t", r#"{"items":[{"id":"1","quantity":1}]}"#).await;
    assert_eq!(
        (back.status, &back.json()["message"]),
        (StatusCode::BAD_REQUEST, &json!("The receipt has already been voided"))
    );
}

#[tokio::test]
async fn a_void_is_in_time_for_24_hours_and_not_a_millisecond_longer() {
    let bench = Bench::new();
    let (one, other) = (bench.sell().await, bench.sell().await);
    bench.clock.advance(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    assert_eq!(
        bench.call(Method::DELETE, &format!("/openapi/IT-receipts/{one}"), "t", "").await.status,
        StatusCode::OK
    );
    bench.clock.advance(TimeDelta::milliseconds(1));
    let late = bench.call(Method::DELETE, &format!("/openapi/IT-receipts/{other}"), "t", "").await;
    assert_eq!(late.json()["message"], "The receipt can be voided only within 24 hours from its submission");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, bench.sell().await);
        bench.clock.advance(TimeDelta::hours(13)); // 11:00Z, 00:00Z and 13:00Z of the next day
    }
    let shown = |list: Vec<Value>| list.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(shown(bench.list("").await), ids, "newest first");
    assert_eq!(shown(bench.list("?limit=1&skip=1").await), ids[1..2]);
    assert_eq!(shown(bench.list("?created_at=2026-11-20").await), ids[2..]);
    assert_eq!(shown(bench.list("?created_at=2026-11-21&limit=100").await), ids[..2]);
    assert_eq!(shown(bench.list("?created_at[after]=2026-11-21&created_at[before]=2026-11-21").await), ids[..2]);
    assert_eq!(shown(bench.list("?created_at%5Bbefore%5D=2026-11-20").await), ids[2..]);
    assert_eq!(shown(bench.list("?document_date=2026-11-20").await), ids[2..]);
    assert_eq!(shown(bench.list("?status=ready,failed&type=sale,void").await), ids);
    assert_eq!(shown(bench.list("?status=new").await), Vec::<String>::new());
    assert_eq!(shown(bench.list("?fiscal_id=12345678903,YourCompanyFiscal_id").await), ids);
    assert_eq!(shown(bench.list("?fiscal_id=12345678903").await), Vec::<String>::new());
    let number = bench.one(&ids[1]).await["document_number"].as_str().unwrap().replace('/', "%2F");
    assert_eq!(shown(bench.list(&format!("?document_number={number}")).await), ids[1..2]);
    bench.call(Method::DELETE, &format!("/openapi/IT-receipts/{}", ids[0]), "t", "").await;
    let children = bench.list(&format!("?parent_receipt_id={}", ids[0])).await;
    assert_eq!((children.len(), &children[0]["type"]), (1, &json!("void")));
    for bad in ["?limit=0", "?limit=101", "?limit=x", "?skip=-1", "?status=done", "?type=x", "?created_at=yesterday"] {
        assert_eq!(
            bench.get(&format!("/openapi/IT-receipts{bad}"), "t").await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    bench.sandbox.change(|settings| settings.created_day = staffetta::sandbox::Day::Rome);
    assert_eq!(shown(bench.list("?type=sale&created_at=2026-11-21").await), ids[..2]);
}

#[tokio::test]
async fn tags_may_be_withheld_and_lists_may_lag() {
    let bench = Bench::new();
    let id = bench.sell().await;
    assert_eq!(bench.list("").await[0]["tags"], json!([["store1", "store2"]]));
    bench.sandbox.change(|settings| {
        settings.echo_tags_in_lists = false;
        settings.list_lag = staffetta::sandbox::Span::from_millis(5_000);
    });
    assert_eq!(bench.list("").await.len(), 0);
    assert_eq!(bench.one(&id).await.get("tags"), None);
    bench.clock.advance(TimeDelta::seconds(5));
    assert_eq!(bench.list("").await[0].get("tags"), None);
}

#[tokio::test]
async fn refusals_have_the_envelope_and_its_oddities() {
    let bench = Bench::new();
    let refusal = |got: super::http::Got| (got.status.as_u16(), got.json());
    let missing = |what: &str| (400, json!({"data": "null", "success": false, "message": what, "error": 423}));
    let post = async |body: &str| refusal(bench.post("/openapi/IT-receipts", "t", body).await);
    assert_eq!(post(r#"{"items":[]}"#).await, missing("Missing fiscal_id"));
    assert_eq!(post(r#"{"fiscal_id":"string","cash_payment_amount":0}"#).await, missing("Missing items"));
    assert_eq!(post(r#"{"fiscal_id":"string","items":[]}"#).await, missing("Missing cash_payment_amount"));
    let unknown =
        json!({"data": "null", "success": true, "message": "Fiscal ID not found or not registered", "error": 111});
    assert_eq!(post(&SALE.replace("YourCompanyFiscal_id", "nobody")).await, (404, unknown));
    assert_eq!(post("{").await.0, 400);
    assert_eq!(post("[]").await.0, 400);
    let (status, body) = post(&SALE.replace("\"tags\"", "\"idempotency_key\"")).await;
    assert_eq!((status, body["success"].clone()), (400, json!(false)));
    assert!(body["message"].as_str().unwrap().contains("idempotency_key"), "{body}");
    let (status, body) = post(&SALE.replace("110.00", "109.99")).await;
    assert_eq!(
        (status, &body["message"]),
        (400, &json!("Total paid and uncollected amounts is not matching the items total amount."))
    );
    assert_eq!(refusal(bench.get("/openapi/IT-receipts/nobody", "t").await).0, 404);
    assert_eq!(bench.call(Method::PUT, "/openapi/IT-receipts", "t", "{}").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(bench.get("/openapi/IT-invoices", "t").await.status, StatusCode::NOT_FOUND);
    for token in ["", "wrong-token", "expired-token"] {
        let (status, body) = refusal(bench.post("/openapi/IT-receipts", token, SALE).await);
        assert_eq!(
            (status, body),
            (401, json!({"data": null, "success": false, "message": "Unauthorized", "error": 130}))
        );
    }
    assert_eq!(bench.sandbox.ledger().len(), 0, "a refused document is not in the ledger");
}
