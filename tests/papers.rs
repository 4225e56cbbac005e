//! Documents and facts for tests of the journal, and ways to compare what a journal says.

mod few;

use chrono::{DateTime, Utc};
use staffetta::domain::document::Kind;
use staffetta::domain::event::{DocEvent, Enqueued, Hold, How, ParentRef};
use staffetta::domain::id::DocId;
use staffetta::domain::outcome::{HoldReason, Remote, RemoteItem};
use staffetta::journal::Group;

pub use few::*;

/// A document about another.
pub fn about(of: &str, kind: Kind, parent: DocId) -> Enqueued {
    Enqueued { kind, parent: Some(ParentRef::Local(parent)), ..sale(of) }
}

pub fn with_items(id: &str) -> Box<Remote> {
    Box::new(Remote { items: vec![RemoteItem { id: "1".into(), ..RemoteItem::default() }], ..*remote(id) })
}

pub fn registered(id: &str) -> DocEvent {
    DocEvent::Registered { remote: remote(id), how: How::Tracking, due_at: None }
}

pub fn not_sent(due_at: Option<DateTime<Utc>>) -> DocEvent {
    DocEvent::NotSent { why: "no line".into(), status: None, counts: true, due_at }
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
