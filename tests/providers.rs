//! What each answer of each provider proves, over real HTTP: every row of PROVIDERS.md 4.2 and 5, the look-ups of 4.3,
//! and the network's own ways to fail.

mod calls;
mod contract;
mod corrections;
#[path = "support/fault_server.rs"]
mod fault_server;
mod faults;
mod kept;
mod look_ups;
mod never;
mod requests;
mod standing;
mod submissions;
mod tokens;
mod tracking;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fault_server::FaultServer;
use staffetta::clock::Clock;
use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::domain::document::{Body, Kind};
use staffetta::domain::outcome::{
    HoldScope, LookUpOutcome, Remote, Standing, StandingOutcome, SubmitOutcome, TrackOutcome,
};
use staffetta::provider::config::{CreatedOn, StampPaths};
use staffetta::provider::{AccountConfig, Adapter, Call, Claimed, Endpoint, Lost, Tracked, connect_adapter};

const OPENAPI: ProviderKind = ProviderKind::Openapi;
const SMART: ProviderKind = ProviderKind::SmartReceipt;
const STAMP: ProviderKind = ProviderKind::Stamp;

/// A clock that stands still until it is set.
struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    fn at(text: &str) -> Arc<TestClock> {
        Arc::new(TestClock(Mutex::new(time(text))))
    }

    fn forward(&self, by: Duration) {
        *self.0.lock().expect("not poisoned") += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("not poisoned")
    }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// When the tests play: a winter's noon, Rome an hour ahead of UTC.
const NOW: &str = "2026-11-22T12:00:00Z";

fn config(provider: ProviderKind, base: &str) -> AccountConfig {
    let base = base.to_owned();
    let endpoint = match provider {
        ProviderKind::Openapi => Endpoint::Openapi { base_url: base, token: "the-token".into() },
        ProviderKind::SmartReceipt => Endpoint::SmartReceipt {
            login_url: format!("{base}/login"),
            base_url: base,
            email: "pos@example.com".to_owned(),
            password: "the-password".into(),
        },
        ProviderKind::Stamp => Endpoint::Stamp {
            merchant_api_url: base.clone(),
            merchant_portal_url: format!("{base}/portal"),
            invoicing_api_url: base,
            email: "user@email.com".to_owned(),
            password: "the-password".into(),
            created_on: CreatedOn::Iso,
            paths: StampPaths::default(),
        },
    };
    let account = Account {
        name: "shop".parse().expect("a name"),
        provider,
        fiscal_ids: vec!["12345678903".parse().expect("a fiscal id")],
        blackout: Window::NONE,
    };
    AccountConfig {
        account,
        endpoint,
        connect_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(20),
        proxy: None,
    }
}

fn adapter(provider: ProviderKind, server: &FaultServer) -> Arc<dyn Adapter> {
    connect_adapter(config(provider, &server.url("")), TestClock::at(NOW)).expect("an adapter")
}

const SALE: &str = r#"{"fiscal_id":"12345678903",
    "items":[{"quantity":2,"description":"Caffè","unit_price":1.20,"vat_rate_code":"10","discount":0,"complimentary":false},
             {"quantity":1,"description":"Cornetto, vuoto","unit_price":1.50,"vat_rate_code":"10","discount":0.10,"complimentary":false}],
    "cash_payment_amount":3.80,"electronic_payment_amount":0,"ticket_restaurant_payment_amount":0,"ticket_restaurant_quantity":0,
    "services_uncollected_amount":0,"goods_uncollected_amount":0,"discount":0,"invoice_issuing":false}"#;
const DRAFT: &str = r#"{"merchant_invoice_id":"STAMP1234","created_on":"2018-12-25T10:30:00",
    "items":[{"item_code":"GIA223","description":"Giacca in pelle verde","quantity":1,"unit_price_with_vat":1500.99,"vat_rate":"22"},
             {"description":"Camicia a quadri rossa","quantity":5,"unit_price_with_vat":120.20,"vat_rate":"22"}],"discount":30.66}"#;

/// A document of this kind, ready for its provider.
fn call(provider: ProviderKind, kind: Kind) -> Call {
    let json = match kind {
        Kind::Receipt => SALE,
        Kind::Return => r#"{"items":[{"line":0,"quantity":1}]}"#,
        Kind::Void if provider == STAMP => r#"{"credit_note_number":"NC-1"}"#,
        Kind::Void => "{}",
        Kind::Draft => DRAFT,
        Kind::NoteNumber => r#"{"note":"debit_vat","number":"ND-7"}"#,
    };
    Call {
        key: "till-3/2026-11-22/000123".parse().expect("a key"),
        body: Body::from_json(kind, json).expect("a body"),
        fiscal_id: (provider != STAMP).then(|| "12345678903".parse().expect("a fiscal id")),
        parent_id: kind.has_parent().then(|| "parent".to_owned()),
        return_items: if kind == Kind::Return {
            vec![("489432".to_owned(), "1".parse().expect("a number"))]
        } else {
            Vec::new()
        },
        due: (kind == Kind::Receipt).then(|| "3.80".parse().expect("a number")),
    }
}

/// What each provider takes.
fn calls(provider: ProviderKind) -> Vec<Call> {
    Kind::ALL.into_iter().filter(|kind| provider.takes(*kind)).map(|kind| call(provider, kind)).collect()
}

/// The provider's first document: a sale, a draft.
fn first(provider: ProviderKind) -> Call {
    call(provider, if provider == STAMP { Kind::Draft } else { Kind::Receipt })
}

/// A submission at [`NOW`] whose answer was lost 30 seconds later.
fn lost(provider: ProviderKind, kind: Kind) -> Lost {
    let sent_at = time(NOW);
    Lost {
        call: call(provider, kind),
        sent_at,
        ended_at: sent_at + Duration::from_secs(30),
        clock_skew_ms: 0,
        settle: Duration::from_secs(120),
    }
}

fn tracked(provider: ProviderKind, kind: Kind, id: &str) -> Tracked {
    let remote = Remote { remote_id: Some(id.to_owned()), ..Remote::default() };
    // As the dispatcher does: what was bound for sending is not bound again for tracking.
    let call = Call { parent_id: None, return_items: Vec::new(), due: None, ..call(provider, kind) };
    Tracked { call, remote, accepted_at: time(NOW) }
}

/// These ids are other documents'.
struct Others(&'static [&'static str]);

impl Claimed for Others {
    fn is_claimed(&self, remote_id: &str) -> bool {
        self.0.contains(&remote_id)
    }
}

/// An outcome in a word, for tables.
fn word(outcome: &SubmitOutcome) -> String {
    match outcome {
        SubmitOutcome::NotSent { .. } => "not_sent".to_owned(),
        SubmitOutcome::Deferred { account: true, .. } => "pause".to_owned(),
        SubmitOutcome::Deferred { account: false, .. } => "later".to_owned(),
        SubmitOutcome::Hold(hold) => {
            let scope = if hold.scope == HoldScope::Account { "account" } else { "fiscal_id" };
            format!("hold {scope} {}", hold.reason.name())
        }
        SubmitOutcome::Refused(_) => "refused".to_owned(),
        SubmitOutcome::Unknown { .. } => "unknown".to_owned(),
        SubmitOutcome::Accepted(remote) => format!("accepted {}", remote.remote_id.as_deref().unwrap_or("-")),
        SubmitOutcome::Registered(remote) => format!("registered {}", remote.invoice_id.as_deref().unwrap_or("-")),
    }
}

fn found_word(outcome: &LookUpOutcome) -> String {
    match outcome {
        LookUpOutcome::Found(remote) => {
            format!("found {}", remote.remote_id.as_deref().or(remote.invoice_id.as_deref()).unwrap_or("-"))
        }
        LookUpOutcome::NotFound => "not_found".to_owned(),
        LookUpOutcome::Ambiguous(ids) => format!("ambiguous {}", ids.join(" ")),
        LookUpOutcome::CannotTell(_) => "cannot_tell".to_owned(),
        LookUpOutcome::Failed { .. } => "failed".to_owned(),
        LookUpOutcome::Hold(hold) => format!("hold {}", hold.reason.name()),
    }
}

fn verdict_word(outcome: &TrackOutcome) -> String {
    match outcome {
        TrackOutcome::Pending(_) => "pending".to_owned(),
        TrackOutcome::PendingHeld { hold, .. } => format!("pending, hold {}", hold.reason.name()),
        TrackOutcome::Registered(_) => "registered".to_owned(),
        TrackOutcome::Failed { certain, .. } => format!("failed {}", if *certain { "certain" } else { "uncertain" }),
        TrackOutcome::Unreadable { .. } => "unreadable".to_owned(),
        TrackOutcome::Gone { .. } => "gone".to_owned(),
        TrackOutcome::Hold(hold) => format!("hold {}", hold.reason.name()),
    }
}

/// Whether it is the request by which one logs in.
fn is_login(request: &fault_server::Received) -> bool {
    request.target == "/login" || request.target == "/api/auth/sign"
}

/// The answer to a login: a token for a day. {"iat":1795348800,"exp":1795435200}
fn logged_in() -> fault_server::Act {
    let token = "e30.eyJpYXQiOjE3OTUzNDg4MDAsImV4cCI6MTc5NTQzNTIwMH0.c2ln";
    fault_server::json(200, &format!(r#"{{"token":"{token}","AccessToken":"{token}","ExpiresIn":86400}}"#))
}
