//! The check that matters: what the authority has against what the journal says.

use std::collections::BTreeMap;

use super::authority::Issued;
use crate::domain::document::Kind;
use crate::domain::state::State;
use crate::sandbox::LedgerEntry;
use crate::view::Summary;

/// How far a document of a [ledger](LedgerRow) came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The provider has it, and the authority does not: not yet, or it refused it.
    Taken,
    /// It exists as a fiscal document.
    Issued,
    /// The provider said yes and has it no more.
    Gone,
}

/// A row of an authority's ledger, as [`check_exactly_once`] reads it. The scripted authority's and the sandbox's are
/// such rows; implement it for what your own stand-in of a provider writes down.
pub trait LedgerRow {
    /// The till's key, as it came with the document; empty if none came. For the check alone: nothing else knows it.
    fn key(&self) -> &str;

    /// How far it came.
    fn standing(&self) -> Standing;
}

/// Of [`Authority::ledger`](super::Authority::ledger).
impl LedgerRow for Issued {
    fn key(&self) -> &str {
        &self.key
    }

    fn standing(&self) -> Standing {
        if self.fails { Standing::Taken } else { Standing::Issued }
    }
}

/// Of [`Sandbox::ledger`](crate::sandbox::Sandbox::ledger), or of the array that `GET /_sandbox/ledger` gives.
impl LedgerRow for LedgerEntry {
    fn key(&self) -> &str {
        self.idempotency_key.as_deref().unwrap_or_default()
    }

    fn standing(&self) -> Standing {
        match self.issued {
            _ if self.status == "lost" => Standing::Gone,
            true => Standing::Issued,
            false => Standing::Taken,
        }
    }
}

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The provider has it more than once.
    Doubled {
        /// The till's key.
        key: String,
        /// How often.
        times: usize,
    },
    /// The journal says that the provider has it, or the authority, and that is not so.
    Lost {
        /// The till's key.
        key: String,
        /// What the journal says.
        state: State,
    },
    /// The provider has it, and the journal says that it never went there or was refused.
    Denied {
        /// The till's key.
        key: String,
        /// What the journal says.
        state: State,
    },
    /// The provider has a document that the journal does not know.
    Unknown {
        /// The key it came with; empty if none came.
        key: String,
    },
}

/// Compares what the authority has ([`Authority::ledger`](super::Authority::ledger), or
/// [`Sandbox::ledger`](crate::sandbox::Sandbox::ledger)) with what the journal says
/// ([`Queue::list`](crate::Queue::list), or the objects of `staffetta --json list`): finds nothing where every document
/// was issued exactly once, or is in a state that does not claim so. A draft may be there twice (it has no fiscal
/// effect). Of several providers hand over all rows at once.
///
/// It says nothing of documents that were never enqueued, nor of those still on their way: after
/// [`Dispatcher::drained`](crate::Dispatcher::drained) compare the ledger's keys with what the till has sold. An
/// example is [above](crate::testing#testing-a-tills-own-loop).
pub fn check_exactly_once<R: LedgerRow>(ledger: &[R], journal: &[Summary]) -> Vec<Finding> {
    let known: BTreeMap<&str, &Summary> = journal.iter().map(|document| (document.key.as_str(), document)).collect();
    // By key: how many the provider has, and how many of them the authority.
    let mut times: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut findings = Vec::new();
    for row in ledger.iter().filter(|row| row.standing() != Standing::Gone) {
        let (taken, issued) = times.entry(row.key()).or_default();
        *taken += 1;
        *issued += usize::from(row.standing() == Standing::Issued);
        if !known.contains_key(row.key()) {
            findings.push(Finding::Unknown { key: row.key().to_owned() });
        }
    }
    for document in journal {
        let (taken, issued) = times.get(document.key.as_str()).copied().unwrap_or_default();
        let (key, state) = (document.key.clone(), document.state);
        if taken > 1 && document.kind != Kind::Draft {
            findings.push(Finding::Doubled { key: key.clone(), times: taken });
        }
        match state {
            State::Registered if issued == 0 => findings.push(Finding::Lost { key, state }),
            State::Accepted | State::Failed if taken == 0 => findings.push(Finding::Lost { key, state }),
            State::Cancelled | State::Refused if taken > 0 => findings.push(Finding::Denied { key, state }),
            _ => {}
        }
    }
    findings
}
