//! A provider and the authority behind it, in memory: it issues what it is sent, as often as it is sent, and fails by
//! seed in every way that PROVIDERS.md 4.2 knows. What it issued is its ledger, and the ledger is the truth.

mod faults;
mod provider;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::faults::{Chances, Refusing};
use super::clock::TestClock;
use super::random::Random;
use crate::domain::account::ProviderKind;
use crate::domain::calendar::Window;
use crate::domain::document::{Body, Kind};
use crate::domain::outcome::Remote;
use crate::provider::Call;

/// A request that tried to change something, as it began and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The till's key.
    pub key: String,
    /// When the request began.
    pub began: DateTime<Utc>,
    /// When the client's wait for it ended.
    pub ended: DateTime<Utc>,
}

/// A document that the provider has taken: a row of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// The provider's id.
    pub id: String,
    /// The till's key, as it came in the header: for the check, never for matching.
    pub key: String,
    /// What it is.
    pub kind: Kind,
    /// The provider's id of its parent.
    pub parent: Option<String>,
    /// When the provider has it, or (committed late) will have it.
    pub at: DateTime<Utc>,
    body: Body,
    /// Whether the authority refuses it after the provider took it.
    pub(super) fails: bool,
}

#[derive(Debug)]
struct State {
    random: Random,
    chances: Chances,
    refusing: Refusing,
    outages: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    issued: Vec<Issued>,
    submissions: Vec<Submission>,
    list_lag: TimeDelta,
    verdict_after: TimeDelta,
    merchant_after: TimeDelta,
}

/// A provider for tests, and the authority behind it. What it does is drawn from its seed, in the time of its clock: a
/// request takes up to 0.4 s (30 s when its answer is lost), a document is in its lists 2 s later, the authority's verdict
/// is there after 20 s, and the merchant completes a draft after half an hour. It finds a lost document as the real ones
/// do, by content and time: two equal sales within minutes are ambiguous, and held. Cheap to clone; all clones are the
/// same provider.
#[derive(Clone)]
pub struct Authority {
    kind: ProviderKind,
    clock: Arc<TestClock>,
    state: Arc<Mutex<State>>,
}

impl Authority {
    /// A provider of this kind that fails by this seed.
    pub fn new(kind: ProviderKind, clock: Arc<TestClock>, seed: u64) -> Authority {
        let state = State {
            random: Random::new(seed),
            chances: Chances::NONE,
            refusing: Refusing::Nothing,
            outages: Vec::new(),
            issued: Vec::new(),
            submissions: Vec::new(),
            list_lag: TimeDelta::seconds(2),
            verdict_after: TimeDelta::seconds(20),
            merchant_after: TimeDelta::minutes(30),
        };
        Authority { kind, clock, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// From now on things go wrong so often.
    pub fn set_chances(&self, chances: Chances) {
        self.state().chances = chances;
    }

    /// From now on this is refused.
    pub fn set_refusing(&self, refusing: Refusing) {
        self.state().refusing = refusing;
    }

    /// How long a new document is missing from the lists; 2 seconds unless set. Longer than the dispatcher's
    /// [`settle`](crate::Settings::settle) breaks what look-ups rest on.
    pub fn set_list_lag(&self, lag: TimeDelta) {
        self.state().list_lag = lag;
    }

    /// There is no line from `from` until before `until`, by the right time: nothing leaves, and answers under way are lost.
    pub fn add_outage(&self, from: DateTime<Utc>, until: DateTime<Utc>) {
        self.state().outages.push((from, until));
    }

    /// Every document that was taken, in order, as often as it was: see [`check_exactly_once`](super::check_exactly_once).
    pub fn ledger(&self) -> Vec<Issued> {
        self.state().issued.clone()
    }

    /// Every request that tried to change something and left, as it began and ended.
    pub fn submissions(&self) -> Vec<Submission> {
        self.state().submissions.clone()
    }

    /// Those [submissions](Authority::submissions) that touched this window: with [`Window::AUTHORITY`] there must be none.
    pub fn inside(&self, window: Window) -> Vec<Submission> {
        let touches =
            |one: &Submission| !window.allows(one.began, (one.ended - one.began).to_std().unwrap_or_default());
        self.state().submissions.iter().filter(|one| touches(one)).cloned().collect()
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.true_time()
    }

    fn is_out(&self, at: DateTime<Utc>) -> bool {
        self.state().outages.iter().any(|(from, until)| *from <= at && at < *until)
    }

    async fn takes_time(&self, most_ms: u64) {
        let wait = self.state().random.below(most_ms);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    fn issue(&self, call: &Call, at: DateTime<Utc>) -> Remote {
        let mut state = self.state();
        let fails = {
            let chance = state.chances.fails_at_authority;
            state.random.per_mille(chance)
        };
        let id = format!("{}-{:06}", self.kind, state.issued.len() + 1);
        state.issued.push(Issued {
            id: id.clone(),
            key: call.key.to_string(),
            kind: call.body.kind(),
            parent: call.parent_id.clone(),
            at,
            body: call.body.clone(),
            fails,
        });
        Remote { remote_id: Some(id), status: Some("new".to_owned()), created_at: Some(at), ..Remote::default() }
    }
}
