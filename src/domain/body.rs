//! A document that has passed the checks, and its JSON: whole, as it is shown, and as it is journaled: without members that
//! have their usual value. Of a small sale these are a third of the bytes, and a till's flash wears with each.

use serde::{Serialize, Serializer};

use super::document::{Draft, Item, Kind, NoteNumber, Receipt, Return, Void};
use super::id::FiscalId;
use super::money::Decimal;
use super::vat::VatRate;

/// A document that has passed the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every document is a sale")]
pub enum Body {
    /// A sale.
    Receipt(Receipt),
    /// Goods given back.
    Return(Return),
    /// A sale called off, a tax-free invoice cancelled.
    Void(Void),
    /// A tax-free invoice.
    Draft(Draft),
    /// A note's number.
    NoteNumber(NoteNumber),
}

impl Body {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Receipt(_) => Kind::Receipt,
            Body::Return(_) => Kind::Return,
            Body::Void(_) => Kind::Void,
            Body::Draft(_) => Kind::Draft,
            Body::NoteNumber(_) => Kind::NoteNumber,
        }
    }

    /// Its canonical JSON, as shown, with decimals as strings; [journaled](Body::to_short_json) it is shorter.
    pub fn to_json(&self) -> serde_json::Result<String> {
        match self {
            Body::Receipt(body) => serde_json::to_string(body),
            Body::Return(body) => serde_json::to_string(body),
            Body::Void(body) => serde_json::to_string(body),
            Body::Draft(body) => serde_json::to_string(body),
            Body::NoteNumber(body) => serde_json::to_string(body),
        }
    }

    /// Reads back what [`to_json`](Body::to_json) or [`to_short_json`](Body::to_short_json) wrote. The rules are not applied again: a document once accepted is
    /// never judged by newer rules.
    pub fn from_json(kind: Kind, json: &str) -> serde_json::Result<Body> {
        Ok(match kind {
            Kind::Receipt => Body::Receipt(serde_json::from_str(json)?),
            Kind::Return => Body::Return(serde_json::from_str(json)?),
            Kind::Void => Body::Void(serde_json::from_str(json)?),
            Kind::Draft => Body::Draft(serde_json::from_str(json)?),
            Kind::NoteNumber => Body::NoteNumber(serde_json::from_str(json)?),
        })
    }

    /// Its canonical JSON without members that have their usual value (no discount, not complimentary, paid nothing), as
    /// journaled. [`from_json`](Body::from_json) reads both.
    ///
    /// # Errors
    /// None in practice.
    pub fn to_short_json(&self) -> serde_json::Result<String> {
        match self {
            Body::Receipt(receipt) => {
                let mut out = Vec::with_capacity(USUAL);
                serde_json::to_writer(&mut out, &ShortReceipt::of(receipt))?;
                String::from_utf8(out).map_err(serde::ser::Error::custom)
            }
            Body::Return(_) | Body::Void(_) | Body::Draft(_) | Body::NoteNumber(_) => self.to_json(),
        }
    }
}

/// Most sales are not longer, in bytes.
const USUAL: usize = 1_000;

/// [`Receipt`] with the same members in the same order.
#[derive(Serialize)]
struct ShortReceipt<'a> {
    fiscal_id: &'a FiscalId,
    #[serde(serialize_with = "short_items")]
    items: &'a [Item],
    #[serde(skip_serializing_if = "is_zero")]
    cash_payment_amount: Decimal,
    #[serde(skip_serializing_if = "is_zero")]
    electronic_payment_amount: Decimal,
    #[serde(skip_serializing_if = "is_zero")]
    ticket_restaurant_payment_amount: Decimal,
    #[serde(skip_serializing_if = "is_default")]
    ticket_restaurant_quantity: u32,
    #[serde(skip_serializing_if = "is_zero")]
    services_uncollected_amount: Decimal,
    #[serde(skip_serializing_if = "is_zero")]
    goods_uncollected_amount: Decimal,
    #[serde(skip_serializing_if = "is_zero")]
    discount: Decimal,
    #[serde(skip_serializing_if = "is_default")]
    invoice_issuing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lottery_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linked_receipt: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

/// [`Item`] likewise.
#[derive(Serialize)]
struct ShortItem<'a> {
    quantity: Decimal,
    description: &'a str,
    unit_price: Decimal,
    vat_rate_code: VatRate,
    #[serde(skip_serializing_if = "is_zero")]
    discount: Decimal,
    #[serde(skip_serializing_if = "is_default")]
    complimentary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<&'a str>,
}

fn short_items<S: Serializer>(items: &[Item], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(items.iter().map(ShortItem::of))
}

/// Zero as it is written when nothing was said: `0.00` was said.
fn is_zero(amount: &Decimal) -> bool {
    amount.is_zero() && amount.places() == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<'a> ShortReceipt<'a> {
    // Every member is named: one that is added must be added here too.
    fn of(receipt: &'a Receipt) -> Self {
        let Receipt {
            fiscal_id,
            items,
            cash_payment_amount,
            electronic_payment_amount,
            ticket_restaurant_payment_amount,
            ticket_restaurant_quantity,
            services_uncollected_amount,
            goods_uncollected_amount,
            discount,
            invoice_issuing,
            lottery_code,
            linked_receipt,
            tags,
            email,
        } = receipt;
        ShortReceipt {
            fiscal_id,
            items,
            cash_payment_amount: *cash_payment_amount,
            electronic_payment_amount: *electronic_payment_amount,
            ticket_restaurant_payment_amount: *ticket_restaurant_payment_amount,
            ticket_restaurant_quantity: *ticket_restaurant_quantity,
            services_uncollected_amount: *services_uncollected_amount,
            goods_uncollected_amount: *goods_uncollected_amount,
            discount: *discount,
            invoice_issuing: *invoice_issuing,
            lottery_code: lottery_code.as_deref(),
            linked_receipt: linked_receipt.as_deref(),
            tags,
            email: email.as_deref(),
        }
    }
}

impl<'a> ShortItem<'a> {
    fn of(item: &'a Item) -> Self {
        let Item { quantity, description, unit_price, vat_rate_code, discount, complimentary, sku } = item;
        ShortItem {
            quantity: *quantity,
            description,
            unit_price: *unit_price,
            vat_rate_code: *vat_rate_code,
            discount: *discount,
            complimentary: *complimentary,
            sku: sku.as_deref(),
        }
    }
}
