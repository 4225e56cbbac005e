//! Openapi, against what its document prints.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::http::Bench;

const SALE: &str = r#"{"fiscal_id":"YourCompanyFiscal_id","items":[{"quantity":11,"description":"test ultimate",
    "unit_price":10,"vat_rate_code":"22","discount":0,"complimentary":false,"sku":"product1"}],
    "cash_payment_amount":110.00,"linked_receipt":"string","tags":[["store1","store2"]]}"#;

#[tokio::test]
async fn a_sale_goes_from_new_to_ready() {
    let bench = Bench::new();
    let got = bench.post("/openapi/IT-receipts", "t", SALE).await;
    assert_eq!(got.status, StatusCode::OK, "{got:?}");
    let answer = got.json();
    let id = answer["data"]["id"].as_str().unwrap().to_owned();
    let created = 1_795_172_400;
    let mut expected: Value = serde_json::from_str(
        r#"{"fiscal_id":"YourCompanyFiscal_id","items":[{"quantity":11,"description":"test ultimate","unit_price":10,
        "vat_rate_code":"22","complimentary":false,"discount":0,"sku":"product1"}],"cash_payment_amount":110,
        "invoice_issuing":false,"services_uncollected_amount":0,"goods_uncollected_amount":0,
        "electronic_payment_amount":0,"ticket_restaurant_payment_amount":0,"ticket_restaurant_quantity":0,"discount":0,
        "linked_receipt":"string","lottery_code":null,"created_at":"2026-11-20T11:00:00.000Z","error_message":null,
        "error_code":null,"total_amount":0,"document_number":"","document_date":null,"transaction_id":null,
        "status":"new","type":"sale","deductible_amount":0,"total_discount":0,"total_gross_discount":0,
        "total_taxable_amount":0,"total_uncollected_amount":0,"total_vat_amount":0,"tags":[["store1","store2"]]}"#,
    )
    .unwrap();
    expected["id"] = json!(id);
    expected["create_timestamp"] = json!(created);
    expected["update_timestamp"] = json!(created);
    assert_eq!(answer, json!({"data": expected, "success": true, "message": "", "error": null}));

    bench.settle();
    let got = bench.call(Method::GET, &format!("/openapi/IT-receipts/{id}"), "t", "").await.json();
    let data = &got["data"];
    assert_eq!(data["status"], "ready");
    println!("{}", serde_json::to_string_pretty(data).unwrap());
    println!("{}", serde_json::to_string_pretty(&bench.sandbox.ledger()).unwrap());
}
