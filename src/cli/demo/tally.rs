//! The end of the story: what the shop took, against what the authority has.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::document::Kind;
use crate::domain::state::State;
use crate::sandbox::LedgerEntry;
use crate::view::Summary;

/// The count that matters.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// Lines taken.
    pub enqueued: usize,
    /// At the authority; for notes and cancels, the provider said yes.
    pub registered: usize,
    /// Called off before they left.
    pub cancelled: usize,
    /// Drafts that wait for their merchant.
    pub waiting: usize,
    /// For a person to decide.
    pub held: usize,
    /// Refused, at intake or by the provider.
    pub refused: usize,
    /// Taken, and neither at the authority nor in a state that says why not.
    pub lost: usize,
    /// At the authority more than once.
    pub doubled: usize,
}

/// Counts. `taken` are the keys that `enqueue` promised.
pub(super) fn tally(taken: &BTreeSet<String>, refused: usize, documents: &[Summary], ledger: &[LedgerEntry]) -> Tally {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for key in ledger.iter().filter_map(|entry| entry.idempotency_key.as_deref()) {
        *times.entry(key).or_default() += 1;
    }
    let mut tally = Tally { enqueued: taken.len(), refused, ..Tally::default() };
    let known: BTreeMap<&str, &Summary> = documents.iter().map(|document| (document.key.as_str(), document)).collect();
    for key in taken {
        let times = times.get(key.as_str()).copied().unwrap_or(0);
        let document = known.get(key.as_str());
        // A draft has no fiscal effect: the provider may have one that nobody was shown.
        if times > 1 && document.is_none_or(|document| document.kind != Kind::Draft) {
            tally.doubled += 1;
        }
        let counted = match document.map(|document| (document.state, document.kind)) {
            Some((State::Registered, _)) if times > 0 => &mut tally.registered,
            Some((State::Cancelled, _)) if times == 0 => &mut tally.cancelled,
            Some((State::Accepted, Kind::Draft)) if times > 0 => &mut tally.waiting,
            Some((State::Held, _)) => &mut tally.held,
            Some((State::Refused | State::Failed, _)) => &mut tally.refused,
            _ => &mut tally.lost,
        };
        *counted += 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(key: &str, state: State) -> Summary {
        let at = chrono::DateTime::UNIX_EPOCH;
        Summary {
            key: key.to_owned(),
            id: "1".to_owned(),
            kind: Kind::Receipt,
            account: None,
            fiscal_id: None,
            state,
            reason: None,
            issued_at: at,
            enqueued_at: at,
            due_at: None,
            attempts: 1,
        }
    }

    #[test]
    fn what_is_registered_here_and_not_there_is_lost() {
        let taken = ["a", "b", "c"].map(str::to_owned).into();
        let documents = [document("a", State::Registered), document("b", State::Queued)];
        let tally = tally(&taken, 1, &documents, &[]);
        assert_eq!(tally, Tally { enqueued: 3, refused: 1, lost: 3, ..Tally::default() });
    }
}
