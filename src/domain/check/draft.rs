//! The rules of a tax-free invoice (S0, ADM). Paths are in Stamp's own spelling, whichever the till used.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};

use super::report::{Report, longer};
use super::{Checked, Context, codes};
use crate::domain::calendar;
use crate::domain::document::{Draft, DraftItem};
use crate::domain::input::{DraftInput, DraftItemInput};
use crate::domain::limits::{MAX_AMOUNT, MAX_DESCRIPTION, MAX_ITEMS};
use crate::domain::money::{Decimal, Numeral};
use crate::domain::totals::draft_gross;
use crate::domain::vat::VatRate;

/// Characters that Stamp wants of a description at least (S0).
const MIN_DESCRIPTION: usize = 5;

/// A tax-free invoice must come to more than this many cents, VAT included (ADM, since 2024-02-01).
const MINIMUM_CENTS: i128 = 70_00;

pub(super) fn draft(input: &DraftInput, context: &Context<'_>) -> Checked<Draft> {
    let mut report = Report::default();
    let merchant_invoice_id = report.name("MerchantInvoiceId", &input.merchant_invoice_id, codes::MERCHANT_INVOICE_ID);
    let created_on = created_on(&mut report, input.created_on.as_deref(), context);
    let (items, gross) = items(&mut report, &input.items);
    let discount = discount(&mut report, input.discount.as_ref(), gross);
    if let (Some(discount), Some(gross)) = (discount.and_then(|discount| discount.at(2)), gross)
        && gross - discount <= MINIMUM_CENTS
    {
        report.add("", codes::TAX_FREE_MINIMUM);
    }
    let built = (|| Some(Draft { merchant_invoice_id, created_on: created_on?, items: items?, discount: discount? }))();
    report.finish(built)
}

/// The lines, and what they come to in cents, VAT included, where that can be said.
fn items(report: &mut Report, inputs: &[DraftItemInput]) -> (Option<Vec<DraftItem>>, Option<i128>) {
    if inputs.is_empty() {
        report.add("Items", codes::ITEMS_EMPTY);
        return (None, None);
    }
    if inputs.len() > MAX_ITEMS {
        report.add("Items", codes::ITEMS_MAX);
        return (None, None);
    }
    let mut items = Vec::with_capacity(inputs.len());
    let mut amounts = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.iter().enumerate() {
        let path = |member: &str| format!("Items[{index}].{member}");
        let item_code = report.text(|| path("ItemCode"), input.item_code.as_ref());
        if input.description.chars().count() < MIN_DESCRIPTION {
            report.add(path("Description"), codes::DRAFT_DESCRIPTION);
        }
        if longer(&input.description, MAX_DESCRIPTION) {
            report.add(path("Description"), codes::DESCRIPTION_MAX);
        }
        let quantity = report.quantity(|| path("Quantity"), &input.quantity);
        let price = report.price(|| path("UnitPriceWithVat"), &input.unit_price_with_vat);
        let vat_rate = input.vat_rate.parse().ok().and_then(VatRate::of_tax_free);
        if vat_rate.is_none() {
            report.add(path("VatRate"), codes::VAT_RATE);
        }
        amounts.extend(quantity.zip(price));
        items.extend((|| {
            Some(DraftItem {
                item_code,
                description: input.description.clone(),
                quantity: quantity?,
                unit_price_with_vat: price?,
                vat_rate: vat_rate?,
            })
        })());
    }
    let mut gross = None;
    if amounts.len() == inputs.len() {
        gross = draft_gross(amounts.into_iter());
        if gross.is_none_or(|gross| gross >= MAX_AMOUNT * 100) {
            report.add("", codes::AMOUNT_TOO_LARGE);
        }
    }
    ((items.len() == inputs.len()).then_some(items), gross)
}

/// Zero or more, and less than the lines.
fn discount(report: &mut Report, numeral: Option<&Numeral>, gross: Option<i128>) -> Option<Decimal> {
    let number = numeral.map_or(Some(Decimal::ZERO), |numeral| numeral.parse().ok());
    let Some(number) = number.filter(|number| !number.is_negative()) else {
        report.add("Discount", codes::DISCOUNT_RANGE);
        return None;
    };
    let Some(discount) = number.within(2) else {
        report.add("Discount", codes::AMOUNT_DECIMALS);
        return None;
    };
    if gross.is_some_and(|gross| !number.is_zero() && discount.at(2).is_none_or(|discount| discount >= gross)) {
        report.add("Discount", codes::DISCOUNT_RANGE);
        return None;
    }
    Some(discount)
}

/// The date as the till gave it, else now; Italian time, whole seconds.
fn created_on(report: &mut Report, text: Option<&str>, context: &Context<'_>) -> Option<NaiveDateTime> {
    let date = match text {
        Some(text) => read_date(text),
        None => context.now.map(calendar::rome),
    };
    let date = date.filter(|date| (1970..=2100).contains(&date.year())).and_then(|date| date.with_nanosecond(0));
    if date.is_none() {
        report.add("CreatedOn", codes::CREATED_ON);
    }
    date
}

/// Both of Stamp's own spellings (PROVIDERS.md 1.5, 1), and an instant with its offset. With slashes the day is first.
fn read_date(text: &str) -> Option<NaiveDateTime> {
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%d/%m/%Y %H:%M:%S"];
    let local = local.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    local
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| calendar::rome(at.to_utc())))
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
}
