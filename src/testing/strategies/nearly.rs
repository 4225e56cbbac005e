//! Documents with exactly one rule broken, and which.

use proptest::prelude::*;

use super::{drafts, receipts, remote_note_numbers, remote_returns, remote_voids};
use crate::domain::check::{Violation, codes};
use crate::domain::document::NewDocument;
use crate::domain::id::FiscalId;
use crate::domain::input::{
    BodyInput, DraftInput, DraftItemInput, ItemInput, NoteNumberInput, ReceiptInput, ReturnInput, VoidInput,
};
use crate::domain::money::Numeral;

/// A document that breaks one rule. Intake must refuse it, and must say which.
#[derive(Debug, Clone, PartialEq)]
pub struct NearlyValid {
    /// The document.
    pub document: NewDocument,
    /// What must be among the violations.
    pub violation: Violation,
}

/// Documents of every kind that were valid before one thing about them was changed.
pub fn nearly_valid(issuer: FiscalId) -> impl Strategy<Value = NearlyValid> {
    let documents = prop_oneof![
        6 => receipts(issuer).prop_map(NewDocument::from),
        2 => remote_returns(),
        1 => remote_voids(),
        3 => drafts().prop_map(NewDocument::from),
        1 => remote_note_numbers(),
    ];
    (documents, any::<prop::sample::Index>()).prop_map(|(mut document, which)| {
        let violation = match &mut document.body {
            BodyInput::Receipt(sale) => choose(&SALES, which)(sale),
            BodyInput::Return(back) => choose(&RETURNS, which)(back),
            BodyInput::Void(void) => choose(&VOIDS, which)(void),
            BodyInput::Draft(draft) => choose(&DRAFTS, which)(draft),
            BodyInput::NoteNumber(note) => choose(&NOTES, which)(note),
        };
        NearlyValid { document, violation }
    })
}

/// Breaks one rule, and tells which.
type Break<T> = fn(&mut T) -> Violation;

fn choose<T>(among: &[Break<T>], which: prop::sample::Index) -> Break<T> {
    *which.get(among)
}

/// The last line of a sale: there is one.
fn last(sale: &mut ReceiptInput, change: impl FnOnce(&mut ItemInput)) -> String {
    let index = sale.items.len().saturating_sub(1);
    if let Some(item) = sale.items.last_mut() {
        change(item);
    }
    format!("items[{index}]")
}

fn last_of_draft(draft: &mut DraftInput, change: impl FnOnce(&mut DraftItemInput)) -> String {
    let index = draft.items.len().saturating_sub(1);
    if let Some(item) = draft.items.last_mut() {
        change(item);
    }
    format!("Items[{index}]")
}

const SALES: [Break<ReceiptInput>; 20] = [
    |sale| {
        sale.items.clear();
        Violation::new("items", codes::ITEMS_EMPTY)
    },
    |sale| {
        let line = last(sale, |item| item.quantity = "0".into());
        Violation::new(format!("{line}.quantity"), codes::QUANTITY)
    },
    |sale| {
        let line = last(sale, |item| item.quantity = "1.005".into());
        Violation::new(format!("{line}.quantity"), codes::QUANTITY)
    },
    |sale| {
        let line = last(sale, |item| item.quantity = "100000000000".into());
        Violation::new(format!("{line}.quantity"), codes::QUANTITY_TOO_LARGE)
    },
    |sale| {
        let line = last(sale, |item| item.unit_price = "-1.20".into());
        Violation::new(format!("{line}.unit_price"), codes::UNIT_PRICE)
    },
    |sale| {
        let line = last(sale, |item| item.unit_price = "1.000000001".into());
        Violation::new(format!("{line}.unit_price"), codes::UNIT_PRICE)
    },
    |sale| {
        let line = last(sale, |item| item.vat_rate_code = "21".into());
        Violation::new(format!("{line}.vat_rate_code"), codes::VAT_RATE_CODE)
    },
    |sale| {
        let line = last(sale, |item| item.description = "   ".to_owned());
        Violation::new(format!("{line}.description"), codes::DESCRIPTION)
    },
    |sale| {
        let line = last(sale, |item| {
            (item.quantity, item.unit_price, item.discount) = ("2".into(), "1.20".into(), Some("2.40".into()));
        });
        Violation::new(format!("{line}.gross_discount"), codes::LINE_DISCOUNT)
    },
    |sale| {
        let line = last(sale, |item| item.discount = Some("-0.01".into()));
        Violation::new(format!("{line}.discount"), codes::AMOUNT_NEGATIVE)
    },
    |sale| {
        // Whatever is due, it is not this.
        sale.invoice_issuing = None;
        sale.cash_payment_amount = Some("99999999.99".into());
        Violation::new("", codes::TOTAL)
    },
    |sale| {
        sale.cash_payment_amount = Some("-0.01".into());
        Violation::new("cash_payment_amount", codes::AMOUNT_NEGATIVE)
    },
    |sale| {
        sale.electronic_payment_amount = Some("1.005".into());
        Violation::new("electronic_payment_amount", codes::AMOUNT_DECIMALS)
    },
    |sale| {
        sale.goods_uncollected_amount = Some("ten".into());
        Violation::new("goods_uncollected_amount", codes::AMOUNT_NUMBER)
    },
    |sale| {
        sale.invoice_issuing = Some(true);
        sale.cash_payment_amount = Some("0.01".into());
        Violation::new("invoice_issuing", codes::INVOICE_ISSUING)
    },
    |sale| {
        sale.lottery_code = Some("SEVEN77".to_owned());
        Violation::new("lottery_code", codes::LOTTERY_FORMAT)
    },
    |sale| {
        sale.lottery_code = Some("YYWLR30G".to_owned());
        sale.cash_payment_amount = Some("0.01".into());
        Violation::new("lottery_code", codes::LOTTERY)
    },
    |sale| {
        sale.ticket_restaurant_payment_amount = Some("8.00".into());
        sale.ticket_restaurant_quantity = None;
        Violation::new("ticket_restaurant_quantity", codes::TICKET)
    },
    |sale| {
        sale.fiscal_id = "123 456".to_owned();
        Violation::new("fiscal_id", codes::FISCAL_ID_FORMAT)
    },
    |sale| {
        sale.email = Some("anna at example.com".to_owned());
        Violation::new("email", codes::EMAIL)
    },
];

const RETURNS: [Break<ReturnInput>; 5] = [
    |back| {
        back.items.clear();
        Violation::new("items", codes::ITEMS_EMPTY)
    },
    |back| {
        back.items.iter_mut().for_each(|item| item.quantity = Numeral::from("0"));
        Violation::new("items[0].quantity", codes::QUANTITY)
    },
    |back| {
        back.items.iter_mut().for_each(|item| item.line = Some(0));
        Violation::new("items[0]", codes::LINE_AND_ID)
    },
    |back| {
        back.items.iter_mut().for_each(|item| item.id = None);
        Violation::new("items[0]", codes::LINE_OR_ID)
    },
    |back| {
        let count = back.items.len();
        back.items.extend_from_within(..1);
        Violation::new(format!("items[{count}].id"), codes::ITEM_DUPLICATE)
    },
];

const VOIDS: [Break<VoidInput>; 1] = [|void| {
    void.credit_note_number = Some(" ".to_owned());
    Violation::new("credit_note_number", codes::CREDIT_NOTE_REQUIRED)
}];

const DRAFTS: [Break<DraftInput>; 8] = [
    |draft| {
        draft.items.clear();
        Violation::new("Items", codes::ITEMS_EMPTY)
    },
    |draft| {
        let line = last_of_draft(draft, |item| item.description = "Boot".to_owned());
        Violation::new(format!("{line}.Description"), codes::DRAFT_DESCRIPTION)
    },
    |draft| {
        let line = last_of_draft(draft, |item| item.vat_rate = "21".into());
        Violation::new(format!("{line}.VatRate"), codes::VAT_RATE)
    },
    |draft| {
        let line = last_of_draft(draft, |item| item.unit_price_with_vat = "0".into());
        Violation::new(format!("{line}.UnitPriceWithVat"), codes::UNIT_PRICE)
    },
    |draft| {
        // 70.00 is not more than 70.00.
        draft.items.drain(1..);
        last_of_draft(draft, |item| (item.quantity, item.unit_price_with_vat) = ("1".into(), "70.00".into()));
        draft.discount = None;
        Violation::new("", codes::TAX_FREE_MINIMUM)
    },
    |draft| {
        draft.discount = Some("99999999.99".into());
        Violation::new("Discount", codes::DISCOUNT_RANGE)
    },
    |draft| {
        draft.created_on = Some("22.11.2026".to_owned());
        Violation::new("CreatedOn", codes::CREATED_ON)
    },
    |draft| {
        draft.merchant_invoice_id = " ".to_owned();
        Violation::new("MerchantInvoiceId", codes::MERCHANT_INVOICE_ID)
    },
];

const NOTES: [Break<NoteNumberInput>; 1] = [|note| {
    note.number = " ".to_owned();
    Violation::new("number", codes::NOTE_NUMBER)
}];
