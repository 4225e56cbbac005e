//! The sandbox's own calls, and its ledger.

use reqwest::{Method, StatusCode};
use serde_json::json;
use staffetta::sandbox::{FaultPlan, Options, Sandbox};

use super::http::{Bench, got};
use super::openapi::SALE;

#[tokio::test]
async fn the_ledger_is_exact_and_shows_doubles() {
    let bench = Bench::new();
    let keyed =
        |key: &str| bench.request(Method::POST, "/openapi/IT-receipts", "t", SALE).header("Idempotency-Key", key);
    for key in ["till-1", "till-2", "till-1"] {
        assert_eq!(got(keyed(key)).await.status, StatusCode::OK, "nobody heeds the key");
    }
    bench.settle();
    let ledger = bench.get("/_sandbox/ledger", "").await.json();
    let ledger = ledger.as_array().unwrap();
    let shown: Vec<_> = ledger
        .iter()
        .map(|one| (one["idempotency_key"].as_str().unwrap(), one["duplicates"].as_u64().unwrap()))
        .collect();
    assert_eq!(shown, [("till-1", 1), ("till-2", 0), ("till-1", 1)]);
    let one = &ledger[0];
    assert_eq!(
        [
            &one["provider"],
            &one["kind"],
            &one["total_amount"],
            &one["total_taxable_amount"],
            &one["cash_payment_amount"]
        ],
        [&json!("openapi"), &json!("receipt"), &json!("110.00"), &json!("90.16393443"), &json!("110.00")]
    );
    assert_eq!((&one["issued"], &one["received_rome"]), (&json!(true), &json!("2026-11-20T12:00:00")));
    assert_eq!(one["items"][0]["unit_price"], "10");
    assert_eq!(one["tags"], json!([["store1", "store2"]]));
    let typed: Vec<staffetta::sandbox::LedgerEntry> =
        serde_json::from_str(&serde_json::to_string(ledger).unwrap()).unwrap();
    assert_eq!(typed, bench.sandbox.ledger());
    assert_eq!(bench.get("/_sandbox/ledger?provider=stamp", "").await.json(), json!([]));
    assert_eq!(bench.get("/_sandbox/ledger?kind=receipt&issued=true", "").await.json().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn settings_change_one_by_one() {
    let bench = Bench::new();
    let set = async |body: &str| bench.post("/_sandbox/settings", "", body).await;
    let changed = set(r#"{"submit_delay":"2s","known_fiscal_ids":["11111111111"],"clock_skew_ms":-90000}"#).await;
    assert_eq!((changed.status, &changed.json()["ready_delay"]), (StatusCode::OK, &json!("400ms")));
    let sale = bench.post("/openapi/IT-receipts", "t", &SALE.replace("YourCompanyFiscal_id", "11111111111")).await;
    assert_eq!(sale.json()["data"]["created_at"], "2026-11-20T10:58:30.000Z", "the provider's clock is behind");
    assert_eq!(sale.headers["date"], "Fri, 20 Nov 2026 10:58:30 GMT");
    for bad in [r#"{"submit_delay":"soon"}"#, r#"{"nonsense":1}"#, "[]", "{"] {
        let got = set(bad).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(got.json()["error"].is_string());
    }
    let shown = bench.get("/_sandbox/settings", "").await.json();
    assert_eq!((&shown["submit_delay"], &shown["clock_skew_ms"]), (&json!("2s"), &json!(-90000)));
}

#[tokio::test]
async fn credentials_and_tokens_can_be_listed() {
    let bench = Bench::new();
    bench
        .post(
            "/_sandbox/settings",
            "",
            r#"{"accepted_tokens":["good"],"accepted_credentials":[{"email":"a@b","password":"c"}]}"#,
        )
        .await;
    assert_eq!(bench.get("/openapi/IT-receipts", "good").await.status, StatusCode::OK);
    assert_eq!(bench.get("/openapi/IT-receipts", "t").await.status, StatusCode::UNAUTHORIZED);
    let login = async |body: &str| bench.post("/smart-receipt/login", "", body).await.status.as_u16();
    assert_eq!(login(r#"{"email":"a@b","password":"c"}"#).await, 200);
    assert_eq!(login(r#"{"email":"a@b","password":"d"}"#).await, 401);
}

#[tokio::test]
async fn reset_forgets_documents_and_never_repeats_an_id() {
    let bench = Bench::new();
    let first = bench.sell().await;
    bench
        .sandbox
        .set_faults(FaultPlan::parse(br#"[{"times":1,"call":"get","fault":{"type":"status","code":500}}]"#).unwrap())
        .unwrap();
    let get = async |id: &str| bench.get(&format!("/openapi/IT-receipts/{id}"), "t").await.status.as_u16();
    assert_eq!((get(&first).await, get(&first).await), (500, 200));
    assert_eq!(bench.post("/_sandbox/reset", "", "").await.status, StatusCode::OK);
    assert_eq!((bench.sandbox.ledger().len(), bench.sandbox.requests().len()), (0, 0));
    assert_eq!((get(&first).await, get(&first).await), (500, 404), "the plan begins anew");
    assert_ne!(bench.sell().await, first);
}

#[tokio::test]
async fn the_way_is_shown() {
    let bench = Bench::new();
    let about = bench.get("/_sandbox", "").await.json();
    assert_eq!(about["openapi"], format!("{}/openapi", bench.sandbox.base_url()));
    assert_eq!(bench.get("/", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.get("/_sandbox/legder", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.call(Method::PUT, "/_sandbox/ledger", "", "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let stamp = bench.stamp_token().await;
    let draft = r#"{"MerchantInvoiceId":"1","Items":[{"Description":"Borsa","Quantity":1,"UnitPriceWithVat":100,"VatRate":22}]}"#;
    let id =
        bench.post("/stamp/api/i/invoices/draft", &stamp, draft).await.json()["InvoiceId"].as_str().unwrap().to_owned();
    let customs = format!("/_sandbox/stamp/{id}/customs");
    assert_eq!(bench.post(&customs, "", r#"{"status":"approved"}"#).await.status, StatusCode::CONFLICT);
    assert_eq!(bench.post(&format!("/_sandbox/stamp/{id}/complete"), "", "").await.status, StatusCode::OK);
    assert_eq!(bench.post(&customs, "", r#"{"status":"gone"}"#).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(bench.post(&customs, "", r#"{"status":"approved"}"#).await.status, StatusCode::OK);
    assert_eq!(bench.get(&format!("/stamp/api/i/invoices/{id}/status"), &stamp).await.json(), json!({"Status": 1}));
    assert_eq!(bench.post("/_sandbox/stamp/nobody/complete", "", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_sandbox_that_cannot_start_says_why() {
    let open = Options { listen: "0.0.0.0:0".parse().unwrap(), ..Options::default() };
    assert!(Sandbox::start_with(open).err().unwrap().to_string().contains("loopback"));
    let bench = Bench::new();
    let taken = Options { listen: bench.sandbox.addr(), ..Options::default() };
    assert_eq!(Sandbox::start_with(taken).err().unwrap().kind(), std::io::ErrorKind::AddrInUse);
    let faults = FaultPlan::parse(br#"{"settings":{"x":1}}"#).unwrap();
    assert!(
        Sandbox::start_with(Options { faults, ..Options::default() })
            .err()
            .unwrap()
            .to_string()
            .contains("unknown field `x`")
    );
}

#[test]
fn without_a_runtime_it_is_an_error_not_a_panic() {
    assert!(Sandbox::start(staffetta::sandbox::Settings::default()).is_err());
}
