//! Documents as they come in: the JSON form, with its numbers still text. Unknown members are refused by name at every
//! level, a member given twice too, and so is an array where an object belongs. Nothing is judged here;
//! [`super::check`] does that, and a member that is missing or null is its business as well: what is not given is empty.

use std::fmt;
use std::marker::PhantomData;

use compact_str::CompactString;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::document::{Item, Kind, Note};
use super::money::{Numeral, shape};

/// A body of any kind, unchecked.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every document is a sale, and none is kept in this form")]
pub enum BodyInput {
    /// A sale.
    Receipt(ReceiptInput),
    /// Goods given back.
    Return(ReturnInput),
    /// A sale called off, a tax-free invoice cancelled.
    Void(VoidInput),
    /// A tax-free invoice.
    Draft(DraftInput),
    /// A note's number.
    NoteNumber(NoteNumberInput),
}

impl BodyInput {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            BodyInput::Receipt(_) => Kind::Receipt,
            BodyInput::Return(_) => Kind::Return,
            BodyInput::Void(_) => Kind::Void,
            BodyInput::Draft(_) => Kind::Draft,
            BodyInput::NoteNumber(_) => Kind::NoteNumber,
        }
    }
}

/// A sale, unchecked. Fields as in [`super::document::Receipt`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct ReceiptInput {
    #[serde(default, deserialize_with = "given")]
    pub fiscal_id: String,
    #[serde(default, deserialize_with = "objects")]
    pub items: Vec<ItemInput>,
    pub cash_payment_amount: Option<Numeral>,
    pub electronic_payment_amount: Option<Numeral>,
    pub ticket_restaurant_payment_amount: Option<Numeral>,
    pub ticket_restaurant_quantity: Option<Numeral>,
    pub services_uncollected_amount: Option<Numeral>,
    pub goods_uncollected_amount: Option<Numeral>,
    pub discount: Option<Numeral>,
    pub invoice_issuing: Option<bool>,
    pub lottery_code: Option<String>,
    pub linked_receipt: Option<String>,
    pub tags: Option<Vec<String>>,
    pub email: Option<String>,
}

/// A line of a sale, unchecked. Fields as in [`super::document::Item`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct ItemInput {
    #[serde(default)]
    pub quantity: Numeral,
    #[serde(default, deserialize_with = "given")]
    pub description: String,
    #[serde(default, alias = "gross_price")]
    pub unit_price: Numeral,
    #[serde(default, deserialize_with = "given")]
    pub vat_rate_code: Code,
    #[serde(default, alias = "gross_discount")]
    pub discount: Option<Numeral>,
    #[serde(default)]
    pub complimentary: Option<bool>,
    #[serde(default)]
    pub sku: Option<String>,
}

impl From<&Item> for ItemInput {
    fn from(item: &Item) -> ItemInput {
        ItemInput {
            quantity: item.quantity.into(),
            description: item.description.clone(),
            unit_price: item.unit_price.into(),
            vat_rate_code: item.vat_rate_code.code().into(),
            discount: Some(item.discount.into()),
            complimentary: Some(item.complimentary),
            sku: item.sku.clone(),
        }
    }
}

/// A return, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnInput {
    /// What is given back.
    #[serde(default, deserialize_with = "objects")]
    pub items: Vec<ReturnItemInput>,
}

/// A line of a return, unchecked: `line` or `id`, not both.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct ReturnItemInput {
    #[serde(default, deserialize_with = "whole")]
    pub line: Option<u32>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub quantity: Numeral,
}

/// A void, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidInput {
    /// For a tax-free invoice: the number of the credit note.
    #[serde(default)]
    pub credit_note_number: Option<String>,
}

/// A tax-free invoice, unchecked; the provider's own names are taken too.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct DraftInput {
    #[serde(default, alias = "MerchantInvoiceId", deserialize_with = "given")]
    pub merchant_invoice_id: String,
    #[serde(default, alias = "CreatedOn")]
    pub created_on: Option<String>,
    #[serde(default, alias = "Items", deserialize_with = "objects")]
    pub items: Vec<DraftItemInput>,
    #[serde(default, alias = "Discount")]
    pub discount: Option<Numeral>,
}

/// A line of a tax-free invoice, unchecked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the same fields as the checked document")]
pub struct DraftItemInput {
    #[serde(default, alias = "ItemCode")]
    pub item_code: Option<String>,
    #[serde(default, alias = "Description", deserialize_with = "given")]
    pub description: String,
    #[serde(default, alias = "Quantity")]
    pub quantity: Numeral,
    #[serde(default, alias = "UnitPriceWithVat")]
    pub unit_price_with_vat: Numeral,
    #[serde(default, alias = "VatRate")]
    pub vat_rate: Numeral,
}

/// A note's number, unchecked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteNumberInput {
    /// Which note.
    #[serde(deserialize_with = "note")]
    pub note: Note,
    /// Its number.
    #[serde(default, deserialize_with = "given")]
    pub number: String,
}

/// A `T` read from a JSON object and from nothing else. Serde's derive would also take an array and give its elements to
/// the fields in order: a document must say which is which.
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// A value that null leaves empty.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// By its name: what is none is told as such, where serde would say that it is no JSON.
fn note<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Note, D::Error> {
    Note::deserialize(de::value::StringDeserializer::new(String::deserialize(deserializer)?))
}

/// A list of objects, see [`Object`]; null is none.
fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items: Vec<Object<T>> = given(deserializer)?;
    Ok(items.into_iter().map(|Object(item)| item).collect())
}

/// A code as it was given. A number in its place becomes a text that is no code (`22` is not `"22"`, PROVIDERS.md 1.4),
/// so that it is reported together with everything else that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code(CompactString);

impl Code {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Code {
    fn from(text: &str) -> Code {
        Code(text.into())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let raw: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(&raw).map(Code).map_err(de::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Code(compact_str::format_compact!("the number {raw}"))),
            _ => Err(de::Error::invalid_type(shape(&raw), &"a string")),
        }
    }
}

/// A whole number, as a JSON number or a string.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(numeral) = Option::<Numeral>::deserialize(deserializer)? else { return Ok(None) };
    let number = numeral.parse().ok().and_then(|number| number.at(0)).and_then(|number| u32::try_from(number).ok());
    number.map(Some).ok_or_else(|| de::Error::custom("invalid value: expected a whole number from 0"))
}
