//! What returns and voids have in common with both receipt APIs.

use serde_json::Value;

use super::classify::NoRead;
use super::{Call, receipt};
use crate::domain::document::Kind;
use crate::domain::outcome::{Refusal, Remote, SubmitOutcome};

/// What stands for the id of a void that the provider made without telling its id: this and the parent's id. Tracking
/// replaces it by the real one when that is shown.
pub const UNNAMED_VOID: &str = "void-of:";

/// A document that cannot be put on the wire at all: nothing was sent, and nothing will change that.
pub(crate) fn cannot_be_sent(why: &str) -> SubmitOutcome {
    SubmitOutcome::Refused(Refusal { code: None, message: why.to_owned(), violations: Vec::new() })
}

/// A void known only by its effect on the parent.
pub(crate) fn unnamed_void(parent_id: &str, status: &str) -> Remote {
    Remote {
        remote_id: Some(format!("{UNNAMED_VOID}{parent_id}")),
        status: Some(status.to_owned()),
        ..Remote::default()
    }
}

/// A return or void was refused: what the parent's state makes of that. While the provider still owes the parent's
/// delivery (`new`, `retry`) it is too early, not wrong. A void of what is voided already may have been done by an
/// earlier attempt of ours: then it must be looked up. When the parent cannot be read it is asked again later, for
/// nothing was processed.
pub(crate) fn refused(call: &Call, refusal: Refusal, parent: Result<Value, NoRead>) -> SubmitOutcome {
    let parent = match parent {
        Ok(parent) => parent,
        Err(NoRead::Gone(_)) => return SubmitOutcome::Refused(refusal),
        Err(_) => {
            let why = format!("refused ({}), and the parent cannot be read to see why", refusal.message);
            return SubmitOutcome::Deferred { why, retry_after: None, account: false };
        }
    };
    match receipt::status(&parent).as_deref() {
        Some(status @ ("new" | "retry")) => {
            let why = format!("the parent is still {status} at the provider ({})", refusal.message);
            SubmitOutcome::Deferred { why, retry_after: None, account: false }
        }
        Some("voided") if call.body.kind() == Kind::Void => {
            SubmitOutcome::Unknown { why: format!("refused, but the sale is voided ({})", refusal.message) }
        }
        _ => SubmitOutcome::Refused(refusal),
    }
}
