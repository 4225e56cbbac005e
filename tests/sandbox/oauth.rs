//! Openapi's token service.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::http::{Bench, Got, got};
use super::openapi::SALE;

async fn ask(bench: &Bench, method: Method, path: &str, body: &str) -> Got {
    let request = bench.request(method, &format!("/openapi/oauth{path}"), "", body);
    got(request.basic_auth("me@example.com", Some("api-key"))).await
}

const SCOPES: &str = r#"{"scopes":["POST:test.invoice.openapi.com/IT-receipts"],"name":"till","ttl":3600}"#;

#[tokio::test]
async fn a_token_has_scopes_and_an_end() {
    let bench = Bench::new();
    let made = ask(&bench, Method::POST, "/tokens", SCOPES).await;
    assert_eq!((made.status, &made.json()["expireAt"]), (StatusCode::OK, &json!("2026-11-20T12:00:00Z")), "{made:?}");
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(bench.post("/openapi/IT-receipts", &token, SALE).await.status, StatusCode::OK);
    assert_eq!(bench.get("/openapi/IT-receipts", &token).await.status, StatusCode::FORBIDDEN, "no scope for it");
    assert_eq!(bench.get("/openapi/IT-configurations", &token).await.status, StatusCode::FORBIDDEN);
    bench.clock.advance(TimeDelta::hours(1));
    assert_eq!(bench.post("/openapi/IT-receipts", &token, SALE).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_refresh_takes_the_old_token_away() {
    let bench = Bench::new();
    let made = ask(&bench, Method::POST, "/tokens", SCOPES).await.json();
    let (token, refresh) = (made["token"].as_str().unwrap(), made["refreshToken"].as_str().unwrap());
    let path = format!("/openapi/oauth/tokens/{token}");
    assert_eq!(bench.call(Method::PATCH, &path, "not-it", "{}").await.status, StatusCode::UNAUTHORIZED);
    let renewed = bench.call(Method::PATCH, &path, refresh, "{}").await;
    assert_eq!(renewed.status, StatusCode::OK, "{renewed:?}");
    let renewed = renewed.json();
    assert_ne!((&renewed["token"], &renewed["refreshToken"]), (&made["token"], &made["refreshToken"]));
    assert_eq!(bench.post("/openapi/IT-receipts", token, SALE).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        bench.post("/openapi/IT-receipts", renewed["token"].as_str().unwrap(), SALE).await.status,
        StatusCode::OK
    );
    assert_eq!(bench.call(Method::PATCH, &path, refresh, "{}").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mistakes_have_their_codes() {
    let bench = Bench::new();
    for (body, message, code) in [
        ("{}", "missing scopes array", 70),
        (r#"{"scopes":"x"}"#, "invalid scopes format", 80),
        (r#"{"scopes":["GET:example.com/other"]}"#, "Invalid scopes specified or API not enabled", 90),
    ] {
        let got = ask(&bench, Method::POST, "/tokens", body).await;
        let expected = json!({"success": false, "message": message, "error": code, "data": null});
        assert_eq!((got.status, got.json()), (StatusCode::UNPROCESSABLE_ENTITY, expected));
    }
    assert_eq!(ask(&bench, Method::GET, "/tokens/none", "").await.json()["error"], json!(120));
    assert_eq!(ask(&bench, Method::DELETE, "/tokens/none", "").await.json()["error"], json!(180));
    assert_eq!(bench.post("/openapi/oauth/tokens", "", SCOPES).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn refused_calls_are_logged_for_who_lost_the_answer() {
    let bench = Bench::new();
    bench.post("/openapi/IT-receipts", "t", "{}").await;
    bench.get("/openapi/IT-receipts/nobody", "t").await;
    bench.sell().await;
    let errors = ask(&bench, Method::GET, "/errors?scopes=POST:invoice.openapi.com/IT-receipts", "").await.json();
    let errors = errors["data"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(
        (&errors[0]["httpResponseCode"], &errors[0]["errorCode"], &errors[0]["message"], &errors[0]["errorAt"]),
        (&json!(400), &json!(423), &json!("Missing fiscal_id"), &json!("2026-11-20T11:00:00+00:00"))
    );
}
