//! Names that cannot be wrong: each is checked once, when it is made.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize, Serializer};

use super::limits::{MAX_ACCOUNT, MAX_FISCAL_ID, MAX_KEY, MAX_REMOTE_ID};

/// Why a text cannot be a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {max} printable ASCII characters without spaces")]
pub struct BadId {
    what: &'static str,
    max: usize,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "CompactString")]
        pub struct $name(CompactString);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::try_from(CompactString::from(text))
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::try_from(CompactString::from(text))
            }
        }
        impl TryFrom<CompactString> for $name {
            type Error = BadId;
            fn try_from(text: CompactString) -> Result<Self, BadId> {
                let fine = (1..=$max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
                if fine { Ok($name(text)) } else { Err(BadId { what: $what, max: $max }) }
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into()
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// The idempotency key chosen by the till, unique in a journal for its whole life (CONTRACT.md 2).
    Key, "a key", MAX_KEY
);
id!(
    /// The name of an account in the configuration: one set of credentials at one provider.
    AccountName, "an account's name", MAX_ACCOUNT
);
id!(
    /// The VAT number (partita IVA) that issues a receipt, without country prefix.
    FiscalId, "a fiscal id", MAX_FISCAL_ID
);
id!(
    /// An id that a provider gave to a document.
    RemoteId, "a provider's id", MAX_REMOTE_ID
);

impl Key {
    /// A random key, for a document that came without one.
    pub fn random(random: uuid::Uuid) -> Key {
        Key(random.to_string().into())
    }
}

/// The journal's own number of a document: the sequence number of the record that brought it in. It orders documents
/// by intake whatever the clock said, and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocId(pub u64);

impl fmt::Display for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
