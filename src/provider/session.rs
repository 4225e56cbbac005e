//! Requests with a token: kept, renewed early, one login at a time, renewed once when refused.

mod answered;
mod ask;
mod token;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use self::answered::Answered;
pub(crate) use self::ask::{Ask, Trouble};
pub(crate) use self::token::jwt_life;
use self::token::{EARLY, EARLY_IN_QUIET, Token};
use super::classify;
use super::http::kept::Trip;
use super::http::{Broken, Http, Reply, Request, clip};
use super::moment::Moment;
use super::wall::within;
use crate::domain::outcome::{Answer, HoldAnswer, HoldReason, HoldScope, SubmitOutcome};

/// What is believed of a token that does not say when it ends; a refusal renews it anyway.
const DEFAULT_LIFE: TimeDelta = TimeDelta::hours(12);

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

/// A submission, from its login on.
struct Submission {
    /// Whether, at this moment, a request that was not refused may be on the wire.
    left: AtomicBool,
    began: Moment,
}

/// An account's connection: client and token.
pub(crate) struct Session {
    pub http: Http,
    login: Option<Login>,
    cache: Mutex<Cache>,
    /// Logins that ended, for those who waited while one was under way.
    logins: AtomicU64,
    answered: Answered,
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
        Some(Session { http, login: None, cache, logins: AtomicU64::new(0), answered: Answered::default() })
    }

    /// With tokens from a login.
    pub(crate) fn with_login(http: Http, login: Login) -> Session {
        Session {
            http,
            login: Some(login),
            cache: Mutex::default(),
            logins: AtomicU64::new(0),
            answered: Answered::default(),
        }
    }

    /// Sends a request that may be repeated without harm.
    pub(crate) async fn read(&self, ask: Ask) -> Result<Reply, Trouble> {
        Ok(self.send(ask, None).await?.0)
    }

    /// Submits once, within the wall; `judge` says what the answer proves.
    pub(crate) async fn submit(&self, ask: Ask, judge: impl Fn(&Reply) -> SubmitOutcome) -> Answer<SubmitOutcome> {
        let submission = Submission { left: AtomicBool::new(false), began: self.http.moment() };
        let key = ask.idempotency_key.clone().filter(|_| ask.names_new);
        within(self.http.wall(), &submission.left, async {
            match self.send(ask, Some(&submission)).await {
                Ok((reply, trip)) => {
                    let outcome = self.answered.judge(key.as_deref(), trip, judge(&reply));
                    classify::answer(outcome, &reply)
                }
                Err(trouble) => classify::submit_trouble(trouble),
            }
        })
        .await
    }

    async fn send(&self, ask: Ask, submission: Option<&Submission>) -> Result<(Reply, Option<Trip<'_>>), Trouble> {
        let token = self.token(EARLY, None).await?;
        let (reply, trip) = self.once(ask.clone(), &token, submission).await?;
        if reply.status != 401 {
            return Ok((reply, trip));
        }
        // A 401 means refused before anything was done (PROVIDERS.md 4.2): one renewal, one more try.
        if let Some(submission) = submission {
            submission.left.store(false, Ordering::SeqCst);
        }
        if self.login.is_none() {
            return Err(refused(&reply));
        }
        let token = self.token(EARLY, Some(token.number)).await?;
        let (reply, trip) = self.once(ask, &token, submission).await?;
        if reply.status == 401 { Err(refused(&reply)) } else { Ok((reply, trip)) }
    }

    async fn once(
        &self,
        ask: Ask,
        token: &Token,
        submission: Option<&Submission>,
    ) -> Result<(Reply, Option<Trip<'_>>), Trouble> {
        let request = ask.into_request(token)?;
        match submission {
            None => Ok((self.http.read(request).await?, None)),
            Some(submission) => {
                // That it is not the blackout was seen before the login.
                if submission.began.slept_until(self.http.moment()) {
                    return Err(Trouble::NotSent(
                        "the clock went on or was set while there was no token yet".to_owned(),
                    ));
                }
                submission.left.store(true, Ordering::SeqCst);
                Ok(self.http.submit(request).await?)
            }
        }
    }

    /// The provider's clock minus ours, from any answer it gives to a question without a token.
    pub(crate) async fn clock_skew_ms(&self, url: Url) -> Option<i64> {
        let request = Request { method: Method::GET, url, headers: HeaderMap::new(), body: None, again: false };
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
        let request = Request { method: Method::POST, url, headers, body, again: false };
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
