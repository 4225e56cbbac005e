//! A document's whole history, folded into what provider and authority have told about it.

use crate::domain::document::Body;
use crate::domain::event::{DocEvent, Enqueued, Entry};
use crate::domain::id::DocId;
use crate::domain::outcome::Remote;
use crate::error::Error;
use crate::journal::{JournalError, Recorded, View};

/// A document with everything that is known of it.
#[derive(Debug, Clone)]
pub struct Story {
    /// As it was taken.
    pub taken: Enqueued,
    /// The document itself.
    pub body: Body,
    /// What provider and authority have told.
    pub remote: Remote,
    /// Its history, oldest first.
    pub events: Vec<Recorded>,
}

impl Story {
    /// Reads the story of a document; `None` if there is no such document.
    pub(crate) fn read(view: &(impl View + ?Sized), id: DocId) -> Result<Option<Story>, Error> {
        Story::of(id, view.history(id)?)
    }

    /// The story that these events tell, oldest first; `None` when they do not begin with its intake.
    pub(super) fn of(id: DocId, events: Vec<Recorded>) -> Result<Option<Story>, Error> {
        let Some(Entry::Enqueued(taken)) = events.first().map(|first| &first.entry) else {
            return Ok(None);
        };
        let taken = (**taken).clone();
        let body = Body::from_json(taken.kind, &taken.body)
            .map_err(|error| JournalError::unreadable(id, format!("its body: {error}")))?;
        let mut remote = Remote::default();
        for recorded in &events {
            if let Entry::Document { event, .. } = &recorded.entry {
                learn(&mut remote, event);
            }
        }
        Ok(Some(Story { taken, body, remote, events }))
    }
}

fn learn(remote: &mut Remote, event: &DocEvent) {
    match event {
        DocEvent::Accepted { remote: told, .. }
        | DocEvent::Tracked { remote: told, .. }
        | DocEvent::Registered { remote: told, .. }
        | DocEvent::Failed { remote: told, .. } => remote.absorb((**told).clone()),
        DocEvent::Resolved { accepted: Some(id), .. } => remote.remote_id = Some(id.clone()),
        DocEvent::Resolved { accepted: None, .. } => *remote = Remote::default(),
        _ => {}
    }
}
