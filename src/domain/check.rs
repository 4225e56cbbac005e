//! The checks at intake: every rule a document must keep, all violations at once, with the providers' own words and
//! paths (PROVIDERS.md 3).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::account::ProviderKind;
use super::document::{Body, Receipt};
use super::id::FiscalId;
use super::input::{BodyInput, ReceiptInput};
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

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.property_path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// Everything that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            write!(f, "{}{violation}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
impl std::error::Error for Violations {}

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

/// The receipt, or every rule it breaks.
pub fn receipt(input: &ReceiptInput, context: &Context<'_>) -> Result<Receipt, Vec<Violation>> {
    let _ = (input, context);
    todo!("check helper")
}

/// The document of any kind, or every rule it breaks. What needs the parent is left to [`returns`].
pub fn body(input: &BodyInput, context: &Context<'_>) -> Result<Body, Vec<Violation>> {
    let _ = (input, context);
    todo!("check helper")
}

/// The rules of a return that need its parent's lines: known lines or ids, quantities within what is left.
/// Returns, for each item, the index of the parent's line.
pub fn returns(items: &[super::document::ReturnItem], parent: &[ParentLine]) -> Result<Vec<usize>, Vec<Violation>> {
    let _ = (items, parent);
    todo!("check helper")
}

/// Things worth a person's look that do not stop a document (fiscal id's check digit, all lines complimentary, …).
pub fn warnings(body: &Body) -> Vec<String> {
    let _ = body;
    todo!("check helper")
}
