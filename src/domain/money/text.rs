//! Numbers read from text and written as text.

use std::fmt;
use std::str::FromStr;

use super::{Decimal, DecimalError, pow10};
use crate::domain::limits::{MAX_DIGITS, MAX_PLACES};

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Reads `-12.34` or `1.5e2`, as JSON spells numbers. Zeros at the end say nothing and are never too many.
    fn from_str(text: &str) -> Result<Decimal, DecimalError> {
        plain(text).map_or_else(|| in_full(text), Ok)
    }
}

/// Any number, with an exponent and zeros wherever they are.
pub(super) fn in_full(text: &str) -> Result<Decimal, DecimalError> {
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
pub(super) fn plain(text: &str) -> Option<Decimal> {
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

/// The same text where it is short, as nearly always, in room of its own.
#[derive(Default)]
pub(super) struct Short([u8; 32]);

impl Short {
    /// `None` when it is not short.
    pub fn text(&mut self, mantissa: i128, places: u32) -> Option<&str> {
        const MOST_PLACES: u32 = 9; // with 20 digits of 64 bits, a point and a sign: less than there is room
        let mut rest = u64::try_from(mantissa.unsigned_abs()).ok().filter(|_| places <= MOST_PLACES)?;
        let (mut begin, mut done) = (self.0.len(), 0);
        let mut put = |byte: u8| {
            begin -= 1;
            self.0[begin] = byte;
        };
        while rest > 0 || done <= places {
            if done == places && places > 0 {
                put(b'.');
            }
            put(b'0' + (rest % 10) as u8);
            rest /= 10;
            done += 1;
        }
        if mantissa < 0 {
            put(b'-');
        }
        std::str::from_utf8(self.0.get(begin..)?).ok()
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
