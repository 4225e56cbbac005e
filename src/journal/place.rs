//! Where a document waits for the dispatcher: a pure function of what it is and what its parent is.

use chrono::{DateTime, Utc};

use crate::domain::document::Kind;
use crate::domain::event::ParentRef;
use crate::domain::state::{Progress, State};

/// Where a document waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among those to be sent, in order of intake.
    Ready,
    /// For a moment; one that is due at once has the beginning of 1970.
    Timer(DateTime<Utc>),
    /// For its parent.
    Waiting,
    /// For nothing, or for a person, or it is being sent.
    Nowhere,
}

/// Where `doc` waits; `parent` is its parent in this journal, if it has one.
pub(crate) fn place(doc: &Progress, parent: Option<&Progress>) -> Place {
    let timer = |due: Option<DateTime<Utc>>| Place::Timer(due.unwrap_or(DateTime::UNIX_EPOCH));
    match doc.state {
        State::Queued if parent.is_some_and(|parent| waits_for(doc, parent)) => Place::Waiting,
        State::Queued => doc.due_at.map_or(Place::Ready, Place::Timer),
        State::InDoubt | State::Accepted => timer(doc.due_at),
        State::Registered => doc.due_at.map_or(Place::Nowhere, Place::Timer),
        State::Sending | State::Refused | State::Failed | State::Held | State::Cancelled => Place::Nowhere,
    }
}

/// Whether the parent may still become what the child needs. When it no longer can, the child is ready, so that the
/// dispatcher meets it and holds it.
fn waits_for(doc: &Progress, parent: &Progress) -> bool {
    debug_assert_eq!(doc.parent, Some(ParentRef::Local(parent.id)));
    match for_children(parent) {
        Stage::Open => true,
        // The provider of tax-free invoices says itself that one is not completed yet.
        Stage::Accepted => !(parent.kind == Kind::Draft && matches!(doc.kind, Kind::NoteNumber | Kind::Void)),
        Stage::WithoutItems => doc.kind == Kind::Return,
        Stage::Settled => false,
    }
}

/// All that a document's children look at of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The provider is not known to have it.
    Open,
    Accepted,
    /// Registered, and its item ids are asked for as long as something is due.
    WithoutItems,
    Settled,
}

/// What a document is to those about it.
pub(crate) fn for_children(parent: &Progress) -> Stage {
    match parent.state {
        // Held is not the end: a person decides about the parent, and then the child goes on.
        State::Queued | State::Sending | State::InDoubt | State::Held => Stage::Open,
        State::Accepted => Stage::Accepted,
        State::Registered if !parent.has_items && parent.due_at.is_some() => Stage::WithoutItems,
        State::Registered | State::Refused | State::Failed | State::Cancelled => Stage::Settled,
    }
}
