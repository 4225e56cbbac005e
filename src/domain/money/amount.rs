//! Amounts in whole units of a fixed number of decimal places, as totals publish them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Decimal, DecimalError, text};

/// An amount with exactly `PLACES` decimal places, negative ones too; as text with all of them, as in `1.20000000`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount<const PLACES: u32>(i128);

/// An amount in cents.
pub type Cents = Amount<2>;
/// An amount in 10^-8 euro, the authority's own precision.
pub type EightPlaces = Amount<8>;

impl<const PLACES: u32> Amount<PLACES> {
    /// So many units of 10^-`PLACES`.
    pub fn new(units: i128) -> Self {
        Amount(units)
    }

    /// The units of 10^-`PLACES`.
    pub fn units(self) -> i128 {
        self.0
    }
}

impl<const PLACES: u32> From<Amount<PLACES>> for Decimal {
    fn from(amount: Amount<PLACES>) -> Decimal {
        Decimal { mantissa: amount.0, places: PLACES }
    }
}

impl<const PLACES: u32> fmt::Display for Amount<PLACES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self.0, PLACES))
    }
}

impl<const PLACES: u32> fmt::Debug for Amount<PLACES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const PLACES: u32> FromStr for Amount<PLACES> {
    type Err = DecimalError;

    /// Reads what [`Display`](fmt::Display) writes, with exactly as many places.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let number: Decimal = text.parse()?;
        let amount = Amount(number.at(PLACES).ok_or(DecimalError::TooManyPlaces)?);
        if amount.to_string() == text { Ok(amount) } else { Err(DecimalError::Syntax) }
    }
}

impl<const PLACES: u32> Serialize for Amount<PLACES> {
    /// As text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(self.0, PLACES))
    }
}

impl<'de, const PLACES: u32> Deserialize<'de> for Amount<PLACES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_its_own_spelling_is_read() {
        for text in ["0.00", "1.20", "-0.01", "12345.67"] {
            let amount: Cents = text.parse().unwrap();
            assert_eq!(amount.to_string(), text);
            assert_eq!(serde_json::to_string(&amount).unwrap(), format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Cents>(&format!("\"{text}\"")).unwrap(), amount);
        }
        for text in ["", "1", "1.2", "1.200", "1.201", "-0.00", "+1.20", "1e2", "01.20", "1,20", "1.20 "] {
            assert!(text.parse::<Cents>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Cents>("1.20").is_err(), "a number is not text");
        assert_eq!(Decimal::from(EightPlaces::new(5)).to_string(), "0.00000005");
        assert_eq!(EightPlaces::new(5).units(), 5);
    }

    proptest! {
        #[test]
        fn text_comes_back(units in -1_000_000_000_000_000_000_000_i128..1_000_000_000_000_000_000_000) {
            let amount = EightPlaces::new(units);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }
}
