//! Stamp tax-free: drafts, note numbers, cancels (PROVIDERS.md 1.3).

mod files;
mod look_up;
mod submit;
mod track;

use async_trait::async_trait;
use chrono::TimeDelta;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::classify::{self, NoRead, Seen};
use super::config::{ConfigError, CreatedOn, StampPaths};
use super::http::{Http, Reply, join};
use super::session::{Ask, LoggedIn, Session};
use super::{Call, Claimed, Lost, Provider, Tracked, json};
use crate::domain::outcome::{Answer, Customs, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};

pub(crate) use submit::classify as classify_submit;
pub(crate) use track::classify as classify_track;

/// "Not found": the merchant has not completed the draft. Documented for four of the calls, taken alike on all but the
/// draft itself (PROVIDERS.md 1.5.8).
const NOT_YET: &str = "101";

/// The adapter.
pub(crate) struct Stamp {
    session: Session,
    /// For the files, which lie with someone else; without our token.
    files: Result<Http, ConfigError>,
    invoicing: Url,
    portal: Url,
    created_on: CreatedOn,
    paths: StampPaths,
}

/// How a merchant logs in.
pub(crate) struct Login {
    pub merchant: Url,
    pub email: String,
    pub password: SecretString,
}

impl Stamp {
    pub(crate) fn new(
        http: Http,
        files: Result<Http, ConfigError>,
        login: Login,
        invoicing: Url,
        portal: Url,
        created_on: CreatedOn,
        paths: StampPaths,
    ) -> Result<Stamp, ConfigError> {
        let bad = ConfigError::Url { name: "paths", why: "a path must have steps between slashes, none of them .." };
        let url = below(&login.merchant, &paths.sign, "").ok_or_else(|| bad.clone())?;
        below(&invoicing, &paths.draft, "").ok_or(bad)?;
        let Login { email, password, .. } = login;
        let body = move || {
            let password = password.expose_secret();
            serde_json::json!({ "Email": email, "Password": password }).to_string().into_bytes()
        };
        let login = super::session::Login { url, body: Box::new(body), read: logged_in };
        let session = Session::with_login(http, login);
        Ok(Stamp { session, files, invoicing, portal, created_on, paths })
    }

    /// The address of a call about an invoice.
    fn url(&self, path: &str, id: &str) -> Option<Url> {
        below(&self.invoicing, path, id)
    }

    /// Asks about an invoice. `None`: not yet.
    async fn about(&self, path: &str, id: &str, seen: &mut Seen) -> Result<Option<Value>, NoRead> {
        let url = self.url(path, id).ok_or_else(|| NoRead::failed("not an invoice's id"))?;
        let reply = seen.note(self.session.read(Ask::get(url)).await)?;
        read(&reply)
    }
}

/// A tax-free invoice as far as a call about it knows.
fn of_invoice(id: &str, customs: Option<Customs>) -> Remote {
    Remote { invoice_id: Some(id.to_owned()), customs, ..Remote::default() }
}

/// A path of the configuration below a base URL.
fn below(base: &Url, path: &str, id: &str) -> Option<Url> {
    let steps = path.split('/').filter(|step| !step.is_empty());
    join(base, &steps.map(|step| if step == "{id}" { id } else { step }).collect::<Vec<_>>())
}

fn logged_in(reply: &Reply) -> Option<LoggedIn> {
    let answer = json::parse(&reply.body)?;
    let token = json::text(&answer, "AccessToken")?;
    // The sample token cannot be decoded (PROVIDERS.md 1.5.10): its life is told beside it.
    let seconds = json::number(&answer, "ExpiresIn").and_then(|seconds| i64::try_from(seconds.at(0)?).ok());
    Some(LoggedIn { token: token.into(), life: seconds.and_then(TimeDelta::try_seconds) })
}

fn is_not_yet(error: &Value) -> bool {
    json::text(error, "ErrorCode").as_deref() == Some(NOT_YET)
}

/// An answer to a question about an invoice. `None`: not yet.
fn read(reply: &Reply) -> Result<Option<Value>, NoRead> {
    if reply.status == 400 && json::parse(&reply.body).is_some_and(|error| is_not_yet(&error)) {
        return Ok(None);
    }
    match classify::read(reply)? {
        answer @ Value::Object(_) => Ok(Some(answer)),
        _ => Err(NoRead::failed("the answer is not an object")),
    }
}

/// What customs said. A number that no source explains is kept (PROVIDERS.md 1.5.3).
fn customs(answer: &Value) -> Result<Customs, NoRead> {
    let number: Option<u32> = json::text(answer, "Status").and_then(|status| status.parse().ok());
    match number {
        Some(0) => Ok(Customs::Pending),
        Some(1) => Ok(Customs::Approved),
        Some(2) => Ok(Customs::Rejected),
        Some(3) => Ok(Customs::Cancelled),
        Some(other) => Ok(Customs::Unknown(other)),
        None => Err(NoRead::failed("the answer has no status")),
    }
}

#[async_trait]
impl Provider for Stamp {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.submit_once(call).await
    }

    async fn look_up(&self, lost: &Lost, _claimed: &dyn Claimed) -> Answer<LookUpOutcome> {
        let mut seen = Seen::default();
        let outcome = self.find(lost, &mut seen).await.unwrap_or_else(NoRead::into_look_up);
        seen.answer(outcome)
    }

    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        let mut seen = Seen::default();
        let outcome = self.ask(tracked, &mut seen).await.unwrap_or_else(NoRead::into_track);
        seen.answer(outcome)
    }

    async fn keep_fresh(&self) {
        self.session.keep_fresh().await;
    }

    async fn clock_skew_ms(&self) -> Option<i64> {
        self.session.clock_skew_ms(self.invoicing.clone()).await
    }
}
