//! The totals of a sale (PROVIDERS.md 2.1, measured on the authority's portal).

use serde::{Deserialize, Serialize};

use super::exact::{self, ByRate};
use crate::domain::check::ParentLine;
use crate::domain::document::{Item, Receipt};
use crate::domain::input::{ItemInput, ReceiptInput};
use crate::domain::money::{Cents, Decimal, EightPlaces, Numeral, round_ratio};
use crate::domain::vat::VatRate;

/// The totals of a sale, in JSON decimal text: 8 places, or 2 where it says cents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleTotals {
    /// Its lines, in order.
    pub items: Vec<SaleLine>,
    /// What the sale comes to, complimentary lines left out: rounded once, here. Cents.
    pub total_amount: Cents,
    /// The same before it is rounded to cents.
    pub total_amount_exact: EightPlaces,
    /// Without VAT, before line discounts, complimentary lines included.
    pub total_taxable_amount: EightPlaces,
    /// VAT, complimentary lines included.
    pub total_vat_amount: EightPlaces,
    /// Line discounts without VAT.
    pub total_discount: EightPlaces,
    /// Line discounts, VAT included.
    pub total_gross_discount: EightPlaces,
    /// Discount at payment. Cents.
    pub discount: Cents,
    /// Cash, electronic and meal vouchers. Cents.
    pub paid_amount: Cents,
    /// Services and goods not yet paid. Cents.
    pub total_uncollected_amount: Cents,
    /// `total_amount` less `discount`. Cents.
    pub amount_to_settle: Cents,
}

/// A line of a sale in the authority's own shape, in JSON decimal text with 8 places.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleLine {
    /// Price of one, VAT included.
    pub gross_price: EightPlaces,
    /// Price of one without VAT.
    pub unit_price: EightPlaces,
    /// Discount of the line, VAT included.
    pub gross_discount: EightPlaces,
    /// Discount of the line without VAT.
    pub unit_discount: EightPlaces,
    /// The line without VAT, before its discount.
    pub taxable_amount: EightPlaces,
    /// The line without VAT, after its discount.
    pub net_taxable_amount: EightPlaces,
    /// Its VAT.
    pub vat_amount: EightPlaces,
    /// What it comes to, VAT included, after its discount.
    pub total_amount: EightPlaces,
}

/// What the totals need of a line, as whole numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// Hundredths.
    pub quantity: i128,
    /// 10^-8 euro.
    pub price: i128,
    /// 10^-8 euro.
    pub discount: i128,
    pub rate: VatRate,
    pub complimentary: bool,
}

impl Line {
    /// Before its discount, in 10^-10 euro.
    pub fn before_discount(&self) -> Option<i128> {
        self.quantity.checked_mul(self.price)
    }

    /// After its discount, in 10^-10 euro.
    pub fn after_discount(&self) -> Option<i128> {
        self.before_discount()?.checked_sub(self.discount.checked_mul(100)?)
    }

    /// Of a checked line.
    pub fn of(item: &Item) -> Option<Line> {
        Some(Line {
            quantity: item.quantity.at(2)?,
            price: item.unit_price.at(8)?,
            discount: item.discount.at(8)?,
            rate: item.vat_rate_code,
            complimentary: item.complimentary,
        })
    }

    fn of_input(item: &ItemInput) -> Option<Line> {
        Some(Line {
            quantity: item.quantity.parse().ok()?.at(2)?,
            price: item.unit_price.parse().ok()?.at(8)?,
            discount: number(item.discount.as_ref(), 8)?,
            rate: item.vat_rate_code.as_str().parse().ok()?,
            complimentary: item.complimentary.unwrap_or(false),
        })
    }

    fn totals(&self) -> Option<SaleLine> {
        let (before, after) = (self.before_discount()?, self.after_discount()?);
        let scaled = |amount: i128| amount.checked_mul(100); // from 10^-8 to 10^-10
        let eight = |units: Option<i128>| units.map(EightPlaces::new);
        Some(SaleLine {
            gross_price: eight(Some(self.price))?,
            unit_price: eight(exact::net(scaled(self.price)?, self.rate))?,
            gross_discount: eight(Some(self.discount))?,
            unit_discount: eight(exact::net(scaled(self.discount)?, self.rate))?,
            taxable_amount: eight(exact::net(before, self.rate))?,
            net_taxable_amount: eight(exact::net(after, self.rate))?,
            vat_amount: eight(exact::vat(after, self.rate))?,
            total_amount: eight(round_ratio(after, 100))?,
        })
    }
}

fn number(numeral: Option<&Numeral>, places: u32) -> Option<i128> {
    numeral.map_or(Some(0), |numeral| numeral.parse().ok()?.at(places))
}

/// Paid, uncollected and discounted, in cents.
struct Payments {
    paid: i128,
    uncollected: i128,
    discount: i128,
}

fn totals(lines: impl ExactSizeIterator<Item = Option<Line>>, payments: &Payments) -> Option<SaleTotals> {
    let (mut taxable, mut net, mut discounts) = (ByRate::new(), ByRate::new(), ByRate::new());
    let (mut gross_discount, mut due) = (0i128, Due::NONE);
    let mut items = Vec::with_capacity(lines.len());
    for line in lines {
        let line = line?;
        due.add(&line);
        taxable.add(line.rate, line.before_discount()?)?;
        net.add(line.rate, line.after_discount()?)?;
        discounts.add(line.rate, line.discount.checked_mul(100)?)?;
        gross_discount = gross_discount.checked_add(line.discount)?;
        items.push(line.totals()?);
    }
    let (total, cents) = (due.0?, due.cents()?);
    let eight = |units: Option<i128>| units.map(EightPlaces::new);
    Some(SaleTotals {
        items,
        total_amount: Cents::new(cents),
        total_amount_exact: eight(round_ratio(total, 100))?,
        total_taxable_amount: eight(taxable.net())?,
        total_vat_amount: eight(net.vat())?,
        total_discount: eight(discounts.net())?,
        total_gross_discount: eight(Some(gross_discount))?,
        discount: Cents::new(payments.discount),
        paid_amount: Cents::new(payments.paid),
        total_uncollected_amount: Cents::new(payments.uncollected),
        amount_to_settle: Cents::new(cents.checked_sub(payments.discount)?),
    })
}

/// What is to pay, in 10^-10 euro, exact: Σ of the lines that are not complimentary; `None` once it does not fit.
pub(crate) struct Due(Option<i128>);

impl Due {
    /// For no line at all.
    pub const NONE: Due = Due(Some(0));

    /// For checked lines; `None` past the limits that the checks keep.
    pub fn of(items: &[Item]) -> Option<Due> {
        let mut due = Due::NONE;
        items.iter().try_for_each(|item| Line::of(item).map(|line| due.add(&line)))?;
        Some(due)
    }

    pub fn add(&mut self, line: &Line) {
        if !line.complimentary {
            self.0 = self.0.and_then(|sum| sum.checked_add(line.after_discount()?));
        }
    }

    /// In cents: rounded once.
    pub fn cents(&self) -> Option<i128> {
        round_ratio(self.0?, 100_000_000)
    }
}

/// The totals of a sale; `None` only past the limits that the checks keep.
pub fn sale(receipt: &Receipt) -> Option<SaleTotals> {
    let cents = |amounts: &[Decimal]| sum(amounts.iter().map(|amount| amount.at(2)));
    let payments = Payments {
        paid: cents(&[
            receipt.cash_payment_amount,
            receipt.electronic_payment_amount,
            receipt.ticket_restaurant_payment_amount,
        ])?,
        uncollected: cents(&[receipt.services_uncollected_amount, receipt.goods_uncollected_amount])?,
        discount: receipt.discount.at(2)?,
    };
    totals(receipt.items.iter().map(Line::of), &payments)
}

/// The totals of a sale that has not passed the checks, for showing beside its violations; `None` where its numbers or
/// VAT rates cannot be read.
pub fn sale_of_input(input: &ReceiptInput) -> Option<SaleTotals> {
    let cents = |amounts: &[&Option<Numeral>]| sum(amounts.iter().map(|amount| number(amount.as_ref(), 2)));
    let payments = Payments {
        paid: cents(&[
            &input.cash_payment_amount,
            &input.electronic_payment_amount,
            &input.ticket_restaurant_payment_amount,
        ])?,
        uncollected: cents(&[&input.services_uncollected_amount, &input.goods_uncollected_amount])?,
        discount: number(input.discount.as_ref(), 2)?,
    };
    totals(input.items.iter().map(Line::of_input), &payments)
}

fn sum(amounts: impl Iterator<Item = Option<i128>>) -> Option<i128> {
    amounts.into_iter().try_fold(0i128, |sum, amount| sum.checked_add(amount?))
}

/// What must be paid of a sale, in cents exact: Σ of the non-complimentary lines, rounded once.
pub fn due(receipt: &Receipt) -> Option<Decimal> {
    Decimal::new(Due::of(&receipt.items)?.cents()?, 2)
}

/// The lines of a sale as a return needs them, with nothing returned yet and no ids. From the journaled body and totals.
pub fn parent_lines(receipt: &Receipt, totals: &SaleTotals) -> Vec<ParentLine> {
    let lines = receipt.items.iter().zip(&totals.items);
    lines
        .map(|(item, line)| ParentLine {
            id: None,
            quantity: item.quantity,
            returned: Decimal::ZERO,
            unit_price: line.unit_price.into(),
            unit_discount: line.unit_discount.into(),
            vat_rate: item.vat_rate_code,
            complimentary: item.complimentary,
        })
        .collect()
}
