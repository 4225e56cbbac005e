//! Late binding: what a document needs of its parent is only known when the parent's answers are there.

use crate::domain::account::Account;
use crate::domain::check;
use crate::domain::document::{Body, Kind};
use crate::domain::event::ParentRef;
use crate::domain::id::DocId;
use crate::domain::money::Decimal;
use crate::domain::state::{Progress, State};
use crate::domain::totals;
use crate::error::Error;
use crate::journal::View;
use crate::provider::Call;
use crate::queue::{Story, parents};

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
pub(crate) fn bind(view: &(impl View + ?Sized), progress: &Progress, account: &Account) -> Result<Binding, Error> {
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
        Some(ParentRef::Remote(id)) => {
            call.parent_id = Some(id.clone());
            if let Body::Return(goods) = &call.body {
                for item in &goods.items {
                    let Some(id) = item.id.clone() else {
                        return Ok(Binding::Hold {
                            code: "item_id_missing",
                            why: "a return of a document issued elsewhere needs the authority's item ids, not lines"
                                .to_owned(),
                        });
                    };
                    call.return_items.push((id, item.quantity));
                }
            }
            Ok(Binding::Ready(Box::new(call)))
        }
        Some(ParentRef::Local(parent)) => with_parent(view, progress, *parent, call, account),
    }
}

fn with_parent(
    view: &(impl View + ?Sized),
    progress: &Progress,
    parent: DocId,
    mut call: Call,
    account: &Account,
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
    let siblings = parents::living_children(view, parent.id)?;
    if let Some(open) = siblings.iter().find(|sibling| {
        sibling.id != progress.id && matches!(sibling.state, State::Sending | State::InDoubt | State::Accepted)
    }) {
        return Ok(Binding::Wait(format!("{} about the same parent is not through yet", open.key)));
    }
    let Some(parent_id) = parent.remote_id.clone() else {
        return Ok(Binding::Wait(format!("its parent {} has no id of the provider yet", parent.key)));
    };
    call.parent_id = Some(parent_id);
    match &call.body {
        Body::Void(_) if progress.kind == Kind::Void && parent.kind == Kind::Receipt => {
            if let Some(goods) = siblings.iter().find(|sibling| sibling.kind == Kind::Return) {
                let why =
                    format!("{} has the return {}: a sale with returns must not be voided", parent.key, goods.key);
                return Ok(Binding::Hold { code: "parent_returned", why });
            }
            if let Some(void) = siblings.iter().find(|sibling| sibling.kind == Kind::Void && sibling.id < progress.id) {
                let why = format!("{} is already voided by {}", parent.key, void.key);
                return Ok(Binding::Hold { code: "already_voided", why });
            }
            if let Some(deadline) =
                parents::void_deadline(&parent, Some(account)).filter(|_| progress.deadline.is_none())
            {
                tracing::debug!(key = %progress.key, %deadline, "the void's deadline became known");
            }
        }
        Body::Return(goods) => {
            if let Some(void) = siblings.iter().find(|sibling| sibling.kind == Kind::Void) {
                let why = format!("{} is voided by {}: nothing of it can be returned", parent.key, void.key);
                return Ok(Binding::Hold { code: "parent_voided", why });
            }
            // Only what came before this one counts against it: the order of intake is the order of rights.
            let earlier: Vec<Progress> = siblings.iter().filter(|sibling| sibling.id < progress.id).cloned().collect();
            let Some(mut lines) = parents::parent_lines(view, parent.id, &earlier, Some(progress.id))? else {
                return Ok(Binding::Hold {
                    code: "parent_unreadable",
                    why: format!("the lines of {} cannot be read", parent.key),
                });
            };
            let Some(story) = Story::read(view, parent.id)? else {
                return Ok(Binding::Wait(format!("its parent {} cannot be read", parent.key)));
            };
            match item_ids(&story) {
                Ok(ids) => lines.iter_mut().zip(ids).for_each(|(line, id)| line.id = Some(id)),
                Err(_) if story.remote.items.is_empty() && is_over(&parent) => {
                    let why = format!(
                        "the provider does not tell the item ids of {}: find them there, then enqueue the return by `id` \
                         with {{\"remote_id\": …}} as its parent",
                        parent.key
                    );
                    return Ok(Binding::Hold { code: "items_unknown", why });
                }
                Err(why) if story.remote.items.is_empty() => return Ok(Binding::Wait(why)),
                Err(why) => return Ok(Binding::Hold { code: "items_differ", why }),
            }
            let chosen = match check::returns(&goods.items, &lines) {
                Ok(chosen) => chosen,
                Err(violations) => {
                    let why = format!("it does not fit its parent {}: {}", parent.key, check::Violations(violations));
                    return Ok(Binding::Hold { code: "return_does_not_fit", why });
                }
            };
            for (item, index) in goods.items.iter().zip(chosen) {
                let id = lines.get(index).and_then(|line| line.id.clone());
                let id = id.ok_or_else(|| Error::UnknownKey(format!("of line {index} of {}", parent.key)))?;
                call.return_items.push((id, item.quantity));
            }
        }
        _ => {}
    }
    Ok(Binding::Ready(Box::new(call)))
}

/// Whether nothing more is asked about a document that the authority has.
fn is_over(parent: &Progress) -> bool {
    parent.state == State::Registered && parent.due_at.is_none()
}

/// The authority's item ids, one for each line of our sale. By order, and each must agree in text, quantity, price and
/// rate (PROVIDERS.md 6); if the order differs, by content where that is unambiguous.
fn item_ids(story: &Story) -> Result<Vec<String>, String> {
    let Body::Receipt(receipt) = &story.body else {
        return Err("its parent is not a sale".to_owned());
    };
    let theirs = &story.remote.items;
    if theirs.is_empty() {
        return Err("the authority's item ids are not known yet".to_owned());
    }
    if theirs.len() != receipt.items.len() {
        return Err(format!("the authority has {} lines, the sale here {}", theirs.len(), receipt.items.len()));
    }
    let same = |ours: &crate::domain::document::Item, item: &crate::domain::outcome::RemoteItem| {
        let number = |text: &str| text.parse::<Decimal>().ok();
        let trim = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        trim(&ours.description) == trim(&item.description)
            && number(&item.quantity).is_none_or(|quantity| quantity == ours.quantity)
            && number(&item.gross_price).is_none_or(|price| price == ours.unit_price)
            && (item.vat_rate.is_empty() || item.vat_rate.trim_matches('\'') == ours.vat_rate_code.code())
    };
    if receipt.items.iter().zip(theirs).all(|(ours, item)| same(ours, item) && !item.id.is_empty()) {
        return Ok(theirs.iter().map(|item| item.id.clone()).collect());
    }
    let mut left: Vec<_> = theirs.iter().filter(|item| !item.id.is_empty()).collect();
    let mut ids = Vec::with_capacity(theirs.len());
    for (line, ours) in receipt.items.iter().enumerate() {
        let Some(position) = left.iter().position(|item| same(ours, item)) else {
            return Err(format!("line {line} of the sale ({}) is not among the authority's lines", ours.description));
        };
        ids.push(left.remove(position).id.clone());
    }
    Ok(ids)
}
