//! The provider's totals against ours: its last digits are its own, cents are not.

use staffetta::domain::document::{Item, Receipt};
use staffetta::domain::totals::{self, DraftTotals, ReturnLine, ReturnTotals, Totals, differences};
use staffetta::domain::vat::VatRate;

/// 11 × 10.00 at 22 %: taxable 90.16393443, VAT 19.83606557 (the providers print …442 and …558).
fn sale() -> Totals {
    let item = Item::new("test", 10.into(), VatRate::TwentyTwo).quantity(11);
    let second = Item::new("test", 10.into(), VatRate::TwentyTwo);
    let sale = Receipt::new("12345678903".parse().unwrap()).item(item).item(second).cash(120.into());
    Totals::Sale(totals::sale(&sale.build().unwrap()).unwrap())
}

fn compare(ours: &Totals, name: &str, theirs: &str) -> usize {
    let found = differences(ours, &[(name.to_owned(), theirs.to_owned())]);
    for sentence in &found {
        assert!(
            sentence.starts_with(&format!("{name}: the provider says {}", theirs.trim_matches('\'')))
                || theirs == "abc"
        );
        assert!(sentence.contains("computed here: "), "{sentence}");
    }
    found.len()
}

#[test]
fn eight_decimals_may_differ_by_two_units_a_line_and_cents_not_at_all() {
    let sale = sale();
    // 98.36065574 and 21.63934426 in all, over two lines: four units are the last that pass.
    for (name, theirs, differences) in [
        ("total_taxable_amount", "98.36065574", 0),
        ("total_taxable_amount", "98.36065578", 0),
        ("total_taxable_amount", "98.36065570", 0),
        ("total_taxable_amount", "98.36065579", 1),
        ("total_taxable_amount", "98.36065569", 1),
        ("total_vat_amount", "21.63934422", 0),
        ("total_vat_amount", "21.63934421", 1),
        ("total_discount", "0.00000004", 0),
        ("total_discount", "0.00000005", 1),
        ("total_gross_discount", "0.1", 1),
        ("total_amount", "120", 0),
        ("total_amount", "120.00", 0),
        ("total_amount", "'120.00'", 0),
        ("total_amount", "120.00000003", 0),
        ("total_amount", "120.01", 1),
        ("total_amount", "119.99", 1),
        ("total_amount", "120.00000005", 1),
        ("total_amount", "-120", 1),
        ("total_amount_exact", "120.00000004", 0),
        ("total_amount_exact", "120.00000005", 1),
        ("discount", "0.01", 1),
        ("total_uncollected_amount", "5", 1),
        ("items[0].taxable_amount", "90.16393442", 0),
        ("items[0].taxable_amount", "90.16393441", 0),
        ("items[0].taxable_amount", "90.16393440", 1),
        ("items[0].vat_amount", "19.83606558", 0),
        ("items[0].vat_amount", "19.83606560", 1),
        ("items[0].unit_price", "8.1967", 1),
        ("items[0].gross_price", "10", 0),
        ("items[0].gross_price", "11", 1),
        ("items[0].net_taxable_amount", "1", 1),
        ("items[0].total_amount", "110.00", 0),
        ("items[0].total_amount", "110.01", 1),
        ("items[0].gross_discount", "1", 1),
        ("items[0].unit_discount", "1", 1),
        ("items[1].total_amount", "10", 0),
        ("items[1].total_amount", "110", 1),
    ] {
        assert_eq!(compare(&sale, name, theirs), differences, "{name} {theirs}");
    }
}

#[test]
fn what_only_one_side_has_is_no_difference() {
    let sale = sale();
    for (name, theirs) in [
        ("total_amount", "0"),
        ("total_amount", "0.00"),
        ("total_amount", ""),
        ("total_amount", "null"),
        ("total_amount", "''"),
        ("total_taxable_amount", "0.00000000"),
        ("deductible_amount", "5"),
        ("paid_amount", "5"),
        ("items[2].total_amount", "5"),
        ("items[x].total_amount", "5"),
        ("items[0].sku", "5"),
    ] {
        assert_eq!(compare(&sale, name, theirs), 0, "{name} {theirs}");
    }
    assert_eq!(compare(&sale, "total_amount", "abc"), 1, "but nonsense is");
    // A zero beside a number is one: a provider that computed no VAT is told, one that computed nothing yet is not.
    let of = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs.iter().map(|(name, theirs)| (name.to_string(), theirs.to_string())).collect();
        differences(&sale, &pairs)
    };
    assert_eq!(of(&[("total_amount", "120"), ("total_vat_amount", "0"), ("total_discount", "0")]).len(), 1);
    assert_eq!(of(&[("total_amount", "120"), ("total_vat_amount", "null"), ("total_discount", "''")]).len(), 0);
    assert_eq!(of(&[("total_amount", "null"), ("total_vat_amount", "0"), ("total_taxable_amount", "0.00")]).len(), 0);
    assert!(differences(&sale, &[]).is_empty());
    let both = [("total_amount".to_owned(), "1".to_owned()), ("total_vat_amount".to_owned(), "1".to_owned())];
    assert_eq!(differences(&sale, &both).len(), 2);
    assert_eq!(compare(&Totals::Draft(DraftTotals::default()), "total_amount", "5"), 0);
    assert_eq!(compare(&Totals::Draft(DraftTotals::default()), "items[0].total_amount", "5"), 0);
}

#[test]
fn a_return_is_held_against_its_cents_or_its_fractions_of_one() {
    // The authority's own return of 0.045 (vector H05): a provider may print 0.05 or 0.045.
    let line = |taxable: &str| ReturnLine {
        id: None,
        taxable_amount: taxable.parse().unwrap(),
        unit_discount: "0.00409836".parse().unwrap(),
        net_taxable_amount: "0.02049180".parse().unwrap(),
        vat_amount: "0.00450820".parse().unwrap(),
        total_amount: "0.02500000".parse().unwrap(),
    };
    let totals = Totals::Return(ReturnTotals {
        items: vec![line("0.02459016"), line("0.02000000")],
        total_amount: "0.05".parse().unwrap(),
        total_amount_exact: "0.04500000".parse().unwrap(),
        total_taxable_amount: "0.04459016".parse().unwrap(),
        total_vat_amount: "0.00450820".parse().unwrap(),
        total_discount: "0.00409836".parse().unwrap(),
    });
    for (name, theirs, differences) in [
        ("total_amount", "0.05", 0),
        ("total_amount", "0.045", 0),
        ("total_amount", "0.04500004", 0),
        ("total_amount", "0.04500005", 1),
        ("total_amount", "0.04", 1),
        ("total_amount_exact", "0.045", 0),
        ("total_amount_exact", "0.04500005", 1),
        ("total_taxable_amount", "0.0446", 1),
        ("total_vat_amount", "0.0045082", 0),
        ("total_vat_amount", "0.01", 1),
        ("total_discount", "0.01", 1),
        ("total_gross_discount", "0.01", 0),
        ("items[1].taxable_amount", "0.02", 0),
        ("items[1].taxable_amount", "0.03", 1),
        ("items[0].unit_discount", "0.03", 1),
        ("items[0].net_taxable_amount", "0.03", 1),
        ("items[0].vat_amount", "0.03", 1),
        ("items[0].total_amount", "0.03", 1),
        ("items[0].gross_price", "0.03", 0),
        ("items[2].total_amount", "0.03", 0),
    ] {
        assert_eq!(compare(&totals, name, theirs), differences, "{name} {theirs}");
    }
}
