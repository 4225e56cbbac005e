//! The five kinds of documents, as values that have passed the checks. A till makes them with the builders here or
//! hands over JSON ([`super::input`]); both ways lead through [`super::check`], so that there is one set of rules.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

pub use super::body::Body;
use super::check::{self, Violation};
use super::id::{AccountName, FiscalId, Key};
use super::input::{
    BodyInput, DraftInput, ItemInput, NoteNumberInput, ReceiptInput, ReturnInput, ReturnItemInput, VoidInput,
};
use super::money::Decimal;
use super::vat::VatRate;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A sale.
    Receipt,
    /// Goods given back, by lines of a sale.
    Return,
    /// A sale called off whole, or a tax-free invoice cancelled by its credit note.
    Void,
    /// A tax-free invoice for the merchant to complete in the provider's portal.
    Draft,
    /// The number of a note for a tax-free invoice.
    NoteNumber,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Receipt, Kind::Return, Kind::Void, Kind::Draft, Kind::NoteNumber];

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Receipt => "receipt",
            Kind::Return => "return",
            Kind::Void => "void",
            Kind::Draft => "draft",
            Kind::NoteNumber => "note_number",
        }
    }

    /// Whether a document of this kind names a parent.
    pub fn has_parent(self) -> bool {
        matches!(self, Kind::Return | Kind::Void | Kind::NoteNumber)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kind must be receipt, return, void, draft or note_number")]
pub struct UnknownKind;

impl std::str::FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Kind, UnknownKind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownKind)
    }
}

/// The document that a return, a void or a note number is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// A document of this journal, by its key.
    Key(Key),
    /// A document issued elsewhere, by the provider's id.
    Remote(String),
}

/// A document on its way into the journal: what the till said, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// The till's idempotency key; a random one is made when there is none.
    pub key: Option<Key>,
    /// The account; may be left out when exactly one account can take the document.
    pub account: Option<AccountName>,
    /// What it is about, for a return, a void or a note number.
    pub parent: Option<Parent>,
    /// The time of the sale; by default the time of enqueueing.
    pub issued_at: Option<DateTime<Utc>>,
    /// The document itself.
    pub body: BodyInput,
}

impl NewDocument {
    fn of(body: BodyInput, parent: Option<Parent>) -> NewDocument {
        NewDocument { key: None, account: None, parent, issued_at: None, body }
    }

    /// Names the account.
    pub fn account(mut self, account: AccountName) -> NewDocument {
        self.account = Some(account);
        self
    }

    /// Says when the sale was made.
    pub fn issued_at(mut self, at: DateTime<Utc>) -> NewDocument {
        self.issued_at = Some(at);
        self
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.body.kind()
    }
}

/// A sale that adds up (PROVIDERS.md 1.1, 1.2). Made by [`Receipt::new`] … [`ReceiptBuilder::build`], or read from JSON.
/// Serialises to the request fields of the receipt APIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The VAT number that issues it.
    pub fiscal_id: FiscalId,
    /// Its lines, at least one.
    pub items: Vec<Item>,
    /// Paid in cash, EUR.
    #[serde(default)]
    pub cash_payment_amount: Decimal,
    /// Paid electronically, EUR.
    #[serde(default)]
    pub electronic_payment_amount: Decimal,
    /// Paid with meal vouchers, EUR.
    #[serde(default)]
    pub ticket_restaurant_payment_amount: Decimal,
    /// Number of meal vouchers.
    #[serde(default)]
    pub ticket_restaurant_quantity: u32,
    /// Services not yet paid, EUR.
    #[serde(default)]
    pub services_uncollected_amount: Decimal,
    /// Goods not yet paid, EUR.
    #[serde(default)]
    pub goods_uncollected_amount: Decimal,
    /// Discount at payment (sconto a pagare), EUR; does not touch the taxable amount.
    #[serde(default)]
    pub discount: Decimal,
    /// An invoice follows (segue fattura): then nothing is paid here.
    #[serde(default)]
    pub invoice_issuing: bool,
    /// The customer's lottery code, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lottery_code: Option<String>,
    /// Fiscal reference to another receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_receipt: Option<String>,
    /// Internal tags (Openapi), not fiscal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where the provider sends the PDF (Smart Receipt).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A line of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// At most two decimals, above zero.
    pub quantity: Decimal,
    /// 1 to 1000 characters.
    pub description: String,
    /// Price of one, VAT included, EUR, at most 8 decimals, above zero.
    pub unit_price: Decimal,
    /// The VAT rate.
    pub vat_rate_code: VatRate,
    /// Discount on the whole line, VAT included, EUR.
    #[serde(default)]
    pub discount: Decimal,
    /// A free gift (omaggio).
    #[serde(default)]
    pub complimentary: bool,
    /// The shop's own article code, not reported to the authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
}

impl Item {
    /// One piece of something at a price, VAT included.
    pub fn new(description: impl Into<String>, unit_price: Decimal, vat_rate: VatRate) -> Item {
        Item {
            quantity: Decimal::ONE,
            description: description.into(),
            unit_price,
            vat_rate_code: vat_rate,
            discount: Decimal::ZERO,
            complimentary: false,
            sku: None,
        }
    }

    /// How many; [`Decimal`] or a whole number.
    pub fn quantity(mut self, quantity: impl Into<Decimal>) -> Item {
        self.quantity = quantity.into();
        self
    }

    /// A discount on the whole line, VAT included.
    pub fn discount(mut self, discount: Decimal) -> Item {
        self.discount = discount;
        self
    }

    /// Makes it a free gift.
    pub fn complimentary(mut self) -> Item {
        self.complimentary = true;
        self
    }

    /// The shop's own article code.
    pub fn sku(mut self, sku: impl Into<String>) -> Item {
        self.sku = Some(sku.into());
        self
    }
}

impl From<u32> for Decimal {
    fn from(value: u32) -> Decimal {
        Decimal::new(i128::from(value), 0).unwrap_or(Decimal::ZERO)
    }
}

/// Collects a sale; [`build`](ReceiptBuilder::build) checks it.
#[derive(Debug, Clone)]
pub struct ReceiptBuilder {
    input: ReceiptInput,
}

impl Receipt {
    /// Begins a sale of this VAT number.
    #[expect(clippy::new_ret_no_self, reason = "a receipt is only made by build(), which checks it")]
    pub fn new(fiscal_id: FiscalId) -> ReceiptBuilder {
        ReceiptBuilder { input: ReceiptInput { fiscal_id: fiscal_id.into(), ..ReceiptInput::default() } }
    }

    /// The same sale in its unchecked form.
    pub fn to_input(&self) -> ReceiptInput {
        ReceiptInput {
            fiscal_id: self.fiscal_id.to_string(),
            items: self.items.iter().map(ItemInput::from).collect(),
            cash_payment_amount: Some(self.cash_payment_amount.into()),
            electronic_payment_amount: Some(self.electronic_payment_amount.into()),
            ticket_restaurant_payment_amount: Some(self.ticket_restaurant_payment_amount.into()),
            ticket_restaurant_quantity: Some(Decimal::from(self.ticket_restaurant_quantity).into()),
            services_uncollected_amount: Some(self.services_uncollected_amount.into()),
            goods_uncollected_amount: Some(self.goods_uncollected_amount.into()),
            discount: Some(self.discount.into()),
            invoice_issuing: Some(self.invoice_issuing),
            lottery_code: self.lottery_code.clone(),
            linked_receipt: self.linked_receipt.clone(),
            tags: (!self.tags.is_empty()).then(|| self.tags.clone()),
            email: self.email.clone(),
        }
    }
}

impl ReceiptBuilder {
    /// Adds a line.
    pub fn item(mut self, item: Item) -> Self {
        self.input.items.push(ItemInput::from(&item));
        self
    }

    /// What was paid in cash.
    pub fn cash(mut self, amount: Decimal) -> Self {
        self.input.cash_payment_amount = Some(amount.into());
        self
    }

    /// What was paid electronically.
    pub fn electronic(mut self, amount: Decimal) -> Self {
        self.input.electronic_payment_amount = Some(amount.into());
        self
    }

    /// What was paid with meal vouchers, and how many they were.
    pub fn ticket_restaurant(mut self, amount: Decimal, quantity: u32) -> Self {
        self.input.ticket_restaurant_payment_amount = Some(amount.into());
        self.input.ticket_restaurant_quantity = Some(Decimal::from(quantity).into());
        self
    }

    /// Services and goods not yet paid.
    pub fn uncollected(mut self, services: Decimal, goods: Decimal) -> Self {
        self.input.services_uncollected_amount = Some(services.into());
        self.input.goods_uncollected_amount = Some(goods.into());
        self
    }

    /// A discount at payment.
    pub fn discount(mut self, amount: Decimal) -> Self {
        self.input.discount = Some(amount.into());
        self
    }

    /// An invoice follows.
    pub fn invoice_issuing(mut self) -> Self {
        self.input.invoice_issuing = Some(true);
        self
    }

    /// The customer's lottery code.
    pub fn lottery_code(mut self, code: impl Into<String>) -> Self {
        self.input.lottery_code = Some(code.into());
        self
    }

    /// An internal tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.input.tags.get_or_insert_default().push(tag.into());
        self
    }

    /// Where the provider sends the PDF.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.input.email = Some(email.into());
        self
    }

    /// The receipt, or every rule it breaks. Rules that depend on the provider are checked again by `enqueue`, which
    /// knows the account.
    pub fn build(self) -> Result<Receipt, check::Violations> {
        check::receipt(&self.input, &check::Context::default()).map_err(check::Violations)
    }
}

/// Goods given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Return {
    /// What is given back, by line.
    pub items: Vec<ReturnItem>,
}

/// One line given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnItem {
    /// The 0-based line of the sale in this journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Or the authority's item id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many.
    pub quantity: Decimal,
}

impl Return {
    /// Begins a return of a sale.
    pub fn of(parent: Parent) -> ReturnBuilder {
        ReturnBuilder { parent, input: ReturnInput::default() }
    }
}

/// Collects a return.
#[derive(Debug, Clone)]
pub struct ReturnBuilder {
    parent: Parent,
    input: ReturnInput,
}

impl ReturnBuilder {
    /// Gives back `quantity` of the 0-based `line` of the sale.
    pub fn line(mut self, line: u32, quantity: impl Into<Decimal>) -> Self {
        let quantity = quantity.into().into();
        self.input.items.push(ReturnItemInput { line: Some(line), id: None, quantity });
        self
    }

    /// Gives back `quantity` of the line with the authority's item `id`.
    pub fn id(mut self, id: impl Into<String>, quantity: impl Into<Decimal>) -> Self {
        let quantity = quantity.into().into();
        self.input.items.push(ReturnItemInput { line: None, id: Some(id.into()), quantity });
        self
    }
}

impl From<ReturnBuilder> for NewDocument {
    fn from(value: ReturnBuilder) -> NewDocument {
        NewDocument::of(BodyInput::Return(value.input), Some(value.parent))
    }
}

/// A sale called off, or a tax-free invoice cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Void {
    /// For a tax-free invoice: the number of the credit note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_note_number: Option<String>,
}

impl Void {
    /// Calls off a sale.
    pub fn of(parent: Parent) -> NewDocument {
        NewDocument::of(BodyInput::Void(VoidInput::default()), Some(parent))
    }

    /// Cancels a tax-free invoice by its credit note.
    pub fn with_credit_note(parent: Parent, number: impl Into<String>) -> NewDocument {
        NewDocument::of(BodyInput::Void(VoidInput { credit_note_number: Some(number.into()) }), Some(parent))
    }
}

/// A tax-free invoice for the merchant to complete (S0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Draft {
    /// The merchant's own invoice number, unused so far in this journal.
    pub merchant_invoice_id: String,
    /// The invoice's date and time, Italian time.
    pub created_on: NaiveDateTime,
    /// Its lines.
    pub items: Vec<DraftItem>,
    /// Discount on the whole, VAT included, EUR.
    pub discount: Decimal,
}

/// A line of a tax-free invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftItem {
    /// The shop's article code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_code: Option<String>,
    /// At least 5 characters (S0).
    pub description: String,
    /// Above zero.
    pub quantity: Decimal,
    /// Price of one, VAT included, EUR.
    pub unit_price_with_vat: Decimal,
    /// 4, 5, 10 or 22.
    pub vat_rate: VatRate,
}

/// Which note a number belongs to (S0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Debit note for the VAT, after customs rejected the invoice.
    DebitVat,
    /// Credit note for goods given back.
    CreditGoods,
    /// Credit note for the VAT.
    CreditVat,
}

/// The number of a note for a tax-free invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NoteNumber {
    /// Which note.
    pub note: Note,
    /// Its number, given by the merchant.
    pub number: String,
}

impl NoteNumber {
    /// The number of a note for this tax-free invoice.
    pub fn of(parent: Parent, note: Note, number: impl Into<String>) -> NewDocument {
        let input = NoteNumberInput { note, number: number.into() };
        NewDocument::of(BodyInput::NoteNumber(input), Some(parent))
    }
}

impl From<&Receipt> for NewDocument {
    fn from(receipt: &Receipt) -> NewDocument {
        NewDocument::of(BodyInput::Receipt(receipt.to_input()), None)
    }
}

impl From<Receipt> for NewDocument {
    fn from(receipt: Receipt) -> NewDocument {
        NewDocument::from(&receipt)
    }
}

impl From<DraftInput> for NewDocument {
    fn from(input: DraftInput) -> NewDocument {
        NewDocument::of(BodyInput::Draft(input), None)
    }
}

impl From<&Violation> for String {
    fn from(violation: &Violation) -> String {
        violation.to_string()
    }
}
