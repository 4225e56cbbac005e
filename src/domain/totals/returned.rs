//! The totals of a return (PROVIDERS.md 2.3, measured): from the sale's lines in the authority's shape, rounded at every
//! step. The sale's discount at payment is not subtracted: a return reverses the full line.

use serde::{Deserialize, Serialize};

use crate::domain::check::ParentLine;
use crate::domain::document::ReturnItem;
use crate::domain::money::{Cents, EightPlaces, pow10, round_ratio};

/// The totals of a return, in JSON decimal text: 8 places, or 2 where it says cents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnTotals {
    /// What is given back, in order.
    pub items: Vec<ReturnLine>,
    /// What it comes to, complimentary lines left out. Cents.
    pub total_amount: Cents,
    /// The same before it is rounded to cents: a return may be worth fractions of a cent.
    pub total_amount_exact: EightPlaces,
    /// Without VAT, before line discounts.
    pub total_taxable_amount: EightPlaces,
    /// VAT.
    pub total_vat_amount: EightPlaces,
    /// Line discounts without VAT.
    pub total_discount: EightPlaces,
}

/// One line given back, in JSON decimal text with 8 places.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnLine {
    /// The authority's item id, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Without VAT, before its part of the line's discount.
    pub taxable_amount: EightPlaces,
    /// Its part of the line's discount, without VAT.
    pub unit_discount: EightPlaces,
    /// Without VAT, after the discount.
    pub net_taxable_amount: EightPlaces,
    /// Its VAT.
    pub vat_amount: EightPlaces,
    /// What it comes to.
    pub total_amount: EightPlaces,
}

/// One line given back, in 10^-8 euro.
struct Amounts {
    taxable: i128,
    discount: i128,
    net: i128,
    vat: i128,
    total: i128,
}

impl Amounts {
    fn of(item: &ReturnItem, line: &ParentLine) -> Option<Amounts> {
        let places = item.quantity.places().max(line.quantity.places());
        let (quantity, sold) = (item.quantity.at(places)?, line.quantity.at(places)?);
        let (price, line_discount) = (line.unit_price.round(8)?.mantissa(), line.unit_discount.round(8)?.mantissa());
        let taxable = round_ratio(price.checked_mul(quantity)?, pow10(places)?)?;
        let discount = round_ratio(line_discount.checked_mul(quantity)?, sold)?;
        let net = taxable.checked_sub(discount)?;
        let vat = round_ratio(net.checked_mul(i128::from(line.vat_rate.basis_points()))?, 10_000)?;
        Some(Amounts { taxable, discount, net, vat, total: net.checked_add(vat)? })
    }
}

/// The totals of a return: `lines[i]` is the parent's line of `items[i]`. `None` when there is not one line for each
/// item, or a line was sold zero times, or past the limits that the checks keep.
pub fn returned(items: &[ReturnItem], lines: &[&ParentLine]) -> Option<ReturnTotals> {
    if items.len() != lines.len() {
        return None;
    }
    let mut sum = Amounts { taxable: 0, discount: 0, net: 0, vat: 0, total: 0 };
    let mut rows = Vec::with_capacity(items.len());
    for (item, line) in items.iter().zip(lines) {
        let row = Amounts::of(item, line)?;
        sum.taxable = sum.taxable.checked_add(row.taxable)?;
        sum.discount = sum.discount.checked_add(row.discount)?;
        sum.vat = sum.vat.checked_add(row.vat)?;
        if !line.complimentary {
            sum.total = sum.total.checked_add(row.total)?;
        }
        rows.push(ReturnLine {
            id: item.id.clone().or_else(|| line.id.clone()),
            taxable_amount: EightPlaces::new(row.taxable),
            unit_discount: EightPlaces::new(row.discount),
            net_taxable_amount: EightPlaces::new(row.net),
            vat_amount: EightPlaces::new(row.vat),
            total_amount: EightPlaces::new(row.total),
        });
    }
    Some(ReturnTotals {
        items: rows,
        total_amount: Cents::new(round_ratio(sum.total, 1_000_000)?),
        total_amount_exact: EightPlaces::new(sum.total),
        total_taxable_amount: EightPlaces::new(sum.taxable),
        total_vat_amount: EightPlaces::new(sum.vat),
        total_discount: EightPlaces::new(sum.discount),
    })
}
