//! Returns: against the model, and what any number of them can come to.

use proptest::prelude::*;
use staffetta::domain::check::{self, Context, ParentLine, codes};
use staffetta::domain::document::{Item, Receipt, Return, ReturnItem};
use staffetta::domain::input::{ReturnInput, ReturnItemInput};
use staffetta::domain::money::Decimal;
use staffetta::domain::totals;
use staffetta::domain::vat::VatRate;

use super::model::{self, Fraction};
use super::{amount, units};
use crate::intake::cases;

fn decimal(units: i128, places: u32) -> Decimal {
    Decimal::new(units, places).unwrap()
}

/// One line given back, rounded to 8 places at every step: taxable, discount, net, VAT, total.
fn model_of(quantity: &str, sold: &str, unit_price: &str, unit_discount: &str, code: &str) -> [Fraction; 5] {
    let quantity = Fraction::read(quantity);
    let taxable = Fraction::read(unit_price).times(&quantity).round(8);
    let discount = Fraction::read(unit_discount).times(&quantity).over(&Fraction::read(sold)).round(8);
    let net = taxable.minus(&discount).round(8);
    let vat = net.times(&model::rate(code)).round(8);
    let total = net.plus(&vat);
    [taxable, discount, net, vat, total]
}

/// A line sold: quantity, price and discount in their smallest units, rate, gift.
type Sold = (i128, i128, i128, VatRate, bool);

fn sold() -> impl Strategy<Value = Sold> {
    let rates: Vec<_> = VatRate::all().collect();
    let price = prop_oneof![(1..50_000i128).prop_map(|cents| cents * 1_000_000), 1..100_000_000_000i128];
    (1..2_000i128, price, 0..100i128, prop::sample::select(rates), prop::bool::weighted(0.2)).prop_map(
        |(quantity, price, percent, rate, gift)| (quantity, price, quantity * price / 100 * percent / 100, rate, gift),
    )
}

fn sale(lines: &[Sold]) -> Receipt {
    let mut sale = Receipt::new("12345678903".parse().unwrap()).invoice_issuing();
    for (quantity, price, discount, rate, gift) in lines {
        let line = quantity * price / 100;
        let item = Item::new("x", decimal(*price, 8), *rate)
            .quantity(decimal(*quantity, 2))
            .discount(decimal((*discount).min(line - 1).max(0), 8));
        sale = sale.item(if *gift { item.complimentary() } else { item });
    }
    sale.build().unwrap()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn returns_are_those_of_the_model(lines in prop::collection::vec(sold(), 1..6), parts in prop::collection::vec(1..=100i128, 6)) {
        let receipt = sale(&lines);
        let sale = totals::sale(&receipt).unwrap();
        let parent = totals::parent_lines(&receipt, &sale);
        let items: Vec<_> = receipt.items.iter().zip(parts).enumerate().map(|(index, (item, part))| {
            let quantity = (item.quantity.at(2).unwrap() * part / 100).max(1);
            ReturnItem { line: Some(index as u32), id: None, quantity: decimal(quantity, 2) }
        }).collect();
        let found = totals::returned(&items, &parent.iter().collect::<Vec<_>>()).unwrap();
        let mut sums = [0i128; 4];
        for ((item, line), found) in items.iter().zip(&parent).zip(&found.items) {
            let expected = model_of(
                &item.quantity.to_string(), &line.quantity.to_string(), &line.unit_price.to_string(),
                &line.unit_discount.to_string(), line.vat_rate.code(),
            ).map(|field| field.rounded(8));
            let fields = [&found.taxable_amount, &found.unit_discount, &found.net_taxable_amount, &found.vat_amount, &found.total_amount];
            prop_assert_eq!(&fields.map(ToString::to_string), &expected);
            let counted = if line.complimentary { 0 } else { units(&expected[4]) };
            for (sum, part) in sums.iter_mut().zip([units(&expected[0]), units(&expected[1]), units(&expected[3]), counted]) {
                *sum += part;
            }
        }
        prop_assert_eq!(found.total_taxable_amount.to_string(), amount(sums[0], 8));
        prop_assert_eq!(found.total_discount.to_string(), amount(sums[1], 8));
        prop_assert_eq!(found.total_vat_amount.to_string(), amount(sums[2], 8));
        prop_assert_eq!(found.total_amount_exact.to_string(), amount(sums[3], 8));
        prop_assert_eq!(found.total_amount.to_string(), model::Fraction::new(sums[3], 100_000_000).rounded(2));
    }

    #[test]
    fn any_number_of_partial_returns_never_exceeds_the_sale(
        lines in prop::collection::vec(sold(), 1..5),
        wanted in prop::collection::vec((any::<prop::sample::Index>(), 1..3_000i128), 1..30),
    ) {
        let receipt = sale(&lines);
        let sale = totals::sale(&receipt).unwrap();
        let mut parent = totals::parent_lines(&receipt, &sale);
        let mut returned = vec![0i128; parent.len()]; // hundredths
        let (mut came_back, mut returns) = (0i128, 0i128);
        let give_back = |parent: &mut Vec<ParentLine>, index: usize, quantity: i128| {
            let item = ReturnItem { line: Some(index as u32), id: None, quantity: decimal(quantity, 2) };
            let items = [item];
            check::returns(&items, parent).map(|found| {
                assert_eq!(found, [index]);
                let totals = totals::returned(&items, &[&parent[index]]).unwrap();
                parent[index].returned = parent[index].returned.checked_add(items[0].quantity).unwrap();
                units(totals.total_amount_exact)
            })
        };
        for (which, quantity) in wanted {
            let index = which.index(parent.len());
            let left = receipt.items[index].quantity.at(2).unwrap() - returned[index];
            match give_back(&mut parent, index, quantity) {
                Ok(total) => {
                    prop_assert!(quantity <= left, "gave back {} of {}", quantity, left);
                    returned[index] += quantity;
                    came_back += total;
                    returns += 1;
                }
                Err(violations) => {
                    prop_assert!(quantity > left);
                    prop_assert_eq!(&violations[0].message, codes::RETURN_QUANTITY);
                }
            }
        }
        // All that is left: then everything has come back and nothing more will.
        for (index, returned) in returned.into_iter().enumerate() {
            let left = receipt.items[index].quantity.at(2).unwrap() - returned;
            if left > 0 {
                came_back += give_back(&mut parent, index, left).unwrap();
                returns += 1;
            }
            prop_assert!(give_back(&mut parent, index, 1).is_err());
        }
        // Each return is rounded at every step, and the price of one already was: half a unit of 10^-8 for each piece
        // and a few for each return are what the sum may be away from the sale (PROVIDERS.md 2.3, vector R01).
        let pieces: i128 = receipt.items.iter().map(|item| item.quantity.at(2).unwrap() / 100 + 1).sum();
        let distance = (came_back - units(sale.total_amount_exact)).abs();
        prop_assert!(distance <= 2 * pieces + 4 * returns, "{} units of 10^-8", distance);
    }
}

#[test]
fn a_return_without_its_lines_has_no_totals() {
    let item = ReturnItem { line: Some(0), id: None, quantity: Decimal::ONE };
    let line = ParentLine {
        id: Some("7".to_owned()),
        quantity: Decimal::ZERO,
        returned: Decimal::ZERO,
        unit_price: Decimal::ONE,
        unit_discount: Decimal::ZERO,
        vat_rate: VatRate::Ten,
        complimentary: false,
    };
    assert_eq!(totals::returned(std::slice::from_ref(&item), &[]), None);
    assert_eq!(totals::returned(std::slice::from_ref(&item), &[&line]), None, "none was sold");
    let sold = ParentLine { quantity: decimal(1000, 3), ..line };
    let totals = totals::returned(&[item], &[&sold]).unwrap();
    assert_eq!((totals.items[0].id.as_deref(), totals.total_amount.to_string().as_str()), (Some("7"), "1.10"));
    assert!(
        !serde_json::to_string(&totals::ReturnLine::default()).unwrap().contains("id"),
        "an unknown id is left out"
    );
}

#[test]
fn a_complimentary_line_comes_back_without_counting() {
    let receipt = sale(&[(100, 500_000_000, 0, VatRate::Ten, true), (100, 110_000_000, 0, VatRate::Ten, false)]);
    let parent = totals::parent_lines(&receipt, &totals::sale(&receipt).unwrap());
    assert!(parent[0].complimentary && !parent[1].complimentary);
    let input = ReturnInput {
        items: (0..2)
            .map(|line| ReturnItemInput { line: Some(line), id: None, quantity: Decimal::ONE.into() })
            .collect(),
    };
    let (checked, lines): (Return, _) = check::return_of(&input, &parent).unwrap();
    let lines: Vec<_> = lines.iter().map(|line| &parent[*line]).collect();
    let totals = totals::returned(&checked.items, &lines).unwrap();
    assert_eq!(
        (totals.total_amount.to_string().as_str(), totals.total_taxable_amount.to_string().as_str()),
        ("1.10", "5.54545455")
    );
    assert!(check::receipt(&receipt.to_input(), &Context::default()).is_ok());
}
