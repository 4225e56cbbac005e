//! What must be true of a queue, in a hundred lines: no files, no index, no time. The model is told what happens and
//! says what a document has become, whether a decision is possible, and what a till is to be told.

use std::collections::BTreeMap;

use crate::domain::document::Kind;
use crate::domain::state::State;

/// A document as the model knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doc {
    pub kind: Kind,
    pub parent: Option<String>,
    pub state: State,
    /// The provider's id, once told.
    pub known: Option<String>,
    /// Whether the provider may have it without having said so.
    pub open: bool,
}

impl Doc {
    /// Whether it may have reached the provider.
    pub fn may_have_left(&self) -> bool {
        self.known.is_some() || self.open || self.state == State::Sending
    }

    fn counts(&self) -> bool {
        !matches!(self.state, State::Refused | State::Failed | State::Cancelled)
    }
}

/// Something that happens to a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Sent,
    Back,
    Refused,
    Lost,
    Has(String),
    NotThere,
    Registered,
    Failed,
    Held,
    Cancelled,
    Resolved(Option<String>),
    Retried,
}

/// All documents by key, and whether their account is held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub docs: BTreeMap<String, Doc>,
    pub held: bool,
}

impl Model {
    /// A till hands over a new document; the error code if it must be refused.
    pub fn take(&mut self, key: &str, kind: Kind, parent: Option<&str>) -> Result<(), &'static str> {
        let mut state = State::Queued;
        if let Some(above) = parent.and_then(|parent| self.docs.get(parent)) {
            let alive = |kind| self.children(parent).filter(|doc| doc.counts() && doc.kind == kind).count();
            let (voids, returns) = (alive(Kind::Void), alive(Kind::Return));
            if !above.counts() || voids > 0 || (kind == Kind::Void && returns > 0) {
                return Err("parent_conflict");
            }
            if kind == Kind::Return && returns >= 2 {
                return Err("invalid"); // two were sold
            }
            if kind == Kind::Void && !above.may_have_left() && matches!(above.state, State::Queued | State::Held) {
                state = State::Cancelled; // both, here, and nothing is sent
            }
        }
        if let (State::Cancelled, Some(above)) = (state, parent.and_then(|parent| self.docs.get_mut(parent))) {
            above.state = State::Cancelled;
        }
        let doc = Doc { kind, parent: parent.map(str::to_owned), state, known: None, open: false };
        self.docs.insert(key.to_owned(), doc);
        Ok(())
    }

    pub fn children<'a>(&'a self, parent: Option<&'a str>) -> impl Iterator<Item = &'a Doc> {
        self.docs.values().filter(move |doc| parent.is_some() && doc.parent.as_deref() == parent)
    }

    /// What a step makes of a document; whether it is possible.
    pub fn happens(&mut self, key: &str, step: Step) -> bool {
        let Some(doc) = self.docs.get_mut(key) else { return false };
        let left = doc.may_have_left();
        doc.state = match (doc.state, step) {
            (State::Queued, Step::Sent) => State::Sending,
            (State::Sending, Step::Back) => State::Queued,
            (State::Sending, Step::Refused) => State::Refused,
            (State::Sending, Step::Lost) => {
                doc.open = true;
                State::InDoubt
            }
            (State::Sending | State::InDoubt, Step::Has(id)) => {
                (doc.known, doc.open) = (Some(id), false);
                State::Accepted
            }
            (State::InDoubt, Step::NotThere) => {
                doc.open = false;
                State::Queued
            }
            (State::Accepted, Step::Registered) => State::Registered,
            (State::Accepted, Step::Failed) => State::Failed,
            (State::Queued | State::InDoubt | State::Accepted, Step::Held) => State::Held,
            (State::Queued | State::Held, Step::Cancelled) if !left => State::Cancelled,
            (State::InDoubt | State::Held, Step::Resolved(known)) => {
                (doc.known, doc.open) = (known, false);
                if doc.known.is_some() { State::Accepted } else { State::Queued }
            }
            (State::Queued | State::InDoubt | State::Accepted, Step::Retried) => doc.state,
            (State::Held, Step::Retried) if doc.open => State::InDoubt,
            (State::Held, Step::Retried) if doc.known.is_some() => State::Accepted,
            (State::Held, Step::Retried) => State::Queued,
            _ => return false,
        };
        true
    }

    /// The process was started again: of what was on the wire nobody knows.
    pub fn reopened(&mut self) {
        for doc in self.docs.values_mut().filter(|doc| doc.state == State::Sending) {
            (doc.state, doc.open) = (State::InDoubt, true);
        }
    }

    /// Whether a child may leave now: its parent has an id, and no other child of it is on its way.
    pub fn may_leave(&self, key: &str) -> Result<(), String> {
        let Some(doc) = self.docs.get(key) else { return Err(format!("{key} is unknown")) };
        let Some(parent) = doc.parent.as_deref().and_then(|parent| self.docs.get(parent)) else { return Ok(()) };
        let on_its_way = |doc: &&Doc| matches!(doc.state, State::Sending | State::InDoubt | State::Accepted);
        let others = || self.docs.iter().filter(|(other, _)| *other != key).map(|(_, doc)| doc);
        let siblings = || others().filter(|other| other.parent == doc.parent && other.counts());
        if parent.known.is_none() || !matches!(parent.state, State::Accepted | State::Registered) {
            return Err(format!("{key} leaves before its parent: {parent:?}"));
        }
        if let Some(sibling) = siblings().find(on_its_way) {
            return Err(format!("{key} leaves while a sibling is on its way: {sibling:?}"));
        }
        match siblings().find(|other| doc.kind == Kind::Void || other.kind == Kind::Void) {
            Some(sibling) => Err(format!("{key} contradicts a sibling: {sibling:?}")),
            None => Ok(()),
        }
    }
}
