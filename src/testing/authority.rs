//! A provider and the authority behind it, in memory: it issues what it is sent, as often as it is sent, and fails by
//! seed in every way that PROVIDERS.md 4.2 knows. What it issued is its ledger, and the ledger is the truth.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::clock::TestClock;
use super::random::Random;
use crate::domain::account::ProviderKind;
use crate::domain::calendar::Window;
use crate::domain::check::Violation;
use crate::domain::document::{Body, Kind};
use crate::domain::outcome::{
    Answer, Customs, HoldAnswer, HoldReason, HoldScope, LookUpOutcome, Refusal, Remote, RemoteItem, SubmitOutcome,
    TrackOutcome,
};
use crate::provider::{Call, Claimed, Lost, Provider, Tracked};

/// The fault plan of a scripted [`Authority`]: how often things go wrong with a request, each out of a thousand. Besides,
/// it can be [down](Authority::add_outage), [refuse](Authority::set_refusing) and be [slow to list](Authority::set_list_lag).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chances {
    /// The request does not leave.
    pub not_sent: u32,
    /// The request arrives, is not processed, and no answer comes.
    pub lost_before: u32,
    /// It is processed, and no answer comes.
    pub lost_after: u32,
    /// It is processed only seconds after the client gave up.
    pub committed_late: u32,
    /// A look-up or question gets no answer.
    pub read_fails: u32,
    /// The authority refuses it after the provider took it.
    pub fails_at_authority: u32,
    /// The provider answers 429.
    pub too_many: u32,
}

impl Chances {
    /// Nothing goes wrong.
    pub const NONE: Chances = Chances {
        not_sent: 0,
        lost_before: 0,
        lost_after: 0,
        committed_late: 0,
        read_fails: 0,
        fails_at_authority: 0,
        too_many: 0,
    };
    /// A bad line.
    pub const BAD_LINE: Chances = Chances {
        not_sent: 60,
        lost_before: 40,
        lost_after: 40,
        committed_late: 20,
        read_fails: 80,
        fails_at_authority: 0,
        too_many: 10,
    };
}

/// What the provider refuses at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusing {
    /// Nothing.
    Nothing,
    /// The credentials.
    Credentials,
    /// Every document, for good, with a message of its own.
    Documents,
}

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

    fn answer<T>(outcome: T) -> Answer<T> {
        Answer { outcome, status: None, clock_skew_ms: None }
    }

    /// The verdict on a document the authority has, once it is there.
    fn verdict(&self, id: &str) -> TrackOutcome {
        let now = self.now();
        let state = self.state();
        let Some(issued) = state.issued.iter().find(|issued| issued.id == id) else {
            return TrackOutcome::Gone { why: "unknown id".to_owned() };
        };
        let wait = if issued.kind == Kind::Draft { state.merchant_after } else { state.verdict_after };
        let mut remote = Remote { remote_id: Some(id.to_owned()), created_at: Some(issued.at), ..Remote::default() };
        if now < issued.at + wait {
            remote.status = Some("new".to_owned());
            return TrackOutcome::Pending(Box::new(remote));
        }
        if issued.fails {
            remote.status = Some("failed".to_owned());
            let (code, message) = (Some("400".to_owned()), "the authority refuses the data".to_owned());
            return TrackOutcome::Failed { certain: true, code, message, remote: Box::new(remote) };
        }
        remote.status = Some("ready".to_owned());
        remote.document_number = Some(format!("DCW2026/{id}"));
        remote.transaction_id = Some(format!("tx-{id}"));
        if let Body::Receipt(receipt) = &issued.body {
            remote.items = receipt
                .items
                .iter()
                .enumerate()
                .map(|(line, item)| RemoteItem {
                    id: format!("{id}/{line}"),
                    description: item.description.clone(),
                    quantity: item.quantity.to_string(),
                    gross_price: item.unit_price.to_string(),
                    vat_rate: item.vat_rate_code.code().to_owned(),
                    ..RemoteItem::default()
                })
                .collect();
        }
        if issued.kind == Kind::Draft {
            remote.otello_id = Some(format!("CRF0-{id}"));
            remote.customs = Some(Customs::Approved);
        }
        TrackOutcome::Registered(Box::new(remote))
    }

    fn merchant_completed(&self, parent: Option<&str>) -> bool {
        let now = self.now();
        let state = self.state();
        state.issued.iter().any(|issued| Some(issued.id.as_str()) == parent && now >= issued.at + state.merchant_after)
    }
}

fn lost(why: &str) -> SubmitOutcome {
    SubmitOutcome::Unknown { why: why.to_owned() }
}

#[async_trait]
impl Provider for Authority {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        let began = self.now();
        if self.is_out(began) {
            return Self::answer(SubmitOutcome::NotSent { why: "no line".to_owned() });
        }
        let roll = {
            let mut state = self.state();
            state.random.below(1_000) as u32
        };
        self.takes_time(400).await;
        let chances = self.state().chances;
        let mut bound = 0;
        let mut falls = |chance: u32| {
            bound += chance;
            roll < bound
        };
        let outcome = if falls(chances.not_sent) {
            return Self::answer(SubmitOutcome::NotSent { why: "connection refused".to_owned() });
        } else if falls(chances.lost_before) {
            self.takes_time(30_000).await;
            lost("no answer")
        } else if falls(chances.lost_after) {
            self.issue(call, self.now());
            self.takes_time(30_000).await;
            lost("the connection was reset")
        } else if falls(chances.committed_late) {
            let late = {
                let mut state = self.state();
                TimeDelta::seconds(state.random.below(60) as i64 + 1)
            };
            self.issue(call, self.now() + late);
            lost("no answer in time")
        } else if falls(chances.too_many) {
            SubmitOutcome::Deferred { why: "429".to_owned(), retry_after: Some(Duration::from_secs(20)), account: true }
        } else if self.is_out(self.now()) {
            lost("the line went down while waiting")
        } else {
            self.processed(call)
        };
        let ended = self.now();
        self.state().submissions.push(Submission { key: call.key.to_string(), began, ended });
        Self::answer(outcome)
    }

    async fn look_up(&self, lost: &Lost, claimed: &dyn Claimed) -> Answer<LookUpOutcome> {
        if let Some(why) = self.read_fails().await {
            return Self::answer(LookUpOutcome::Failed { why, retry_after: None });
        }
        if self.kind == ProviderKind::Stamp && lost.call.body.kind() == Kind::Draft {
            return Self::answer(LookUpOutcome::CannotTell("Stamp has no list of drafts".to_owned()));
        }
        let now = self.now();
        let state = self.state();
        let skew = TimeDelta::milliseconds(lost.clock_skew_ms);
        let from = lost.sent_at + skew - TimeDelta::seconds(5);
        let until = lost.ended_at + skew + TimeDelta::from_std(lost.settle).unwrap_or(TimeDelta::MAX);
        let matching: Vec<&Issued> = state
            .issued
            .iter()
            .filter(|issued| issued.at + state.list_lag <= now && from <= issued.at && issued.at <= until)
            .filter(|issued| issued.body == lost.call.body && issued.parent == lost.call.parent_id)
            .filter(|issued| !claimed.is_claimed(&issued.id))
            .collect();
        Self::answer(match matching.as_slice() {
            [] => LookUpOutcome::NotFound,
            [one] => LookUpOutcome::Found(Box::new(Remote {
                remote_id: Some(one.id.clone()),
                created_at: Some(one.at),
                status: Some("new".to_owned()),
                ..Remote::default()
            })),
            several => LookUpOutcome::Ambiguous(several.iter().map(|issued| issued.id.clone()).collect()),
        })
    }

    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        if let Some(why) = self.read_fails().await {
            return Self::answer(TrackOutcome::Unreadable { why, retry_after: None });
        }
        let id = tracked.remote.remote_id.clone().unwrap_or_default();
        Self::answer(self.verdict(&id))
    }
}

impl Authority {
    async fn read_fails(&self) -> Option<String> {
        self.takes_time(200).await;
        if self.is_out(self.now()) {
            return Some("no line".to_owned());
        }
        let mut state = self.state();
        let chance = state.chances.read_fails;
        state.random.per_mille(chance).then(|| "no answer".to_owned())
    }

    fn processed(&self, call: &Call) -> SubmitOutcome {
        match self.state().refusing {
            Refusing::Nothing => {}
            Refusing::Credentials => {
                let (scope, reason) = (HoldScope::Account, HoldReason::Credentials);
                return SubmitOutcome::Hold(HoldAnswer { scope, reason, detail: "401".to_owned() });
            }
            Refusing::Documents => {
                let message = format!("{} is not wanted", call.key);
                let violations = vec![Violation { property_path: String::new(), message: message.clone() }];
                return SubmitOutcome::Refused(Refusal { code: None, message, violations });
            }
        }
        let stamp_child = self.kind == ProviderKind::Stamp && call.parent_id.is_some();
        if stamp_child && !self.merchant_completed(call.parent_id.as_deref()) {
            return SubmitOutcome::Deferred { why: "101 Not found".to_owned(), retry_after: None, account: false };
        }
        let remote = self.issue(call, self.now());
        if stamp_child {
            return SubmitOutcome::Registered(Box::default());
        }
        if self.kind == ProviderKind::Stamp {
            return SubmitOutcome::Accepted(Box::new(Remote {
                draft_id: Some(format!("draft-of-{}", remote.remote_id.as_deref().unwrap_or_default())),
                invoice_id: remote.remote_id.clone(),
                ..remote
            }));
        }
        SubmitOutcome::Accepted(Box::new(remote))
    }
}
