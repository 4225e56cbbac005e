use super::read::unpack;
use super::*;
use crate::domain::money::{Cents, EightPlaces};
use crate::domain::totals::{DraftTotals, ReturnLine, ReturnTotals, SaleLine, SaleTotals};
use proptest::prelude::*;

fn units() -> impl Strategy<Value = i128> {
    let near = |bound: i128| -bound..=bound;
    prop_oneof![near(3), near(300), near(1_000_000_000_000), any::<i128>(), near(100_000).prop_map(|n| n * CENT)]
}

fn eight() -> impl Strategy<Value = EightPlaces> {
    units().prop_map(EightPlaces::new)
}

fn cents() -> impl Strategy<Value = Cents> {
    units().prop_map(Cents::new)
}

prop_compose! {
    fn sale_line()(a in any_of(8)) -> SaleLine {
        SaleLine {
            gross_price: a[0], unit_price: a[1], gross_discount: a[2], unit_discount: a[3],
            taxable_amount: a[4], net_taxable_amount: a[5], vat_amount: a[6], total_amount: a[7],
        }
    }
}

fn any_of(count: usize) -> impl Strategy<Value = Vec<EightPlaces>> {
    prop::collection::vec(eight(), count)
}

fn totals() -> impl Strategy<Value = Totals> {
    let sale = (prop::collection::vec(sale_line(), 0..9), any_of(5), prop::collection::vec(cents(), 5));
    let sale = sale.prop_map(|(items, e, c)| {
        Totals::Sale(SaleTotals {
            items,
            total_amount: c[0],
            total_amount_exact: e[0],
            total_taxable_amount: e[1],
            total_vat_amount: e[2],
            total_discount: e[3],
            total_gross_discount: e[4],
            discount: c[1],
            paid_amount: c[2],
            total_uncollected_amount: c[3],
            amount_to_settle: c[4],
        })
    });
    let id = prop::option::of("[a-z0-9é-]{0,200}");
    let line = (id, any_of(5)).prop_map(|(id, a)| ReturnLine {
        id,
        taxable_amount: a[0],
        unit_discount: a[1],
        net_taxable_amount: a[2],
        vat_amount: a[3],
        total_amount: a[4],
    });
    let returned = (prop::collection::vec(line, 0..9), cents(), any_of(4)).prop_map(|(items, total_amount, e)| {
        Totals::Return(ReturnTotals {
            items,
            total_amount,
            total_amount_exact: e[0],
            total_taxable_amount: e[1],
            total_vat_amount: e[2],
            total_discount: e[3],
        })
    });
    let several = prop::collection::vec(cents(), 4..12);
    let draft = (several, prop::option::of(cents()), prop::option::of(cents())).prop_map(
        |(mut amounts, net_discount, net_total)| {
            let line_nets = amounts.split_off(4);
            Totals::Draft(DraftTotals {
                gross_subtotal: amounts[0],
                discount_gross: amounts[1],
                gross_total: amounts[2],
                line_nets,
                net_subtotal: amounts[3],
                net_discount,
                net_total,
            })
        },
    );
    prop_oneof![sale, returned, draft]
}

fn kind(totals: &Totals) -> Kind {
    match totals {
        Totals::Sale(_) => Kind::Receipt,
        Totals::Return(_) => Kind::Return,
        Totals::Draft(_) => Kind::Draft,
    }
}

#[test]
fn these_bytes_are_in_journals_out_there() {
    let sale = SaleTotals {
        items: vec![SaleLine { gross_price: EightPlaces::new(120 * CENT), ..SaleLine::default() }],
        total_amount_exact: EightPlaces::new(-109_090_909),
        total_amount: Cents::new(-1),
        discount: Cents::new(64),
        ..SaleTotals::default()
    };
    let kept = Kept::from(&Totals::Sale(sale));
    let hex: String = kept.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, concat!("01", "01", "e003", "00000000000000", "01", "f3c289d001", "00000000", "8001", "000000"));
    let none = Kept::default();
    assert!(none.is_none() && none.read(Kind::Receipt).unwrap().is_none());
    assert!(!kept.is_none());
}

#[test]
fn what_is_not_of_this_form_is_refused() {
    let good = Kept::from(&Totals::Sale(SaleTotals::default())).0;
    assert!(unpack(&good).is_some());
    let longer = [good.as_slice(), &[0]].concat();
    let mut overlong = good.clone();
    overlong.splice(1..2, [0x80, 0]);
    let mut fine = good.clone();
    fine[3] = 1; // no units of 10^-8 are no cents
    let mut fine_overlong = good.clone();
    fine_overlong.splice(3..4, [0x80, 0]);
    let endless = [&[1u8][..], &[0xff; 40]].concat();
    for bad in [&longer[..], &good[..good.len() - 1], &overlong, &fine, &fine_overlong, &endless, &[4], &[0]] {
        assert!(unpack(bad).is_none(), "{bad:?}");
        assert!(matches!(Kept(bad.to_vec()).read(Kind::Receipt), Err(BadTotals::Form)));
    }
    assert_eq!(Kept::of_json("{}").json().unwrap().as_deref(), Some("{}"));
    assert!(matches!(Kept(b"{}".to_vec()).read(Kind::Receipt), Err(BadTotals::Json(_))));
    assert!(matches!(Kept(b"{\xff".to_vec()).read(Kind::Receipt), Err(BadTotals::Form)));
}

proptest! {
    #[test]
    fn totals_come_back(totals in totals()) {
        let kept = Kept::from(&totals);
        prop_assert_eq!(kept.read(kind(&totals)).unwrap(), Some(totals.clone()));
        prop_assert_eq!(kept.json().unwrap(), Some(totals.to_json().unwrap()));
        let bytes = bincode::serialize(&kept).unwrap();
        prop_assert_eq!(bincode::deserialize::<Kept>(&bytes).unwrap(), kept);
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_have_one_form(bytes in prop::collection::vec(any::<u8>(), 0..60), form in 1u8..4) {
        let bytes = [&[form][..], &bytes].concat();
        if let Some(totals) = unpack(&bytes) {
            prop_assert_eq!(Kept::from(&totals).0, bytes);
        }
    }

    #[test]
    fn small_numbers_have_one_form(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(0x80), any::<u8>()], 0..40)) {
        let bytes = [&[DRAFT][..], &bytes].concat();
        if let Some(totals) = unpack(&bytes) {
            prop_assert_eq!(Kept::from(&totals).0, bytes);
        }
    }
}
