//! A tax-free invoice, and the numbers of its notes.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::{NewDocument, Parent};
use crate::domain::input::{BodyInput, DraftInput, NoteNumberInput};
use crate::domain::money::{Decimal, as_text};
use crate::domain::vat::VatRate;

/// A tax-free invoice for the merchant to complete (S0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Draft {
    /// The merchant's own invoice number, unused so far in this journal.
    pub merchant_invoice_id: String,
    /// The invoice's date and time, Italian time.
    pub created_on: NaiveDateTime,
    /// Its lines.
    pub items: Vec<DraftItem>,
    /// Discount on the whole, VAT included, EUR.
    #[serde(serialize_with = "as_text")]
    pub discount: Decimal,
}

/// A line of a tax-free invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftItem {
    /// The shop's article code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_code: Option<String>,
    /// At least 5 characters (S0).
    pub description: String,
    /// Above zero.
    #[serde(serialize_with = "as_text")]
    pub quantity: Decimal,
    /// Price of one, VAT included, EUR.
    #[serde(serialize_with = "as_text")]
    pub unit_price_with_vat: Decimal,
    /// 4, 5, 10 or 22.
    pub vat_rate: VatRate,
}

impl From<DraftInput> for NewDocument {
    fn from(input: DraftInput) -> NewDocument {
        NewDocument::of(BodyInput::Draft(input), None)
    }
}

/// Which note a number belongs to (S0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Debit note for the VAT, after customs rejected the invoice.
    DebitVat,
    /// Credit note for goods given back.
    CreditGoods,
    /// Credit note for the VAT.
    CreditVat,
}

/// The number of a note for a tax-free invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NoteNumber {
    /// Which note.
    pub note: Note,
    /// Its number, given by the merchant.
    pub number: String,
}

impl NoteNumber {
    /// The number of a note for this tax-free invoice.
    pub fn of(parent: Parent, note: Note, number: impl Into<String>) -> NewDocument {
        let input = NoteNumberInput { note, number: number.into() };
        NewDocument::of(BodyInput::NoteNumber(input), Some(parent))
    }
}
