//! Documents for property tests: of every kind, valid by construction, and [nearly valid](nearly_valid): with one rule
//! broken, which must be named.
//!
//! ```
//! use proptest::prelude::*;
//! use staffetta::domain::totals;
//! use staffetta::testing::strategies;
//!
//! proptest!(|(sale in strategies::receipts("12345678903".parse().unwrap()))| {
//!     let due = totals::due(&sale).unwrap();
//!     let paid = sale.cash_payment_amount.checked_add(sale.electronic_payment_amount).unwrap();
//!     prop_assert!(paid <= due);
//! });
//! ```

mod nearly;
mod sale;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub use nearly::{NearlyValid, nearly_valid};
pub use sale::{items, receipts};

use crate::domain::calendar;
use crate::domain::document::{NewDocument, Note, NoteNumber, Parent, Receipt, Return, Void};
use crate::domain::id::{FiscalId, Key};
use crate::domain::input::{DraftInput, DraftItemInput};
use crate::domain::money::Decimal;

/// Numbers of credit notes.
const CREDIT_NOTE: &str = "NC/[1-9][0-9]{0,5}";

/// Keys as tills choose them, and of any printable characters at any length.
pub fn keys() -> impl Strategy<Value = Key> {
    let tills = (1..=9u8, 1..=999_999u32).prop_map(|(till, number)| format!("till-{till}/2026-11-22/{number:06}"));
    let text = prop_oneof![4 => tills, 1 => "[!-~]{1,128}"];
    text.prop_map(|text| text.parse().expect("1 to 128 printable characters"))
}

/// A document issued elsewhere.
pub fn remote_parents() -> impl Strategy<Value = Parent> {
    "[0-9a-f]{8}-[0-9a-f]{4}".prop_map(Parent::Remote)
}

/// Returns of a sale that was journaled under this key: some of its lines, each in whole or in part.
pub fn returns(parent: Key, sale: &Receipt) -> impl Strategy<Value = NewDocument> + use<> {
    let lines: Vec<_> = (0u32..).zip(sale.items.iter().map(|item| item.quantity)).collect();
    let count = lines.len();
    let chosen = subsequence(lines, 1..=count).prop_flat_map(|lines| {
        let part = |(line, sold): (u32, Decimal)| {
            let hundredths = sold.at(2).unwrap_or(1);
            (Just(line), prop_oneof![2 => Just(hundredths), 1 => 1..=hundredths])
        };
        lines.into_iter().map(part).collect::<Vec<_>>()
    });
    chosen.prop_map(move |lines| {
        let begun = Return::of(Parent::Key(parent.clone()));
        let quantity = |hundredths| Decimal::new(hundredths, 2).expect("what was sold, or less");
        lines.into_iter().fold(begun, |begun, (line, some)| begun.line(line, quantity(some))).into()
    })
}

/// Voids of a sale that was journaled under this key. There is one: a void says nothing else.
pub fn voids(sale: Key) -> impl Strategy<Value = NewDocument> + use<> {
    Just(Void::of(Parent::Key(sale)))
}

/// Cancels of a tax-free invoice that was journaled under this key, each with its credit note's number.
pub fn cancels(draft: Key) -> impl Strategy<Value = NewDocument> + use<> {
    CREDIT_NOTE.prop_map(move |number| Void::with_credit_note(Parent::Key(draft.clone()), number))
}

/// Numbers of notes for a tax-free invoice that was journaled under this key.
pub fn note_numbers(draft: Key) -> impl Strategy<Value = NewDocument> + use<> {
    notes().prop_map(move |(note, number)| NoteNumber::of(Parent::Key(draft.clone()), note, number))
}

/// Returns of documents issued elsewhere, by the authority's item ids.
pub fn remote_returns() -> impl Strategy<Value = NewDocument> {
    let items = proptest::collection::btree_map("[0-9]{6}-[0-9]{1,2}", 1..=10_000i128, 1..5);
    (remote_parents(), items).prop_map(|(parent, items)| {
        let quantity = |hundredths| Decimal::new(hundredths, 2).expect("small");
        items.into_iter().fold(Return::of(parent), |begun, (id, some)| begun.id(id, quantity(some))).into()
    })
}

/// Voids of documents issued elsewhere: of receipts, and of tax-free invoices by their credit note.
pub fn remote_voids() -> impl Strategy<Value = NewDocument> {
    (remote_parents(), proptest::option::of(CREDIT_NOTE)).prop_map(|(parent, note)| match note {
        None => Void::of(parent),
        Some(number) => Void::with_credit_note(parent, number),
    })
}

/// Numbers of notes for tax-free invoices issued elsewhere.
pub fn remote_note_numbers() -> impl Strategy<Value = NewDocument> {
    (remote_parents(), notes()).prop_map(|(parent, (note, number))| NoteNumber::of(parent, note, number))
}

fn notes() -> impl Strategy<Value = (Note, String)> {
    (select(vec![Note::DebitVat, Note::CreditGoods, Note::CreditVat]), "N[CD]/[1-9][0-9]{0,5}")
}

/// Tax-free invoices above the law's minimum. Their numbers are of six digits and more: few are the same.
pub fn drafts() -> impl Strategy<Value = DraftInput> {
    let item = (proptest::option::of("[A-Z]{3}[0-9]{3}"), "[A-Z][a-zàèéìòù ]{4,30}", 1..=5u32, 1..=200_000i128);
    let item = (item, select(vec!["4", "5", "10", "22"]));
    let item = item.prop_map(|((item_code, description, quantity, cents), vat_rate)| DraftItemInput {
        item_code,
        description,
        quantity: Decimal::from(quantity).into(),
        unit_price_with_vat: Decimal::new(cents, 2).unwrap_or(Decimal::ONE).into(),
        vat_rate: vat_rate.into(),
    });
    let dear = DraftItemInput {
        item_code: None,
        description: "Borsa in pelle".to_owned(),
        quantity: "1".into(),
        unit_price_with_vat: "244.00".into(),
        vat_rate: "22".into(),
    };
    let items = proptest::collection::vec(item, 0..4).prop_map(move |mut items| {
        items.push(dear.clone());
        items
    });
    let date = proptest::option::of((instants(), any::<bool>())).prop_map(|date| {
        let (at, slashes) = date?;
        let format = if slashes { "%d/%m/%Y %H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S" };
        Some(calendar::rome(at).format(format).to_string())
    });
    let discount =
        proptest::option::of((0..=17_000i128).prop_map(|cents| Decimal::new(cents, 2).unwrap_or(Decimal::ZERO).into()));
    ("F/[1-9][0-9]{5,12}", date, items, discount).prop_map(|(merchant_invoice_id, created_on, items, discount)| {
        DraftInput { merchant_invoice_id, created_on, items, discount }
    })
}

/// Moments from 2026 to 2040, many of them around Italian midnight.
pub fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let seconds = |from: i64, to: i64| (from..to).prop_map(TimeDelta::seconds);
    let start = DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01");
    let day = (0..5_400i64).prop_map(TimeDelta::days);
    let time = prop_oneof![seconds(0, 86_400), seconds(79_000, 87_000)];
    (day, time).prop_map(move |(day, time)| start + day + time)
}

/// Documents of every kind, for a queue that knows nothing yet: what has a parent names one issued elsewhere. Receipts
/// are of `issuer`. None has a key.
pub fn documents(issuer: FiscalId) -> impl Strategy<Value = NewDocument> {
    prop_oneof![
        6 => receipts(issuer).prop_map(NewDocument::from),
        2 => remote_returns(),
        1 => remote_voids(),
        2 => drafts().prop_map(NewDocument::from),
        1 => remote_note_numbers(),
    ]
}
