//! Which of the candidates is ours: exactly one, none, or a person must say (PROVIDERS.md 4.3). Pure.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::classify::NoRead;
use super::matching::{Agreement, Tagged, return_quantities};
use super::{Call, receipt};
use crate::domain::account::ProviderKind;
use crate::domain::limits::MAX_CANDIDATES;
use crate::domain::outcome::LookUpOutcome;

/// A receipt that may be the lost sale; unclaimed.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub id: String,
    pub in_window: bool,
    /// It was certainly created before the sale was sent.
    pub earlier: bool,
    pub origin: Tagged,
    pub agreement: Agreement,
    pub row: Value,
}

/// Those that look like the lost sale, each once: several lists may have shown it. They are read whole, so they must be few.
pub(crate) fn few(mut found: Vec<(String, Value)>) -> Result<Vec<(String, Value)>, NoRead> {
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.dedup_by(|(a, _), (b, _)| a == b);
    if found.len() > MAX_CANDIDATES {
        return Err(NoRead::Endless(format!("{} receipts look like it: too many to read", found.len())));
    }
    Ok(found)
}

/// Decides about a sale. Our tag singles out, if it is not of before and the content does not contradict; then the content
/// of those that were created in the window. What cannot be compared yet is asked again, never taken for nothing.
pub(crate) fn sale(provider: ProviderKind, candidates: Vec<Candidate>, about: DateTime<Utc>) -> LookUpOutcome {
    let found = |one: &Candidate| LookUpOutcome::Found(Box::new(receipt::remote(provider, &one.row, about)));
    let ids = |some: &[&Candidate]| LookUpOutcome::Ambiguous(some.iter().map(|one| one.id.clone()).collect());
    let with = |test: &dyn Fn(&Candidate) -> bool| candidates.iter().filter(|one| test(one)).collect::<Vec<_>>();

    let ours = with(&|one| one.origin == Tagged::Ours && one.agreement != Agreement::Differs);
    // Keys are unique in a journal: an earlier one may be of another till, or of this one before it was set up anew.
    let since: Vec<_> = ours.iter().copied().filter(|one| !one.earlier).collect();
    match (since.as_slice(), ours.as_slice()) {
        ([one], _) => return found(one),
        ([], []) => {}
        ([], earlier) => return ids(earlier),
        (several, _) => return ids(several),
    }
    // Our tag on another content: two journals with one key, or a provider that changes what it is sent.
    let odd = with(&|one| one.origin == Tagged::Ours && one.in_window);
    if !odd.is_empty() {
        return ids(&odd);
    }
    let untagged =
        |level: Agreement| with(&move |one| one.origin == Tagged::No && one.in_window && one.agreement == level);
    let (same, nearly, hidden) = (untagged(Agreement::Same), untagged(Agreement::Nearly), untagged(Agreement::NoLines));
    let waits = |one: &&Candidate| matches!(receipt::status(&one.row).as_deref(), None | Some("new" | "retry"));
    if hidden.iter().any(waits) {
        let why = "a receipt that may be it does not show its lines yet".to_owned();
        return LookUpOutcome::Failed { why, retry_after: None };
    }
    match (same.as_slice(), nearly.as_slice(), hidden.as_slice()) {
        ([one], _, []) => found(one),
        ([], [], []) => LookUpOutcome::NotFound,
        ([], _, _) => ids(&[nearly, hidden].concat()),
        _ => ids(&[same, hidden].concat()),
    }
}

/// Decides about a return: `children` are unclaimed, of the parent, and not created outside the window.
pub(crate) fn returned(
    provider: ProviderKind,
    call: &Call,
    children: Vec<(String, Value)>,
    about: DateTime<Utc>,
) -> LookUpOutcome {
    let agree: Vec<_> = children.iter().filter(|(_, row)| return_quantities(&call.return_items, row)).collect();
    match agree.as_slice() {
        [(_, row)] => LookUpOutcome::Found(Box::new(receipt::remote(provider, row, about))),
        [] if children.is_empty() => LookUpOutcome::NotFound,
        _ => LookUpOutcome::Ambiguous(children.into_iter().map(|(id, _)| id).collect()),
    }
}
