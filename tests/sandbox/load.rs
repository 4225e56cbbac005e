//! Many clients, many documents.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::Method;

use super::http::Bench;
use super::openapi::SALE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_clients_lose_nothing_and_share_no_id() {
    let bench = Arc::new(Bench::new());
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        let bench = Arc::clone(&bench);
        clients.spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build().unwrap(); // keep-alive
            let url = format!("{}/openapi/IT-receipts", bench.sandbox.base_url());
            for number in 0..50 {
                let request = http.request(Method::POST, &url).bearer_auth("t").body(SALE);
                let answer = request.header("Idempotency-Key", format!("{client}/{number}")).send().await.unwrap();
                assert!(answer.status().is_success());
                answer.bytes().await.unwrap();
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    bench.settle();
    let ledger = bench.sandbox.ledger();
    assert_eq!(ledger.len(), 400);
    assert!(ledger.iter().all(|entry| entry.duplicates == 0 && entry.issued));
    for unique in [
        ledger.iter().map(|entry| entry.remote_id.clone()).collect::<BTreeSet<_>>(),
        ledger.iter().filter_map(|entry| entry.document_number.clone()).collect(),
        ledger.iter().flat_map(|entry| entry.items.iter().filter_map(|item| item.id.clone())).collect(),
    ] {
        assert_eq!(unique.len(), 400);
    }
    let mut seen = BTreeSet::new();
    for skip in (0..400).step_by(100) {
        seen.extend(bench.list(&format!("?limit=100&skip={skip}")).await.iter().map(|one| one["id"].to_string()));
    }
    assert_eq!(seen.len(), 400);
}
