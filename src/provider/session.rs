//! Requests with a token: kept, renewed early, one login at a time, renewed once when refused.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::classify;
use super::http::{Broken, Http, Reply, Request, clip};
use super::wall::within;
use crate::domain::id::Key;
use crate::domain::outcome::{Answer, HoldAnswer, HoldReason, HoldScope, SubmitOutcome};

/// A token is renewed this long before its end, so that no request meets the end (less for short-lived ones).
const EARLY: TimeDelta = TimeDelta::minutes(5);
/// And this long before it in quiet moments, so that no request waits for a login.
const EARLY_IN_QUIET: TimeDelta = TimeDelta::minutes(20);
/// What is believed of a token that does not say when it ends; a refusal renews it anyway.
const DEFAULT_LIFE: TimeDelta = TimeDelta::hours(12);

/// Why a request has no answer to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing of the request proper left.
    NotSent(String),
    /// It may have arrived.
    Unknown { why: String, status: Option<u16>, skew_ms: Option<i64> },
    /// The login was told to wait.
    Deferred { why: String, retry_after: Option<Duration> },
    /// The credentials are refused, also after a renewal.
    Hold { hold: HoldAnswer, status: u16 },
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Trouble {
        match broken {
            Broken::NotSent(why) => Trouble::NotSent(why),
            Broken::Unknown { why, status, skew_ms } => Trouble::Unknown { why, status, skew_ms },
        }
    }
}

/// A request before it has its token.
#[derive(Clone)]
pub(crate) struct Ask {
    pub method: Method,
    pub url: Url,
    pub accept: &'static str,
    pub content_type: Option<&'static str>,
    pub body: Option<Vec<u8>>,
    pub idempotency_key: Option<String>,
}

impl Ask {
    pub(crate) fn get(url: Url) -> Ask {
        let accept = "application/json";
        Ask { method: Method::GET, url, accept, content_type: None, body: None, idempotency_key: None }
    }

    pub(crate) fn with_json(method: Method, url: Url, body: Vec<u8>) -> Ask {
        Ask { method, content_type: Some("application/json"), body: Some(body), ..Ask::get(url) }
    }

    /// A submission, with our key: no provider here knows the header (PROVIDERS.md 4.1), it harms none, and it may
    /// serve a person who reads their logs.
    pub(crate) fn submission(method: Method, url: Url, body: Option<Vec<u8>>, key: &Key) -> Ask {
        let ask = match body {
            Some(body) => Ask::with_json(method, url, body),
            None => Ask { method, ..Ask::get(url) },
        };
        Ask { idempotency_key: Some(key.to_string()), ..ask }
    }

    fn into_request(self, token: &Token) -> Result<Request, Broken> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(self.accept));
        if let Some(kind) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let bad = |what: &str| Broken::NotSent(format!("{what} cannot be sent in a header"));
        if let Some(key) = &self.idempotency_key {
            let value = HeaderValue::from_str(key).map_err(|_| bad("the key"))?;
            headers.insert(HeaderName::from_static("idempotency-key"), value);
        }
        headers.insert(AUTHORIZATION, token.header().ok_or_else(|| bad("the token"))?);
        Ok(Request { method: self.method, url: self.url, headers, body: self.body })
    }
}

#[derive(Clone)]
struct Token {
    secret: SecretString,
    number: u64,
    got: DateTime<Utc>,
    ends: DateTime<Utc>,
}

impl Token {
    fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.secret.expose_secret())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether it will do, if it must last `early` more (a quarter of its life at most).
    fn lasts(&self, now: DateTime<Utc>, early: TimeDelta) -> bool {
        let life = self.ends - self.got;
        // A clock that went backwards past the moment it was got says nothing about its end.
        self.got <= now && now < self.ends - early.min(life / 4)
    }
}

/// A token and how long it lasts, from a login's answer.
pub(crate) struct LoggedIn {
    pub token: SecretString,
    pub life: Option<TimeDelta>,
}

/// How to log in.
pub(crate) struct Login {
    pub url: Url,
    /// The request's body; it holds the password.
    pub body: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub read: fn(&Reply) -> Option<LoggedIn>,
}

#[derive(Default)]
struct Cache {
    token: Option<Token>,
    /// Why the last login failed, if it did.
    failure: Option<Trouble>,
}

/// An account's connection: client and token.
pub(crate) struct Session {
    pub http: Http,
    login: Option<Login>,
    cache: Mutex<Cache>,
    /// Logins that ended, for those who waited while one was under way.
    logins: AtomicU64,
}

impl Session {
    /// With a token that never changes; `None` when it cannot be sent.
    pub(crate) fn fixed(http: Http, token: &SecretString) -> Option<Session> {
        let secret = SecretString::from(token.expose_secret().trim().to_owned());
        let (got, ends) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        let token = Token { secret, number: 0, got, ends };
        if token.secret.expose_secret().is_empty() {
            return None;
        }
        token.header()?;
        let cache = Mutex::new(Cache { token: Some(token), failure: None });
        Some(Session { http, login: None, cache, logins: AtomicU64::new(0) })
    }

    /// With tokens from a login.
    pub(crate) fn with_login(http: Http, login: Login) -> Session {
        Session { http, login: Some(login), cache: Mutex::default(), logins: AtomicU64::new(0) }
    }

    /// Sends a request that may be repeated without harm.
    pub(crate) async fn read(&self, ask: Ask) -> Result<Reply, Trouble> {
        self.send(ask, None).await
    }

    /// Submits once, within the wall; `judge` says what the answer proves.
    pub(crate) async fn submit(&self, ask: Ask, judge: impl Fn(&Reply) -> SubmitOutcome) -> Answer<SubmitOutcome> {
        // Whether, at this moment, a request that was not refused may be on the wire.
        let left = AtomicBool::new(false);
        within(self.http.wall(), &left, async {
            match self.send(ask, Some(&left)).await {
                Ok(reply) => classify::answer(judge(&reply), &reply),
                Err(trouble) => classify::submit_trouble(trouble),
            }
        })
        .await
    }

    async fn send(&self, ask: Ask, left: Option<&AtomicBool>) -> Result<Reply, Trouble> {
        let token = self.token(EARLY, None).await?;
        let reply = self.once(ask.clone(), &token, left).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        // A 401 means refused before anything was done (PROVIDERS.md 4.2): one renewal, one more try.
        if let Some(left) = left {
            left.store(false, Ordering::SeqCst);
        }
        if self.login.is_none() {
            return Err(refused(&reply));
        }
        let token = self.token(EARLY, Some(token.number)).await?;
        let reply = self.once(ask, &token, left).await?;
        if reply.status == 401 { Err(refused(&reply)) } else { Ok(reply) }
    }

    async fn once(&self, ask: Ask, token: &Token, left: Option<&AtomicBool>) -> Result<Reply, Trouble> {
        let request = ask.into_request(token)?;
        match left {
            None => Ok(self.http.read(request).await?),
            Some(left) => {
                left.store(true, Ordering::SeqCst);
                Ok(self.http.submit(request).await?)
            }
        }
    }

    /// The provider's clock minus ours, from any answer it gives to a question without a token.
    pub(crate) async fn clock_skew_ms(&self, url: Url) -> Option<i64> {
        let request = Request { method: Method::GET, url, headers: HeaderMap::new(), body: None };
        self.http.read(request).await.ok()?.skew_ms
    }

    /// Logs in early if the token ends soon.
    pub(crate) async fn keep_fresh(&self) {
        if self.login.is_none() {
            return;
        }
        if let Err(trouble) = self.token(EARLY_IN_QUIET, None).await {
            tracing::warn!(why = %trouble.words(), "the token could not be renewed early");
        }
    }

    /// The token, by a login if there is none that lasts, or if it is the one `refused`. One login at a time; those who
    /// waited for it take its result, good or bad: a wrong password is tried once, not once for each who waits.
    async fn token(&self, early: TimeDelta, refused: Option<u64>) -> Result<Token, Trouble> {
        let seen = self.logins.load(Ordering::SeqCst);
        let mut cache = self.cache.lock().await;
        let now = self.http.now();
        let usable = cache.token.clone().filter(|token| refused != Some(token.number));
        if let Some(token) = usable.as_ref().filter(|token| token.lasts(now, early)) {
            return Ok(token.clone());
        }
        let done = self.logins.load(Ordering::SeqCst);
        // Where it was only to be renewed early, what is left of the old one is good enough.
        let spare = usable.clone().filter(|token| token.lasts(now, TimeDelta::zero()));
        if let Some(failure) = cache.failure.as_ref().filter(|_| done != seen) {
            return spare.ok_or_else(|| failure.clone());
        }
        let Some(login) = &self.login else {
            return usable.ok_or_else(|| Trouble::NotSent("there is no token".to_owned()));
        };
        let result = self.log_in(login, done + 1).await;
        match &result {
            Ok(token) => *cache = Cache { token: Some(token.clone()), failure: None },
            Err(failure) => cache.failure = Some(failure.clone()),
        }
        self.logins.store(done + 1, Ordering::SeqCst);
        result.or_else(|failure| spare.ok_or(failure))
    }

    async fn log_in(&self, login: &Login, number: u64) -> Result<Token, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (url, body) = (login.url.clone(), Some((login.body)()));
        let request = Request { method: Method::POST, url, headers, body };
        // Whatever breaks here, the document itself was not sent.
        let reply = self.http.read(request).await.map_err(|broken| {
            let (Broken::NotSent(why) | Broken::Unknown { why, .. }) = broken;
            Trouble::NotSent(format!("login: {why}"))
        })?;
        if reply.is_success() {
            let Some(LoggedIn { token, life }) = (login.read)(&reply) else {
                return Err(Trouble::NotSent(format!("login: HTTP {} without a token", reply.status)));
            };
            let life = life.filter(|life| *life > TimeDelta::zero()).unwrap_or(DEFAULT_LIFE);
            let ends = reply.at.checked_add_signed(life).unwrap_or(DateTime::<Utc>::MAX_UTC);
            let token = Token { secret: token, number, got: reply.at, ends };
            if token.header().is_none() {
                return Err(Trouble::NotSent("login: the token cannot be sent in a header".to_owned()));
            }
            return Ok(token);
        }
        Err(login_refused(&reply))
    }
}

impl Trouble {
    /// In words.
    pub(crate) fn words(&self) -> &str {
        match self {
            Trouble::NotSent(why) | Trouble::Unknown { why, .. } | Trouble::Deferred { why, .. } => why,
            Trouble::Hold { hold, .. } => &hold.detail,
        }
    }
}

/// What an unsuccessful login means.
fn login_refused(reply: &Reply) -> Trouble {
    let status = reply.status;
    let said = classify::words(reply);
    let hold = |reason| {
        let detail = format!("login: {said}");
        Trouble::Hold { hold: HoldAnswer { scope: HoldScope::Account, reason, detail }, status }
    };
    match status {
        401 => hold(HoldReason::Credentials),
        400 | 403 | 422 if super::json::parse(&reply.body).is_some_and(|json| json.is_object()) => {
            hold(HoldReason::Credentials)
        }
        402 => hold(HoldReason::Unpaid),
        429 => Trouble::Deferred { why: format!("login: {said}"), retry_after: reply.retry_after },
        404 | 405 => hold(HoldReason::Misconfigured),
        _ => Trouble::NotSent(format!("login: {said}")),
    }
}

fn refused(reply: &Reply) -> Trouble {
    let detail = clip(&classify::words(reply));
    let hold = HoldAnswer { scope: HoldScope::Account, reason: HoldReason::Credentials, detail };
    Trouble::Hold { hold, status: reply.status }
}

/// The life of a JSON Web Token by its own words: `exp` less `iat`, so that a wrong clock of ours does not matter;
/// without `iat`, `exp` less `now`. `None` when it cannot be read.
pub(crate) fn jwt_life(token: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let claims = super::json::parse(&base64url(token.split('.').nth(1)?)?)?;
    let seconds = |name| -> Option<i64> {
        let text = super::json::text(&claims, name)?;
        text.split('.').next()?.parse().ok()
    };
    let from = seconds("iat").unwrap_or_else(|| now.timestamp());
    TimeDelta::try_seconds(seconds("exp")?.checked_sub(from)?)
}

/// Decodes base64url; padding is optional.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_how_long_it_lasts() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        // {"iat":1540312489,"exp":1540398889,"username":"pos@example.com"}
        let token = "e30.eyJpYXQiOjE1NDAzMTI0ODksImV4cCI6MTU0MDM5ODg4OSwidXNlcm5hbWUiOiJwb3NAZXhhbXBsZS5jb20ifQ.c2ln";
        assert_eq!(jwt_life(token, now), Some(TimeDelta::seconds(86_400)));
        // {"exp":1700000060}
        assert_eq!(jwt_life("e30.eyJleHAiOjE3MDAwMDAwNjB9.x", now), Some(TimeDelta::seconds(60)));
        for unreadable in ["", "opaque", "a.b.c", "e30.e30.e30", "..", "e30.!!!.x", "e30.eyJleHAiOiJzb29uIn0.x"] {
            assert_eq!(jwt_life(unreadable, now), None, "{unreadable}");
        }
    }

    #[test]
    fn a_token_is_renewed_before_its_end() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let token = |life| Token { secret: "x".into(), number: 1, got: at(0), ends: at(life) };
        assert!(token(86_400).lasts(at(86_400 - 301), EARLY));
        assert!(!token(86_400).lasts(at(86_400 - 300), EARLY));
        // A short-lived one is still of use.
        assert!(token(60).lasts(at(44), EARLY));
        assert!(!token(60).lasts(at(45), EARLY));
    }
}
