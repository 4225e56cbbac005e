//! Totals as the journal keeps them: a seventh of their JSON, and written without making any text.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 1 a sale's, 2 a return's, 3 a tax-free invoice's; `{` JSON, as records of version 1 have them |
//! | … | the lines: their number, then each line's fields; then the other fields, in the order of the structs |
//!
//! A number is written seven bits a byte, lowest first, the sign in the lowest bit. Amounts with eight places are often
//! whole cents: the lowest bit of all says whether it is 10^-8 that are counted (1) or cents (0), whichever is shorter.
//! Each has one form only. This form is for ever, like that of records.

mod read;
#[cfg(test)]
mod tests;
mod write;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Totals;
use crate::domain::document::Kind;

const SALE: u8 = 1;
const RETURN: u8 = 2;
const DRAFT: u8 = 3;
/// 10^-8 in a cent.
const CENT: i128 = 1_000_000;

/// Totals as the journal keeps them; empty where there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept(Vec<u8>);

/// Bytes that are not totals.
#[derive(Debug, thiserror::Error)]
pub enum BadTotals {
    /// Neither in this form nor JSON.
    #[error("they are in no known form")]
    Form,
    /// JSON, but not of totals.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Kept {
    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of it.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }

    /// The totals of a document of this kind; `None` where there are none.
    ///
    /// # Errors
    /// [`BadTotals`].
    pub fn read(&self, kind: Kind) -> Result<Option<Totals>, BadTotals> {
        match self.0.first() {
            None => Ok(None),
            Some(b'{') => Ok(Some(Totals::from_json(kind, self.text()?)?)),
            Some(_) => read::unpack(&self.0).map(Some).ok_or(BadTotals::Form),
        }
    }

    /// The same as JSON; what is kept as JSON as it is, with members that are no more.
    ///
    /// # Errors
    /// [`BadTotals`].
    pub fn json(&self) -> Result<Option<String>, BadTotals> {
        match self.0.first() {
            None => Ok(None),
            Some(b'{') => Ok(Some(self.text()?.to_owned())),
            Some(_) => Ok(Some(read::unpack(&self.0).ok_or(BadTotals::Form)?.to_json()?)),
        }
    }

    fn text(&self) -> Result<&str, BadTotals> {
        std::str::from_utf8(&self.0).map_err(|_| BadTotals::Form)
    }

    /// Totals as version 1 of records has them.
    pub fn of_json(json: &str) -> Kept {
        Kept(json.as_bytes().to_vec())
    }
}

impl From<&Totals> for Kept {
    fn from(totals: &Totals) -> Kept {
        Kept(write::pack(totals))
    }
}

impl Serialize for Kept {
    /// Bytes, which in the journal look like the text of version 1.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kept, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Kept;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the bytes of totals")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Kept, E> {
                Ok(Kept(bytes.to_vec()))
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Kept, E> {
                Ok(Kept(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
