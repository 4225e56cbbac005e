//! The scripted authority as the dispatcher meets it: what it answers, when, and what becomes of a document.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::{Authority, Issued, Refusing, Submission};
use crate::domain::account::ProviderKind;
use crate::domain::check::Violation;
use crate::domain::document::{Body, Kind};
use crate::domain::outcome::{
    Answer, Customs, HoldAnswer, HoldReason, HoldScope, LookUpOutcome, Refusal, Remote, RemoteItem, Standing,
    StandingOutcome, SubmitOutcome, TrackOutcome,
};
use crate::provider::{Call, Claimed, Lost, Provider, Tracked};

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

    async fn standing(&self, call: &Call) -> Answer<StandingOutcome> {
        let (Body::Return(_) | Body::Void(_), false) = (&call.body, self.kind == ProviderKind::Stamp) else {
            return Self::answer(StandingOutcome::Untold);
        };
        if let Some(why) = self.read_fails().await {
            return Self::answer(StandingOutcome::Failed { why, retry_after: None });
        }
        let now = self.now();
        let state = self.state();
        let shown = |one: &&Issued| one.at + state.list_lag <= now && one.parent == call.parent_id;
        let lives = |one: &&Issued| !one.fails || now < one.at + state.verdict_after;
        let mut standing = Standing::default();
        for one in state.issued.iter().filter(shown).filter(lives) {
            match one.kind {
                Kind::Void => standing.voided = true,
                _ => standing.returns.push(one.id.clone()),
            }
        }
        Self::answer(StandingOutcome::Known(standing))
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
