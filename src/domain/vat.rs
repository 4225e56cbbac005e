//! VAT rate codes of Italian receipts (PROVIDERS.md 1.4: the authority's own list).

use std::fmt;
use std::str::FromStr;

use super::money::Decimal;

/// A VAT rate code: one of the 22 that the authority's form knows. Codes are strings, not numbers; there is no "0".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[rustfmt::skip]
pub enum VatRate {
    /// 4 %, super-reduced.
    Four,
    /// 5 %, reduced.
    Five,
    /// 10 %, reduced.
    Ten,
    /// 22 %, ordinary.
    TwentyTwo,
    /// Agricultural compensation, 2 %.
    Agri2,
    /// Agricultural compensation, 6.4 %.
    Agri6_4,
    /// Agricultural compensation, 7 %.
    Agri7,
    /// Agricultural compensation, 7.3 %.
    Agri7_3,
    /// Agricultural compensation, 7.5 %.
    Agri7_5,
    /// Agricultural compensation, 7.65 %.
    Agri7_65,
    /// Agricultural compensation, 7.95 %.
    Agri7_95,
    /// Agricultural compensation, 8.3 %.
    Agri8_3,
    /// Agricultural compensation, 8.5 %.
    Agri8_5,
    /// Agricultural compensation, 8.8 %.
    Agri8_8,
    /// Agricultural compensation, 9.5 %.
    Agri9_5,
    /// Agricultural compensation, 12.3 %.
    Agri12_3,
    /// Excluded, art. 15 DPR 633/72.
    N1,
    /// Not subject to VAT.
    N2,
    /// Not taxable.
    N3,
    /// Exempt.
    N4,
    /// Margin scheme.
    N5,
    /// Reverse charge and others.
    N6,
}

/// Every code with its text and its rate in hundredths of a percent.
const TABLE: [(VatRate, &str, u32); 22] = [
    (VatRate::Four, "4", 400),
    (VatRate::Five, "5", 500),
    (VatRate::Ten, "10", 1000),
    (VatRate::TwentyTwo, "22", 2200),
    (VatRate::Agri2, "2", 200),
    (VatRate::Agri6_4, "6.4", 640),
    (VatRate::Agri7, "7", 700),
    (VatRate::Agri7_3, "7.3", 730),
    (VatRate::Agri7_5, "7.5", 750),
    (VatRate::Agri7_65, "7.65", 765),
    (VatRate::Agri7_95, "7.95", 795),
    (VatRate::Agri8_3, "8.3", 830),
    (VatRate::Agri8_5, "8.5", 850),
    (VatRate::Agri8_8, "8.8", 880),
    (VatRate::Agri9_5, "9.5", 950),
    (VatRate::Agri12_3, "12.3", 1230),
    (VatRate::N1, "N1", 0),
    (VatRate::N2, "N2", 0),
    (VatRate::N3, "N3", 0),
    (VatRate::N4, "N4", 0),
    (VatRate::N5, "N5", 0),
    (VatRate::N6, "N6", 0),
];

impl VatRate {
    /// How many codes there are; each one's `as usize` is below it.
    pub(crate) const COUNT: usize = TABLE.len();

    /// All codes.
    pub fn all() -> impl Iterator<Item = VatRate> {
        TABLE.iter().map(|(rate, _, _)| *rate)
    }

    /// The code as the providers write it.
    pub fn code(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The rate in hundredths of a percent: 2200 for 22 %, 0 for the N codes.
    pub fn basis_points(self) -> u32 {
        TABLE[self as usize].2
    }
}

impl VatRate {
    /// The rate of a tax-free invoice's line, given as a number: 4, 5, 10 or 22 (PROVIDERS.md 3).
    pub fn of_tax_free(percent: Decimal) -> Option<VatRate> {
        match percent.at(0)? {
            4 => Some(VatRate::Four),
            5 => Some(VatRate::Five),
            10 => Some(VatRate::Ten),
            22 => Some(VatRate::TwentyTwo),
            _ => None,
        }
    }
}

/// Not one of the authority's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a VAT rate code")]
pub struct UnknownVatRate;

impl FromStr for VatRate {
    type Err = UnknownVatRate;
    fn from_str(text: &str) -> Result<VatRate, UnknownVatRate> {
        TABLE.iter().find(|(_, code, _)| *code == text).map(|(rate, _, _)| *rate).ok_or(UnknownVatRate)
    }
}

impl fmt::Display for VatRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl serde::Serialize for VatRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for VatRate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<VatRate, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, (rate, code, _)) in TABLE.iter().enumerate() {
            assert_eq!(*rate as usize, index);
            assert_eq!(code.parse(), Ok(*rate));
        }
        assert_eq!("22.00".parse::<VatRate>(), Err(UnknownVatRate));
        assert_eq!("0".parse::<VatRate>(), Err(UnknownVatRate));
    }
}
