//! Openapi's configurations, and the callbacks they ask for.

use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::http::Bench;
use super::openapi::SALE;

const BAR: &str = r#"{"fiscal_id":"98765432109","name":"Bar","email":"bar@example.com","receipts":true,
    "receipts_authentication":{"taxCode":"FHHWMF96L52D111B","password":"secret-1","pin":"12345"},
    "api_configurations":[{"event":"receipt","callback":{"url":"https://www.mysite.com/myEndpoint"}}]}"#;

#[tokio::test]
async fn a_company_lives_through_all_methods() {
    let bench = Bench::new();
    let base = "/openapi/IT-configurations";
    let one = format!("{base}/98765432109");
    let made = bench.post(base, "t", BAR).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    assert!(!made.text.contains("secret-1") && !made.text.contains("12345"), "secrets are not given out");
    let made = made.json();
    let data = &made["data"];
    assert_eq!(
        *data,
        json!({"fiscal_id": "98765432109", "name": "Bar", "email": "bar@example.com", "receipts": true,
            "customer_invoice": false, "supplier_invoice": false, "active": true, "create_timestamp": 1795172400,
            "receipts_authentication": {"taxCode": "FHHWMF96L52D111B"}, "id": data["id"],
            "api_configurations": [{"event": "receipt", "callback": {"method": "JSON",
                "url": "https://www.mysite.com/myEndpoint", "user_id": "", "username": "", "field": "data", "headers": {},
                "data": {}, "retry": 0, "scope": null, "domain": null, "custom": null}}]})
    );
    assert_eq!(bench.post(base, "t", BAR).await.status, StatusCode::CONFLICT);
    assert_eq!(bench.post(base, "t", &BAR.replace("98765432109", "12345678903")).await.status, StatusCode::CONFLICT);
    let list = bench.get(base, "t").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 6);
    assert_eq!(bench.get(&one, "t").await.json()["data"]["name"], "Bar");

    let patch = async |body: &str| {
        let got = bench.call(Method::PATCH, &one, "t", body).await;
        (got.status.as_u16(), got.json())
    };
    let (status, body) = patch(r#"{"receipts":false,"email":"x@y"}"#).await;
    let message = "Invalid field: email. Fields fiscal_id, name, email are not editable.";
    assert_eq!((status, body), (400, json!({"data": "null", "success": true, "message": message, "error": 670})));
    let (status, body) = patch(
        r#"{"receipts":false,"api_configurations":[{"event":"receipt","callback":null},
        {"event":"receipt-error","callback":{"url":"http://127.0.0.1:1/e"}}]}"#,
    )
    .await;
    assert_eq!((status, &body["data"]["receipts"]), (200, &json!(false)));
    let events: Vec<_> =
        body["data"]["api_configurations"].as_array().unwrap().iter().map(|one| one["event"].clone()).collect();
    assert_eq!(events, [json!("receipt-error")]);
    let sale = SALE.replace("YourCompanyFiscal_id", "98765432109");
    assert_eq!(bench.post("/openapi/IT-receipts", "t", &sale).await.status, StatusCode::BAD_REQUEST, "not enabled");

    let gone = bench.call(Method::DELETE, &one, "t", "").await;
    let message = "Deleted configuration for id: 98765432109";
    assert_eq!(
        (gone.status, gone.json()),
        (StatusCode::OK, json!({"data": "null", "success": true, "message": message, "error": null}))
    );
    let unknown =
        json!({"data": "null", "success": true, "message": "Fiscal ID not found or not registered", "error": 111});
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let got = bench.call(method, &one, "t", "{}").await;
        assert_eq!((got.status, got.json()), (StatusCode::NOT_FOUND, unknown.clone()));
    }
    bench.sell().await;
    let used = bench.call(Method::DELETE, &format!("{base}/YourCompanyFiscal_id"), "t", "").await;
    assert_eq!(used.status, StatusCode::BAD_REQUEST, "once a receipt was sent it stays");
}

#[tokio::test]
async fn wrong_configurations_are_named() {
    let bench = Bench::new();
    for (body, message, code) in [
        (BAR.replace("fiscal_id", "fiscal"), "Missing fiscal_id", 423),
        (BAR.replace("\"Bar\"", "\"\""), "Missing name", 423),
        (BAR.replace("bar@example.com", "bar"), "Invalid field: email.", 670),
        (BAR.replace("\"receipts\":true", "\"receipts\":1"), "Invalid field: receipts.", 670),
        (BAR.replace("taxCode", "tax_code"), "Invalid field: receipts_authentication.tax_code.", 670),
        (BAR.replace("\"url\"", "\"uri\""), "Invalid field: api_configurations.", 670),
        ("[]".to_owned(), "Invalid JSON", 400),
    ] {
        let got = bench.post("/openapi/IT-configurations", "t", &body).await;
        let expected = json!({"data": "null", "success": false, "message": message, "error": code});
        assert_eq!((got.status, got.json()), (StatusCode::BAD_REQUEST, expected), "{body}");
    }
}

/// A server that notes what it is sent.
async fn ear() -> (String, Arc<Mutex<Vec<String>>>, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (heard, url) = (Arc::new(Mutex::new(Vec::new())), format!("http://{}/hook", listener.local_addr().unwrap()));
    let (bell, rung) = tokio::sync::mpsc::unbounded_channel();
    let noted = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = Vec::new();
            let mut chunk = [0; 4096];
            loop {
                let read = stream.read(&mut chunk).await.unwrap();
                text.extend_from_slice(&chunk[..read]);
                let shown = String::from_utf8_lossy(&text).into_owned();
                let length = shown
                    .split("Content-Length: ")
                    .nth(1)
                    .and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
                let body = shown.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
                if read == 0 || length.is_some_and(|length| body >= length) {
                    break;
                }
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            noted.lock().unwrap().push(String::from_utf8(text).unwrap());
            bell.send(()).unwrap();
        }
    });
    (url, heard, rung)
}

#[tokio::test]
async fn callbacks_are_sent_and_listed() {
    let bench = Bench::new();
    let (url, heard, mut rung) = ear().await;
    let body = json!({"api_configurations": [{"event": "receipt", "callback": {"url": url,
        "headers": {"Authorization": "Bearer hush"}, "custom": {"shop": 7}}}]});
    let path = "/openapi/IT-configurations/YourCompanyFiscal_id";
    assert_eq!(bench.call(Method::PATCH, path, "t", &body.to_string()).await.status, StatusCode::OK);
    let id = bench.sell().await;
    bench.settle();
    for _ in 0..2 {
        tokio::time::timeout(std::time::Duration::from_secs(20), rung.recv()).await.unwrap().unwrap();
    }
    let mut statuses: Vec<Value> = Vec::new();
    for text in heard.lock().unwrap().iter() {
        assert!(
            text.starts_with("POST /hook HTTP/1.1\r\n") && text.contains("Authorization: Bearer hush\r\n"),
            "{text}"
        );
        let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!((&body["data"]["data"]["id"], &body["data"]["custom"]), (&json!(id), &json!({"shop": 7})));
        statuses.push(body["data"]["data"]["status"].clone());
    }
    statuses.sort_by_key(Value::to_string);
    assert_eq!(statuses, [json!("ready"), json!("submitted")]);
    let basic = || {
        bench.client.get(format!("{}/openapi/oauth/callbacks", bench.sandbox.base_url())).basic_auth("a@b", Some("key"))
    };
    let list = super::http::got(basic()).await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 2, "{list}");
}
