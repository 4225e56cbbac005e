//! What a provider will never have of a document, and whom to ask instead: "not yet" would send a person to ask for ever.

use serde_json::Value;

use crate::domain::document::Kind;
use crate::domain::state::State;
use crate::provider::CallError;
use crate::provider::calls::Fetch;
use crate::view::{DocumentView, ParentView};

/// The account and the id to ask with; or why there is nothing to ask for, now or ever.
pub fn or_address(document: &DocumentView, what: Fetch) -> Result<(&str, &str), (&'static str, String)> {
    let (key, state) = (&document.key, document.state);
    if let Some(name) = about_an_invoice(document) {
        let instead = match &document.parent {
            Some(ParentView::Key(parent)) => {
                format!("ask for those of its invoice: `staffetta fetch {parent} {}`", what.name())
            }
            Some(ParentView::Remote(id)) => format!("those of its invoice {id} are where that was issued"),
            None => "those are its invoice's".to_owned(),
        };
        return Err(("not_offered", format!("{key} is {name} and has no files of its own: {instead}")));
    }
    if let (Some(account), Some(id)) = (&document.account, &document.remote.remote_id) {
        return Ok((account, id));
    }
    let why = match state {
        State::Cancelled => "was called off before it left: its provider has nothing of it and never will".to_owned(),
        State::Refused => format!("was refused by its provider, which has nothing of it: see `staffetta show {key}`"),
        _ => format!("is {state}: its provider does not have it yet"),
    };
    Err(("not_delivered", format!("{key} {why}")))
}

/// A note's number or a cancel: all that Stamp says of one is yes.
fn about_an_invoice(document: &DocumentView) -> Option<&'static str> {
    match document.kind {
        Kind::NoteNumber => Some("the number of a note"),
        Kind::Void => {
            let body: Value = serde_json::from_str(document.body.get()).ok()?;
            body.get("credit_note_number")?.as_str().map(|_| "the cancel of a tax-free invoice")
        }
        Kind::Receipt | Kind::Return | Kind::Draft => None,
    }
}

/// What the provider's "not yet" means of a document that stays as it is.
pub fn for_ever(document: &DocumentView, what: Fetch, error: CallError) -> CallError {
    let invoice = document.kind == Kind::Draft && document.state == State::Registered;
    // By the provider's own word: where the authority may have it all the same, the document is held.
    let failed = document.remote.status.as_deref() == Some("failed");
    let cancelled = document.remote.customs.as_deref() == Some("cancelled");
    let why = match (&error, what) {
        (CallError::NotYet(_) | CallError::NotFound(_), Fetch::Pdf | Fetch::NotePdf) if failed => {
            "it failed at the authority, so none was made"
        }
        (CallError::NotYet(_), Fetch::NotePdf) if invoice => {
            "Stamp has no note of this invoice: one is there after the number of a note was delivered"
        }
        (CallError::NotYet(_), _) if invoice && cancelled => "the invoice was cancelled before it was completed",
        _ => return error,
    };
    CallError::NotFound(why.to_owned())
}
