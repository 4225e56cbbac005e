//! What takes a sale back, by lines or whole; a void may also be of a tax-free invoice.

use serde::{Deserialize, Serialize};

use super::{NewDocument, Parent};
use crate::domain::input::{BodyInput, ReturnInput, ReturnItemInput, VoidInput};
use crate::domain::money::{Decimal, as_text};

/// Goods given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Return {
    /// What is given back, by line.
    pub items: Vec<ReturnItem>,
}

/// One line given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnItem {
    /// The 0-based line of the sale in this journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Or the authority's item id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many.
    #[serde(serialize_with = "as_text")]
    pub quantity: Decimal,
}

impl Return {
    /// Begins a return of a sale.
    pub fn of(parent: Parent) -> ReturnBuilder {
        ReturnBuilder { parent, input: ReturnInput::default() }
    }
}

/// Collects a return.
#[derive(Debug, Clone)]
pub struct ReturnBuilder {
    parent: Parent,
    input: ReturnInput,
}

impl ReturnBuilder {
    /// Gives back `quantity` of the 0-based `line` of the sale.
    pub fn line(mut self, line: u32, quantity: impl Into<Decimal>) -> Self {
        let quantity = quantity.into().into();
        self.input.items.push(ReturnItemInput { line: Some(line), id: None, quantity });
        self
    }

    /// Gives back `quantity` of the line with the authority's item `id`.
    pub fn id(mut self, id: impl Into<String>, quantity: impl Into<Decimal>) -> Self {
        let quantity = quantity.into().into();
        self.input.items.push(ReturnItemInput { line: None, id: Some(id.into()), quantity });
        self
    }
}

impl From<ReturnBuilder> for NewDocument {
    fn from(value: ReturnBuilder) -> NewDocument {
        NewDocument::of(BodyInput::Return(value.input), Some(value.parent))
    }
}

/// A sale called off, or a tax-free invoice cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Void {
    /// For a tax-free invoice: the number of the credit note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_note_number: Option<String>,
}

impl Void {
    /// Calls off a sale.
    pub fn of(parent: Parent) -> NewDocument {
        NewDocument::of(BodyInput::Void(VoidInput::default()), Some(parent))
    }

    /// Cancels a tax-free invoice by its credit note.
    pub fn with_credit_note(parent: Parent, number: impl Into<String>) -> NewDocument {
        NewDocument::of(BodyInput::Void(VoidInput { credit_note_number: Some(number.into()) }), Some(parent))
    }
}
