//! A-Cube Smart Receipt (PROVIDERS.md 1.2).

mod company;
mod look_up;
mod standing;
mod submit;
mod track;

use async_trait::async_trait;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::classify::{self, NoRead, Seen};
use super::http::{Http, Reply, join};
use super::matching::{Window, past_the_window};
use super::pages::{Listed, PAGE, Pages};
use super::session::{Ask, LoggedIn, Login, Session, Trouble, jwt_life};
use super::{Call, Claimed, Lost, Provider, Tracked, json, pages, receipt};
use crate::domain::account::ProviderKind;
use crate::domain::outcome::{Answer, LookUpOutcome, StandingOutcome, SubmitOutcome, TrackOutcome};

pub use submit::BARE_BAD_REQUEST;
pub(crate) use submit::classify as classify_submit;
pub(crate) use track::classify as classify_track;

const KIND: ProviderKind = ProviderKind::SmartReceipt;

/// The adapter.
pub(crate) struct SmartReceipt {
    session: Session,
    base: Url,
}

impl SmartReceipt {
    pub(crate) fn new(http: Http, base: Url, login: Url, email: String, password: SecretString) -> SmartReceipt {
        let body = move || {
            let password = password.expose_secret();
            serde_json::json!({ "email": email, "password": password }).to_string().into_bytes()
        };
        let login = Login { url: login, body: Box::new(body), read: logged_in };
        SmartReceipt { session: Session::with_login(http, login), base }
    }

    fn url(&self, segments: &[&str]) -> Option<Url> {
        join(&self.base, segments)
    }

    async fn get(&self, url: Url, seen: &mut Seen) -> Result<Reply, Trouble> {
        seen.note(self.session.read(Ask::get(url)).await)
    }

    /// One receipt: its state, number and relations, no lines.
    async fn one(&self, id: &str, seen: &mut Seen) -> Result<Value, NoRead> {
        let url = self.url(&["receipts", id]).ok_or_else(|| NoRead::failed("not an id that can be asked for"))?;
        let reply = self.get(url, seen).await?;
        read_one(&reply, id)
    }

    /// Its lines and totals; `None` when there are none yet.
    async fn details(&self, id: &str, seen: &mut Seen) -> Result<Option<Value>, NoRead> {
        let url = self.url(&["receipts", id, "details"]);
        let url = url.ok_or_else(|| NoRead::failed("not an id that can be asked for"))?;
        let reply = self.get(url, seen).await?;
        match classify::read(&reply) {
            Ok(details) => Ok(Some(json::unwrap_data(&details).clone())),
            Err(NoRead::Gone(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// All receipts that the filters let through and `keep` wants, with their ids; a list that has the newest
    /// first only as far as the window matters.
    async fn list(
        &self,
        filters: &[(&str, &str)],
        window: &Window,
        seen: &mut Seen,
        keep: impl Fn(&str, &Value) -> bool + Send + Sync,
    ) -> Result<Listed, NoRead> {
        let (mut pages, mut kept) = (Pages::default(), Vec::new());
        for number in 1usize.. {
            let rows = self.page(filters, number, seen).await?;
            let enough = past_the_window(&rows, window);
            let new = pages.take(rows, |row| receipt::id_of(KIND, row))?;
            if new.is_empty() {
                break;
            }
            kept.extend(new.into_iter().filter(|(id, row)| keep(id, row)));
            if enough {
                break;
            }
        }
        Ok(pages.listed(kept))
    }

    async fn page(&self, filters: &[(&str, &str)], number: usize, seen: &mut Seen) -> Result<Vec<Value>, NoRead> {
        pages::rows(classify::read(&self.page_as_it_came(filters, number, seen).await?)?)
    }

    async fn page_as_it_came(&self, filters: &[(&str, &str)], number: usize, seen: &mut Seen) -> Result<Reply, NoRead> {
        let mut url = self.url(&["receipts"]).ok_or_else(|| NoRead::failed("not a base URL"))?;
        url.query_pairs_mut()
            .extend_pairs(filters)
            .append_pair("page", &number.to_string())
            .append_pair("itemsPerPage", &PAGE.to_string());
        Ok(self.get(url, seen).await?)
    }
}

/// The receipt of an answer to "give me `id`".
fn read_one(reply: &Reply, id: &str) -> Result<Value, NoRead> {
    receipt::asked_for(KIND, &classify::read(reply)?, id)
}

/// The receipt with the lines and totals of its details; its own members come first.
fn with_details(row: &Value, details: Option<&Value>) -> Value {
    let mut whole = row.clone();
    if let (Value::Object(whole), Some(Value::Object(details))) = (&mut whole, details) {
        for (name, member) in details {
            let known = whole.get(name).is_some_and(|known| !known.is_null());
            if name == "items" || !known {
                whole.insert(name.clone(), member.clone());
            }
        }
    }
    whole
}

/// The id of a related receipt: as text, as a path, or as an object.
fn related(value: &Value) -> Option<String> {
    match value {
        Value::Object(_) => receipt::id_of(KIND, value).or_else(|| json::id(value, "@id")),
        other => json::as_id(other),
    }
}

/// The void of a sale, if it has one.
fn voiding(row: &Value) -> Option<String> {
    related(row.get("voiding_receipt")?)
}

fn logged_in(reply: &Reply) -> Option<LoggedIn> {
    let token = json::text(&json::parse(&reply.body)?, "token")?;
    let life = jwt_life(&token, reply.at);
    Some(LoggedIn { token: token.into(), life })
}

#[async_trait]
impl Provider for SmartReceipt {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.submit_once(call).await
    }

    async fn standing(&self, call: &Call) -> Answer<StandingOutcome> {
        let mut seen = Seen::default();
        let outcome = self.parent_of(call, &mut seen).await.unwrap_or_else(NoRead::into_standing);
        seen.answer(outcome)
    }

    async fn look_up(&self, lost: &Lost, claimed: &dyn Claimed) -> Answer<LookUpOutcome> {
        let mut seen = Seen::default();
        let outcome = self.find(lost, claimed, &mut seen).await.unwrap_or_else(NoRead::into_look_up);
        seen.answer(outcome)
    }

    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        let mut seen = Seen::default();
        let outcome = self.ask(tracked, &mut seen).await.unwrap_or_else(NoRead::into_track);
        seen.answer(outcome)
    }

    async fn track_many(&self, tracked: &[Tracked]) -> Vec<Answer<TrackOutcome>> {
        self.ask_many(tracked).await
    }

    async fn keep_fresh(&self) {
        self.session.keep_fresh().await;
    }

    async fn clock_skew_ms(&self) -> Option<i64> {
        self.session.clock_skew_ms(self.base.clone()).await
    }
}
