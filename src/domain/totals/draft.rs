//! The totals of a tax-free invoice (PROVIDERS.md 2.5): an estimate of what Stamp will print, from the one printed
//! example there is. Each line is rounded to cents without its VAT, then summed.

use serde::{Deserialize, Serialize};

use super::exact::divisor;
use crate::domain::document::Draft;
use crate::domain::input::DraftInput;
use crate::domain::money::{Cents, Decimal, round_ratio};
use crate::domain::vat::VatRate;

/// The totals of a tax-free invoice, in JSON decimal text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftTotals {
    /// All lines, VAT included: rounded once.
    pub gross_subtotal: Cents,
    /// The discount, VAT included.
    pub discount_gross: Cents,
    /// The subtotal less the discount.
    pub gross_total: Cents,
    /// Each line without VAT.
    pub line_nets: Vec<Cents>,
    /// Their sum.
    pub net_subtotal: Cents,
    /// The discount without VAT; null when the lines have several rates, as nobody says how Stamp splits it.
    pub net_discount: Option<Cents>,
    /// `net_subtotal` less `net_discount`; null when that is.
    pub net_total: Option<Cents>,
}

/// A line: its amount in 10^-10 euro, VAT included, and its rate.
type Line = (i128, VatRate);

/// Quantity times price in 10^-10 euro; a quantity has at most 2 decimals, a price 8.
fn amount(quantity: Decimal, price: Decimal) -> Option<i128> {
    quantity.at(2)?.checked_mul(price.at(8)?)
}

/// Several lines, in cents, VAT included: rounded once.
pub(crate) fn gross(amounts: impl Iterator<Item = (Decimal, Decimal)>) -> Option<i128> {
    let sum = amounts.map(|(quantity, price)| amount(quantity, price));
    round_ratio(sum.into_iter().try_fold(0i128, |sum, line| sum.checked_add(line?))?, 100_000_000)
}

fn totals(lines: &[Line], discount: i128) -> Option<DraftTotals> {
    let without_vat =
        |amount: i128, scale: i128, rate| round_ratio(amount.checked_mul(10_000)?, divisor(rate).checked_mul(scale)?);
    let mut gross = 0i128;
    let mut net_subtotal = 0i128;
    let mut line_nets = Vec::with_capacity(lines.len());
    for (amount, rate) in lines {
        let net = without_vat(*amount, 100_000_000, *rate)?;
        gross = gross.checked_add(*amount)?;
        net_subtotal = net_subtotal.checked_add(net)?;
        line_nets.push(Cents::new(net));
    }
    let gross_subtotal = round_ratio(gross, 100_000_000)?;
    let rate = lines.first().map(|(_, rate)| *rate).filter(|one| lines.iter().all(|(_, rate)| rate == one));
    let net_discount = match rate {
        _ if discount == 0 => Some(0), // nothing to split
        Some(rate) => Some(without_vat(discount, 1, rate)?),
        None => None,
    };
    Some(DraftTotals {
        gross_subtotal: Cents::new(gross_subtotal),
        discount_gross: Cents::new(discount),
        gross_total: Cents::new(gross_subtotal.checked_sub(discount)?),
        line_nets,
        net_subtotal: Cents::new(net_subtotal),
        net_discount: net_discount.map(Cents::new),
        net_total: match net_discount {
            Some(discount) => Some(Cents::new(net_subtotal.checked_sub(discount)?)),
            None => None,
        },
    })
}

/// The totals of a tax-free invoice; `None` only past the limits that the checks keep.
pub fn draft(draft: &Draft) -> Option<DraftTotals> {
    let lines = draft.items.iter().map(|item| Some((amount(item.quantity, item.unit_price_with_vat)?, item.vat_rate)));
    totals(&lines.collect::<Option<Vec<Line>>>()?, draft.discount.at(2)?)
}

/// The totals of a tax-free invoice that has not passed the checks; `None` where its numbers or VAT rates cannot be read.
pub fn draft_of_input(input: &DraftInput) -> Option<DraftTotals> {
    let lines = input.items.iter().map(|item| {
        let amount = amount(item.quantity.parse().ok()?, item.unit_price_with_vat.parse().ok()?)?;
        Some((amount, VatRate::of_tax_free(item.vat_rate.parse().ok()?)?))
    });
    let discount = input.discount.as_ref().map_or(Some(0), |discount| discount.parse().ok()?.at(2))?;
    totals(&lines.collect::<Option<Vec<Line>>>()?, discount)
}
