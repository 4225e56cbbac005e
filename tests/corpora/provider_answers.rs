//! Every adapter with whatever a provider may answer: never a panic, never "accepted" without an id, never "refused" on
//! an answer that does not say so, never "it is not there" on an answer that is no list.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use chrono::{DateTime, Utc};
use staffetta::domain::account::ProviderKind;
use staffetta::domain::document::{Body, Kind};
use staffetta::domain::outcome::{LookUpOutcome, Remote, SubmitOutcome, TrackOutcome};
use staffetta::provider::{Call, Lost, Tracked, raw};

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_795_348_800, 0).unwrap();
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// An HTTP answer; what is left of the input is its body.
#[derive(Debug, Arbitrary)]
struct Answer {
    provider: u8,
    kind: u8,
    question: Question,
    status: Status,
    headers: [Option<Header>; 2],
}

#[derive(Debug, Arbitrary)]
enum Question {
    Submit,
    Track,
    LookUp,
}

/// Those that mean something, and all others.
#[derive(Debug, Arbitrary)]
enum Status {
    Known(u8),
    Any(u16),
}

#[derive(Debug, Arbitrary)]
struct Header {
    name: u8,
    value: [u8; 8],
}

const STATUSES: [u16; 14] = [200, 201, 202, 204, 301, 400, 401, 402, 403, 404, 409, 422, 429, 503];
const HEADERS: [&str; 4] = ["retry-after", "date", "content-type", "location"];

const SALE: &str = r#"{"fiscal_id":"12345678903",
    "items":[{"quantity":2,"description":"Caffè","unit_price":1.20,"vat_rate_code":"10","discount":0,"complimentary":false},
             {"quantity":1,"description":"Cornetto, vuoto","unit_price":1.50,"vat_rate_code":"10","discount":0.10,"complimentary":false}],
    "cash_payment_amount":3.80,"electronic_payment_amount":0,"ticket_restaurant_payment_amount":0,"ticket_restaurant_quantity":0,
    "services_uncollected_amount":0,"goods_uncollected_amount":0,"discount":0,"invoice_issuing":false}"#;
const DRAFT: &str = r#"{"merchant_invoice_id":"STAMP1234","created_on":"2018-12-25T10:30:00",
    "items":[{"description":"Camicia a quadri rossa","quantity":5,"unit_price_with_vat":120.20,"vat_rate":"22"}],"discount":30.66}"#;

fn call(provider: ProviderKind, kind: Kind) -> Call {
    let json = match kind {
        Kind::Receipt => SALE,
        Kind::Return => r#"{"items":[{"line":0,"quantity":1}]}"#,
        Kind::Void if provider == ProviderKind::Stamp => r#"{"credit_note_number":"NC-1"}"#,
        Kind::Void => "{}",
        Kind::Draft => DRAFT,
        Kind::NoteNumber => r#"{"note":"debit_vat","number":"ND-7"}"#,
    };
    let back = ("489432".to_owned(), "1".parse().expect("a number"));
    Call {
        key: "till-3/2026-11-22/000123".parse().expect("a key"),
        body: Body::from_json(kind, json).expect("a body"),
        fiscal_id: (provider != ProviderKind::Stamp).then(|| "12345678903".parse().expect("a fiscal id")),
        parent_id: kind.has_parent().then(|| "parent".to_owned()),
        return_items: if kind == Kind::Return { vec![back] } else { Vec::new() },
        due: (kind == Kind::Receipt).then(|| "3.80".parse().expect("a number")),
    }
}

pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(answer) = Answer::arbitrary(&mut input) else { return };
    let body = input.take_rest();
    let providers = [ProviderKind::Openapi, ProviderKind::SmartReceipt, ProviderKind::Stamp];
    let provider = providers[usize::from(answer.provider) % providers.len()];
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| provider.takes(*kind)).collect();
    let kind = kinds[usize::from(answer.kind) % kinds.len()];
    let status = match answer.status {
        Status::Known(which) => STATUSES[usize::from(which) % STATUSES.len()],
        Status::Any(status) => status,
    };
    let header = |header: Header| (HEADERS[usize::from(header.name) % HEADERS.len()].to_owned(), header.value.to_vec());
    let headers: Vec<_> = answer.headers.into_iter().flatten().map(header).collect();
    let call = call(provider, kind);
    match answer.question {
        Question::Submit => {
            let outcome = raw::submit(provider, &call, status, &headers, body, NOW);
            judge_submit(provider, &call, status, &outcome);
        }
        Question::Track => {
            let remote = Remote { remote_id: Some("x".to_owned()), ..Remote::default() };
            let tracked = Tracked { call, remote, accepted_at: NOW };
            judge_track(status, &raw::track(provider, &tracked, status, &headers, body, NOW));
        }
        Question::LookUp if provider != ProviderKind::Stamp => {
            let ended_at = NOW + Duration::from_secs(30);
            let lost = Lost { call, sent_at: NOW, ended_at, clock_skew_ms: 0, settle: Duration::from_secs(120) };
            judge_look_up(status, &raw::look_up(provider, &lost, status, &headers, body, NOW));
        }
        Question::LookUp => {}
    }
}

fn judge_submit(provider: ProviderKind, call: &Call, status: u16, outcome: &SubmitOutcome) {
    let said_yes = (200..300).contains(&status);
    match outcome {
        SubmitOutcome::Accepted(remote) => {
            assert!(said_yes, "{status}: {outcome:?}");
            assert!(remote.remote_id.as_ref().is_some_and(|id| !id.trim().is_empty()), "no id: {outcome:?}");
            assert!(remote.remote_id != call.parent_id, "the parent's id: {outcome:?}");
        }
        SubmitOutcome::Registered(remote) => {
            assert!(said_yes && provider == ProviderKind::Stamp && remote.invoice_id.is_some(), "{outcome:?}");
        }
        SubmitOutcome::Refused(_) => assert!((400..500).contains(&status), "{status}: {outcome:?}"),
        SubmitOutcome::Deferred { retry_after, .. } => {
            assert!(retry_after.is_none_or(|wait| wait <= LONGEST_PAUSE), "{outcome:?}");
        }
        SubmitOutcome::NotSent { .. } => panic!("an answer came, so something left: {outcome:?}"),
        SubmitOutcome::Hold(_) | SubmitOutcome::Unknown { .. } => {}
    }
}

fn judge_track(status: u16, outcome: &TrackOutcome) {
    let said_yes = (200..300).contains(&status);
    match outcome {
        TrackOutcome::Registered(remote) => {
            assert!(said_yes && remote.remote_id.is_some(), "{status}: {outcome:?}");
        }
        TrackOutcome::Pending(_) | TrackOutcome::PendingHeld { .. } | TrackOutcome::Failed { .. } => {
            assert!(said_yes, "{status}: {outcome:?}");
        }
        TrackOutcome::Unreadable { retry_after, .. } => {
            assert!(retry_after.is_none_or(|wait| wait <= LONGEST_PAUSE), "{outcome:?}");
        }
        TrackOutcome::Gone { .. } | TrackOutcome::Hold(_) => assert!(!said_yes, "{status}: {outcome:?}"),
    }
}

fn judge_look_up(status: u16, outcome: &LookUpOutcome) {
    let said_yes = (200..300).contains(&status);
    match outcome {
        LookUpOutcome::Found(remote) => {
            assert!(said_yes && remote.remote_id.as_ref().is_some_and(|id| !id.is_empty()), "{outcome:?}");
        }
        LookUpOutcome::Ambiguous(ids) => assert!(said_yes && !ids.is_empty(), "{status}: {outcome:?}"),
        LookUpOutcome::NotFound => assert!(said_yes, "{status}: {outcome:?}"),
        LookUpOutcome::Failed { retry_after, .. } => {
            assert!(retry_after.is_none_or(|wait| wait <= LONGEST_PAUSE), "{outcome:?}");
        }
        LookUpOutcome::CannotTell(_) | LookUpOutcome::Hold(_) => {}
    }
}
