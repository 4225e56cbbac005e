//! The check that matters.

use std::collections::BTreeMap;

use super::authority::Issued;
use crate::domain::document::Kind;
use crate::domain::state::State;
use crate::view::Summary;

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The authority has it more than once.
    Doubled {
        /// The till's key.
        key: String,
        /// How often.
        times: usize,
    },
    /// The journal says that the authority has it, and it does not.
    Lost {
        /// The till's key.
        key: String,
    },
    /// The authority has it, and the journal says that it was never sent.
    Denied {
        /// The till's key.
        key: String,
        /// What the journal says.
        state: State,
    },
    /// The authority has a document that the journal does not know.
    Unknown {
        /// The key it came with.
        key: String,
    },
}

/// Compares what the authority has with what the journal says; finds nothing where every document was issued exactly
/// once, or is in a state that does not claim so. A draft may be there twice (it has no fiscal effect).
pub fn check_exactly_once(ledger: &[Issued], journal: &[Summary]) -> Vec<Finding> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut findings = Vec::new();
    let known: BTreeMap<&str, &Summary> = journal.iter().map(|document| (document.key.as_str(), document)).collect();
    for issued in ledger {
        *times.entry(issued.key.as_str()).or_default() += 1;
        if !known.contains_key(issued.key.as_str()) {
            findings.push(Finding::Unknown { key: issued.key.clone() });
        }
    }
    for document in journal {
        let times = times.get(document.key.as_str()).copied().unwrap_or(0);
        let key = document.key.clone();
        if times > 1 && document.kind != Kind::Draft {
            findings.push(Finding::Doubled { key: key.clone(), times });
        }
        match document.state {
            State::Registered | State::Accepted | State::Failed if times == 0 => findings.push(Finding::Lost { key }),
            State::Cancelled | State::Refused if times > 0 => {
                findings.push(Finding::Denied { key, state: document.state });
            }
            _ => {}
        }
    }
    findings
}
