//! Which of the authority's item ids is which line's.

use crate::domain::document::{Item, Receipt};
use crate::domain::money::Decimal;
use crate::domain::outcome::RemoteItem;

/// Why the lines' ids are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoIds {
    /// The provider has told none, so far.
    Untold,
    /// Those that it told are of other lines.
    Differ(String),
}

/// The authority's item ids, one for each line of our sale. By order, and each must agree in text, quantity, price and
/// rate (PROVIDERS.md 6); if the order differs, by content where that is unambiguous.
pub(crate) fn item_ids(receipt: &Receipt, theirs: &[RemoteItem]) -> Result<Vec<String>, NoIds> {
    if theirs.is_empty() {
        return Err(NoIds::Untold);
    }
    if theirs.len() != receipt.items.len() {
        let why = format!("the authority has {} lines, the sale here {}", theirs.len(), receipt.items.len());
        return Err(NoIds::Differ(why));
    }
    if receipt.items.iter().zip(theirs).all(|(ours, item)| same(ours, item) && !item.id.is_empty()) {
        return Ok(theirs.iter().map(|item| item.id.clone()).collect());
    }
    let mut left: Vec<_> = theirs.iter().filter(|item| !item.id.is_empty()).collect();
    let mut ids = Vec::with_capacity(theirs.len());
    for (line, ours) in receipt.items.iter().enumerate() {
        let Some(position) = left.iter().position(|item| same(ours, item)) else {
            let why = format!("line {line} of the sale ({}) is not among the authority's lines", ours.description);
            return Err(NoIds::Differ(why));
        };
        ids.push(left.remove(position).id.clone());
    }
    Ok(ids)
}

fn same(ours: &Item, item: &RemoteItem) -> bool {
    let number = |text: &str| text.parse::<Decimal>().ok();
    let trim = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    trim(&ours.description) == trim(&item.description)
        && number(&item.quantity).is_none_or(|quantity| quantity == ours.quantity)
        && number(&item.gross_price).is_none_or(|price| price == ours.unit_price)
        && (item.vat_rate.is_empty() || item.vat_rate.trim_matches('\'') == ours.vat_rate_code.code())
}
