//! Exact decimals, read from text, and **the** rounding function.
//!
//! A [`Decimal`] is an `i128` mantissa and a number of decimal places. It is our own because what is at stake is
//! exactness: the well-known decimal crates round silently when a product outgrows their 28 digits (11 + 8 digits of
//! price times 9 + 2 digits of quantity already do), round half to even by default, and panic in plain operators.
//! Here nothing rounds but [`Decimal::round`], nothing wraps, and every operation that may not fit returns `None`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

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

    /// `mantissa` × 10^-`places`; `None` past the limits of this type.
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

    /// How many decimal places it needs: trailing zeros do not count.
    pub fn needed_places(self) -> u32 {
        self.normal().places
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
        while places > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            places -= 1;
        }
        Decimal { mantissa, places }
    }

    /// The mantissa at exactly `places` decimal places; `None` when digits would be lost or do not fit.
    pub fn at(self, places: u32) -> Option<i128> {
        match places.cmp(&self.places) {
            Ordering::Equal => Some(self.mantissa),
            Ordering::Greater => self.mantissa.checked_mul(pow10(places - self.places)?),
            Ordering::Less => {
                let cut = pow10(self.places - places)?;
                (self.mantissa % cut == 0).then_some(self.mantissa / cut)
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
        if places >= self.places {
            return Some(Decimal { mantissa: self.at(places)?, places });
        }
        Some(Decimal { mantissa: round_ratio(self.mantissa, pow10(self.places - places)?)?, places })
    }
}

/// `numerator / denominator` rounded half away from zero to a whole number. `denominator` must be positive.
pub(crate) fn round_ratio(numerator: i128, denominator: i128) -> Option<i128> {
    let (whole, rest) = (numerator.checked_div(denominator)?, numerator.checked_rem(denominator)?);
    let up = rest.unsigned_abs() >= denominator.unsigned_abs().div_ceil(2);
    if up { whole.checked_add(numerator.signum()) } else { Some(whole) }
}

/// 10^`exponent`, if it fits.
pub(crate) fn pow10(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Decimal, DecimalError> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (negative, digits) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Syntax),
            Some(parts) => parts,
            None => (digits, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(DecimalError::Syntax);
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(DecimalError::Syntax); // JSON has no 007, and neither has a till
        }
        let mut all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let mut places = i64::try_from(fraction.len()).map_err(|_| DecimalError::TooManyPlaces)? - exponent;
        if all.iter().all(|b| *b == b'0') {
            return Ok(Decimal { mantissa: 0, places: places.clamp(0, i64::from(MAX_PLACES)) as u32 });
        }
        while places > i64::from(MAX_PLACES) && all.last() == Some(&b'0') {
            all.pop(); // zeros say nothing: 1.000000000000000 is 1
            places -= 1;
        }
        if places > i64::from(MAX_PLACES) {
            return Err(DecimalError::TooManyPlaces);
        }
        let significant = all.iter().skip_while(|b| **b == b'0').count() as i64;
        if significant - places > i64::from(MAX_DIGITS) {
            return Err(DecimalError::TooLarge);
        }
        let mut mantissa = 0i128;
        for byte in all {
            mantissa = mantissa * 10 + i128::from(byte - b'0'); // at most MAX_DIGITS + MAX_PLACES digits: fits
        }
        if places < 0 {
            mantissa *= pow10(places.unsigned_abs() as u32).ok_or(DecimalError::TooLarge)?;
            places = 0;
        }
        Ok(Decimal { mantissa: if negative { -mantissa } else { mantissa }, places: places as u32 })
    }
}

fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    // Past a thousand it is out of every bound, whatever the digits: the bound only keeps the arithmetic small.
    let size =
        digits.trim_start_matches('0').get(..5).map_or_else(|| digits.trim_start_matches('0').parse(), |_| Ok(99_999));
    let size: i64 = if digits.trim_start_matches('0').is_empty() { 0 } else { size.map_err(|_| DecimalError::Syntax)? };
    Ok(if text.starts_with('-') { -size } else { size })
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", self.mantissa.unsigned_abs(), width = self.places as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.places as usize);
        match fraction {
            "" => write!(f, "{sign}{whole}"),
            _ => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
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
        let (a, b) = (self.normal(), other.normal());
        let split = |d: Decimal| {
            let one = pow10(d.places).unwrap_or(i128::MAX);
            (d.mantissa.div_euclid(one), d.mantissa.rem_euclid(one))
        };
        let ((whole_a, rest_a), (whole_b, rest_b)) = (split(a), split(b));
        whole_a.cmp(&whole_b).then_with(|| {
            // Fractions below one at the larger number of places: at most 10^24, so this always fits.
            let places = a.places.max(b.places);
            let grow = |rest: i128, from: u32| rest * pow10(places - from).unwrap_or(1);
            grow(rest_a, a.places).cmp(&grow(rest_b, b.places))
        })
    }
}
impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Decimal { mantissa, places } = self.normal();
        (mantissa, places).hash(state);
    }
}

impl Serialize for Decimal {
    /// A JSON number with the digits it was written with.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number: serde_json::Number = self.to_string().parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// From a JSON number or a string, by its digits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        Numeral::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A number as it was written, digit for digit, before anyone asks whether it is one that can be taken. From a JSON
/// number or a string; so that `1e400` or `"NaN"` ends as a violation with its path, not as a syntax error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numeral(String);

impl Numeral {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads it as a [`Decimal`].
    pub fn parse(&self) -> Result<Decimal, DecimalError> {
        self.0.parse()
    }
}

impl From<Decimal> for Numeral {
    fn from(value: Decimal) -> Numeral {
        Numeral(value.to_string())
    }
}

impl From<&str> for Numeral {
    fn from(value: &str) -> Numeral {
        Numeral(value.to_owned())
    }
}

impl<'de> Deserialize<'de> for Numeral {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Numeral, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Numeral;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a string holding one")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Numeral, E> {
                Ok(Numeral(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Numeral, E> {
                Ok(Numeral(value.to_string()))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Numeral, E> {
                Ok(Numeral(value.to_string()))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Numeral, A::Error> {
                // How serde_json hands over a number of arbitrary precision.
                let number = serde_json::Number::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map_err(|_| de::Error::invalid_type(de::Unexpected::Map, &self))?;
                Ok(Numeral(number.as_str().to_owned()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}
