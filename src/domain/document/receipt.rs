//! A sale, and the builder that checks it.

use serde::{Deserialize, Serialize};

use super::NewDocument;
use crate::domain::check;
use crate::domain::id::FiscalId;
use crate::domain::input::{BodyInput, ItemInput, ReceiptInput};
use crate::domain::money::{Decimal, as_text};
use crate::domain::vat::VatRate;

/// A sale that adds up (PROVIDERS.md 1.1, 1.2). Made by [`Receipt::new`] … [`ReceiptBuilder::build`], or read from JSON.
/// Serialises to the request fields of the receipt APIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The VAT number that issues it.
    pub fiscal_id: FiscalId,
    /// Its lines, at least one.
    pub items: Vec<Item>,
    /// Paid in cash, EUR.
    #[serde(default, serialize_with = "as_text")]
    pub cash_payment_amount: Decimal,
    /// Paid electronically, EUR.
    #[serde(default, serialize_with = "as_text")]
    pub electronic_payment_amount: Decimal,
    /// Paid with meal vouchers, EUR.
    #[serde(default, serialize_with = "as_text")]
    pub ticket_restaurant_payment_amount: Decimal,
    /// Number of meal vouchers.
    #[serde(default)]
    pub ticket_restaurant_quantity: u32,
    /// Services not yet paid, EUR.
    #[serde(default, serialize_with = "as_text")]
    pub services_uncollected_amount: Decimal,
    /// Goods not yet paid, EUR.
    #[serde(default, serialize_with = "as_text")]
    pub goods_uncollected_amount: Decimal,
    /// Discount at payment (sconto a pagare), EUR; does not touch the taxable amount.
    #[serde(default, serialize_with = "as_text")]
    pub discount: Decimal,
    /// An invoice follows (segue fattura): then nothing is paid here.
    #[serde(default)]
    pub invoice_issuing: bool,
    /// The customer's lottery code, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lottery_code: Option<String>,
    /// Fiscal reference to another receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_receipt: Option<String>,
    /// Internal tags (Openapi), not fiscal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where the provider sends the PDF (Smart Receipt).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Receipt {
    /// Begins a sale of this VAT number.
    #[expect(clippy::new_ret_no_self, reason = "a receipt is only made by build(), which checks it")]
    pub fn new(fiscal_id: FiscalId) -> ReceiptBuilder {
        ReceiptBuilder { input: ReceiptInput { fiscal_id: fiscal_id.into(), ..ReceiptInput::default() } }
    }

    /// The same sale in its unchecked form.
    pub fn to_input(&self) -> ReceiptInput {
        ReceiptInput {
            fiscal_id: self.fiscal_id.to_string(),
            items: self.items.iter().map(ItemInput::from).collect(),
            cash_payment_amount: Some(self.cash_payment_amount.into()),
            electronic_payment_amount: Some(self.electronic_payment_amount.into()),
            ticket_restaurant_payment_amount: Some(self.ticket_restaurant_payment_amount.into()),
            ticket_restaurant_quantity: Some(Decimal::from(self.ticket_restaurant_quantity).into()),
            services_uncollected_amount: Some(self.services_uncollected_amount.into()),
            goods_uncollected_amount: Some(self.goods_uncollected_amount.into()),
            discount: Some(self.discount.into()),
            invoice_issuing: Some(self.invoice_issuing),
            lottery_code: self.lottery_code.clone(),
            linked_receipt: self.linked_receipt.clone(),
            tags: (!self.tags.is_empty()).then(|| self.tags.clone()),
            email: self.email.clone(),
        }
    }
}

/// A line of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// At most two decimals, above zero.
    #[serde(serialize_with = "as_text")]
    pub quantity: Decimal,
    /// 1 to 1000 characters.
    pub description: String,
    /// Price of one, VAT included, EUR, at most 8 decimals, above zero.
    #[serde(serialize_with = "as_text")]
    pub unit_price: Decimal,
    /// The VAT rate.
    pub vat_rate_code: VatRate,
    /// Discount on the whole line, VAT included, EUR.
    #[serde(default, serialize_with = "as_text")]
    pub discount: Decimal,
    /// A free gift (omaggio).
    #[serde(default)]
    pub complimentary: bool,
    /// The shop's own article code, not reported to the authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
}

impl Item {
    /// One piece of something at a price, VAT included.
    pub fn new(description: impl Into<String>, unit_price: Decimal, vat_rate: VatRate) -> Item {
        Item {
            quantity: Decimal::ONE,
            description: description.into(),
            unit_price,
            vat_rate_code: vat_rate,
            discount: Decimal::ZERO,
            complimentary: false,
            sku: None,
        }
    }

    /// How many; [`Decimal`] or a whole number.
    pub fn quantity(mut self, quantity: impl Into<Decimal>) -> Item {
        self.quantity = quantity.into();
        self
    }

    /// A discount on the whole line, VAT included.
    pub fn discount(mut self, discount: Decimal) -> Item {
        self.discount = discount;
        self
    }

    /// Makes it a free gift.
    pub fn complimentary(mut self) -> Item {
        self.complimentary = true;
        self
    }

    /// The shop's own article code.
    pub fn sku(mut self, sku: impl Into<String>) -> Item {
        self.sku = Some(sku.into());
        self
    }
}

/// Collects a sale; [`build`](ReceiptBuilder::build) checks it.
#[derive(Debug, Clone)]
pub struct ReceiptBuilder {
    input: ReceiptInput,
}

impl ReceiptBuilder {
    /// Adds a line.
    pub fn item(mut self, item: Item) -> Self {
        self.input.items.push(ItemInput::from(&item));
        self
    }

    /// What was paid in cash.
    pub fn cash(mut self, amount: Decimal) -> Self {
        self.input.cash_payment_amount = Some(amount.into());
        self
    }

    /// What was paid electronically.
    pub fn electronic(mut self, amount: Decimal) -> Self {
        self.input.electronic_payment_amount = Some(amount.into());
        self
    }

    /// What was paid with meal vouchers, and how many they were.
    pub fn ticket_restaurant(mut self, amount: Decimal, quantity: u32) -> Self {
        self.input.ticket_restaurant_payment_amount = Some(amount.into());
        self.input.ticket_restaurant_quantity = Some(Decimal::from(quantity).into());
        self
    }

    /// Services and goods not yet paid.
    pub fn uncollected(mut self, services: Decimal, goods: Decimal) -> Self {
        self.input.services_uncollected_amount = Some(services.into());
        self.input.goods_uncollected_amount = Some(goods.into());
        self
    }

    /// A discount at payment.
    pub fn discount(mut self, amount: Decimal) -> Self {
        self.input.discount = Some(amount.into());
        self
    }

    /// An invoice follows.
    pub fn invoice_issuing(mut self) -> Self {
        self.input.invoice_issuing = Some(true);
        self
    }

    /// The customer's lottery code.
    pub fn lottery_code(mut self, code: impl Into<String>) -> Self {
        self.input.lottery_code = Some(code.into());
        self
    }

    /// An internal tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.input.tags.get_or_insert_default().push(tag.into());
        self
    }

    /// Where the provider sends the PDF.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.input.email = Some(email.into());
        self
    }

    /// The receipt, or every rule it breaks. Rules that depend on the provider are checked again by `enqueue`, which
    /// knows the account.
    pub fn build(self) -> Result<Receipt, check::Violations> {
        check::receipt(&self.input, &check::Context::default()).map_err(check::Violations)
    }
}

impl From<&Receipt> for NewDocument {
    fn from(receipt: &Receipt) -> NewDocument {
        NewDocument::of(BodyInput::Receipt(receipt.to_input()), None)
    }
}

impl From<Receipt> for NewDocument {
    fn from(receipt: Receipt) -> NewDocument {
        NewDocument::from(&receipt)
    }
}
