//! Numbers in JSON: read and written by their digits.

use compact_str::CompactString;
use serde::de::{self, Deserializer, Unexpected};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::text::Short;
use super::{Decimal, DecimalError};

impl Serialize for Decimal {
    /// A JSON number with the digits it was written with.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let (0, Ok(whole)) = (self.places, i64::try_from(self.mantissa)) {
            return serializer.serialize_i64(whole); // the same digits, many times faster
        }
        let mut room = Short::default();
        if let Some(text) = room.text(self.mantissa, self.places) {
            let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
            return raw.serialize(serializer); // without a piece of memory for each digit string on the way
        }
        let number: serde_json::Number = self.to_string().parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

/// As a string: who reads it in a language whose numbers are floats has all digits.
pub(crate) fn as_text<S: Serializer>(decimal: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(decimal)
}

impl<'de> Deserialize<'de> for Decimal {
    /// From a JSON number or a string, by its digits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        Numeral::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A number as it was written, digit for digit, before anyone asks whether it is one that can be taken. From a JSON
/// number or a string; so that `1e400` or `"NaN"` ends as a violation with its path, not as a syntax error. Empty when
/// nothing was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numeral(CompactString);

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
        Numeral(value.to_string().into())
    }
}

impl From<&str> for Numeral {
    fn from(value: &str) -> Numeral {
        Numeral(value.into())
    }
}

impl<'de> Deserialize<'de> for Numeral {
    /// From the JSON text of the value, so that no digit passes through a float. Only for `serde_json`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Numeral, D::Error> {
        let raw: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        match raw.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Ok(Numeral((*raw).into())),
            Some(b'"') => serde_json::from_str(&raw).map(Numeral).map_err(de::Error::custom),
            Some(b'n') => Ok(Numeral::default()),
            _ => Err(de::Error::invalid_type(shape(&raw), &"a number, or a string holding one")),
        }
    }
}

/// What kind of value a JSON text is, as an error names it.
pub(crate) fn shape(raw: &str) -> Unexpected<'_> {
    match raw.as_bytes().first() {
        Some(b'[') => Unexpected::Seq,
        Some(b'{') => Unexpected::Map,
        _ => Unexpected::Other(raw), // null, true, false or a number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_every_digit() {
        for (json, back) in
            [("10", "10"), ("10.00", "10.00"), ("\"10.0\"", "10.0"), ("1e2", "100"), ("-1.5e-3", "-0.0015")]
        {
            let number: Decimal = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&number).unwrap(), back);
            let tree: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::from_value::<Decimal>(tree).unwrap(), number);
        }
        for (json, shape) in [
            ("true", "true"),
            ("false", "false"),
            ("[1]", "sequence"),
            ("{}", "map"),
            ("{\"$serde_json::private::Number\":\"1\"}", "map"),
        ] {
            let error = serde_json::from_str::<Numeral>(json).unwrap_err().to_string();
            let expected = format!("invalid type: {shape}, expected a number, or a string holding one");
            assert!(error.starts_with(&expected), "{error}");
        }
        assert_eq!(Numeral::from("1.50").as_str(), "1.50");
        for json in ["\"NaN\"", "1e400", "null", "\"\""] {
            assert!(serde_json::from_str::<Numeral>(json).is_ok());
            assert!(serde_json::from_str::<Decimal>(json).is_err());
        }
        assert_eq!(serde_json::from_str::<Numeral>("1.2300e0").unwrap().as_str(), "1.2300e0");
    }
}
