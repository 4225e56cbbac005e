//! The other side: how a command that finds the journal held asks the agent that holds it.

mod alive;
mod call;
mod query;

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::call::{Said, strange};
use self::query::{encoded, query};
use crate::domain::limits::{MAX_ANSWER, MAX_PAGE};
use crate::view::{
    ArchivedView, Decision, DocumentView, ErrorView, ListFilter, NotTaken, Page, ReleaseDecision, StatusView, Summary,
    Taken, Verified,
};

/// Where an agent listens.
#[derive(Clone)]
pub(crate) enum Place {
    /// The journal's folder has its socket.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no sockets"))]
    Socket(PathBuf),
    /// An address, with its token.
    #[cfg_attr(unix, expect(dead_code, reason = "the socket needs no token"))]
    Tcp(std::net::SocketAddr, SecretString),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// Nobody is there, or went away before the answer was whole.
    #[error("the agent went away: {0}")]
    Gone(String),
    /// It is there and does not answer.
    #[error(
        "the agent that has the journal ({name}) has not answered for {seconds} s: if it is suspended, let it go on; else end it and \
         start `staffetta run` again. What was asked may have been done"
    )]
    Silent {
        /// Who it is.
        name: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It said no.
    #[error("{}", .1.message)]
    Said(StatusCode, ErrorView),
    /// This is no answer of an agent.
    #[error("what answered is no agent of this version: {0}")]
    Strange(String),
}

/// One who asks an agent.
#[derive(Clone)]
pub(crate) struct Client {
    place: Place,
}

/// A document's line, as it was taken or not.
pub(crate) type TakenLine = Result<Taken, NotTaken>;

#[derive(Serialize)]
struct Decide<'a> {
    who: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    not_accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fiscal_id: Option<&'a str>,
}

impl Client {
    pub(crate) fn new(place: Place) -> Client {
        Client { place }
    }

    /// Hands over JSON Lines, each a sound document with a key; answers come in order.
    pub(crate) async fn take(&self, lines: &[u8]) -> Result<Vec<TakenLine>, Failed> {
        let said = self.ask(Method::POST, "/v1/documents", Some(("application/x-ndjson", lines))).await?;
        let text = std::str::from_utf8(&said.wanted(StatusCode::OK)?.body).map_err(strange)?.to_owned();
        text.lines()
            .map(|line| match serde_json::from_str::<Taken>(line) {
                Ok(taken) => Ok(Ok(taken)),
                Err(_) => serde_json::from_str::<NotTaken>(line).map(Err).map_err(strange),
            })
            .collect()
    }

    pub(crate) async fn status(&self) -> Result<StatusView, Failed> {
        self.get("/v1/status").await
    }

    /// As [`Queue::list`](crate::queue::Queue::list).
    pub(crate) async fn list(&self, filter: &ListFilter) -> Result<Vec<Summary>, Failed> {
        let mut filter = filter.clone();
        let mut found = Vec::new();
        loop {
            let left = filter.limit.map_or(MAX_PAGE, |limit| (limit - found.len().min(limit)).min(MAX_PAGE));
            if left == 0 {
                return Ok(found);
            }
            let asked = ListFilter { limit: Some(left), ..filter.clone() };
            let page: Page = self.get(&format!("/v1/documents?{}", query(&asked))).await?;
            found.extend(page.documents);
            match page.next.map(|next| next.parse()) {
                Some(Ok(next)) => filter.after = Some(next),
                Some(Err(error)) => return Err(strange(error)),
                None => return Ok(found),
            }
        }
    }

    pub(crate) async fn show(&self, key: &str) -> Result<Option<DocumentView>, Failed> {
        let said = self.ask(Method::GET, &format!("/v1/documents/{}", encoded(key)), None).await?;
        if said.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        said.wanted(StatusCode::OK)?.read().map(Some)
    }

    pub(crate) async fn retry(&self, key: &str, who: &str, reason: &str) -> Result<Decision, Failed> {
        self.decide(key, "retry", Decide { who, reason, accepted: None, not_accepted: false, fiscal_id: None }).await
    }

    pub(crate) async fn cancel(&self, key: &str, who: &str, reason: &str) -> Result<Decision, Failed> {
        self.decide(key, "cancel", Decide { who, reason, accepted: None, not_accepted: false, fiscal_id: None }).await
    }

    pub(crate) async fn resolve(
        &self,
        key: &str,
        accepted: Option<&str>,
        who: &str,
        reason: &str,
    ) -> Result<Decision, Failed> {
        let not_accepted = accepted.is_none();
        self.decide(key, "resolve", Decide { who, reason, accepted, not_accepted, fiscal_id: None }).await
    }

    async fn decide(&self, key: &str, what: &str, said: Decide<'_>) -> Result<Decision, Failed> {
        let body = serde_json::to_vec(&said).map_err(strange)?;
        let path = format!("/v1/documents/{}/{what}", encoded(key));
        let said = self.ask(Method::POST, &path, Some(("application/json", &body))).await?;
        match said.status {
            StatusCode::OK | StatusCode::CONFLICT => said.read(),
            StatusCode::NOT_FOUND => {
                let unknown: NotTaken = said.read()?;
                Ok(Decision { key: key.to_owned(), state: None, done: false, why: unknown.error.message })
            }
            _ => Err(said.failed()),
        }
    }

    pub(crate) async fn release(
        &self,
        account: &str,
        fiscal_id: Option<&str>,
        who: &str,
        reason: &str,
    ) -> Result<ReleaseDecision, Failed> {
        let body = serde_json::to_vec(&Decide { who, reason, accepted: None, not_accepted: false, fiscal_id });
        let body = body.map_err(strange)?;
        let path = format!("/v1/accounts/{}/release", encoded(account));
        let said = self.ask(Method::POST, &path, Some(("application/json", &body))).await?;
        match said.status {
            StatusCode::OK | StatusCode::CONFLICT => said.read(),
            _ => Err(said.failed()),
        }
    }

    pub(crate) async fn verify(&self) -> Result<Verified, Failed> {
        self.later(Method::GET, "/v1/verify", None).await
    }

    pub(crate) async fn archive(&self, older_than: Duration) -> Result<ArchivedView, Failed> {
        let older_than_ms = u64::try_from(older_than.as_millis()).unwrap_or(u64::MAX);
        let body = serde_json::to_vec(&serde_json::json!({"older_than_ms": older_than_ms})).map_err(strange)?;
        self.later(Method::POST, "/v1/archive", Some(("application/json", &body))).await
    }

    /// One call whose answer takes as long as it takes; what went wrong is in the answer.
    async fn later<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<T, Failed> {
        let mut text = Vec::new();
        self.stream(method, path, body, &mut |piece| {
            text.extend_from_slice(piece);
            text.len() <= MAX_ANSWER
        })
        .await?;
        let said = Said { status: StatusCode::OK, body: text.into() };
        said.read().map_err(|_| said.failed())
    }

    /// Whether nothing is left that the program can do alone; waits a while for it.
    pub(crate) async fn drained(&self) -> Result<bool, Failed> {
        let said: serde_json::Value = self.get("/v1/drained").await?;
        said.get("drained").and_then(serde_json::Value::as_bool).ok_or_else(|| strange("it does not say whether"))
    }

    /// Documents whole, in order of intake, to `each`, until that has enough. Says up to which it came if it broke off.
    pub(crate) async fn export(
        &self,
        filter: &ListFilter,
        each: &mut dyn FnMut(DocumentView) -> bool,
    ) -> Result<(), Failed> {
        let mut rest = Vec::new();
        let mut wrong = None;
        self.stream(Method::GET, &format!("/v1/export?{}", query(filter)), None, &mut |piece| {
            rest.extend_from_slice(piece);
            let mut start = 0;
            let mut go_on = true;
            while let Some(end) = rest.iter().skip(start).position(|byte| *byte == b'\n').filter(|_| go_on) {
                match serde_json::from_slice(rest.get(start..start + end).unwrap_or_default()) {
                    Ok(document) => go_on = each(document),
                    Err(error) => {
                        wrong = Some(strange(error));
                        go_on = false;
                    }
                }
                start += end + 1;
            }
            rest.drain(..start);
            go_on && rest.len() <= 4 * MAX_ANSWER
        })
        .await?;
        wrong.map_or(Ok(()), Err)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failed> {
        self.ask(Method::GET, path, None).await?.wanted(StatusCode::OK)?.read()
    }
}
