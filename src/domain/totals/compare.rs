//! Our totals against the provider's (PROVIDERS.md 2.6): a difference is worth a person's look and never fails a document.

use super::Totals;
use crate::domain::money::Decimal;

/// How far a provider's 8-decimal field may be from ours, for each line that it sums, in 10^-8 euro: their own documents
/// show truncated and doubly rounded last digits.
const TOLERANCE: i128 = 2;

/// Compares what the provider computed with ours: 2e-8 a line on 8-decimal fields, exact on cents (PROVIDERS.md 2.6).
/// Returns a sentence for each difference; fields that only one side has are no difference, nor are those of a provider
/// that says nothing but zero, as it does while a document is new. Names are those of [`Totals`], those of lines written
/// `items[0].taxable_amount`.
pub fn differences(ours: &Totals, theirs: &[(String, String)]) -> Vec<String> {
    let nothing = |theirs: &str| bare(theirs).is_none_or(|text| text.parse::<Decimal>().is_ok_and(Decimal::is_zero));
    if theirs.iter().all(|(_, theirs)| nothing(theirs)) {
        return Vec::new();
    }
    theirs.iter().filter_map(|(name, theirs)| difference(ours, name, bare(theirs)?)).collect()
}

/// The digits, if there are any: the providers' samples print `'200170'`, and `null` where there is none yet.
fn bare(theirs: &str) -> Option<&str> {
    let theirs = theirs.trim_matches(['\'', '"', ' ']);
    Some(theirs).filter(|theirs| !theirs.is_empty() && *theirs != "null")
}

fn difference(totals: &Totals, name: &str, theirs: &str) -> Option<String> {
    let (ours, lines) = field(totals, name)?;
    let Ok(number) = theirs.parse::<Decimal>() else {
        return Some(format!("{name}: the provider says {theirs:?}, which is not a number; computed here: {ours}"));
    };
    let near = |ours: Decimal| {
        let distance = number.checked_sub(ours).and_then(|difference| difference.at(12));
        distance.is_some_and(|distance| distance.abs() <= TOLERANCE * lines * 10_000)
    };
    let same = match ours.places() {
        8 => near(ours),
        // Cents are exact; a provider that does not round at all is held against our exact total.
        _ => number == ours || (name == "total_amount" && near(exact(totals)?)),
    };
    (!same).then(|| format!("{name}: the provider says {theirs}, computed here: {ours}"))
}

/// The total before it is rounded to cents.
fn exact(totals: &Totals) -> Option<Decimal> {
    match totals {
        Totals::Sale(sale) => Some(sale.total_amount_exact.into()),
        Totals::Return(returned) => Some(returned.total_amount_exact.into()),
        Totals::Draft(_) => None,
    }
}

/// Our field of this name, and how many lines it sums.
fn field(totals: &Totals, name: &str) -> Option<(Decimal, i128)> {
    if let Some((index, name)) = name.strip_prefix("items[").and_then(|rest| rest.split_once("].")) {
        return line_field(totals, index.parse().ok()?, name).map(|ours| (ours, 1));
    }
    let (ours, lines) = match totals {
        Totals::Sale(sale) => {
            let ours = match name {
                "total_amount" => sale.total_amount.into(),
                "total_amount_exact" => sale.total_amount_exact.into(),
                "total_taxable_amount" => sale.total_taxable_amount.into(),
                "total_vat_amount" => sale.total_vat_amount.into(),
                "total_discount" => sale.total_discount.into(),
                "total_gross_discount" => sale.total_gross_discount.into(),
                "discount" => sale.discount.into(),
                "total_uncollected_amount" => sale.total_uncollected_amount.into(),
                _ => return None,
            };
            (ours, sale.items.len())
        }
        Totals::Return(returned) => {
            let ours = match name {
                "total_amount" => returned.total_amount.into(),
                "total_amount_exact" => returned.total_amount_exact.into(),
                "total_taxable_amount" => returned.total_taxable_amount.into(),
                "total_vat_amount" => returned.total_vat_amount.into(),
                "total_discount" => returned.total_discount.into(),
                _ => return None,
            };
            (ours, returned.items.len())
        }
        Totals::Draft(_) => return None, // Stamp answers with no totals
    };
    Some((ours, i128::try_from(lines).ok()?))
}

fn line_field(totals: &Totals, index: usize, name: &str) -> Option<Decimal> {
    Some(match totals {
        Totals::Sale(sale) => {
            let line = sale.items.get(index)?;
            match name {
                "gross_price" => line.gross_price.into(),
                "unit_price" => line.unit_price.into(),
                "gross_discount" => line.gross_discount.into(),
                "unit_discount" => line.unit_discount.into(),
                "taxable_amount" => line.taxable_amount.into(),
                "net_taxable_amount" => line.net_taxable_amount.into(),
                "vat_amount" => line.vat_amount.into(),
                "total_amount" => line.total_amount.into(),
                _ => return None,
            }
        }
        Totals::Return(returned) => {
            let line = returned.items.get(index)?;
            match name {
                "taxable_amount" => line.taxable_amount.into(),
                "unit_discount" => line.unit_discount.into(),
                "net_taxable_amount" => line.net_taxable_amount.into(),
                "vat_amount" => line.vat_amount.into(),
                "total_amount" => line.total_amount.into(),
                _ => return None,
            }
        }
        Totals::Draft(_) => return None,
    })
}
