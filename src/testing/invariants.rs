//! What must be true after every action, whatever it was.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::machine::{Checked, Provider};
use super::model::Model;
use crate::domain::event::Entry;
use crate::domain::id::DocId;
use crate::domain::state::{Progress, State};
use crate::journal::{JournalError, View};
use crate::queue::Queue;

/// Where the index has a document for the dispatcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Due at this moment, or now.
    At(Option<DateTime<Utc>>),
    /// Waits for its parent.
    Waits,
}

fn words(error: JournalError) -> String {
    error.to_string()
}

/// 1. No key is issued twice; nothing is issued that was called off or refused; what is said to be there is there.
pub(super) fn once(provider: &Provider, model: &Model) -> Checked {
    for (key, ids) in &provider.has {
        if ids.len() > 1 {
            return Err(format!("{key} was issued {} times", ids.len()));
        }
        if !model.docs.contains_key(key) {
            return Err(format!("{key} was issued and is unknown"));
        }
    }
    for (key, doc) in &model.docs {
        let id = provider.has.get(key).and_then(|ids| ids.first());
        let wrong = match doc.state {
            State::Accepted | State::Registered | State::Failed => id.is_none() || doc.known.as_ref() != id,
            State::Cancelled | State::Refused => id.is_some(),
            _ => false,
        };
        if wrong {
            return Err(format!("{key} is {doc:?}, and the provider has {id:?}"));
        }
    }
    Ok(())
}

/// 2. What was acknowledged is there, whole, and is what the model says; there is nothing else.
pub(super) fn same(queue: &Queue, model: &Model) -> Checked {
    let journal = queue.journal();
    for (key, doc) in &model.docs {
        let id = queue.id_of(key).map_err(|error| format!("{key} is missing: {error}"))?;
        let progress = journal.progress(id).map_err(words)?.ok_or_else(|| format!("{key} is missing"))?;
        let open = progress.attempt.as_ref().is_some_and(|attempt| attempt.unresolved);
        if (progress.kind, progress.state, &progress.remote_id, open) != (doc.kind, doc.state, &doc.known, doc.open) {
            return Err(format!("{key} should be {doc:?} and is {progress:?}"));
        }
        let taken = journal.document(id).map_err(words)?.ok_or_else(|| format!("{key} has no body"))?;
        if taken.key.as_str() != key || taken.body.is_empty() {
            return Err(format!("{key} has the body of {}", taken.key));
        }
    }
    let counts = journal.counts().map_err(words)?.values().sum::<u64>();
    if counts != model.docs.len() as u64 {
        return Err(format!("{counts} documents, expected {}", model.docs.len()));
    }
    let held = !journal.holds().map_err(words)?.is_empty();
    if held == model.held { Ok(()) } else { Err(format!("held: {held}, expected {}", model.held)) }
}

/// 3. Each document is in one state and in one place of the index, and both follow from its history.
pub(super) fn index(queue: &Queue) -> Checked {
    let journal = queue.journal();
    let places = places(queue)?;
    let mut counts = journal.counts().map_err(words)?;
    for state in State::ALL {
        for id in journal.in_state(state, None, usize::MAX).map_err(words)? {
            let progress = journal.progress(id).map_err(words)?.ok_or_else(|| format!("{id} is listed and missing"))?;
            if progress.state != state {
                return Err(format!("{} is {} and listed as {state}", progress.key, progress.state));
            }
            let count = counts.entry((progress.account.clone(), state)).or_default();
            *count = count.checked_sub(1).ok_or_else(|| format!("{state} is counted wrong"))?;
            let found = places.get(&id).copied();
            let right = match (state, found) {
                (State::Queued, Some(Place::At(at))) => at == progress.due_at,
                (State::Queued, Some(Place::Waits)) => progress.parent.is_some(),
                (State::InDoubt | State::Accepted, Some(Place::At(at))) => at == progress.due_at,
                (_, found) => found.is_none(),
            };
            if !right {
                return Err(format!("{} is {state}, due {:?}, and found at {found:?}", progress.key, progress.due_at));
            }
            replayed(queue, &progress)?;
        }
    }
    match counts.iter().find(|(_, left)| **left > 0) {
        Some(wrong) => Err(format!("counted and not listed: {wrong:?}")),
        None => Ok(()),
    }
}

fn replayed(queue: &Queue, progress: &Progress) -> Checked {
    let mut again: Option<Progress> = None;
    for recorded in queue.journal().history(progress.id).map_err(words)? {
        again = match (again, &recorded.entry) {
            (None, Entry::Enqueued(taken)) => Some(Progress::begin(progress.id, recorded.at, taken)),
            (Some(before), Entry::Document { event, .. }) => {
                Some(before.apply(event, recorded.at).map_err(|error| error.to_string())?)
            }
            (_, entry) => return Err(format!("{} has {entry:?} in its history", progress.key)),
        };
    }
    if again.as_ref() == Some(progress) { Ok(()) } else { Err(format!("history says {again:?}, index {progress:?}")) }
}

/// Every document that the dispatcher can find, each once.
pub(super) fn places(queue: &Queue) -> Checked<BTreeMap<DocId, Place>> {
    let journal = queue.journal();
    let mut found = Vec::new();
    for group in journal.groups().map_err(words)? {
        let ready = journal.ready(&group, None, usize::MAX).map_err(words)?;
        found.extend(ready.into_iter().map(|id| (id, Place::At(None))));
    }
    for (at, id) in journal.timers_after(None, DateTime::<Utc>::MAX_UTC, usize::MAX).map_err(words)? {
        found.push((id, Place::At(Some(at).filter(|at| *at != DateTime::UNIX_EPOCH))));
    }
    found.extend(journal.waiting(usize::MAX).map_err(words)?.into_iter().map(|id| (id, Place::Waits)));
    let (listed, places) = (found.len(), found.into_iter().collect::<BTreeMap<_, _>>());
    if listed == places.len() { Ok(places) } else { Err(format!("a document is in two places of {places:?}")) }
}

/// 4. Final states never change.
pub(super) fn finals(model: &Model, known: &mut BTreeMap<String, State>) -> Checked {
    for (key, doc) in &model.docs {
        match known.get(key) {
            Some(state) if *state != doc.state => return Err(format!("{key} was {state} and is {}", doc.state)),
            Some(_) => {}
            None if doc.state.is_final() => drop(known.insert(key.clone(), doc.state)),
            None => {}
        }
    }
    Ok(())
}
