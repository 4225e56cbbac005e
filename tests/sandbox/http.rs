//! A clock that tests move, and a client that shows everything.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use staffetta::clock::Clock;
use staffetta::sandbox::{Options, Sandbox, Settings};

/// One for all tests: it keeps no connections, and is slow to make.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0);
    client.no_proxy().build().unwrap()
});

/// A clock that stands still until it is moved.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn at(text: &str) -> Arc<TestClock> {
        Arc::new(TestClock(AtomicI64::new(text.parse::<DateTime<Utc>>().unwrap().timestamp_millis())))
    }

    pub fn advance(&self, delta: TimeDelta) {
        self.0.fetch_add(delta.num_milliseconds(), Ordering::SeqCst);
    }

    pub fn set(&self, text: &str) {
        self.0.store(text.parse::<DateTime<Utc>>().unwrap().timestamp_millis(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A sandbox at noon of an ordinary day, its clock and a client.
pub struct Bench {
    pub sandbox: Sandbox,
    pub clock: Arc<TestClock>,
    pub client: Client,
}

/// What came back.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Bench {
        Bench::at("2026-11-20T11:00:00Z", settings)
    }

    pub fn at(now: &str, settings: Settings) -> Bench {
        let clock = TestClock::at(now);
        let sandbox = Sandbox::start_with(Options { settings, clock: clock.clone(), ..Options::default() }).unwrap();
        Bench { sandbox, clock, client: CLIENT.clone() }
    }

    /// Past every delay of a receipt's way.
    pub fn settle(&self) {
        self.clock.advance(TimeDelta::seconds(1));
    }

    pub fn request(&self, method: Method, path: &str, token: &str, body: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.sandbox.base_url()));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        if body.is_empty() { request } else { request.header("content-type", "application/json").body(body.to_owned()) }
    }

    pub async fn call(&self, method: Method, path: &str, token: &str, body: &str) -> Got {
        got(self.request(method, path, token, body)).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Got {
        self.call(Method::GET, path, token, "").await
    }

    pub async fn post(&self, path: &str, token: &str, body: &str) -> Got {
        self.call(Method::POST, path, token, body).await
    }

    /// A token of Smart Receipt.
    pub async fn smart_token(&self) -> String {
        let got = self.post("/smart-receipt/login", "", r#"{"email":"pos@example.com","password":"p"}"#).await;
        got.json()["token"].as_str().unwrap().to_owned()
    }

    /// A token of Stamp.
    pub async fn stamp_token(&self) -> String {
        let got = self.post("/stamp/api/auth/sign", "", r#"{"Email":"user@email.com","Password":"password"}"#).await;
        got.json()["AccessToken"].as_str().unwrap().to_owned()
    }
}

pub async fn got(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Got { status, headers, text: response.text().await.unwrap() }
}
