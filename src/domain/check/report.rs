//! Where the checks write what they find, and how they read numbers.

use super::{Checked, Violation, codes};
use crate::domain::limits::{MAX_AMOUNT, MAX_TEXT};
use crate::domain::money::{Decimal, DecimalError, Numeral};

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub violations: Vec<Violation>,
}

impl Report {
    /// Notes a broken rule.
    pub fn add(&mut self, path: impl Into<String>, message: &str) {
        self.violations.push(Violation::new(path, message));
    }

    /// What the checks came to.
    pub fn finish<T>(self, value: Option<T>) -> Checked<T> {
        Checked { value, violations: self.violations }
    }

    /// An amount in euro: zero or more, below [`MAX_AMOUNT`], at most `places` decimals. Absent is zero; `None` when a
    /// rule is broken.
    pub fn amount(&mut self, path: impl Fn() -> String, numeral: Option<&Numeral>, places: u32) -> Option<Decimal> {
        let decimals = if places == 2 { codes::AMOUNT_DECIMALS } else { codes::AMOUNT_8_DECIMALS };
        let Some(numeral) = numeral else { return Some(Decimal::ZERO) };
        let number = match numeral.parse() {
            Ok(number) => number,
            Err(error) => {
                let message = match error {
                    DecimalError::Syntax => codes::AMOUNT_NUMBER,
                    DecimalError::TooLarge => codes::AMOUNT_TOO_LARGE,
                    DecimalError::TooManyPlaces => decimals,
                };
                self.add(path(), message);
                return None;
            }
        };
        let before = self.violations.len();
        if number.is_negative() {
            self.add(path(), codes::AMOUNT_NEGATIVE);
        }
        let within = number.within(places);
        if within.is_none() {
            self.add(path(), decimals);
        }
        if too_large(number) {
            self.add(path(), codes::AMOUNT_TOO_LARGE);
        }
        within.filter(|_| self.violations.len() == before)
    }

    /// A quantity: above zero, at most 2 decimals.
    pub fn quantity(&mut self, path: impl Fn() -> String, numeral: &Numeral) -> Option<Decimal> {
        self.positive(path, numeral, 2, codes::QUANTITY, codes::QUANTITY_TOO_LARGE)
    }

    /// A price: above zero, at most 8 decimals.
    pub fn price(&mut self, path: impl Fn() -> String, numeral: &Numeral) -> Option<Decimal> {
        self.positive(path, numeral, 8, codes::UNIT_PRICE, codes::AMOUNT_TOO_LARGE)
    }

    fn positive(
        &mut self,
        path: impl Fn() -> String,
        numeral: &Numeral,
        places: u32,
        rule: &str,
        large: &str,
    ) -> Option<Decimal> {
        let read = match numeral.parse() {
            Ok(number) if too_large(number) => Err(large),
            Ok(number) => number.within(places).filter(|number| number.is_positive()).ok_or(rule),
            Err(DecimalError::TooLarge) if !numeral.as_str().starts_with('-') => Err(large),
            Err(_) => Err(rule),
        };
        read.map_err(|message| self.add(path(), message)).ok()
    }

    /// A text of at most [`MAX_TEXT`] characters; an empty one is none.
    pub fn text(&mut self, path: impl Fn() -> String, text: Option<&String>) -> Option<String> {
        self.own_text(path, text.cloned())
    }

    /// The same of a text that is no longer needed.
    pub fn own_text(&mut self, path: impl Fn() -> String, text: Option<String>) -> Option<String> {
        let text = text.filter(|text| !text.is_empty())?;
        if longer(&text, MAX_TEXT) {
            self.add(path(), codes::TEXT_MAX);
        }
        Some(text)
    }

    /// A text of 1 to [`MAX_TEXT`] characters that are not all blanks.
    pub fn name(&mut self, path: &str, text: &str, rule: &str) -> String {
        if blank(text) || longer(text, MAX_TEXT) {
            self.add(path, rule);
        }
        text.to_owned()
    }
}

/// Whether an amount has more digits than the authority's form: 10^11 and up.
pub(super) fn too_large(number: Decimal) -> bool {
    Decimal::new(MAX_AMOUNT, 0).is_some_and(|bound| number >= bound)
}

/// Whether a text has more than `max` characters.
pub(super) fn longer(text: &str, max: usize) -> bool {
    text.len() > max && text.chars().nth(max).is_some()
}

/// Whether there is nothing to read in a text.
pub(super) fn blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}
