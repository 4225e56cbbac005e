//! Sales: against the model, and the laws that must hold for any lines, rates and discounts.

use proptest::prelude::*;
use staffetta::domain::check::{self, Context, codes};
use staffetta::domain::document::{Body, Receipt};
use staffetta::domain::input::{BodyInput, DraftInput, ReceiptInput};
use staffetta::domain::line;
use staffetta::domain::money::{Cents, EightPlaces};
use staffetta::domain::totals::{self, SaleTotals, Totals};
use staffetta::domain::vat::VatRate;

use super::model::{self, Fraction, Line};
use super::{amount, units};
use crate::intake::cases;

fn input(lines: &[Line], rest: &str) -> ReceiptInput {
    let items = lines.iter().map(|line| {
        let Line { quantity, price, discount, code, gift } = line;
        format!(
            r#"{{"quantity":{quantity},"description":"x","unit_price":{price},"vat_rate_code":"{code}",
            "discount":{discount},"complimentary":{gift}}}"#
        )
    });
    let items = items.collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"kind":"receipt","body":{{"fiscal_id":"1","items":[{items}]{rest}}}}}"#);
    match line::parse(text.as_bytes()) {
        Ok(new) => match new.body {
            BodyInput::Receipt(input) => input,
            other => panic!("{other:?}"),
        },
        Err(error) => panic!("{text}: {error:?}"),
    }
}

/// The sale of these lines with an invoice to follow, so that no payment is needed.
fn receipt(lines: &[Line]) -> Receipt {
    let input = input(lines, r#","invoice_issuing":true"#);
    check::receipt(&input, &Context::default()).unwrap_or_else(|violations| panic!("{lines:?}: {violations:?}"))
}

fn totals(lines: &[Line]) -> SaleTotals {
    let of_input = totals::sale_of_input(&input(lines, ""));
    let totals = totals::sale(&receipt(lines)).unwrap();
    assert_eq!(of_input.as_ref(), Some(&totals));
    totals
}

fn code() -> impl Strategy<Value = String> {
    let all: Vec<_> = VatRate::all().map(|rate| rate.code().to_owned()).collect();
    // The four that shops know are half of them.
    prop_oneof![prop::sample::select(vec!["4", "5", "10", "22"]).prop_map(str::to_owned), prop::sample::select(all)]
}

fn any_line() -> impl Strategy<Value = Line> {
    let quantity =
        prop_oneof![(1..20i128).prop_map(|pieces| pieces * 100), 1..100_000i128, Just(1i128), Just(999_999_999i128),];
    let price = prop_oneof![
        (1..10_000i128).prop_map(|cents| cents * 1_000_000),
        1..100_000_000_000i128,
        1..10_000_000_000_000_000i128,
        Just(1i128),
    ];
    (quantity, price, 0..1000i128, any::<bool>(), code(), prop::bool::weighted(0.2)).prop_map(
        |(quantity, price, part, discounted, code, gift)| {
            // A line is below 10^9 euro, so that sixty of them are a sale that the rules allow.
            let price = price.min(10i128.pow(19) / quantity);
            // A discount is below the line: some thousandths of it, in 10^-8.
            let line = quantity * price / 100;
            let discount = if discounted { (line * part / 1000).min(line - 1).max(0) } else { 0 };
            Line { quantity: amount(quantity, 2), price: amount(price, 8), discount: amount(discount, 8), code, gift }
        },
    )
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    prop_oneof![4 => prop::collection::vec(any_line(), 1..8), 1 => prop::collection::vec(any_line(), 1..60)]
}

/// Every published field of a sale against the model.
fn agree(lines: &[Line], totals: &SaleTotals) -> Result<(), TestCaseError> {
    prop_assert_eq!(totals.items.len(), lines.len());
    for (line, found) in lines.iter().zip(&totals.items) {
        let expected = model::line(line).map(|field| field.rounded(8));
        let found = [
            &found.gross_price,
            &found.unit_price,
            &found.gross_discount,
            &found.unit_discount,
            &found.taxable_amount,
            &found.net_taxable_amount,
            &found.vat_amount,
            &found.total_amount,
        ];
        prop_assert_eq!(found.map(ToString::to_string), expected, "{:?}", line);
    }
    let [taxable, vat, discount, gross_discount, total] = model::sums(lines);
    prop_assert_eq!(totals.total_taxable_amount.to_string(), taxable.rounded(8));
    prop_assert_eq!(totals.total_vat_amount.to_string(), vat.rounded(8));
    prop_assert_eq!(totals.total_discount.to_string(), discount.rounded(8));
    prop_assert_eq!(totals.total_gross_discount.to_string(), gross_discount.rounded(8));
    prop_assert_eq!(totals.total_amount_exact.to_string(), total.rounded(8));
    prop_assert_eq!(totals.total_amount.to_string(), total.rounded(2));
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn totals_are_those_of_the_model(lines in lines()) {
        agree(&lines, &totals(&lines))?;
    }

    #[test]
    fn totals_of_a_sale_that_breaks_rules_are_those_of_the_model_too(lines in lines(), more in 0..1_000_000_000i128) {
        // Discounts above their lines: negative lines, negative totals.
        let lines: Vec<_> = lines
            .into_iter()
            .map(|line| Line { discount: amount(units(line.discount) + more, 8), ..line })
            .collect();
        agree(&lines, &totals::sale_of_input(&input(&lines, "")).unwrap())?;
    }

    #[test]
    fn parts_sum_to_the_whole(lines in lines()) {
        let totals = totals(&lines);
        let count = lines.len() as i128;
        let sum = |field: fn(&totals::SaleLine) -> &EightPlaces| totals.items.iter().map(|line| units(field(line))).sum::<i128>();
        // Each field is rounded once, so a sum of rounded lines is off by half a unit a line and half for itself.
        let near = |a: i128, b: i128| (2 * (a - b)).abs() <= count + 1;
        prop_assert!(near(sum(|line| &line.taxable_amount), units(totals.total_taxable_amount)));
        prop_assert!(near(sum(|line| &line.vat_amount), units(totals.total_vat_amount)));
        prop_assert!(near(sum(|line| &line.unit_discount), units(totals.total_discount)));
        prop_assert_eq!(sum(|line| &line.gross_discount), units(totals.total_gross_discount), "nothing is rounded there");
        let paid_for: i128 = totals.items.iter().zip(&lines).filter(|(_, line)| !line.gift)
            .map(|(item, _)| units(item.total_amount)).sum();
        prop_assert!(near(paid_for, units(totals.total_amount_exact)));
        prop_assert!((units(totals.total_amount) * 1_000_000 - units(totals.total_amount_exact)).abs() <= 500_000);
        for line in &totals.items {
            let (net, vat, total) = (units(line.net_taxable_amount), units(line.vat_amount), units(line.total_amount));
            prop_assert!((net + vat - total).abs() <= 1);
            let (taxable, discount) = (units(line.taxable_amount), units(line.unit_discount));
            prop_assert!((taxable - discount - net).abs() <= 1);
        }
    }

    #[test]
    fn taxable_less_discount_plus_vat_is_the_total_without_complimentary_lines(lines in lines()) {
        let lines: Vec<_> = lines.into_iter().map(|line| Line { gift: false, ..line }).collect();
        let totals = totals(&lines);
        let sum = units(totals.total_taxable_amount) - units(totals.total_discount) + units(totals.total_vat_amount);
        // Three fields rounded once each against a fourth: at most two units of 10^-8, however many lines.
        prop_assert!((sum - units(totals.total_amount_exact)).abs() <= 2);
        let [taxable, vat, discount, _, total] = model::sums(&lines);
        prop_assert_eq!(taxable.minus(&discount).plus(&vat).minus(&total).rounded(30), "0.".to_owned() + &"0".repeat(30));
    }

    #[test]
    fn the_order_of_lines_does_not_matter(lines in lines().prop_shuffle(), seed in any::<u64>()) {
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|index| (*index as u64 + 1).wrapping_mul(seed | 1));
        let other: Vec<_> = order.iter().map(|index| lines[*index].clone()).collect();
        let (one, two) = (totals(&lines), totals(&other));
        for (place, index) in order.iter().enumerate() {
            prop_assert_eq!(&two.items[place], &one.items[*index]);
        }
        prop_assert_eq!(SaleTotals { items: Vec::new(), ..one }, SaleTotals { items: Vec::new(), ..two });
    }

    #[test]
    fn splitting_a_line_changes_nothing_of_the_document(lines in lines(), which in any::<prop::sample::Index>(), part in 1..99i128) {
        // The whole is summed before it is rounded, so two halves are worth exactly what the line was.
        let index = which.index(lines.len());
        let quantity = units(&lines[index].quantity);
        let first = (quantity * part / 100).max(1);
        prop_assume!(quantity > first);
        let discount = units(&lines[index].discount);
        let share = discount * first / quantity;
        let mut split = lines.clone();
        split[index] = Line { quantity: amount(first, 2), discount: amount(share, 8), ..lines[index].clone() };
        let rest = Line {
            quantity: amount(quantity - first, 2),
            discount: amount(discount - share, 8),
            ..lines[index].clone()
        };
        split.push(rest);
        // Rounding a share may leave a part with a discount of its whole: that is no line.
        let sound = |line: &Line| units(&line.quantity) * units(&line.price) > units(&line.discount) * 100;
        prop_assume!(split.iter().all(sound));
        let (one, two) = (totals(&lines), totals(&split));
        prop_assert_eq!(SaleTotals { items: Vec::new(), ..one }, SaleTotals { items: Vec::new(), ..two });
    }

    #[test]
    fn paying_exactly_what_is_due_passes_and_any_other_amount_is_refused(
        lines in lines(), parts in prop::collection::vec(0..1000i128, 5), off in 1..100_000i128, less in any::<bool>(),
    ) {
        let lines: Vec<_> = lines.into_iter().map(|line| Line { gift: false, ..line }).collect();
        let due = units(totals(&lines).total_amount);
        // Spread over all ways to pay; the last takes the rest.
        let mut left = due;
        let mut paid = Vec::new();
        for part in parts {
            let share = due * part / 5000;
            paid.push(share);
            left -= share;
        }
        let body = |rest: i128| {
            format!(
                r#","cash_payment_amount":{},"electronic_payment_amount":{},"services_uncollected_amount":{},
                "goods_uncollected_amount":{},"discount":{},"ticket_restaurant_payment_amount":{},
                "ticket_restaurant_quantity":{}"#,
                amount(paid[0], 2), amount(paid[1], 2), amount(paid[2], 2), amount(paid[3], 2), amount(paid[4], 2),
                amount(rest, 2), i128::from(rest > 0),
            )
        };
        prop_assert!(check::receipt(&input(&lines, &body(left)), &Context::default()).is_ok());
        prop_assert_eq!(totals::due(&receipt(&lines)).map(|due| due.to_string()), Some(amount(due, 2)));
        let wrong = if less { left - off } else { left + off };
        prop_assume!(wrong >= 0);
        let violations = check::receipt(&input(&lines, &body(wrong)), &Context::default()).unwrap_err();
        prop_assert!(violations.iter().any(|violation| violation.message == codes::TOTAL));
    }

    #[test]
    fn a_void_mirrors_its_parent(lines in lines(), discount in 0..1000i128) {
        let due = units(totals(&lines).total_amount);
        let discount = discount.min(due);
        let rest = format!(r#","discount":{},"cash_payment_amount":{}"#, amount(discount, 2), amount(due - discount, 2));
        let sale = totals::sale_of_input(&input(&lines, &rest)).unwrap();
        prop_assert_eq!((sale.discount.to_string(), sale.paid_amount.to_string()), (amount(discount, 2), amount(due - discount, 2)));
        prop_assert_eq!(sale.amount_to_settle.to_string(), amount(due - discount, 2));
        let Totals::Sale(void) = totals::void(&Totals::Sale(sale.clone())) else { panic!("of a sale") };
        let unpaid = SaleTotals { paid_amount: Cents::new(0), total_uncollected_amount: Cents::new(0), ..sale };
        prop_assert_eq!(void, unpaid);
    }

    #[test]
    fn the_totals_of_a_tax_free_invoice_are_those_of_the_model(
        lines in prop::collection::vec((1..2000i128, 1..1_000_000_000_000i128, 0..4usize), 1..8),
        discount in 0..10_000i128, one_rate in any::<bool>(),
    ) {
        const RATES: [&str; 4] = ["4", "5", "10", "22"];
        let rate = |index: usize| RATES[if one_rate { 3 } else { index }];
        let items = lines.iter().map(|(quantity, price, index)| format!(
            r#"{{"Description":"Borsa","Quantity":{},"UnitPriceWithVat":{},"VatRate":{}}}"#,
            amount(*quantity, 2), amount(*price, 8), rate(*index),
        ));
        let items = items.collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"MerchantInvoiceId":"1","Items":[{items}],"Discount":{}}}"#, amount(discount, 2));
        let input: DraftInput = serde_json::from_str(&text).unwrap();
        let found = totals::draft_of_input(&input).unwrap();

        let mut gross = Fraction::zero();
        let mut net = Fraction::zero();
        for ((quantity, price, index), line_net) in lines.iter().zip(&found.line_nets) {
            let line = Fraction::new(*quantity * *price, 10i128.pow(10));
            let without = line.over(&Fraction::new(1, 1).plus(&model::rate(rate(*index))));
            prop_assert_eq!(line_net.to_string(), without.rounded(2));
            gross = gross.plus(&line);
            net = net.plus(&without.round(2));
        }
        let discount_gross = Fraction::new(discount, 100);
        prop_assert_eq!(found.gross_subtotal.to_string(), gross.rounded(2));
        prop_assert_eq!(found.discount_gross.to_string(), discount_gross.rounded(2));
        prop_assert_eq!(found.gross_total.to_string(), gross.round(2).minus(&discount_gross).rounded(2));
        prop_assert_eq!(found.net_subtotal.to_string(), net.rounded(2));
        let rates: std::collections::BTreeSet<_> = lines.iter().map(|(_, _, index)| rate(*index)).collect();
        let known = rates.len() == 1 || discount == 0;
        prop_assert_eq!(found.net_discount.is_some(), known);
        if known {
            let divisor = Fraction::new(1, 1).plus(&model::rate(rates.first().unwrap()));
            let net_discount = discount_gross.over(&divisor).round(2);
            prop_assert_eq!(found.net_discount.map(|amount| amount.to_string()), Some(net_discount.rounded(2)));
            prop_assert_eq!(found.net_total.map(|amount| amount.to_string()), Some(net.minus(&net_discount).rounded(2)));
        } else {
            prop_assert_eq!(found.net_total, None);
        }
    }
}

#[test]
fn two_hundred_lines_of_every_rate_are_exact() {
    let codes: Vec<_> = VatRate::all().map(VatRate::code).collect();
    let lines: Vec<_> = (0..200)
        .map(|index: i128| Line {
            quantity: amount(100 + index * 7, 2),
            price: amount(9_999_999_999 + index * 31, 8),
            discount: amount(index * 1_234_567, 8),
            code: codes[index as usize % codes.len()].to_owned(),
            gift: index % 17 == 0,
        })
        .collect();
    agree(&lines, &totals(&lines)).unwrap();
}

#[test]
fn the_largest_sale_is_exact_and_a_larger_one_is_no_number() {
    let line = |price: &str, code: &str| Line {
        quantity: "1".into(),
        price: price.into(),
        discount: "0.00000001".into(),
        code: code.into(),
        gift: true,
    };
    // A thousand gifts of just under 10^11 euro: nothing to pay, and the taxable sum has all its digits.
    let codes: Vec<_> = VatRate::all().map(VatRate::code).collect();
    let largest: Vec<_> = (0..1000).map(|index| line("99999999999.99999999", codes[index % codes.len()])).collect();
    agree(&largest, &totals(&largest)).unwrap();
    let huge = Line { quantity: "999999999999999999.99".into(), ..line("999999999999999999.99999999", "22") };
    assert_eq!(totals::sale_of_input(&input(&[huge], "")), None);
    for (quantity, price, discount, code) in [
        ("0.001", "1", "0", "22"),
        ("1", "0.000000001", "0", "22"),
        ("1", "1", "0", "21"),
        ("1", "1", "0.000000001", "22"),
    ] {
        let [quantity, price, discount, code] = [quantity, price, discount, code].map(str::to_owned);
        let line = Line { quantity, price, discount, code, gift: false };
        assert_eq!(totals::sale_of_input(&input(std::slice::from_ref(&line), "")), None, "{line:?}");
    }
    let fine = Line { discount: "0".into(), gift: false, ..line("1", "22") };
    assert!(totals::sale_of_input(&input(std::slice::from_ref(&fine), r#","discount":"x""#)).is_none());
    assert!(totals::sale_of_input(&input(&[fine], r#","discount":"1""#)).is_some());
}

#[test]
fn a_tax_free_invoice_of_two_rates_has_net_totals_only_without_a_discount() {
    let of = |discount: &str| {
        let text = format!(
            r#"{{"Items":[{{"Quantity":1,"UnitPriceWithVat":122,"VatRate":22}},
            {{"Quantity":1,"UnitPriceWithVat":52,"VatRate":4}}],"Discount":{discount}}}"#
        );
        totals::draft_of_input(&serde_json::from_str(&text).unwrap()).unwrap()
    };
    let none = of("0");
    assert_eq!((none.net_discount, none.net_total), (Some(Cents::new(0)), Some(Cents::new(15_000))));
    let some = of("0.01");
    assert_eq!((some.net_discount, some.net_total), (None, None), "nobody says how Stamp splits it");
}

#[test]
fn a_kind_without_totals_of_its_own_has_none() {
    let void = line::parse(br#"{"kind":"void","parent":"p"}"#).unwrap();
    let body: Body = check::body(&void.body, &Context::default()).unwrap();
    assert_eq!(Totals::of(&body), None);
}
