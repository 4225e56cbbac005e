//! Exact decimals, read from text, and **the** rounding function.
//!
//! A [`Decimal`] is an `i128` mantissa and a number of decimal places. It is our own because what is at stake is
//! exactness: the well-known decimal crates round silently when a product outgrows their 28 digits (11 + 8 digits of
//! price times 9 + 2 digits of quantity already do), round half to even by default, and panic in plain operators.
//! Here nothing rounds but [`Decimal::round`], nothing wraps, and every operation that may not fit returns `None`.

mod amount;
mod json;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

pub use amount::{Amount, Cents, EightPlaces};
pub use json::Numeral;
pub(super) use json::shape;

use super::limits::{MAX_DIGITS, MAX_PLACES};

/// An exact decimal number. Equality, order and hash are numeric: `10`, `10.0` and `10.00` are the same number;
/// [`fmt::Display`] keeps the places it was written with.
#[derive(Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    places: u32,
}

/// Why a text is not a number that Staffetta takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form `-12.34`, with or without a small exponent: `NaN`, `1,5`, an empty text.
    #[error("not a decimal number")]
    Syntax,
    /// More than [`MAX_DIGITS`] digits before the point, as in `1e400`.
    #[error("too large a number")]
    TooLarge,
    /// More than [`MAX_PLACES`] digits after the point.
    #[error("too many decimal places")]
    TooManyPlaces,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal { mantissa: 0, places: 0 };
    /// One.
    pub const ONE: Decimal = Decimal { mantissa: 1, places: 0 };

    /// `mantissa` × 10^-`places`; `None` past the limits of this type: twice [`MAX_PLACES`], so that the product of any
    /// two numbers that were read fits.
    pub fn new(mantissa: i128, places: u32) -> Option<Decimal> {
        (places <= 2 * MAX_PLACES).then_some(Decimal { mantissa, places })
    }

    /// The unscaled digits: the number is `mantissa` × 10^-[`places`](Self::places).
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many decimal places the number is written with.
    pub fn places(self) -> u32 {
        self.places
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether it is below zero (`-0` is not).
    pub fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Whether it is above zero.
    pub fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// The same number without trailing zeros after the point.
    pub fn normal(self) -> Decimal {
        let Decimal { mut mantissa, mut places } = self;
        if mantissa == 0 {
            return Decimal::ZERO;
        }
        while places > 0
            && let (less, 0) = divide(mantissa, 10)
        {
            mantissa = less;
            places -= 1;
        }
        Decimal { mantissa, places }
    }

    /// The same number with at most `places` decimal places: zeros past them are dropped, never other digits (`None`).
    pub fn within(self, places: u32) -> Option<Decimal> {
        if self.places <= places { Some(self) } else { Decimal::new(self.at(places)?, places) }
    }

    /// The mantissa at exactly `places` decimal places; `None` when digits would be lost or do not fit.
    pub fn at(self, places: u32) -> Option<i128> {
        match places.cmp(&self.places) {
            Ordering::Equal => Some(self.mantissa),
            Ordering::Greater => self.mantissa.checked_mul(pow10(places - self.places)?),
            Ordering::Less => {
                let (kept, lost) = divide(self.mantissa, pow10(self.places - places)?);
                (lost == 0).then_some(kept)
            }
        }
    }

    /// The sum, exact, or `None` when it does not fit.
    pub fn checked_add(self, other: Decimal) -> Option<Decimal> {
        let places = self.places.max(other.places);
        Some(Decimal { mantissa: self.at(places)?.checked_add(other.at(places)?)?, places })
    }

    /// The difference, exact, or `None` when it does not fit.
    pub fn checked_sub(self, other: Decimal) -> Option<Decimal> {
        self.checked_add(Decimal { mantissa: other.mantissa.checked_neg()?, places: other.places })
    }

    /// The product, exact, or `None` when it does not fit.
    pub fn checked_mul(self, other: Decimal) -> Option<Decimal> {
        Decimal::new(self.mantissa.checked_mul(other.mantissa)?, self.places + other.places)
    }

    /// **The** rounding function: to `places` decimal places, half away from zero ("half-up", PROVIDERS.md 2.1: measured
    /// on the authority's portal). A number with fewer places is padded. `None` when it does not fit.
    pub fn round(self, places: u32) -> Option<Decimal> {
        let mantissa = match places.checked_sub(self.places) {
            Some(_) => self.at(places)?,
            None => round_ratio(self.mantissa, pow10(self.places - places)?)?,
        };
        Decimal::new(mantissa, places)
    }
}

/// `numerator / denominator` rounded half away from zero to a whole number; `None` when `denominator` is not positive.
pub(crate) fn round_ratio(numerator: i128, denominator: i128) -> Option<i128> {
    if denominator <= 0 {
        return None;
    }
    let (whole, rest) = divide(numerator, denominator);
    let up = rest.unsigned_abs() >= denominator.unsigned_abs().div_ceil(2);
    Some(if up { whole + numerator.signum() } else { whole }) // |whole| < |numerator| whenever there is a rest
}

/// Quotient and rest, as `/` and `%` have them, of a denominator that is not zero. What fits is divided in 64 bits, which
/// is many times faster, and money nearly always fits.
pub(crate) fn divide(numerator: i128, denominator: i128) -> (i128, i128) {
    match (i64::try_from(numerator), i64::try_from(denominator)) {
        (Ok(numerator), Ok(denominator @ 1..)) => {
            (i128::from(numerator / denominator), i128::from(numerator % denominator))
        }
        _ => (numerator / denominator, numerator % denominator),
    }
}

/// 10^`exponent`, if it fits.
pub(crate) fn pow10(exponent: u32) -> Option<i128> {
    const POWERS: [i128; 39] = {
        let mut powers = [1i128; 39];
        let mut index = 1;
        while index < powers.len() {
            powers[index] = powers[index - 1] * 10;
            index += 1;
        }
        powers
    };
    POWERS.get(exponent as usize).copied()
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Reads `-12.34` or `1.5e2`, as JSON spells numbers. Zeros at the end say nothing and are never too many.
    fn from_str(text: &str) -> Result<Decimal, DecimalError> {
        plain(text).map_or_else(|| in_full(text), Ok)
    }
}

/// Any number, with an exponent and zeros wherever they are.
fn in_full(text: &str) -> Result<Decimal, DecimalError> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return Err(DecimalError::Syntax),
        Some(parts) => parts,
        None => (number, ""),
    };
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(DecimalError::Syntax); // JSON has no 007, and neither has a till
    }
    let count = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
    let places = count(fraction.len()).saturating_sub(exponent);
    let leading = digits().take_while(|b| *b == b'0').count();
    let all = whole.len() + fraction.len();
    if leading == all {
        let places = u32::try_from(places.clamp(0, i64::from(MAX_PLACES))).unwrap_or(0);
        return Ok(Decimal { mantissa: 0, places });
    }
    // 1.000000000000000 is 1: zeros past the last place are dropped, as many as are in the way.
    let trailing = digits().rev().take_while(|b| *b == b'0').count();
    let surplus = places.saturating_sub(i64::from(MAX_PLACES)).clamp(0, count(trailing));
    let places = places - surplus;
    if places > i64::from(MAX_PLACES) {
        return Err(DecimalError::TooManyPlaces);
    }
    let kept = all - usize::try_from(surplus).unwrap_or(0);
    if count(kept - leading).saturating_sub(places) > i64::from(MAX_DIGITS) {
        return Err(DecimalError::TooLarge);
    }
    // From here on there are at most MAX_DIGITS + MAX_PLACES significant digits: they fit.
    let magnitude = digits().take(kept).fold(0i128, |sum, byte| sum * 10 + i128::from(byte - b'0'));
    let (magnitude, places) = match u32::try_from(places) {
        Ok(places) => (magnitude, places),
        Err(_) => {
            let zeros = u32::try_from(-places).map_err(|_| DecimalError::TooLarge)?;
            (magnitude * pow10(zeros).ok_or(DecimalError::TooLarge)?, 0)
        }
    };
    Ok(Decimal { mantissa: if negative { -magnitude } else { magnitude }, places })
}

/// A number as nearly every till writes it, in one pass: few digits, perhaps a point. `None` where there is more to it, or
/// where it is none.
fn plain(text: &str) -> Option<Decimal> {
    const MOST: usize = 17; // less than MAX_DIGITS: nothing about it can be too large
    let bytes = Some(text.as_bytes()).filter(|bytes| bytes.len() <= MOST)?;
    let (mut mantissa, mut point) = (0i64, None);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + i64::from(byte - b'0'),
            b'.' if at > 0 && at + 1 < bytes.len() && point.is_none() => point = Some(at + 1),
            _ => return None,
        }
    }
    let places =
        u32::try_from(point.map_or(0, |point| bytes.len() - point)).ok().filter(|places| *places <= MAX_PLACES)?;
    let zero_first = bytes.first()? == &b'0' && bytes.len() > 1 && point != Some(2);
    (!zero_first).then_some(Decimal { mantissa: i128::from(mantissa), places })
}

/// The exponent, exactly up to a size that no text could outweigh with its digits; saturated beyond.
fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    const BOUND: i64 = 1 << 50;
    let size = digits.bytes().fold(0i64, |sum, byte| (sum * 10 + i64::from(byte - b'0')).min(BOUND));
    Ok(if negative { -size } else { size })
}

impl Default for Decimal {
    /// Zero.
    fn default() -> Decimal {
        Decimal::ZERO
    }
}

impl fmt::Display for Decimal {
    /// The digits, with every place the number is written with. Flags of the format (`{:.2}`) change nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self.mantissa, self.places))
    }
}

/// `mantissa` × 10^-`places` as text, with exactly that many places.
pub(crate) fn text(mantissa: i128, places: u32) -> String {
    let places = places as usize;
    let digits = match u64::try_from(mantissa.unsigned_abs()) {
        Ok(small) => small.to_string(), // many times faster than 128 bits, and nearly always enough
        Err(_) => mantissa.unsigned_abs().to_string(),
    };
    let mut text = String::with_capacity(digits.len() + places + 3);
    if mantissa < 0 {
        text.push('-');
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if places > 0 {
        text.push('.');
        text.extend(std::iter::repeat_n('0', places - fraction.len()));
        text.push_str(fraction);
    }
    text
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let places = self.places.max(other.places);
        if let (Some(a), Some(b)) = (self.at(places), other.at(places)) {
            return a.cmp(&b);
        }
        // One of them does not fit at that many places: compare the whole parts, then the fractions. A fraction is below
        // one, so at no more than 24 places it always fits.
        let split = |d: &Decimal| {
            let one = pow10(d.places).unwrap_or(i128::MAX);
            let (whole, rest) = (d.mantissa.div_euclid(one), d.mantissa.rem_euclid(one));
            (whole, rest * pow10(places - d.places).unwrap_or(1))
        };
        split(self).cmp(&split(other))
    }
}
impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Decimal { mantissa, places } = self.normal();
        (mantissa, places).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use proptest::prelude::*;

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
            "", "-", "+1", "1,5", "NaN", "inf", "1.", ".5", "1..2", "1.2.3", "--1", "-+1", " 1", "1 ", "007", "00",
            "1e", "1e+", "1e5e5", "1e1.5", "0x10", "1_000", "١", "-.5", "1e--2",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text:?}");
        }
        for text in
            ["1e400", "-1e400", "1e18", "1000000000000000000", "1e99999999999999999999", "123456789012345678901"]
        {
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
}
