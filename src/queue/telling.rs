//! Documents and events as the outside sees them, made of what the journal holds.

use serde_json::value::RawValue;

use super::attention;
use super::item_ids::item_ids;
use super::reason::{self, Surroundings};
use super::story::Story;
use crate::domain::document::Body;
use crate::domain::event::{DocEvent, Entry, How};
use crate::domain::outcome::Customs;
use crate::domain::state::Progress;
use crate::error::Error;
use crate::journal::{Filter, JournalError, Recorded};
use crate::view::{DocumentView, EventView, ListFilter, ParentView, RemoteItemView, RemoteView, Summary};

/// The journal's part of a filter; `None` when no document can match.
pub(super) fn filter(filter: &ListFilter) -> Option<Filter> {
    let account = filter.account.as_deref().map(str::parse).transpose().ok()?;
    Some(Filter { state: filter.state, account, kind: filter.kind, since: filter.since })
}

/// A document in short.
pub(super) fn short(progress: &Progress, parent: Option<&Progress>, surroundings: &Surroundings) -> Summary {
    Summary {
        key: progress.key.to_string(),
        id: progress.id.to_string(),
        kind: progress.kind,
        account: progress.account.as_ref().map(ToString::to_string),
        fiscal_id: progress.fiscal_id.as_ref().map(ToString::to_string),
        state: progress.state,
        reason: reason::sentence(progress, parent, surroundings),
        issued_at: progress.issued_at,
        enqueued_at: progress.enqueued_at,
        due_at: progress.due_at,
        attempts: progress.attempts,
    }
}

/// A document whole.
pub(super) fn document(
    progress: &Progress,
    story: Story,
    short: Summary,
    parent: Option<ParentView>,
    children: Vec<String>,
    around: &Surroundings,
) -> Result<DocumentView, Error> {
    let unreadable = |error| JournalError::unreadable(progress.id, format!("its JSON: {error}"));
    let raw = |text: String| RawValue::from_string(text).map_err(unreadable);
    let totals = story.taken.totals.json().map_err(|error| super::parents::unreadable_totals(progress.id, &error))?;
    let totals = totals.map(raw).transpose()?;
    let remote = remote(&story);
    Ok(DocumentView {
        key: short.key,
        id: short.id,
        kind: short.kind,
        account: short.account,
        fiscal_id: short.fiscal_id,
        state: short.state,
        reason: short.reason,
        issued_at: short.issued_at,
        enqueued_at: short.enqueued_at,
        due_at: short.due_at,
        attempts: short.attempts,
        deadline: progress.deadline,
        totals,
        body: raw(story.body.to_json().map_err(unreadable)?)?,
        parent,
        children,
        attention: attention::of(progress, around),
        warnings: story.taken.warnings,
        remote,
        events: story.events.iter().map(event).collect(),
    })
}

fn remote(story: &Story) -> RemoteView {
    let remote = &story.remote;
    let lines = match &story.body {
        Body::Receipt(receipt) => item_ids(receipt, &remote.items).unwrap_or_default(),
        _ => Vec::new(),
    };
    let line = |id: &String| lines.iter().position(|line| line == id).and_then(|line| u32::try_from(line).ok());
    let items = remote.items.iter().map(|item| RemoteItemView {
        line: line(&item.id),
        id: item.id.clone(),
        description: item.description.clone(),
        quantity: item.quantity.clone(),
    });
    RemoteView {
        remote_id: remote.remote_id.clone(),
        status: remote.status.clone(),
        document_number: remote.document_number.clone(),
        document_date: remote.document_date.clone(),
        transaction_id: remote.transaction_id.clone(),
        draft_id: remote.draft_id.clone(),
        invoice_id: remote.invoice_id.clone(),
        portal_url: remote.portal_url.clone(),
        otello_id: remote.otello_id.clone(),
        customs: remote.customs.map(|customs| match customs {
            Customs::Unknown(number) => format!("unknown ({number})"),
            known => known.name().to_owned(),
        }),
        created_at: remote.created_at,
        items: items.collect(),
    }
}

/// One recorded event as the outside sees it.
pub(super) fn event(recorded: &Recorded) -> EventView {
    let mut view = EventView {
        seq: recorded.seq,
        at: recorded.at,
        event: String::new(),
        attempt: None,
        status: None,
        why: None,
        who: None,
        code: None,
        remote_id: None,
        document_number: None,
        how: None,
        counts: None,
        due_at: None,
        violations: Vec::new(),
    };
    let happened = match &recorded.entry {
        Entry::Document { event, .. } => event,
        Entry::Enqueued(_) => return EventView { event: "enqueued".to_owned(), ..view },
        Entry::Opened { .. } => return EventView { event: "opened".to_owned(), ..view },
        Entry::Closed => return EventView { event: "closed".to_owned(), ..view },
        Entry::Hold(_) => return EventView { event: "account_held".to_owned(), ..view },
        Entry::Released { .. } => return EventView { event: "account_released".to_owned(), ..view },
    };
    view.event = happened.name().to_owned();
    let words = |text: &String| (!text.is_empty()).then(|| text.clone());
    match happened {
        DocEvent::Routed { account } => view.why = Some(format!("goes to the account {account}")),
        DocEvent::Sending { attempt } => view.attempt = Some(*attempt),
        DocEvent::NotSent { why, status, counts, due_at } => {
            (view.why, view.status, view.counts, view.due_at) = (words(why), *status, Some(*counts), *due_at);
        }
        DocEvent::Unknown { why, status, due_at } => {
            (view.why, view.status, view.due_at) = (words(why), *status, *due_at);
        }
        DocEvent::LookedUp { counts, why, due_at } => {
            (view.why, view.counts, view.due_at) = (words(why), Some(*counts), *due_at);
        }
        DocEvent::NotThere { why, due_at } => (view.why, view.due_at) = (words(why), *due_at),
        DocEvent::Accepted { remote, how, due_at } | DocEvent::Registered { remote, how, due_at } => {
            view.remote_id.clone_from(&remote.remote_id);
            view.document_number.clone_from(&remote.document_number);
            view.code.clone_from(&remote.status);
            view.how = Some(how_name(*how).to_owned());
            view.due_at = *due_at;
        }
        DocEvent::Tracked { remote, why, due_at } => {
            view.document_number.clone_from(&remote.document_number);
            (view.code, view.why, view.due_at) = (remote.status.clone(), words(why), *due_at);
        }
        DocEvent::Refused { status, refusal } => {
            view.status = *status;
            view.code.clone_from(&refusal.code);
            view.why = words(&refusal.message);
            view.violations.clone_from(&refusal.violations);
        }
        DocEvent::Failed { code, message, .. } => (view.code, view.why) = (code.clone(), words(message)),
        DocEvent::Held { code, why } => (view.code, view.why) = (words(code), words(why)),
        DocEvent::Cancelled { who, why } | DocEvent::Retried { who, why } => {
            (view.who, view.why) = (words(who), words(why));
        }
        DocEvent::Resolved { accepted, who, why, due_at } => {
            view.remote_id.clone_from(accepted);
            view.code = Some(if accepted.is_some() { "accepted" } else { "not_accepted" }.to_owned());
            (view.who, view.why, view.due_at) = (words(who), words(why), *due_at);
        }
        DocEvent::Attention { code, why, raised } => {
            view.code = words(code);
            view.why = words(why);
            view.counts = Some(*raised);
        }
    }
    view
}

fn how_name(how: How) -> &'static str {
    match how {
        How::Answer => "answer",
        How::LookUp => "look_up",
        How::Tracking => "tracking",
        How::Person => "person",
    }
}
