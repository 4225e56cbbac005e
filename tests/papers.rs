//! Documents and facts for tests of the journal, and ways to compare what a journal says.

use chrono::{DateTime, TimeDelta, Utc};
use staffetta::domain::document::Kind;
use staffetta::domain::event::{DocEvent, Enqueued, Hold, How, ParentRef};
use staffetta::domain::id::{AccountName, DocId, FiscalId, Key};
use staffetta::domain::outcome::{HoldReason, Remote, RemoteItem};
use staffetta::journal::{Group, Journal, JournalError};

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + seconds)
}

pub fn key(text: &str) -> Key {
    text.parse().unwrap()
}

pub fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

pub fn fiscal_id(text: &str) -> FiscalId {
    text.parse().unwrap()
}

/// A sale with this key.
pub fn sale(of: &str) -> Enqueued {
    Enqueued {
        key: key(of),
        kind: Kind::Receipt,
        account: Some(account("shop")),
        fiscal_id: Some(fiscal_id("12345678903")),
        parent: None,
        issued_at: at(0),
        body: format!(r#"{{"fiscal_id":"12345678903","of":"{of}"}}"#),
        totals: r#"{"total_amount":"3.90"}"#.to_owned(),
        fingerprint: [7; 32],
        deadline: None,
        invoice_name: None,
        warnings: Vec::new(),
    }
}

/// A document about another.
pub fn about(of: &str, kind: Kind, parent: DocId) -> Enqueued {
    Enqueued { kind, parent: Some(ParentRef::Local(parent)), ..sale(of) }
}

pub fn sending(attempt: u32) -> DocEvent {
    DocEvent::Sending { attempt }
}

pub fn remote(id: &str) -> Box<Remote> {
    Box::new(Remote { remote_id: Some(id.to_owned()), ..Remote::default() })
}

pub fn with_items(id: &str) -> Box<Remote> {
    Box::new(Remote { items: vec![RemoteItem { id: "1".into(), ..RemoteItem::default() }], ..*remote(id) })
}

pub fn accepted(id: &str, due_at: Option<DateTime<Utc>>) -> DocEvent {
    DocEvent::Accepted { remote: remote(id), how: How::Answer, due_at }
}

pub fn registered(id: &str) -> DocEvent {
    DocEvent::Registered { remote: remote(id), how: How::Tracking, due_at: None }
}

pub fn unknown(due_at: Option<DateTime<Utc>>) -> DocEvent {
    DocEvent::Unknown { why: "no answer".into(), status: None, due_at }
}

pub fn not_sent(due_at: Option<DateTime<Utc>>) -> DocEvent {
    DocEvent::NotSent { why: "no line".into(), status: None, counts: true, due_at }
}

/// Takes a document and waits until it is durable.
pub fn enqueue(journal: &Journal, taken: Enqueued) -> Result<DocId, JournalError> {
    journal.transact(move |tx| tx.enqueue(taken))?
}

/// Records a fact and waits until it is durable.
pub fn record(journal: &Journal, id: DocId, event: DocEvent) -> Result<(), JournalError> {
    journal.transact(move |tx| tx.record(id, event))?.map(|_| ())
}

/// The group of [`sale`].
pub fn shop() -> Group {
    Group { account: Some(account("shop")), fiscal_id: Some(fiscal_id("12345678903")), sales: true }
}

pub fn hold(of: &str, fiscal: Option<&str>) -> Hold {
    Hold {
        account: account(of),
        fiscal_id: fiscal.map(fiscal_id),
        reason: HoldReason::Unpaid,
        detail: "402".into(),
        cure: "pay".into(),
        since: at(1),
        secret: None,
    }
}
