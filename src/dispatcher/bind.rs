//! Late binding: what a document needs of its parent is only known when the parent's answers are there.

use crate::domain::account::Account;
use crate::domain::check::{self, ParentLine};
use crate::domain::document::{Body, Kind, Return};
use crate::domain::event::ParentRef;
use crate::domain::id::{AccountName, DocId};
use crate::domain::money::Decimal;
use crate::domain::state::{Progress, State};
use crate::domain::totals;
use crate::error::Error;
use crate::journal::View;
use crate::provider::Call;
use crate::queue::Story;
use crate::queue::item_ids::NoIds;
use crate::queue::parents::{self, Lines};

/// A document ready for its provider, or why it is not.
#[derive(Debug)]
pub(crate) enum Binding {
    /// Ready.
    Ready(Box<Call>),
    /// Not yet: something about its parent is still open.
    Wait(String),
    /// Never by itself: a person must decide.
    Hold {
        /// A short name.
        code: &'static str,
        /// What the person must know.
        why: String,
    },
}

/// Binds a document to its parent's ids.
pub(crate) fn bind(
    view: &(impl View + ?Sized),
    progress: &Progress,
    (account, company): (&Account, &[AccountName]),
) -> Result<Binding, Error> {
    let Some(story) = Story::read(view, progress.id)? else {
        return Err(Error::UnknownKey(progress.key.to_string()));
    };
    let mut call = Call {
        key: progress.key.clone(),
        due: match &story.body {
            Body::Receipt(receipt) => totals::due(receipt),
            _ => None,
        },
        body: story.body,
        fiscal_id: progress.fiscal_id.clone(),
        parent_id: None,
        return_items: Vec::new(),
    };
    match &progress.parent {
        None => Ok(Binding::Ready(Box::new(call))),
        Some(parent @ ParentRef::Remote(id)) => {
            let siblings = parents::living_children(view, parent, company)?;
            if let Some(other) = against(progress, id, &siblings) {
                return Ok(other);
            }
            call.parent_id = Some(id.clone());
            // Taken before this id was known to be a document's of this journal.
            let here = parents::own(view, company, id)?.filter(|here| here.id != progress.id);
            if let Body::Return(goods) = &call.body {
                let lines = match here {
                    Some(here) => lines_of(view, here.id, progress, &siblings)?.filter(|lines| lines.unknown.is_none()),
                    None => None,
                };
                let items = match lines {
                    Some(lines) => fitted(goods, &lines.lines, id),
                    None => as_given(goods)
                        .ok_or_else(|| Binding::Hold { code: "item_id_missing", why: parents::IDS_ALONE.to_owned() }),
                };
                match items {
                    Ok(items) => call.return_items = items,
                    Err(hold) => return Ok(hold),
                }
            }
            Ok(Binding::Ready(Box::new(call)))
        }
        Some(ParentRef::Local(parent)) => with_parent(view, progress, *parent, call, (account, company)),
    }
}

fn with_parent(
    view: &(impl View + ?Sized),
    progress: &Progress,
    parent: DocId,
    mut call: Call,
    (account, company): (&Account, &[AccountName]),
) -> Result<Binding, Error> {
    let Some(parent) = view.progress(parent)? else {
        return Err(Error::UnknownKey(format!("of the parent of {}", progress.key)));
    };
    if matches!(parent.state, State::Refused | State::Failed | State::Cancelled) {
        let (code, why) = match parent.state {
            State::Refused => ("parent_refused", "was refused"),
            State::Failed => ("parent_failed", "failed at the authority"),
            _ => ("parent_cancelled", "was called off"),
        };
        let why = format!("its parent {} {why}: {}", parent.key, parent.reason);
        return Ok(Binding::Hold { code, why });
    }
    if parent.state == State::Held {
        return Ok(Binding::Wait(format!("its parent {} is held", parent.key)));
    }
    let siblings = parents::living_children(view, &ParentRef::Local(parent.id), company)?;
    if let Some(other) = against(progress, parent.key.as_str(), &siblings) {
        return Ok(other);
    }
    let Some(parent_id) = parent.remote_id.clone() else {
        return Ok(Binding::Wait(format!("its parent {} has no id of the provider yet", parent.key)));
    };
    call.parent_id = Some(parent_id);
    match &call.body {
        Body::Void(_) if parent.kind == Kind::Receipt => {
            if let Some(deadline) =
                parents::void_deadline(&parent, Some(account)).filter(|_| progress.deadline.is_none())
            {
                tracing::debug!(key = %progress.key, %deadline, "the void's deadline became known");
            }
        }
        Body::Return(goods) => {
            let Some(lines) = lines_of(view, parent.id, progress, &siblings)? else {
                return Ok(Binding::Hold {
                    code: "parent_unreadable",
                    why: format!("the lines of {} cannot be read", parent.key),
                });
            };
            let items = match lines.unknown {
                None => fitted(goods, &lines.lines, parent.key.as_str()),
                // By ids that the authority told it is plain what is meant.
                Some(NoIds::Differ(why)) => {
                    let told = Story::read(view, parent.id)?.map(|story| story.remote.items).unwrap_or_default();
                    let is_told = |(id, _): &(String, Decimal)| told.iter().any(|item| item.id == *id);
                    let given = as_given(goods).filter(|items| items.iter().all(is_told));
                    given.ok_or(Binding::Hold { code: "items_differ", why })
                }
                // The ids that a person found at the provider are all there is.
                Some(NoIds::Untold) if is_over(&parent) => as_given(goods).ok_or_else(|| Binding::Hold {
                    code: "items_unknown",
                    why: format!(
                        "the provider does not tell the item ids of {}: find them there, then enqueue the return by \
                         `id` with {{\"remote_id\": …}} as its parent",
                        parent.key
                    ),
                }),
                Some(NoIds::Untold) => Err(Binding::Wait("the authority's item ids are not known yet".to_owned())),
            };
            match items {
                Ok(items) => call.return_items = items,
                Err(other) => return Ok(other),
            }
        }
        _ => {}
    }
    Ok(Binding::Ready(Box::new(call)))
}

/// Whether another document about the same parent is being sent, or owes its verdict.
pub(crate) fn is_open(progress: &Progress, other: &Progress) -> bool {
    other.id != progress.id && matches!(other.state, State::Sending | State::InDoubt | State::Accepted)
}

/// Whether another document about the same parent comes before this one. The order of intake is the order of rights,
/// but what the authority may have cannot be undone by it.
fn precedes(other: &Progress, progress: &Progress) -> bool {
    let may_be_there = !matches!(other.state, State::Queued | State::Held) || other.may_have_left();
    other.id < progress.id || (other.id != progress.id && may_be_there)
}

/// What another document about the same parent has against this one.
pub(crate) fn against(progress: &Progress, parent: &str, siblings: &[Progress]) -> Option<Binding> {
    if let Some(open) = siblings.iter().find(|sibling| is_open(progress, sibling)) {
        return Some(Binding::Wait(format!("{} about the same parent is not through yet", open.key)));
    }
    let before = |kind: Kind| siblings.iter().find(|sibling| sibling.kind == kind && precedes(sibling, progress));
    match progress.kind {
        // A tax-free invoice has no returns.
        Kind::Void => {
            let returned = before(Kind::Return).map(|goods| {
                let why = format!("{parent} has the return {}: a sale with returns must not be voided", goods.key);
                Binding::Hold { code: "parent_returned", why }
            });
            returned.or_else(|| {
                let void = before(Kind::Void)?;
                let why = format!("{parent} is already voided by {}", void.key);
                Some(Binding::Hold { code: "already_voided", why })
            })
        }
        Kind::Return => before(Kind::Void).map(|void| {
            let why = format!("{parent} is voided by {}: nothing of it can be returned", void.key);
            Binding::Hold { code: "parent_voided", why }
        }),
        _ => None,
    }
}

/// The lines of a return's parent, with what the returns before it took back.
fn lines_of(
    view: &(impl View + ?Sized),
    parent: DocId,
    progress: &Progress,
    siblings: &[Progress],
) -> Result<Option<Lines>, Error> {
    let before: Vec<Progress> = siblings.iter().filter(|sibling| precedes(sibling, progress)).cloned().collect();
    parents::parent_lines(view, parent, &before, Some(progress.id))
}

/// The items of a return that fits its parent, by the authority's ids.
fn fitted(goods: &Return, lines: &[ParentLine], parent: &str) -> Result<Vec<(String, Decimal)>, Binding> {
    let chosen = check::returns(&goods.items, lines).map_err(|violations| {
        let why = format!("it does not fit its parent {parent}: {}", check::Violations(violations));
        Binding::Hold { code: "return_does_not_fit", why }
    })?;
    let id_of = |index: usize| lines.get(index).and_then(|line| line.id.clone());
    let items = goods.items.iter().zip(chosen).map(|(item, index)| Some((id_of(index)?, item.quantity)));
    items.collect::<Option<_>>().ok_or_else(|| Binding::Hold {
        code: "items_differ",
        why: format!("the authority's id of a line of {parent} is not known"),
    })
}

/// The items of a return by the ids that it gives; `None` when one is given by its line.
fn as_given(goods: &Return) -> Option<Vec<(String, Decimal)>> {
    goods.items.iter().map(|item| Some((item.id.clone()?, item.quantity))).collect()
}

/// Whether nothing more is asked about a document that the authority has.
fn is_over(parent: &Progress) -> bool {
    parent.state == State::Registered && parent.due_at.is_none()
}
