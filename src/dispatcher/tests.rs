//! What the unit tests of the parts share: an account, its queue and what it sells.

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar::Window;
use crate::domain::document::{Item, Receipt};
use crate::domain::vat::VatRate;
use crate::queue::{Options, Queue};

/// VAT numbers: so many lanes.
pub(super) const SHOPS: [&str; 4] = ["12345678903", "01234567897", "11111111115", "22222222220"];

/// An account of all of them, without a blackout.
pub(super) fn account() -> Account {
    Account {
        name: "shop".parse().unwrap(),
        provider: ProviderKind::Openapi,
        fiscal_ids: SHOPS.iter().map(|shop| shop.parse().unwrap()).collect(),
        blackout: Window::NONE,
    }
}

/// Its queue, with the index in memory.
pub(super) fn open(dir: &Path, clock: Arc<dyn Clock>) -> Queue {
    let journal = crate::journal::Options { index_in_memory: true, ..Default::default() };
    Queue::open_with(dir, Options { accounts: vec![account()], journal, clock }).unwrap()
}

/// A coffee, sold under this VAT number.
pub(super) fn sale(shop: &str) -> Receipt {
    let item = Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten);
    Receipt::new(shop.parse().unwrap()).item(item).cash("1.20".parse().unwrap()).build().unwrap()
}
