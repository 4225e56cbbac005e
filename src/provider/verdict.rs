//! From a receipt as the provider shows it to the verdict on its document, the same for both receipt APIs.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Tracked;
use super::classify::NoRead;
use super::receipt::{self, Stage, refuses_credentials};
use crate::domain::account::ProviderKind;
use crate::domain::document::Kind;
use crate::domain::outcome::{Answer, HoldAnswer, HoldReason, HoldScope, TrackOutcome};

/// From so many documents of one VAT number on, its list of waiting ones is read instead of each.
const MANY: usize = 4;

/// What a receipt's state means for its document.
pub(crate) fn judge(provider: ProviderKind, tracked: &Tracked, row: &Value) -> TrackOutcome {
    let remote = receipt::remote(provider, row, tracked.accepted_at);
    match receipt::stage(row, &remote) {
        Stage::Waiting => match refuses_credentials(row) {
            Some(detail) => {
                let (scope, reason) = (HoldScope::FiscalId, HoldReason::Credentials);
                TrackOutcome::PendingHeld { remote: Box::new(remote), hold: HoldAnswer { scope, reason, detail } }
            }
            None => TrackOutcome::Pending(Box::new(remote)),
        },
        // Returns need the authority's item ids; they may come a moment later.
        Stage::There
            if tracked.call.body.kind() == Kind::Receipt
                && remote.items.is_empty()
                && remote.status.as_deref() == Some("submitted") =>
        {
            TrackOutcome::Pending(Box::new(remote))
        }
        Stage::There => TrackOutcome::Registered(Box::new(remote)),
        Stage::Failed(outcome) => outcome,
        Stage::Strange(status) => {
            let why = format!("a state that is not known: {}", status.as_deref().unwrap_or("none"));
            NoRead::failed(why).into_track()
        }
    }
}

/// Whether the authority has it.
pub(crate) fn is_there(provider: ProviderKind, row: &Value) -> bool {
    let remote = receipt::remote(provider, row, chrono::DateTime::UNIX_EPOCH);
    receipt::stage(row, &remote) == Stage::There
}

/// The receipts of a VAT number that wait at the provider, or why they could not be listed.
pub(crate) type Waiting<'a> = HashMap<&'a str, Result<HashMap<String, Value>, Answer<TrackOutcome>>>;

/// The VAT numbers that have enough documents for a list.
pub(crate) fn crowded(tracked: &[Tracked]) -> Vec<&str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for fiscal_id in tracked.iter().filter_map(|one| one.call.fiscal_id.as_ref()) {
        *counts.entry(fiscal_id.as_str()).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count >= MANY).map(|(fiscal_id, _)| fiscal_id).collect()
}

/// The verdict that the lists give; none when the document is in no list and must be asked for itself.
pub(crate) fn listed(provider: ProviderKind, one: &Tracked, waiting: &Waiting<'_>) -> Option<Answer<TrackOutcome>> {
    let id = one.remote.remote_id.as_deref()?;
    match waiting.get(one.call.fiscal_id.as_ref()?.as_str())? {
        Err(failed) => Some(failed.clone()),
        Ok(rows) => Some(Answer::without_http(judge(provider, one, rows.get(id)?))),
    }
}
