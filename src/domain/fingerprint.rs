//! Same content means the same values: a hash of a document that does not see spelling.
//!
//! The encoding is injective: every text has its length before it, every list its count, every absent value a mark, and
//! fields have a fixed order. A new form would need a new first line, as journals keep the hashes for ever.

use chrono::{DateTime, NaiveDateTime, Utc};
use sha2::{Digest, Sha256};

use super::document::{Body, Draft, NewDocument, Note, Receipt, Return};
use super::event::ParentRef;
use super::input::BodyInput;
use super::money::Decimal;

/// SHA-256 over kind, the account as the till gave it, parent and body, with numbers in normal form (`10`, `10.0` and `"10"`
/// are equal) and members in a fixed order. `issued_at` counts only if the till gave it.
pub fn of(
    body: &Body,
    account: Option<&str>,
    parent: Option<&ParentRef>,
    issued_at: Option<DateTime<Utc>>,
) -> [u8; 32] {
    fingerprint(body, account, parent, issued_at, true)
}

/// The same for a document as it came in and the body that the checks made of it. Unlike [`of`] it leaves out the date of
/// a draft that the till gave none: the checks filled in the present moment, and the till that repeats itself a minute
/// later says the same thing.
pub fn of_new(new: &NewDocument, body: &Body, parent: Option<&ParentRef>) -> [u8; 32] {
    let dated = !matches!(&new.body, BodyInput::Draft(draft) if draft.created_on.is_none());
    fingerprint(body, new.account.as_ref().map(AsRef::as_ref), parent, new.issued_at, dated)
}

fn fingerprint(
    body: &Body,
    account: Option<&str>,
    parent: Option<&ParentRef>,
    issued_at: Option<DateTime<Utc>>,
    dated: bool,
) -> [u8; 32] {
    let mut bytes = Bytes(Sha256::new());
    bytes.text("staffetta document 1");
    bytes.text(body.kind().name());
    bytes.optional(account, |bytes, account| bytes.text(account));
    bytes.optional(parent, |bytes, parent| match parent {
        ParentRef::Local(id) => {
            bytes.0.update([0]);
            bytes.0.update(id.0.to_le_bytes());
        }
        ParentRef::Remote(id) => {
            bytes.0.update([1]);
            bytes.text(id);
        }
    });
    bytes.optional(issued_at, |bytes, at| bytes.time(at.naive_utc()));
    match body {
        Body::Receipt(receipt) => bytes.receipt(receipt),
        Body::Return(document) => bytes.returned(document),
        Body::Void(void) => bytes.optional(void.credit_note_number.as_deref(), Bytes::text),
        Body::Draft(draft) => bytes.draft(draft, dated),
        Body::NoteNumber(note) => {
            bytes.0.update([match note.note {
                Note::DebitVat => 0,
                Note::CreditGoods => 1,
                Note::CreditVat => 2,
            }]);
            bytes.text(&note.number);
        }
    }
    bytes.0.finalize().into()
}

/// What is hashed.
struct Bytes(Sha256);

impl Bytes {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: Decimal) {
        let normal = number.normal();
        self.0.update(normal.mantissa().to_le_bytes());
        self.0.update(normal.places().to_le_bytes());
    }

    fn time(&mut self, time: NaiveDateTime) {
        self.0.update(time.and_utc().timestamp().to_le_bytes());
        self.0.update(time.and_utc().timestamp_subsec_nanos().to_le_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.update([u8::from(flag)]);
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Bytes, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn receipt(&mut self, receipt: &Receipt) {
        self.text(receipt.fiscal_id.as_str());
        self.count(receipt.items.len());
        for item in &receipt.items {
            self.number(item.quantity);
            self.text(&item.description);
            self.number(item.unit_price);
            self.text(item.vat_rate_code.code());
            self.number(item.discount);
            self.flag(item.complimentary);
            self.optional(item.sku.as_deref(), Bytes::text);
        }
        self.number(receipt.cash_payment_amount);
        self.number(receipt.electronic_payment_amount);
        self.number(receipt.ticket_restaurant_payment_amount);
        self.number(Decimal::from(receipt.ticket_restaurant_quantity));
        self.number(receipt.services_uncollected_amount);
        self.number(receipt.goods_uncollected_amount);
        self.number(receipt.discount);
        self.flag(receipt.invoice_issuing);
        self.optional(receipt.lottery_code.as_deref(), Bytes::text);
        self.optional(receipt.linked_receipt.as_deref(), Bytes::text);
        self.count(receipt.tags.len());
        for tag in &receipt.tags {
            self.text(tag);
        }
        self.optional(receipt.email.as_deref(), Bytes::text);
    }

    fn returned(&mut self, document: &Return) {
        self.count(document.items.len());
        for item in &document.items {
            self.optional(item.line, |bytes, line| bytes.0.update(line.to_le_bytes()));
            self.optional(item.id.as_deref(), Bytes::text);
            self.number(item.quantity);
        }
    }

    fn draft(&mut self, draft: &Draft, dated: bool) {
        self.text(&draft.merchant_invoice_id);
        self.optional(dated.then_some(draft.created_on), Bytes::time);
        self.count(draft.items.len());
        for item in &draft.items {
            self.optional(item.item_code.as_deref(), Bytes::text);
            self.text(&item.description);
            self.number(item.quantity);
            self.number(item.unit_price_with_vat);
            self.text(item.vat_rate.code());
        }
        self.number(draft.discount);
    }
}
