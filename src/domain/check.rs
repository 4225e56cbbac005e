//! The checks at intake: every rule a document must keep, all violations at once, with the providers' own words and
//! paths (PROVIDERS.md 3).
//!
//! A rule that a provider's document states uses its words; one that we add so that nothing leaves which would come back
//! refused has a code of ours, `X:…`, listed with its meaning in [`codes`]. Where no source settles a rule, a document is
//! let through with a [warning](warnings).

pub mod codes;
mod draft;
mod receipt;
mod report;
mod returns;
mod small;
mod warnings;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use receipt::receipt;
pub(crate) use returns::{fitting, return_whole};
pub use returns::{return_of, returns};
pub use warnings::warnings;

use super::account::ProviderKind;
use super::document::{Body, Kind};
use super::id::FiscalId;
use super::input::BodyInput;
use super::money::Decimal;

/// A rule that a document breaks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// The member it is about, e.g. `items[0].gross_discount`; empty for the document as a whole.
    #[serde(rename = "propertyPath")]
    pub property_path: String,
    /// The provider's own message, or a code of ours that begins with `X:`.
    pub message: String,
}

impl Violation {
    /// A rule broken at a member.
    pub fn new(property_path: impl Into<String>, message: impl Into<String>) -> Violation {
        Violation { property_path: property_path.into(), message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.property_path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl From<&Violation> for String {
    fn from(violation: &Violation) -> String {
        violation.to_string()
    }
}

/// Everything that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl fmt::Display for Violations {
    /// As the providers write their `detail`, see [`detail`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&detail(&self.0))
    }
}
impl std::error::Error for Violations {}

/// What the checks made of a document.
#[derive(Debug)]
pub(crate) struct Checked<T> {
    /// Its values, if all of them mean something, whatever rules they break.
    pub value: Option<T>,
    /// Every rule it breaks.
    pub violations: Vec<Violation>,
}

impl<T> Checked<T> {
    /// The values, if no rule is broken.
    pub fn sound(self) -> Result<T, Vec<Violation>> {
        match self.value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(self.violations),
        }
    }

    fn map<U>(self, f: impl FnOnce(T) -> U) -> Checked<U> {
        Checked { value: self.value.map(f), violations: self.violations }
    }
}

/// What the verdict may depend on beyond the document.
#[derive(Debug, Clone, Default)]
pub struct Context<'a> {
    /// The provider, once known: some rules are one provider's own.
    pub provider: Option<ProviderKind>,
    /// The VAT numbers that the account takes, once known.
    pub fiscal_ids: Option<&'a [FiscalId]>,
    /// When the document is taken; a draft without a date gets this one, in Italian time.
    pub now: Option<chrono::DateTime<chrono::Utc>>,
}

/// A line of a return's parent, as far as this journal knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParentLine {
    /// The authority's item id, once known.
    pub id: Option<String>,
    /// How many were sold.
    pub quantity: Decimal,
    /// How many earlier returns took back (cumulative).
    pub returned: Decimal,
    /// Net price of one, 8 decimals.
    pub unit_price: Decimal,
    /// Net discount of the line, 8 decimals.
    pub unit_discount: Decimal,
    /// VAT rate.
    pub vat_rate: super::vat::VatRate,
    /// A free gift: its return does not count in the total.
    pub complimentary: bool,
}

/// All violations as the providers write them in `detail`: `path: message`, or only the message where there is no path,
/// one a line.
pub fn detail(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("\n")
}

/// The same for a person: codes of ours in words.
pub fn explain(violations: &[Violation]) -> String {
    let in_words = violations.iter().map(|violation| {
        let message = codes::words(&violation.message).unwrap_or(&violation.message).to_owned();
        Violation { property_path: violation.property_path.clone(), message }.to_string()
    });
    in_words.collect::<Vec<_>>().join("; ")
}

/// The document of any kind, or every rule it breaks. What needs the parent is left to [`returns`].
pub fn body(input: &BodyInput, context: &Context<'_>) -> Result<Body, Vec<Violation>> {
    checked(input, context).sound()
}

fn checked(input: &BodyInput, context: &Context<'_>) -> Checked<Body> {
    let checked = match input {
        BodyInput::Receipt(input) => receipt::receipt_of(input.clone(), context).map(Body::Receipt),
        BodyInput::Return(input) => returns::return_alone(input).map(Body::Return),
        BodyInput::Void(input) => small::void(input, context).map(Body::Void),
        BodyInput::Draft(input) => draft::draft(input, context).map(Body::Draft),
        BodyInput::NoteNumber(input) => small::note_number(input).map(Body::NoteNumber),
    };
    taken_by_provider(input.kind(), checked, context)
}

/// The same of one that is no longer needed: nothing of a sale is copied, and any other is given back, for more rules to be
/// judged. Its values are given even where rules are broken.
pub(crate) fn body_of(input: BodyInput, context: &Context<'_>) -> (Checked<Body>, Option<BodyInput>) {
    match input {
        BodyInput::Receipt(input) => {
            let checked = receipt::receipt_of(input, context).map(Body::Receipt);
            (taken_by_provider(Kind::Receipt, checked, context), None)
        }
        other => (checked(&other, context), Some(other)),
    }
}

fn taken_by_provider(kind: Kind, mut checked: Checked<Body>, context: &Context<'_>) -> Checked<Body> {
    if context.provider.is_some_and(|provider| !provider.takes(kind)) {
        checked.violations.insert(0, Violation::new("kind", codes::KIND_OF_PROVIDER));
    }
    checked
}
