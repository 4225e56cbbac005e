//! The kinds of documents, by name.

use serde::{Deserialize, Serialize};

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A sale.
    Receipt,
    /// Goods given back, by lines of a sale.
    Return,
    /// A sale called off whole, or a tax-free invoice cancelled by its credit note.
    Void,
    /// A tax-free invoice for the merchant to complete in the provider's portal.
    Draft,
    /// The number of a note for a tax-free invoice.
    NoteNumber,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Receipt, Kind::Return, Kind::Void, Kind::Draft, Kind::NoteNumber];

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Receipt => "receipt",
            Kind::Return => "return",
            Kind::Void => "void",
            Kind::Draft => "draft",
            Kind::NoteNumber => "note_number",
        }
    }

    /// Whether a document of this kind names a parent.
    pub fn has_parent(self) -> bool {
        matches!(self, Kind::Return | Kind::Void | Kind::NoteNumber)
    }

    /// What is said of one that was not sent before its deadline.
    pub(crate) fn too_late(self) -> &'static str {
        match self {
            Kind::Void => {
                "the 24 hours in which the provider takes a void are over: cancel this void, then use a return"
            }
            _ => "the time in which it could be delivered is over",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kind must be receipt, return, void, draft or note_number")]
pub struct UnknownKind;

impl std::str::FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Kind, UnknownKind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownKind)
    }
}
