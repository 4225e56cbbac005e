//! The documents and facts that the fuzz targets use too.

use chrono::{DateTime, TimeDelta, Utc};
use staffetta::domain::document::Kind;
use staffetta::domain::event::{DocEvent, Enqueued, How};
use staffetta::domain::id::{AccountName, DocId, FiscalId, Key};
use staffetta::domain::outcome::Remote;
use staffetta::domain::totals::Kept;
use staffetta::journal::{Journal, JournalError};

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
        totals: Kept::of_json(r#"{"total_amount":"3.90"}"#),
        fingerprint: [7; 32],
        deadline: None,
        invoice_name: None,
        warnings: Vec::new(),
    }
}

pub fn sending(attempt: u32) -> DocEvent {
    DocEvent::Sending { attempt }
}

pub fn remote(id: &str) -> Box<Remote> {
    Box::new(Remote { remote_id: Some(id.to_owned()), ..Remote::default() })
}

pub fn accepted(id: &str, due_at: Option<DateTime<Utc>>) -> DocEvent {
    DocEvent::Accepted { remote: remote(id), how: How::Answer, due_at }
}

pub fn unknown(due_at: Option<DateTime<Utc>>) -> DocEvent {
    DocEvent::Unknown { why: "no answer".into(), status: None, due_at }
}

/// Takes a document and waits until it is durable.
pub fn enqueue(journal: &Journal, taken: Enqueued) -> Result<DocId, JournalError> {
    journal.transact(move |tx| tx.enqueue(taken))?
}

/// Records a fact and waits until it is durable.
pub fn record(journal: &Journal, id: DocId, event: DocEvent) -> Result<(), JournalError> {
    journal.transact(move |tx| tx.record(id, event))?.map(|_| ())
}
