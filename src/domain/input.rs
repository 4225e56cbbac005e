//! Documents as they come in: the JSON form, with its numbers still text. Unknown members are refused by name at every
//! level, a member given twice too. Nothing is judged here; [`super::check`] does that.

use serde::Deserialize;

use super::document::{Item, Kind, Note};
use super::money::Numeral;

/// A body of any kind, unchecked.
#[derive(Debug, Clone, PartialEq)]
pub enum BodyInput {
    /// A sale.
    Receipt(ReceiptInput),
    /// Goods given back.
    Return(ReturnInput),
    /// A sale called off, a tax-free invoice cancelled.
    Void(VoidInput),
    /// A tax-free invoice.
    Draft(DraftInput),
    /// A note's number.
    NoteNumber(NoteNumberInput),
}

impl BodyInput {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            BodyInput::Receipt(_) => Kind::Receipt,
            BodyInput::Return(_) => Kind::Return,
            BodyInput::Void(_) => Kind::Void,
            BodyInput::Draft(_) => Kind::Draft,
            BodyInput::NoteNumber(_) => Kind::NoteNumber,
        }
    }
}

/// A sale, unchecked. Fields as in [`super::document::Receipt`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct ReceiptInput {
    pub fiscal_id: String,
    pub items: Vec<ItemInput>,
    pub cash_payment_amount: Option<Numeral>,
    pub electronic_payment_amount: Option<Numeral>,
    pub ticket_restaurant_payment_amount: Option<Numeral>,
    pub ticket_restaurant_quantity: Option<Numeral>,
    pub services_uncollected_amount: Option<Numeral>,
    pub goods_uncollected_amount: Option<Numeral>,
    pub discount: Option<Numeral>,
    pub invoice_issuing: Option<bool>,
    pub lottery_code: Option<String>,
    pub linked_receipt: Option<String>,
    pub tags: Option<Vec<String>>,
    pub email: Option<String>,
}

/// A line of a sale, unchecked. Fields as in [`super::document::Item`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct ItemInput {
    pub quantity: Numeral,
    pub description: String,
    #[serde(alias = "gross_price")]
    pub unit_price: Numeral,
    pub vat_rate_code: String,
    #[serde(default, alias = "gross_discount")]
    pub discount: Option<Numeral>,
    #[serde(default)]
    pub complimentary: Option<bool>,
    #[serde(default)]
    pub sku: Option<String>,
}

impl From<&Item> for ItemInput {
    fn from(item: &Item) -> ItemInput {
        ItemInput {
            quantity: item.quantity.into(),
            description: item.description.clone(),
            unit_price: item.unit_price.into(),
            vat_rate_code: item.vat_rate_code.code().to_owned(),
            discount: Some(item.discount.into()),
            complimentary: Some(item.complimentary),
            sku: item.sku.clone(),
        }
    }
}

/// A return, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnInput {
    /// What is given back.
    pub items: Vec<ReturnItemInput>,
}

/// A line of a return, unchecked: `line` or `id`, not both.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct ReturnItemInput {
    #[serde(default)]
    pub line: Option<u32>,
    #[serde(default)]
    pub id: Option<String>,
    pub quantity: Numeral,
}

/// A void, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidInput {
    /// For a tax-free invoice: the number of the credit note.
    #[serde(default)]
    pub credit_note_number: Option<String>,
}

/// A tax-free invoice, unchecked; the provider's own names are taken too.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct DraftInput {
    #[serde(alias = "MerchantInvoiceId")]
    pub merchant_invoice_id: String,
    #[serde(default, alias = "CreatedOn")]
    pub created_on: Option<String>,
    #[serde(alias = "Items")]
    pub items: Vec<DraftItemInput>,
    #[serde(default, alias = "Discount")]
    pub discount: Option<Numeral>,
}

/// A line of a tax-free invoice, unchecked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct DraftItemInput {
    #[serde(default, alias = "ItemCode")]
    pub item_code: Option<String>,
    #[serde(alias = "Description")]
    pub description: String,
    #[serde(alias = "Quantity")]
    pub quantity: Numeral,
    #[serde(alias = "UnitPriceWithVat")]
    pub unit_price_with_vat: Numeral,
    #[serde(alias = "VatRate")]
    pub vat_rate: Numeral,
}

/// A note's number, unchecked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteNumberInput {
    /// Which note.
    pub note: Note,
    /// Its number.
    pub number: String,
}
