//! From a receipt as the provider shows it to the verdict on its document, the same for both receipt APIs.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::classify::NoRead;
use super::receipt::{self, Stage, refuses_credentials};
use super::{Provider, Tracked};
use crate::domain::account::ProviderKind;
use crate::domain::document::Kind;
use crate::domain::outcome::{Answer, HoldAnswer, HoldReason, HoldScope, TrackOutcome};

/// From so many documents of one VAT number on, its list of waiting ones is read instead of each.
pub(crate) const MANY: usize = 4;

/// Pages of a list in a row, with nothing that is looked for, after which the list is given up.
const IN_VAIN: usize = 2;

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
        // A new word of theirs: kept and shown, and asked again.
        Stage::Strange(Some(_)) => TrackOutcome::Pending(Box::new(remote)),
        Stage::Strange(None) => NoRead::failed("the answer has no status").into_track(),
    }
}

/// What an answer to "give me this receipt" says of its document; `read` has the receipt out of the answer.
pub(crate) fn told(
    provider: ProviderKind,
    tracked: &Tracked,
    read: impl FnOnce(&str) -> Result<Value, NoRead>,
) -> TrackOutcome {
    match read(tracked.remote.remote_id.as_deref().unwrap_or_default()) {
        Ok(row) => judge(provider, tracked, &row),
        Err(why) => why.into_track(),
    }
}

/// Whether the authority has it.
pub(crate) fn is_there(provider: ProviderKind, row: &Value) -> bool {
    let remote = receipt::remote(provider, row, chrono::DateTime::UNIX_EPOCH);
    receipt::stage(row, &remote) == Stage::There
}

/// Receipts of VAT numbers as the provider lists them, by id, or why they could not be listed.
pub(crate) type Lists<'a> = HashMap<&'a str, Result<HashMap<String, Value>, Answer<TrackOutcome>>>;

/// The VAT numbers that have enough documents for a list.
pub(crate) fn crowded(tracked: &[Tracked]) -> Vec<&str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for fiscal_id in tracked.iter().filter_map(|one| one.call.fiscal_id.as_ref()) {
        *counts.entry(fiscal_id.as_str()).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count >= MANY).map(|(fiscal_id, _)| fiscal_id).collect()
}

/// Documents of one VAT number that are looked for in its lists.
pub(crate) struct Search<'a> {
    pub(crate) fiscal_id: &'a str,
    /// Not found yet, by id.
    wanted: HashMap<&'a str, &'a Tracked>,
    found: HashMap<String, Value>,
    /// Pages since the last one that had one of them.
    barren: usize,
}

impl<'a> Search<'a> {
    pub(crate) fn of(tracked: &'a [Tracked], fiscal_id: &'a str) -> Search<'a> {
        let of = |one: &&Tracked| one.call.fiscal_id.as_ref().is_some_and(|of| of.as_str() == fiscal_id);
        let wanted =
            tracked.iter().filter(of).filter_map(|one| Some((one.remote.remote_id.as_deref()?, one))).collect();
        Search { fiscal_id, wanted, found: HashMap::new(), barren: 0 }
    }

    /// What was not found yet.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &'a Tracked> {
        self.wanted.values().copied()
    }

    /// Another list, of which nothing was seen.
    pub(crate) fn begin(&mut self) {
        self.barren = 0;
    }

    /// Takes a page of a list. Returns whether another is worth its while: a list is as long as the day was busy, and in
    /// an order that nobody states.
    pub(crate) fn take(&mut self, provider: ProviderKind, page: Vec<Value>) -> bool {
        if page.is_empty() {
            return false;
        }
        let before = self.wanted.len();
        for row in page {
            let Some(id) = receipt::id_of(provider, &row) else { continue };
            if self.wanted.remove(id.as_str()).is_some() {
                self.found.insert(id, row);
            }
        }
        self.barren = if self.wanted.len() < before { 0 } else { self.barren + 1 };
        !self.wanted.is_empty() && self.barren < IN_VAIN
    }

    /// What was found, by id.
    pub(crate) fn found(self) -> HashMap<String, Value> {
        self.found
    }
}

/// The verdict that the lists give; none when the document must be asked for itself: it is in no list, or its row does
/// not show the items that a return would need.
fn listed(provider: ProviderKind, one: &Tracked, lists: &Lists<'_>) -> Option<Answer<TrackOutcome>> {
    let id = one.remote.remote_id.as_deref()?;
    let rows = match lists.get(one.call.fiscal_id.as_ref()?.as_str())? {
        Err(failed) => return Some(failed.clone()),
        Ok(rows) => rows,
    };
    let outcome = judge(provider, one, rows.get(id)?);
    let bare = matches!(&outcome, TrackOutcome::Registered(remote) if remote.items.is_empty());
    (!(bare && one.call.body.kind() == Kind::Receipt)).then(|| Answer::without_http(outcome))
}

/// Questions in a row that brought nothing, after which no more are asked for the moment: each may take as long as an answer
/// is waited for.
const VAIN: usize = 2;

/// Questions in a row that brought nothing.
#[derive(Debug, Default)]
pub(crate) struct Vain(usize);

impl Vain {
    /// Takes note of one; returns whether that is enough.
    pub(crate) fn is_enough(&mut self, brought_nothing: bool) -> bool {
        self.0 = if brought_nothing { self.0 + 1 } else { 0 };
        self.0 >= VAIN
    }
}

/// The verdict on each: by the lists, or where they do not give it, asked for by itself.
pub(crate) async fn each(
    adapter: &impl Provider,
    provider: ProviderKind,
    tracked: &[Tracked],
    lists: &Lists<'_>,
) -> Vec<Answer<TrackOutcome>> {
    until_in_vain(adapter, tracked, |one| listed(provider, one, lists)).await
}

/// The answer on each: what is known of it, or asked for. Ends where asking is in vain.
pub(crate) async fn until_in_vain<P: Provider + ?Sized>(
    adapter: &P,
    tracked: &[Tracked],
    known: impl Fn(&Tracked) -> Option<Answer<TrackOutcome>> + Send + Sync,
) -> Vec<Answer<TrackOutcome>> {
    let (mut answers, mut vain) = (Vec::with_capacity(tracked.len()), Vain::default());
    for one in tracked {
        if let Some(answer) = known(one) {
            answers.push(answer);
            continue;
        }
        let answer = adapter.track(one).await;
        let enough = vain.is_enough(answer.outcome.is_unreadable());
        answers.push(answer);
        if enough {
            break;
        }
    }
    answers
}
