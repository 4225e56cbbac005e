//! Receipts on the wire: what the two receipt APIs are sent, and what they send back. Theirs come in two shapes, the
//! request's (prices gross, `unit_price`) and the fiscal one (`gross_price`; `unit_price` is net): reading the one as
//! the other would shrink a price by its VAT (PROVIDERS.md 1.1, 1.5.11).

use chrono::{DateTime, Utc};
use reqwest::{Method, Url};
use serde::Serialize;
use serde_json::Value;

use super::classify::NoRead;
use super::correction::cannot_be_sent;
use super::json::{self, Moment};
use super::session::Ask;
use crate::domain::account::ProviderKind;
use crate::domain::document::{Item, Receipt};
use crate::domain::id::Key;
use crate::domain::limits::MAX_TAGS;
use crate::domain::money::Decimal;
use crate::domain::outcome::{Remote, RemoteItem, SubmitOutcome, TrackOutcome};

/// A sale as the receipt APIs take it. Amounts that are nothing are left out: their own checks speak of what is
/// "specified".
#[derive(Serialize)]
struct SaleBody<'a> {
    fiscal_id: &'a str,
    items: Vec<SaleLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cash_payment_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    electronic_payment_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_restaurant_payment_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_restaurant_quantity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    services_uncollected_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goods_uncollected_amount: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<Decimal>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    invoice_issuing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lottery_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    linked_receipt: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

#[derive(Serialize)]
struct SaleLine<'a> {
    quantity: Decimal,
    description: &'a str,
    unit_price: Decimal,
    vat_rate_code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<Decimal>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    complimentary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<&'a str>,
}

/// Our tag on a sale, by which a look-up may know it again.
pub(crate) fn tag(key: &Key) -> String {
    format!("{TAG_PREFIX}{key}")
}

/// What our tags begin with.
pub(crate) const TAG_PREFIX: &str = "oq-";

/// Whether our tag goes with a sale to Openapi: the till's own come first.
pub(crate) fn is_tagged(receipt: &Receipt) -> bool {
    receipt.tags.len() < MAX_TAGS
}

/// The request of a sale. Each API gets the members that it knows and no others (PROVIDERS.md 4.1).
pub(crate) fn sale_body(provider: ProviderKind, key: &Key, receipt: &Receipt) -> serde_json::Result<Vec<u8>> {
    let openapi = provider == ProviderKind::Openapi;
    let mut tags = if openapi { receipt.tags.clone() } else { Vec::new() };
    if openapi && is_tagged(receipt) {
        tags.push(tag(key));
    }
    let body = SaleBody {
        fiscal_id: receipt.fiscal_id.as_str(),
        items: receipt.items.iter().map(|item| sale_line(item, openapi)).collect(),
        // Openapi requires it even when nothing was paid in cash.
        cash_payment_amount: if openapi {
            Some(receipt.cash_payment_amount)
        } else {
            some(receipt.cash_payment_amount)
        },
        electronic_payment_amount: some(receipt.electronic_payment_amount),
        ticket_restaurant_payment_amount: some(receipt.ticket_restaurant_payment_amount),
        ticket_restaurant_quantity: Some(receipt.ticket_restaurant_quantity).filter(|quantity| *quantity > 0),
        services_uncollected_amount: some(receipt.services_uncollected_amount),
        goods_uncollected_amount: some(receipt.goods_uncollected_amount),
        discount: some(receipt.discount),
        invoice_issuing: receipt.invoice_issuing,
        lottery_code: receipt.lottery_code.as_ref().map(|code| code.to_ascii_uppercase()),
        linked_receipt: receipt.linked_receipt.as_deref(),
        tags,
        email: receipt.email.as_deref().filter(|_| !openapi),
    };
    serde_json::to_vec(&body)
}

fn sale_line(item: &Item, openapi: bool) -> SaleLine<'_> {
    SaleLine {
        quantity: item.quantity,
        description: &item.description,
        unit_price: item.unit_price,
        vat_rate_code: item.vat_rate_code.code(),
        discount: some(item.discount),
        complimentary: item.complimentary,
        sku: item.sku.as_deref().filter(|_| openapi),
    }
}

fn some(amount: Decimal) -> Option<Decimal> {
    (!amount.is_zero()).then_some(amount)
}

#[derive(Serialize)]
struct ReturnBody<'a> {
    items: Vec<ReturnLine<'a>>,
}

#[derive(Serialize)]
struct ReturnLine<'a> {
    id: &'a str,
    quantity: Decimal,
}

/// The request of a return.
pub(crate) fn return_body(items: &[(String, Decimal)]) -> serde_json::Result<Vec<u8>> {
    let items = items.iter().map(|(id, quantity)| ReturnLine { id, quantity: *quantity }).collect();
    serde_json::to_vec(&ReturnBody { items })
}

/// The request as a submission, if it can be made: the address may hold what is no id.
pub(crate) fn submission(
    method: Method,
    url: Option<Url>,
    body: Option<serde_json::Result<Vec<u8>>>,
    key: &Key,
) -> Result<Ask, SubmitOutcome> {
    let body = body.transpose().map_err(|err| cannot_be_sent(&format!("it cannot be written as JSON: {err}")))?;
    let url = url.ok_or_else(|| cannot_be_sent("the parent's id is not one that can be asked for"))?;
    Ok(Ask::submission(method, url, body, key))
}

/// The receipt of an answer to "give me `id`".
pub(crate) fn asked_for(provider: ProviderKind, answer: &Value, id: &str) -> Result<Value, NoRead> {
    let row = json::unwrap_data(answer);
    match id_of(provider, row) {
        Some(found) if found == id => Ok(row.clone()),
        Some(_) => Err(NoRead::failed("the answer is another receipt than the one asked for")),
        None => Err(NoRead::failed("the answer is not a receipt")),
    }
}

/// The provider's id of a receipt: `id` (Openapi), `uuid` (Smart Receipt).
pub(crate) fn id_of(provider: ProviderKind, row: &Value) -> Option<String> {
    match provider {
        ProviderKind::Openapi => json::id(row, "id"),
        _ => json::id(row, "uuid").or_else(|| json::id(row, "id")),
    }
}

/// What a receipt as sent by a provider tells. `about` decides what a `created_at` without a zone means.
pub(crate) fn remote(provider: ProviderKind, row: &Value, about: DateTime<Utc>) -> Remote {
    Remote {
        remote_id: id_of(provider, row),
        document_number: json::text(row, "document_number"),
        document_date: json::text(row, "document_date"),
        transaction_id: json::text(row, "transaction_id"),
        status: status(row),
        created_at: Moment::created(row).and_then(|moment| moment.nearest(about)),
        items: fiscal_items(row),
        totals: totals(row),
        ..Remote::default()
    }
}

/// The provider's word for the state, in lower case.
pub(crate) fn status(row: &Value) -> Option<String> {
    json::text(row, "status").map(|status| status.to_ascii_lowercase())
}

/// The lines in the fiscal shape, if they have come: only those have the authority's item ids.
pub(crate) fn fiscal_items(row: &Value) -> Vec<RemoteItem> {
    let lines = json::objects(row, "items");
    let read = |line: &&Value| {
        let text = |name: &str| json::text(line, name).unwrap_or_default();
        Some(RemoteItem {
            id: json::id(line, "id")?,
            description: text("description"),
            quantity: text("quantity"),
            gross_price: text("gross_price"),
            vat_rate: json::text(line, "vat_rate").unwrap_or_else(|| text("vat_rate_code")),
            unit_price: if line.get("gross_price").is_some() { text("unit_price") } else { String::new() },
            unit_discount: text("unit_discount"),
            returned: text("return"),
            complimentary: json::flag(line, "complimentary").unwrap_or(false),
        })
    };
    let items: Vec<RemoteItem> = lines.iter().filter_map(read).collect();
    // A line without an id would shift the others: then none is known.
    if items.len() == lines.len() { items } else { Vec::new() }
}

fn totals(row: &Value) -> Vec<(String, String)> {
    const NAMES: [&str; 5] =
        ["total_amount", "total_taxable_amount", "total_vat_amount", "total_discount", "total_gross_discount"];
    let read = |name: &&str| Some(((*name).to_owned(), json::text(row, name)?));
    let found: Vec<(String, String)> = NAMES.iter().filter_map(read).collect();
    let nothing = |digits: &str| digits.parse::<Decimal>().is_ok_and(Decimal::is_zero);
    // All zero is how "not computed yet" looks; a single zero next to others is a number.
    if found.iter().all(|(_, digits)| nothing(digits)) { Vec::new() } else { found }
}

/// What a receipt's state means for its document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// The provider has it and has not delivered it yet.
    Waiting,
    /// The authority has it.
    There,
    /// It failed at the authority.
    Failed(TrackOutcome),
    /// Not a state that means anything to us.
    Strange(Option<String>),
}

/// Reads the stage of a receipt.
pub(crate) fn stage(row: &Value, remote: &Remote) -> Stage {
    match remote.status.as_deref() {
        Some("new" | "retry") => Stage::Waiting,
        // Taken but without a number: the rest is still to come.
        Some("submitted") if remote.document_number.is_none() && remote.transaction_id.is_none() => Stage::Waiting,
        Some("submitted" | "ready" | "voided") => Stage::There,
        Some("failed") => Stage::Failed(failed(row, remote)),
        other => Stage::Strange(other.map(str::to_owned)),
    }
}

/// A failure, and whether it proves that the authority has nothing (PROVIDERS.md 4.3, last paragraph): a refusal of the
/// data, of the VAT number or of the credentials does; a breakdown or the end of the day does not.
fn failed(row: &Value, remote: &Remote) -> TrackOutcome {
    let code = json::text(row, "error_code");
    let message = json::text(row, "error_message").unwrap_or_default();
    let lower = message.to_ascii_lowercase();
    let end_of_day = lower.contains("same day") || lower.contains("could not be confirmed");
    let certain = match code.as_deref() {
        Some("400") => !message.is_empty() && lower != "bad_request" && !end_of_day,
        Some("403" | "422") => !end_of_day,
        _ => false,
    };
    let message = if message.is_empty() { "failed without a reason".to_owned() } else { super::http::clip(&message) };
    TrackOutcome::Failed { certain, code, message, remote: Box::new(remote.clone()) }
}

/// Whether a receipt that waits says that the authority refuses the credentials.
pub(crate) fn refuses_credentials(row: &Value) -> Option<String> {
    let code = json::text(row, "error_code").unwrap_or_default();
    let message = json::text(row, "error_message").unwrap_or_default();
    let lower = format!("{code} {message}").to_ascii_lowercase();
    let speaks = code == "422" || lower.contains("credential") || lower.contains("password");
    speaks.then(|| super::http::clip(format!("{code} {message}").trim()))
}
