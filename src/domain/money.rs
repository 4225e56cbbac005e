//! Exact decimals, read from text, and **the** rounding function.
//!
//! A [`Decimal`] is an `i128` mantissa and a number of decimal places. It is our own because what is at stake is
//! exactness: the well-known decimal crates round silently when a product outgrows their 28 digits (11 + 8 digits of
//! price times 9 + 2 digits of quantity already do), round half to even by default, and panic in plain operators.
//! Here nothing rounds but [`Decimal::round`], nothing wraps, and every operation that may not fit returns `None`.

mod amount;
mod json;
#[cfg(test)]
mod tests;
mod text;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

pub use amount::{Amount, Cents, EightPlaces};
pub use json::Numeral;
pub(crate) use json::as_text;
pub(super) use json::shape;
pub(crate) use text::text;

use super::limits::MAX_PLACES;

/// An exact decimal number. Equality, order and hash are numeric: `10`, `10.0` and `10.00` are the same number;
/// [`Display`](std::fmt::Display) keeps the places it was written with.
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
    /// More than [`MAX_DIGITS`](super::limits::MAX_DIGITS) digits before the point, as in `1e400`.
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

impl From<u32> for Decimal {
    fn from(value: u32) -> Decimal {
        Decimal::new(i128::from(value), 0).unwrap_or(Decimal::ZERO)
    }
}

impl Default for Decimal {
    /// Zero.
    fn default() -> Decimal {
        Decimal::ZERO
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
