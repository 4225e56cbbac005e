//! What a return, a void or a note number must agree with: its parent and that parent's other children.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::item_ids::{NoIds, item_ids};
use super::story::Story;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar;
use crate::domain::check::{self, ParentLine, Violation};
use crate::domain::document::{Body, Kind, Parent, Return};
use crate::domain::event::ParentRef;
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::input::ReturnInput;
use crate::domain::state::{Progress, State};
use crate::domain::totals::{self, BadTotals, Kept, Totals};
use crate::error::{Error, Rejection};
use crate::journal::{JournalError, Transaction, View};

/// How long before the provider's 24 hours end a void is no longer sent (PROVIDERS.md 6).
pub(crate) const VOID_MARGIN: Duration = Duration::from_secs(5 * 60);

/// A parent, found.
pub(super) enum Bound {
    /// In this journal.
    Local(Box<Progress>),
    /// Issued elsewhere.
    Remote(String),
}

impl Bound {
    pub(super) fn reference(&self) -> ParentRef {
        match self {
            Bound::Local(progress) => ParentRef::Local(progress.id),
            Bound::Remote(id) => ParentRef::Remote(id.clone()),
        }
    }

    pub(super) fn fiscal_id(&self) -> Option<FiscalId> {
        match self {
            Bound::Local(progress) => progress.fiscal_id.clone(),
            Bound::Remote(_) => None,
        }
    }
}

/// What the parent makes of a child.
#[derive(Default)]
pub(super) struct Verdict {
    /// The child's totals, where they follow from the parent's.
    pub(super) totals: Option<Kept>,
    /// After this moment the child must not be sent.
    pub(super) deadline: Option<DateTime<Utc>>,
    /// The parent never left: parent and child are called off together.
    pub(super) cancels: Option<DocId>,
}

/// Finds a parent. One given by the provider's id is a document of this journal all the same if an account of the
/// company has it here.
pub(super) fn find(view: &(impl View + ?Sized), parent: &Parent, company: &[AccountName]) -> Result<Bound, Error> {
    match parent {
        Parent::Remote(id) => Ok(match own(view, company, id)? {
            Some(parent) => Bound::Local(Box::new(parent)),
            None => Bound::Remote(id.clone()),
        }),
        Parent::Key(key) => {
            let progress = match view.find(key)? {
                Some(id) => view.progress(id)?,
                None => None,
            };
            let message = || {
                format!(
                    "no document of this journal has the key {key}: enqueue the parent first, or give {{\"remote_id\": …}}"
                )
            };
            progress
                .map(|progress| Bound::Local(Box::new(progress)))
                .ok_or_else(|| Error::Rejected(Rejection::new("unknown_parent", message())))
        }
    }
}

pub(super) fn judge(
    txn: &Transaction<'_>,
    bound: &Bound,
    body: &Body,
    (account, company): (Option<&Account>, &[AccountName]),
    now: DateTime<Utc>,
) -> Result<Verdict, Error> {
    let siblings = living_children(txn, &bound.reference(), company)?;
    let Bound::Local(parent) = bound else {
        // Of a document issued elsewhere this journal only knows what it sent about it itself.
        conflicts(body, &siblings, "the document issued elsewhere")?;
        if let (Body::Return(goods), Some(_)) = (body, account) {
            by_ids_alone(goods)?;
        }
        return Ok(Verdict::default());
    };
    let wanted = match body {
        Body::Return(_) => Kind::Receipt,
        Body::Void(void) if void.credit_note_number.is_none() => Kind::Receipt,
        _ => Kind::Draft,
    };
    if parent.kind != wanted {
        let hint = match body {
            Body::Void(void) if void.credit_note_number.is_none() && parent.kind == Kind::Draft => {
                " (to cancel a tax-free invoice, give `credit_note_number`)"
            }
            _ => "",
        };
        return conflict(format!(
            "a {} needs a {wanted} as its parent, {} is a {}{hint}",
            body.kind(),
            parent.key,
            parent.kind
        ));
    }
    if matches!(parent.state, State::Refused | State::Failed | State::Cancelled) {
        return conflict(format!("its parent {} is {}: there is nothing to correct", parent.key, parent.state));
    }
    conflicts(body, &siblings, parent.key.as_str())?;
    match body {
        Body::Return(goods) => returned(txn, parent, goods, &siblings),
        Body::Void(_) => voided(parent, txn, account, now),
        _ => Ok(Verdict::default()),
    }
}

fn conflict<T>(message: String) -> Result<T, Error> {
    Err(Error::Rejected(Rejection::new("parent_conflict", message)))
}

/// Whether a child is, or may become, a fact at the authority.
pub(crate) fn counts(child: &Progress) -> bool {
    !matches!(child.state, State::Refused | State::Failed | State::Cancelled)
}

/// Never void a sale with returns (the authority would take it, and reverse the amount twice), never return a voided
/// sale, never void twice (PROVIDERS.md 6).
fn conflicts(body: &Body, siblings: &[Progress], parent: &str) -> Result<(), Error> {
    let of = |kind: Kind| siblings.iter().find(|sibling| sibling.kind == kind);
    match body {
        Body::Return(_) => match of(Kind::Void) {
            Some(void) => conflict(format!("{parent} is voided by {}: nothing of it can be returned", void.key)),
            None => Ok(()),
        },
        Body::Void(void) => match (of(Kind::Void), of(Kind::Return)) {
            (Some(first), _) => conflict(format!("{parent} is already voided by {}", first.key)),
            (None, Some(goods)) if void.credit_note_number.is_none() => conflict(format!(
                "{parent} has the return {}: a sale with returns cannot be voided, return the rest instead",
                goods.key
            )),
            _ => Ok(()),
        },
        Body::NoteNumber(_) => match of(Kind::Void) {
            Some(void) => conflict(format!("{parent} is cancelled by {}", void.key)),
            None => Ok(()),
        },
        Body::Receipt(_) | Body::Draft(_) => Ok(()),
    }
}

fn voided(
    parent: &Progress,
    txn: &Transaction<'_>,
    account: Option<&Account>,
    now: DateTime<Utc>,
) -> Result<Verdict, Error> {
    let never_left = matches!(parent.state, State::Queued | State::Held) && !parent.may_have_left();
    if never_left {
        return Ok(Verdict { cancels: Some(parent.id), ..Verdict::default() });
    }
    let totals = match txn.document(parent.id)? {
        Some(taken) => taken.totals.read(parent.kind).map_err(|error| unreadable_totals(parent.id, &error))?,
        None => None,
    };
    let totals = totals.map(|totals| Kept::from(&totals::void(&totals)));
    let deadline = void_deadline(parent, account);
    if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
        let message =
            format!("the 24 hours for voiding {} ended at {}: use a return", parent.key, deadline.to_rfc3339());
        return conflict(message);
    }
    Ok(Verdict { totals, deadline, cancels: None })
}

/// Openapi takes a void within 24 hours of the submission (S1); no limit is stated for the others. Before the provider
/// has told when it took the parent, the moment our request left is the safe bound.
pub(crate) fn void_deadline(parent: &Progress, account: Option<&Account>) -> Option<DateTime<Utc>> {
    let account = account.filter(|account| account.provider == ProviderKind::Openapi)?;
    let submitted = parent.remote_created_at.or(parent.attempt.as_ref().map(|attempt| attempt.sent_at))?;
    Some(calendar::void_deadline(submitted, VOID_MARGIN, account.blackout))
}

fn returned(txn: &Transaction<'_>, parent: &Progress, goods: &Return, siblings: &[Progress]) -> Result<Verdict, Error> {
    let Some(Lines { lines, unknown }) = parent_lines(txn, parent.id, siblings, None)? else {
        return Ok(Verdict::default());
    };
    let misfit = |violations| {
        let message = format!("the return does not fit its parent {}", parent.key);
        Error::Rejected(Rejection { code: "invalid", message, violations })
    };
    let by_id = unknown.is_none() || goods.items.iter().all(|item| item.id.is_none());
    let found = check::fitting(&goods.items, &lines, by_id).map_err(misfit)?;
    if !by_id {
        // The authority's ids are not known yet; the return is checked again before it is sent.
        return Ok(Verdict::default());
    }
    let chosen: Vec<&ParentLine> = found.iter().filter_map(|index| lines.get(*index)).collect();
    let totals = totals::returned(&goods.items, &chosen).map(Totals::Return);
    let totals = totals.ok_or_else(|| {
        let violation = Violation { property_path: "items".to_owned(), message: "X:amount_too_large".to_owned() };
        Error::Rejected(Rejection {
            code: "invalid",
            message: "its totals do not fit".to_owned(),
            violations: vec![violation],
        })
    })?;
    Ok(Verdict { totals: Some(Kept::from(&totals)), ..Verdict::default() })
}

/// Why a return of a document issued elsewhere cannot name lines.
pub(crate) const IDS_ALONE: &str = "a return of a document issued elsewhere needs the authority's item ids, not lines";

/// The lines of a document issued elsewhere are not known here: only the authority's ids name what comes back.
fn by_ids_alone(goods: &Return) -> Result<(), Error> {
    let by_line = goods.items.iter().enumerate().filter(|(_, item)| item.line.is_some());
    let violations: Vec<_> =
        by_line.map(|(index, _)| Violation::new(format!("items[{index}].line"), check::codes::RETURN_ID)).collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(Error::Rejected(Rejection { code: "invalid", message: IDS_ALONE.to_owned(), violations }))
}

/// All rules that a return breaks which breaks some without its sale, if that is one of this journal.
pub(super) fn all_violations(
    txn: &Transaction<'_>,
    bound: &Bound,
    goods: &ReturnInput,
    company: &[AccountName],
) -> Result<Option<Vec<Violation>>, Error> {
    let Bound::Local(parent) = bound else { return Ok(None) };
    let siblings = living_children(txn, &bound.reference(), company)?;
    let Some(Lines { lines, unknown }) = parent_lines(txn, parent.id, &siblings, None)? else { return Ok(None) };
    Ok(check::return_whole(goods, &lines, unknown.is_none()).err())
}

/// The lines of a sale of this journal.
pub(crate) struct Lines {
    /// With their ids, where these are known, and with what was taken back of each.
    pub(crate) lines: Vec<ParentLine>,
    /// Why the ids are not known.
    pub(crate) unknown: Option<NoIds>,
}

/// The lines of a sale of this journal with what its returns (but `except`) took back so far.
pub(crate) fn parent_lines(
    view: &(impl View + ?Sized),
    parent: DocId,
    siblings: &[Progress],
    except: Option<DocId>,
) -> Result<Option<Lines>, Error> {
    let Some(story) = Story::read(view, parent)? else { return Ok(None) };
    let (Body::Receipt(receipt), Ok(Some(Totals::Sale(sale)))) = (&story.body, story.taken.totals.read(Kind::Receipt))
    else {
        return Ok(None);
    };
    let mut lines = totals::parent_lines(receipt, &sale);
    // Before the sum: what was returned by id counts on the line that the id is of.
    let ids = item_ids(receipt, &story.remote.items);
    if let Ok(ids) = &ids {
        lines.iter_mut().zip(ids).for_each(|(line, id)| line.id = Some(id.clone()));
    }
    for sibling in siblings.iter().filter(|sibling| sibling.kind == Kind::Return && Some(sibling.id) != except) {
        let Some(taken) = view.document(sibling.id)? else { continue };
        let Ok(Body::Return(earlier)) = Body::from_json(Kind::Return, &taken.body) else { continue };
        for item in &earlier.items {
            let position = match (item.line, &item.id) {
                (Some(line), _) => usize::try_from(line).ok(),
                (None, Some(id)) => lines.iter().position(|line| line.id.as_ref() == Some(id)),
                (None, None) => None,
            };
            if let Some(line) = position.and_then(|position| lines.get_mut(position)) {
                line.returned = line.returned.checked_add(item.quantity).unwrap_or(line.quantity);
            }
        }
    }
    Ok(Some(Lines { lines, unknown: ids.err() }))
}

/// The document of this journal that an account of the company has under this id.
pub(crate) fn own(view: &(impl View + ?Sized), company: &[AccountName], id: &str) -> Result<Option<Progress>, Error> {
    Ok(match view.owners(company, id)?.first() {
        Some(parent) => view.progress(*parent)?,
        None => None,
    })
}

/// All documents about a parent, in order of intake, whether they name it by its key or by the provider's id: that one
/// may have become known only after some were taken by it.
pub(crate) fn about(
    view: &(impl View + ?Sized),
    parent: &ParentRef,
    company: &[AccountName],
) -> Result<Vec<Progress>, Error> {
    let here = match parent {
        ParentRef::Local(id) => view.progress(*id)?,
        ParentRef::Remote(id) => own(view, company, id)?,
    };
    let of_parent = here.as_ref().and_then(|here| here.account.as_ref());
    let remote_id = match (&here, parent) {
        (Some(here), _) => here.remote_id.as_deref(),
        (None, ParentRef::Remote(id)) => Some(id.as_str()),
        (None, ParentRef::Local(_)) => None,
    };
    let mut children = Vec::new();
    for id in here.as_ref().map(|here| view.children(here.id)).transpose()?.unwrap_or_default() {
        children.extend(view.progress(id)?);
    }
    for id in remote_id.map(|id| view.children_of_remote(id)).transpose()?.unwrap_or_default() {
        // Another provider's document may have the same id. One without an account yet may be about any.
        let nobody = company.is_empty() && of_parent.is_none();
        let same = |account: &AccountName| nobody || Some(account) == of_parent || company.contains(account);
        children.extend(view.progress(id)?.filter(|child| child.account.as_ref().is_none_or(same)));
    }
    children.sort_unstable_by_key(|child| child.id);
    children.dedup_by_key(|child| child.id);
    Ok(children)
}

/// The documents about a parent that count.
pub(crate) fn living_children(
    view: &(impl View + ?Sized),
    parent: &ParentRef,
    company: &[AccountName],
) -> Result<Vec<Progress>, Error> {
    let mut children = about(view, parent, company)?;
    children.retain(counts);
    Ok(children)
}

pub(super) fn unreadable_totals(id: DocId, error: &BadTotals) -> Error {
    Error::Journal(JournalError::unreadable(id, format!("its totals: {error}")))
}
