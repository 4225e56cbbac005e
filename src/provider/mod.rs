//! What a provider is asked, and what it may answer. Adapters map and classify; they never retry, sleep or store.

pub mod calls;
mod classify;
pub mod config;
mod correction;
mod decide;
mod http;
mod json;
mod matching;
mod moment;
mod openapi;
mod pages;
#[doc(hidden)]
pub mod raw;
mod receipt;
mod session;
mod smart_receipt;
mod stamp;
pub(crate) mod turns;
mod verdict;
mod wall;

pub use calls::{CallError, Calls};
pub use classify::OTHERS_ANSWER;
pub use config::{AccountConfig, ConfigError, Endpoint, connect, connect_adapter};
pub use correction::UNNAMED_VOID;
pub(crate) use matching::SLACK;
pub use smart_receipt::BARE_BAD_REQUEST;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::domain::document::Body;
use crate::domain::id::{FiscalId, Key};
use crate::domain::outcome::{Answer, LookUpOutcome, Remote, StandingOutcome, SubmitOutcome, TrackOutcome};

/// One document as an adapter sees it, with everything bound that it needs.
#[derive(Debug, Clone)]
pub struct Call {
    /// The till's key; travels as a tag (Openapi) and as `Idempotency-Key`.
    pub key: Key,
    /// The document.
    pub body: Body,
    /// The VAT number, where there is one.
    pub fiscal_id: Option<FiscalId>,
    /// The provider's id of the parent, for a return, a void or a note number.
    pub parent_id: Option<String>,
    /// For a return: the authority's item ids and the quantities to give back.
    pub return_items: Vec<(String, crate::domain::money::Decimal)>,
    /// The exact total of a sale as ours, in cents, for matching.
    pub due: Option<crate::domain::money::Decimal>,
}

/// An earlier submission whose answer was lost.
#[derive(Debug, Clone)]
pub struct Lost {
    /// What was sent.
    pub call: Call,
    /// When the intent was written; the request left after.
    pub sent_at: DateTime<Utc>,
    /// When the answer was given up.
    pub ended_at: DateTime<Utc>,
    /// The provider's clock minus ours, as last seen, in milliseconds.
    pub clock_skew_ms: i64,
    /// How long after the attempt the provider may still have been committing it.
    pub settle: Duration,
}

/// A document that the provider has.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// What it is.
    pub call: Call,
    /// What is known of it so far; `remote_id` is there.
    pub remote: Remote,
    /// When the provider took it, by our clock.
    pub accepted_at: DateTime<Utc>,
}

/// Which ids of this provider the journal already owns: they are some other document's.
pub trait Claimed: Send + Sync {
    /// Whether `remote_id` belongs to a document of this journal.
    fn is_claimed(&self, remote_id: &str) -> bool;
}

/// A provider's adapter. Public and object-safe, so that users can add their own.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Submits once.
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome>;

    /// What there is about the parent of a return or void, asked just before that is submitted: others may have corrected
    /// the sale, and the authority takes the void of a returned one, which then counts twice (HAR-RET). Unless overridden,
    /// nothing is asked.
    async fn standing(&self, _call: &Call) -> Answer<StandingOutcome> {
        Answer::without_http(StandingOutcome::Untold)
    }

    /// Finds out what became of an earlier submission.
    async fn look_up(&self, lost: &Lost, claimed: &dyn Claimed) -> Answer<LookUpOutcome>;

    /// Asks what the authority said of a document the provider has.
    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome>;

    /// Asks about many at once, where the provider has lists; by default one after the other. Answers are in order; of the
    /// last ones there are none where the provider was not asked on, after two that brought nothing.
    async fn track_many(&self, tracked: &[Tracked]) -> Vec<Answer<TrackOutcome>> {
        verdict::until_in_vain(self, tracked, |_| None).await
    }

    /// Renews whatever the provider needs renewed early (a token); called now and then.
    async fn keep_fresh(&self) {}

    /// The provider's clock minus ours, in milliseconds, if it tells: asked before anything is submitted when our clock
    /// shows an impossible time.
    async fn clock_skew_ms(&self) -> Option<i64> {
        None
    }
}

/// Everything that can be asked of an account's provider: the documents and the calls beside them.
pub trait Adapter: Provider + Calls {}
