//! Sales that add up.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::document::{Item, Receipt, ReceiptBuilder};
use crate::domain::id::FiscalId;
use crate::domain::money::Decimal;
use crate::domain::totals::Due;
use crate::domain::vat::VatRate;

/// Lines of a sale: whole and broken quantities, prices in cents and finer, all rates, discounts, gifts.
pub fn items() -> impl Strategy<Value = Item> {
    let quantity = prop_oneof![5 => (1..=12i128).prop_map(|pieces| pieces * 100), 1 => 1..=99_999i128];
    let price = prop_oneof![4 => (1..=50_000i128).prop_map(|cents| cents * 1_000_000), 1 => 1_000_000..=10i128.pow(12)];
    let common = vec![VatRate::Four, VatRate::Five, VatRate::Ten, VatRate::TwentyTwo];
    let rate = prop_oneof![4 => select(common), 1 => select(VatRate::all().collect::<Vec<_>>())];
    let extra =
        prop_oneof![6 => Just(Extra::None), 2 => (1..=990i128).prop_map(Extra::Discount), 1 => Just(Extra::Gift)];
    let texts = ("[A-Z][a-zàèéìòù0-9',]{0,12}( [a-zàèéìòù0-9%]{1,10}){0,3}", seldom("[A-Z0-9-]{3,12}"));
    (quantity, price, rate, extra, texts).prop_map(|(quantity, price, rate, extra, (description, sku))| {
        let decimal = |units, places| Decimal::new(units, places).expect("small");
        let mut item = Item::new(description, decimal(price, 8).normal(), rate).quantity(decimal(quantity, 2).normal());
        item.sku = sku;
        match extra {
            Extra::None => item,
            Extra::Gift => item.complimentary(),
            // So many thousandths of the line, always below it.
            Extra::Discount(part) => item.discount(decimal(quantity * price / 100 * part / 1_000, 8).normal()),
        }
    })
}

/// A text of this form, one time in six.
fn seldom(form: &'static str) -> impl Strategy<Value = Option<String>> {
    prop_oneof![5 => Just(None), 1 => form.prop_map(Some)]
}

#[derive(Debug, Clone, Copy)]
enum Extra {
    None,
    Discount(i128),
    Gift,
}

/// How a sale is paid.
#[derive(Debug, Clone, Copy)]
enum Payment {
    Cash,
    Electronic,
    Lottery,
    Invoice,
    /// Thousandths of what is left, one after the other: discount, vouchers, services and goods not yet paid, card; the
    /// rest in cash.
    Mixed([i128; 5]),
}

/// Sales of this VAT number that every receipt provider takes.
pub fn receipts(issuer: FiscalId) -> impl Strategy<Value = Receipt> {
    let share = || prop_oneof![Just(0), 0..=1_000i128];
    let payment = prop_oneof![
        4 => Just(Payment::Cash),
        3 => Just(Payment::Electronic),
        1 => Just(Payment::Lottery),
        1 => Just(Payment::Invoice),
        4 => [share(), share(), share(), share(), share()].prop_map(Payment::Mixed),
    ];
    let texts = (vec("[a-z]{1,10}", 0..3), of("[a-z]{1,10}@example\\.com"), seldom("[0-9]{4}-[0-9]{4}"));
    (vec(items(), 1..=6), payment, texts).prop_map(move |(items, payment, (tags, email, linked))| {
        let due = due_of(&items);
        let begun = items.into_iter().fold(Receipt::new(issuer.clone()), ReceiptBuilder::item);
        let mut sale = paid(begun, payment, due);
        sale = tags.into_iter().fold(sale, ReceiptBuilder::tag);
        if let Some(email) = email {
            sale = sale.email(email);
        }
        let mut sale = sale.build().unwrap_or_else(|wrong| panic!("a sale that should be valid: {wrong}"));
        sale.linked_receipt = linked;
        sale
    })
}

/// What these lines come to, in cents.
fn due_of(items: &[Item]) -> i128 {
    Due::of(items).and_then(|due| due.cents()).expect("small amounts")
}

fn paid(sale: ReceiptBuilder, payment: Payment, due: i128) -> ReceiptBuilder {
    let cents = |cents| Decimal::new(cents, 2).expect("small");
    match payment {
        Payment::Cash => sale.cash(cents(due)),
        Payment::Electronic => sale.electronic(cents(due)),
        // Below a euro there is no lottery.
        Payment::Lottery if due >= 100 => sale.electronic(cents(due)).lottery_code("YYWLR30G"),
        Payment::Lottery => sale.electronic(cents(due)),
        Payment::Invoice => sale.invoice_issuing(),
        Payment::Mixed(parts) => {
            let mut left = due;
            let [discount, vouchers, services, goods, card] = parts.map(|part| {
                let some = left * part / 1_000;
                left -= some;
                some
            });
            let mut sale = sale.discount(cents(discount)).uncollected(cents(services), cents(goods));
            if vouchers > 0 {
                sale = sale.ticket_restaurant(cents(vouchers), 1 + (vouchers / 800) as u32);
            }
            sale.electronic(cents(card)).cash(cents(left))
        }
    }
}
