//! What the receipt providers hold: sales, returns and voids, with the authority's lines and totals.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::account::ProviderKind;
use crate::domain::check::ParentLine;
use crate::domain::document::{Item, Kind, Receipt};
use crate::domain::money::Decimal;
use crate::domain::totals::{ReturnLine, ReturnTotals, SaleLine, SaleTotals};

use super::authority::Passage;
use super::reply::number;

/// A line as the authority has it; numbers are digits.
#[derive(Debug, Clone, Default)]
pub struct Line {
    pub id: String,
    pub description: String,
    pub quantity: String,
    pub returned: String,
    pub vat_rate: String,
    pub complimentary: bool,
    pub sku: Option<String>,
    pub gross_price: String,
    pub unit_price: String,
    pub gross_discount: String,
    pub unit_discount: String,
    pub taxable_amount: String,
    pub net_taxable_amount: String,
    pub vat_amount: String,
    pub total_amount: String,
}

impl Line {
    /// A line of a sale, with what was computed for it.
    pub fn of(id: String, item: &Item, totals: &SaleLine) -> Line {
        Line {
            id,
            description: item.description.clone(),
            quantity: item.quantity.to_string(),
            returned: "0".to_owned(),
            vat_rate: item.vat_rate_code.code().to_owned(),
            complimentary: item.complimentary,
            sku: item.sku.clone(),
            gross_price: item.unit_price.to_string(),
            unit_price: totals.unit_price.to_string(),
            gross_discount: item.discount.to_string(),
            unit_discount: totals.unit_discount.to_string(),
            taxable_amount: totals.taxable_amount.to_string(),
            net_taxable_amount: totals.net_taxable_amount.to_string(),
            vat_amount: totals.vat_amount.to_string(),
            total_amount: totals.total_amount.to_string(),
        }
    }

    /// The part of a sale's line that a return takes back. As printed in S1, `quantity` stays the sold one and
    /// `return` says how many came back.
    pub fn returned(&self, id: String, quantity: Decimal, totals: &ReturnLine) -> Line {
        Line {
            id,
            returned: quantity.normal().to_string(),
            gross_discount: "0".to_owned(), // no source says how it would be divided
            unit_discount: totals.unit_discount.to_string(),
            taxable_amount: totals.taxable_amount.to_string(),
            net_taxable_amount: totals.net_taxable_amount.to_string(),
            vat_amount: totals.vat_amount.to_string(),
            total_amount: totals.total_amount.to_string(),
            ..self.clone()
        }
    }

    /// The fiscal shape.
    pub fn to_json(&self, with_sku: bool) -> Value {
        let mut line = json!({
            "id": self.id,
            "description": self.description,
            "quantity": number(&self.quantity),
            "return": number(&self.returned),
            "vat_rate": self.vat_rate,
            "complimentary": self.complimentary,
            "gross_price": number(&self.gross_price),
            "unit_price": number(&self.unit_price),
            "gross_discount": number(&self.gross_discount),
            "unit_discount": number(&self.unit_discount),
            "taxable_amount": number(&self.taxable_amount),
            "net_taxable_amount": number(&self.net_taxable_amount),
            "vat_amount": number(&self.vat_amount),
            "total_amount": number(&self.total_amount),
        });
        if let (true, Some(sku), Some(members)) = (with_sku, &self.sku, line.as_object_mut()) {
            members.insert("sku".to_owned(), json!(sku));
        }
        line
    }
}

/// Totals of a document; numbers are digits.
#[derive(Debug, Clone, Default)]
pub struct DocTotals {
    /// Rounded to cents.
    pub total_amount: String,
    /// With eight decimals.
    pub total_amount_exact: String,
    pub total_taxable_amount: String,
    pub total_vat_amount: String,
    pub total_discount: String,
    pub total_gross_discount: String,
    pub total_uncollected_amount: String,
}

impl DocTotals {
    /// Of a sale.
    pub fn of_sale(totals: &SaleTotals) -> DocTotals {
        DocTotals {
            total_amount: totals.total_amount.to_string(),
            total_amount_exact: totals.total_amount_exact.to_string(),
            total_taxable_amount: totals.total_taxable_amount.to_string(),
            total_vat_amount: totals.total_vat_amount.to_string(),
            total_discount: totals.total_discount.to_string(),
            total_gross_discount: totals.total_gross_discount.to_string(),
            total_uncollected_amount: totals.total_uncollected_amount.to_string(),
        }
    }

    /// Of a return.
    pub fn of_return(totals: &ReturnTotals) -> DocTotals {
        DocTotals {
            total_amount: totals.total_amount.to_string(),
            total_amount_exact: totals.total_amount_exact.to_string(),
            total_taxable_amount: totals.total_taxable_amount.to_string(),
            total_vat_amount: totals.total_vat_amount.to_string(),
            total_discount: totals.total_discount.to_string(),
            total_gross_discount: "0.00000000".to_owned(),
            total_uncollected_amount: "0.00".to_owned(),
        }
    }

    /// As members of an answer. A sale's total is in cents; a return's may be finer (PROVIDERS.md 2.3).
    pub fn put(&self, members: &mut Map<String, Value>, exact: bool) {
        let total = if exact { &self.total_amount_exact } else { &self.total_amount };
        for (name, digits) in [
            ("total_amount", total),
            ("total_taxable_amount", &self.total_taxable_amount),
            ("total_vat_amount", &self.total_vat_amount),
            ("total_discount", &self.total_discount),
            ("total_gross_discount", &self.total_gross_discount),
            ("total_uncollected_amount", &self.total_uncollected_amount),
        ] {
            members.insert(name.to_owned(), number(digits));
        }
    }
}

/// What belongs to a document as a whole and is echoed: payments, discount, codes.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Field name and digits.
    pub amounts: [(&'static str, Decimal); 7],
    /// An invoice follows.
    pub invoice_issuing: bool,
    /// Lottery code.
    pub lottery_code: Option<String>,
    /// Fiscal reference.
    pub linked_receipt: Option<String>,
}

impl Terms {
    /// Of a sale.
    pub fn of(receipt: &Receipt) -> Terms {
        Terms {
            amounts: [
                ("cash_payment_amount", receipt.cash_payment_amount),
                ("electronic_payment_amount", receipt.electronic_payment_amount),
                ("ticket_restaurant_payment_amount", receipt.ticket_restaurant_payment_amount),
                ("ticket_restaurant_quantity", Decimal::from(receipt.ticket_restaurant_quantity)),
                ("services_uncollected_amount", receipt.services_uncollected_amount),
                ("goods_uncollected_amount", receipt.goods_uncollected_amount),
                ("discount", receipt.discount),
            ],
            invoice_issuing: receipt.invoice_issuing,
            lottery_code: receipt.lottery_code.clone(),
            linked_receipt: receipt.linked_receipt.clone(),
        }
    }

    /// Of a return or a void: nothing is paid; a void keeps the discount (PROVIDERS.md 2.4).
    pub fn unpaid(&self, keep_discount: bool) -> Terms {
        let amounts = self.amounts.map(|(name, amount)| match name {
            "discount" if keep_discount => (name, amount),
            _ => (name, Decimal::ZERO),
        });
        Terms { amounts, invoice_issuing: false, lottery_code: None, linked_receipt: None }
    }

    /// As members of an answer.
    pub fn put(&self, members: &mut Map<String, Value>) {
        for (name, amount) in &self.amounts {
            members.insert((*name).to_owned(), number(&amount.to_string()));
        }
        members.insert("invoice_issuing".to_owned(), json!(self.invoice_issuing));
        members.insert("lottery_code".to_owned(), json!(self.lottery_code));
        members.insert("linked_receipt".to_owned(), json!(self.linked_receipt));
    }

    /// One of the amounts.
    pub fn amount(&self, name: &str) -> Decimal {
        self.amounts.iter().find(|(field, _)| *field == name).map_or(Decimal::ZERO, |(_, amount)| *amount)
    }
}

/// A sale, a return or a void at a receipt provider.
#[derive(Debug, Clone)]
pub struct Doc {
    /// Whose it is.
    pub provider: ProviderKind,
    /// `Receipt`, `Return` or `Void`.
    pub kind: Kind,
    /// The provider's id.
    pub id: String,
    /// The VAT number.
    pub fiscal_id: String,
    /// The sale that a return or a void is about.
    pub parent: Option<usize>,
    /// Returns and voids of a sale.
    pub children: Vec<usize>,
    /// When the provider took it, by the sandbox's clock.
    pub received_at: DateTime<Utc>,
    /// Its way through the authority.
    pub passage: Passage,
    /// Whether the provider has lost it (a fault).
    pub lost: bool,
    /// The authority's running number; also the transaction id.
    pub number: u64,
    /// Its lines as the authority has them.
    pub lines: Vec<Line>,
    /// The items as the client wrote them, echoed by Openapi until the authority has them.
    pub request_items: Value,
    /// For a sale: what a return may still take back.
    pub left: Vec<ParentLine>,
    /// Totals.
    pub totals: DocTotals,
    /// Payments and the rest.
    pub terms: Terms,
    /// Openapi's tags, as sent.
    pub tags: Option<Value>,
    /// The `Idempotency-Key` header, which no provider heeds.
    pub idempotency_key: Option<String>,
    /// For a void: it came after a return, and so reverses the amount twice (PROVIDERS.md 4.3).
    pub after_returns: bool,
}

impl Doc {
    /// The provider's word for what it is.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Return => "return",
            Kind::Void => "void",
            _ => "sale",
        }
    }
}
