//! Numbers at the edges: what is read, rounded, computed, ordered and written.

use std::hash::DefaultHasher;

use proptest::prelude::*;

use super::text::{Short, in_full, plain};
use super::*;

fn read(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn a_number_is_read_with_its_digits_or_refused_by_name() {
    for (text, mantissa, places) in [
        ("0", 0, 0),
        ("-0", 0, 0),
        ("-0.00", 0, 2),
        ("10", 10, 0),
        ("10.00", 1000, 2),
        ("-1.005", -1005, 3),
        ("1e2", 100, 0),
        ("1.5E+1", 15, 0),
        ("1.5e-1", 15, 2),
        ("12.34e1", 1234, 1),
        ("1.000000000000000", 1_000_000_000_000, 12),
        ("0.000000000001", 1, 12),
        ("999999999999999999.999999999999", 999_999_999_999_999_999_999_999_999_999, 12),
        ("1e17", 100_000_000_000_000_000, 0),
        ("1000000000000000000e-1", 1_000_000_000_000_000_000, 1),
        ("0e99999999999999999999", 0, 0),
        ("0e-99999999999999999999", 0, 12),
        ("1e0000000000000000000000", 1, 0),
    ] {
        let number = read(text);
        assert_eq!((number.mantissa, number.places), (mantissa, places), "{text}");
    }
    for text in [
        "", "-", "+1", "1,5", "NaN", "inf", "1.", ".5", "1..2", "1.2.3", "--1", "-+1", " 1", "1 ", "007", "00", "1e",
        "1e+", "1e5e5", "1e1.5", "0x10", "1_000", "١", "-.5", "1e--2",
    ] {
        assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text:?}");
    }
    for text in ["1e400", "-1e400", "1e18", "1000000000000000000", "1e99999999999999999999", "123456789012345678901"] {
        assert_eq!(text.parse::<Decimal>(), Err(DecimalError::TooLarge), "{text}");
    }
    for text in ["1e-400", "0.0000000000001", "1.0000000000001", "1e-99999999999999999999"] {
        assert_eq!(text.parse::<Decimal>(), Err(DecimalError::TooManyPlaces), "{text}");
    }
}

proptest! {
    #[test]
    fn a_plain_number_is_read_as_any_other(text in "-?[0-9]{0,19}([.][0-9]{0,14})?([.eE0 ][0-9]?)?") {
        if let Some(quick) = plain(&text) {
            let number = in_full(&text).unwrap();
            prop_assert_eq!((quick.mantissa, quick.places), (number.mantissa, number.places));
        }
    }

    #[test]
    fn what_tills_write_is_plain(whole in 0..100_000_000_u32, fraction in "[0-9]{1,8}") {
        for text in [whole.to_string(), format!("{whole}.{fraction}")] {
            prop_assert!(plain(&text).is_some(), "{}", text);
        }
    }

    #[test]
    fn short_and_long_division_agree(numerator in any::<i64>(), more in any::<i128>(), denominator in 1..=i64::MAX) {
        for numerator in [i128::from(numerator), more] {
            let wide = i128::from(denominator);
            prop_assert_eq!(divide(numerator, wide), (numerator / wide, numerator % wide));
        }
    }
}

#[test]
fn an_exponent_is_exact_however_many_digits_it_outweighs() {
    let zeros = "0".repeat(100_000);
    assert_eq!(read(&format!("0.{zeros}1e100001")), Decimal::ONE);
    assert_eq!(read(&format!("1{zeros}e-100000")), Decimal::ONE);
    assert_eq!(read(&format!("1.{zeros}")), Decimal::ONE);
    assert_eq!(format!("1{zeros}").parse::<Decimal>(), Err(DecimalError::TooLarge));
}

#[test]
fn rounding_is_half_away_from_zero_and_pads() {
    for (text, places, rounded) in [
        ("1.005", 2, "1.01"),
        ("1.0049999", 2, "1.00"),
        ("-1.005", 2, "-1.01"),
        ("-1.0049", 2, "-1.00"),
        ("0.5", 0, "1"),
        ("-0.5", 0, "-1"),
        ("0.4", 0, "0"),
        ("2.5", 0, "3"),
        ("10", 2, "10.00"),
        ("4.515", 2, "4.52"),
        ("-0.001", 2, "0.00"),
        ("9.995", 2, "10.00"),
    ] {
        assert_eq!(read(text).round(places).unwrap().to_string(), rounded, "{text}");
    }
    assert_eq!(read("1").round(24).unwrap().places(), 24);
    assert!(read("1").round(25).is_none());
    assert!(Decimal::new(i128::MAX, 0).unwrap().round(1).is_none());
    assert_eq!(round_ratio(7, 2), Some(4));
    assert_eq!(round_ratio(-7, 2), Some(-4));
    assert_eq!(round_ratio(1, 3), Some(0));
    assert_eq!(round_ratio(2, 3), Some(1));
    assert_eq!(round_ratio(-5, 3), Some(-2));
    assert_eq!(round_ratio(5, 1), Some(5));
    assert_eq!(round_ratio(i128::MIN, 1), Some(i128::MIN));
    assert_eq!(round_ratio(i128::MAX, 2), Some(i128::MAX / 2 + 1));
    assert_eq!(round_ratio(i128::MAX, i128::MAX), Some(1));
    assert_eq!(round_ratio(1, 0), None);
    assert_eq!(round_ratio(1, -2), None);
}

#[test]
fn arithmetic_is_exact_or_nothing() {
    assert_eq!(read("0.1").checked_add(read("0.2")).unwrap().to_string(), "0.3");
    assert_eq!(read("1").checked_sub(read("0.01")).unwrap().to_string(), "0.99");
    assert_eq!(read("12.90").checked_mul(read("0.35")).unwrap().to_string(), "4.5150");
    let largest = Decimal::new(i128::MAX, 0).unwrap();
    assert!(largest.checked_add(Decimal::ONE).is_none());
    assert!(largest.checked_add(read("0.1")).is_none());
    assert!(largest.checked_mul(read("2")).is_none());
    assert!(Decimal::new(i128::MIN, 0).unwrap().checked_sub(Decimal::new(i128::MIN, 0).unwrap()).is_none());
    let fine = read("0.000000000001");
    let finer = fine.checked_mul(fine).unwrap();
    assert_eq!(finer.places(), 24);
    assert!(finer.checked_mul(read("0.1")).is_none());
    assert!(Decimal::new(1, 25).is_none());
    assert_eq!(read("1.500").at(1), Some(15));
    assert_eq!(read("1.500").at(0), None);
    assert_eq!(read("1.5").at(3), Some(1500));
    assert_eq!(read("1.000").within(2).unwrap().to_string(), "1.00");
    assert_eq!(read("1.0").within(2).unwrap().to_string(), "1.0");
    assert_eq!(read("1.001").within(2), None);
    assert_eq!(read("1.2300").normal().places(), 2);
    assert_eq!(read("0.00").normal().places(), 0);
    assert_eq!(read("100").normal().places(), 0);
}

#[test]
fn order_equality_and_hash_are_numeric_at_any_number_of_places() {
    let hash = |d: Decimal| {
        let mut hasher = DefaultHasher::new();
        d.hash(&mut hasher);
        std::hash::Hasher::finish(&hasher)
    };
    let (ten, ten_point_zero) = (read("10"), read("10.000"));
    assert_eq!(ten, ten_point_zero);
    assert_eq!(hash(ten), hash(ten_point_zero));
    assert_eq!(hash(read("0")), hash(read("0.00")));
    assert_ne!(ten, read("1"));
    assert_ne!(hash(ten), hash(read("1")));
    let tiny = Decimal::new(1, 24).unwrap();
    let large = Decimal::new(i128::MAX, 0).unwrap();
    let small = Decimal::new(i128::MIN, 0).unwrap();
    assert!(tiny < large && small < tiny && small < large && tiny.is_positive());
    assert!(Decimal::new(-1, 24).unwrap() < Decimal::ZERO && Decimal::new(-1, 24).unwrap() > small);
    // Neighbours that only the last of 24 places tells apart, past what fits when scaled up.
    let a = Decimal::new(170_141_183_460_469, 0).unwrap();
    let b = Decimal::new(i128::MAX, 24).unwrap();
    assert_eq!((a.cmp(&b), b.cmp(&a)), (Ordering::Less, Ordering::Greater));
    assert!(Decimal::new(i128::MAX - 1, 24).unwrap() < b);
    assert!(Decimal::new(170_141_183_460_470, 0).unwrap() > b);
    assert!(Decimal::new(-170_141_183_460_469, 0).unwrap() > Decimal::new(i128::MIN, 24).unwrap());
    assert!(Decimal::new(i128::MAX, 1).unwrap() > Decimal::new(i128::MAX, 24).unwrap());
    assert_eq!(Decimal::new(i128::MAX, 1).unwrap(), Decimal::new(i128::MAX, 1).unwrap());
    // The same whole part, fractions of different places: .24 after .2317…, and below zero the other way round.
    assert!(read("170141183460469.24") > b);
    assert!(read("-170141183460469.24") < Decimal::new(i128::MIN, 24).unwrap());
}

#[test]
fn text_has_every_place_and_only_them() {
    for (mantissa, places, text) in [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (123, 2, "1.23"),
        (100, 0, "100"),
        (i128::MAX, 0, "170141183460469231731687303715884105727"),
        (i128::MIN, 24, "-170141183460469.231731687303715884105728"),
    ] {
        let number = Decimal::new(mantissa, places).unwrap();
        assert_eq!(number.to_string(), text);
        assert_eq!(format!("{number:?}"), text);
    }
    assert_eq!(format!("{:.1}", read("1.25")), "1.25", "a format flag must not cut digits");
}

proptest! {
    #[test]
    fn a_short_number_is_written_as_any_other(mantissa in any::<i128>(), bits in 0..128u32, places in 0..=24u32) {
        let mantissa = mantissa >> bits;
        let mut room = Short::default();
        let short = room.text(mantissa, places);
        prop_assert!(short.is_none_or(|short| short == text(mantissa, places)));
        prop_assert_eq!(short.is_some(), places <= 9 && u64::try_from(mantissa.unsigned_abs()).is_ok());
        let number = Decimal::new(mantissa, places).unwrap();
        prop_assert_eq!(serde_json::to_string(&number).unwrap(), number.to_string());
        prop_assert_eq!(serde_json::to_value(number).unwrap().to_string(), number.to_string());
    }
}
