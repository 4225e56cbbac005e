//! Openapi "Invoice": `IT-receipts` (PROVIDERS.md 1.1).

mod company;
mod look_up;
mod standing;
mod submit;
mod track;

use async_trait::async_trait;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::Value;

use super::classify::{self, NoRead, Seen};
use super::config::ConfigError;
use super::http::{Http, Reply, join};
use super::pages::{Listed, PAGE, Pages};
use super::session::{Ask, Session, Trouble};
use super::{Call, Claimed, Lost, Provider, Tracked, json, pages, receipt};
use crate::domain::account::ProviderKind;
use crate::domain::outcome::{
    Answer, HoldAnswer, HoldReason, HoldScope, LookUpOutcome, StandingOutcome, SubmitOutcome, TrackOutcome,
};

pub(crate) use submit::classify as classify_submit;
pub(crate) use track::classify as classify_track;

const KIND: ProviderKind = ProviderKind::Openapi;

/// The adapter.
pub(crate) struct Openapi {
    session: Session,
    base: Url,
}

impl Openapi {
    pub(crate) fn new(http: Http, base: Url, token: &SecretString) -> Result<Openapi, ConfigError> {
        let session = Session::fixed(http, token).ok_or(ConfigError::Secret { name: "token" })?;
        Ok(Openapi { session, base })
    }

    /// The address of a resource; `None` when the id cannot be one.
    fn url(&self, segments: &[&str]) -> Option<Url> {
        join(&self.base, segments)
    }

    async fn get(&self, url: Url, seen: &mut Seen) -> Result<Reply, Trouble> {
        seen.note(self.session.read(Ask::get(url)).await)
    }

    /// One receipt.
    async fn one(&self, id: &str, seen: &mut Seen) -> Result<Value, NoRead> {
        let url = self.url(&["IT-receipts", id]).ok_or_else(|| NoRead::failed("not an id that can be asked for"))?;
        let reply = self.get(url, seen).await?;
        read_one(&reply, id)
    }

    /// All receipts that the filters let through and `keep` wants, with their ids.
    async fn list(
        &self,
        filters: &[(&str, &str)],
        seen: &mut Seen,
        keep: impl Fn(&str, &Value) -> bool + Send + Sync,
    ) -> Result<Listed, NoRead> {
        let (mut pages, mut kept, mut skip) = (Pages::default(), Vec::new(), 0usize);
        loop {
            let rows = self.page(filters, skip, PAGE, seen).await?;
            skip += rows.len();
            let new = pages.take(rows, |row| receipt::id_of(KIND, row))?;
            if new.is_empty() {
                return Ok(pages.listed(kept));
            }
            kept.extend(new.into_iter().filter(|(id, row)| keep(id, row)));
        }
    }

    /// Fails unless the list stood still while it was read; `first` is its first page, if it had several.
    async fn stood_still(
        &self,
        filters: &[(&str, &str)],
        first: Option<Vec<String>>,
        seen: &mut Seen,
        keep: impl Fn(&str, &Value) -> bool + Send + Sync,
    ) -> Result<(), NoRead> {
        let Some(first) = first else { return Ok(()) };
        let again = self.page(filters, 0, PAGE, seen).await?;
        pages::stood_still(&first, &again, |row| receipt::id_of(KIND, row), keep)
    }

    async fn page(
        &self,
        filters: &[(&str, &str)],
        skip: usize,
        limit: usize,
        seen: &mut Seen,
    ) -> Result<Vec<Value>, NoRead> {
        pages::rows(read(&self.page_as_it_came(filters, skip, limit, seen).await?)?)
    }

    async fn page_as_it_came(
        &self,
        filters: &[(&str, &str)],
        skip: usize,
        limit: usize,
        seen: &mut Seen,
    ) -> Result<Reply, NoRead> {
        let mut url = self.url(&["IT-receipts"]).ok_or_else(|| NoRead::failed("not a base URL"))?;
        url.query_pairs_mut()
            .extend_pairs(filters)
            .append_pair("limit", &limit.to_string())
            .append_pair("skip", &skip.to_string());
        Ok(self.get(url, seen).await?)
    }
}

/// The JSON of an answer; an unknown VAT number holds it (404/111).
fn read(reply: &Reply) -> Result<Value, NoRead> {
    let error = json::parse(&reply.body);
    if !reply.is_success() && error.as_ref().is_some_and(is_unknown_fiscal_id) {
        return Err(NoRead::Hold(HoldAnswer {
            scope: HoldScope::FiscalId,
            reason: HoldReason::UnknownFiscalId,
            detail: classify::words(reply),
        }));
    }
    classify::read(reply)
}

/// The receipt of an answer to "give me `id`".
fn read_one(reply: &Reply, id: &str) -> Result<Value, NoRead> {
    receipt::asked_for(KIND, &read(reply)?, id)
}

fn is_unknown_fiscal_id(error: &Value) -> bool {
    json::text(error, "error").as_deref() == Some("111")
}

#[async_trait]
impl Provider for Openapi {
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

    async fn clock_skew_ms(&self) -> Option<i64> {
        self.session.clock_skew_ms(self.base.clone()).await
    }
}
