//! No network, and the network back.

use std::time::Duration;

use reqwest::{Method, StatusCode};

use super::http::Bench;
use super::openapi::SALE;

#[tokio::test]
async fn offline_refuses_and_online_serves_on_the_same_port() {
    let bench = Bench::new();
    bench.sell().await;
    let addr = bench.sandbox.addr();
    for _ in 0..3 {
        bench.sandbox.go_offline().await;
        let error = bench.request(Method::POST, "/openapi/IT-receipts", "t", SALE).send().await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        bench.sandbox.go_offline().await; // twice is once
        bench.sandbox.go_online().await.unwrap();
        bench.sandbox.go_online().await.unwrap();
        bench.sell().await;
    }
    assert_eq!((bench.sandbox.ledger().len(), bench.sandbox.addr()), (4, addr));
}

/// A request on the wire when the network goes is lost, processed or not.
#[tokio::test]
async fn going_offline_cuts_what_is_on_the_wire() {
    let bench = Bench::new();
    let hang = br#"[{"fault":{"type":"hang","ms":"60s"}}]"#;
    bench.sandbox.set_faults(staffetta::sandbox::FaultPlan::parse(hang).unwrap()).unwrap();
    let sent = tokio::spawn(bench.request(Method::POST, "/openapi/IT-receipts", "t", SALE).send());
    tokio::time::timeout(Duration::from_secs(20), async {
        while bench.sandbox.ledger().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    bench.sandbox.go_offline().await;
    assert!(sent.await.unwrap().unwrap_err().is_request());
    assert_eq!(bench.sandbox.ledger().len(), 1);
}

#[tokio::test]
async fn a_stopped_sandbox_leaves_its_port() {
    let bench = Bench::new();
    let (addr, url) = (bench.sandbox.addr(), bench.sandbox.base_url());
    bench.sandbox.stop().await;
    assert!(bench.client.get(&url).send().await.unwrap_err().is_connect());
    drop(std::net::TcpListener::bind(addr).unwrap());
}

#[tokio::test]
async fn offline_for_a_while_over_http() {
    let bench = Bench::new();
    assert_eq!(bench.post("/_sandbox/offline", "", r#"{"for":"eternity"}"#).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(bench.post("/_sandbox/offline", "", r#"{"for":"200ms"}"#).await.status, StatusCode::OK);
    let mut refused = false;
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match bench.client.get(bench.sandbox.base_url()).send().await {
                Ok(_) if refused => break,
                Ok(_) => tokio::task::yield_now().await,
                Err(_) => refused = true,
            }
        }
    })
    .await
    .unwrap();
}
