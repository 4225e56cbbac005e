//! What the authority has, and what it is about to get: one entry for everything that a provider said yes to, in that
//! order. A document sent twice is here twice.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::account::ProviderKind;
use crate::domain::calendar;
use crate::domain::document::Kind;

use super::authority::{self, Status};
use super::document::Doc;
use super::stamp_invoice::{Invoice, PaperKind};
use super::world::{Entry, World};

/// One entry. Amounts are decimal text; times are UTC, with the Italian wall clock beside them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Its place, from 1.
    pub seq: u64,
    /// `openapi`, `smart-receipt`, `stamp`.
    pub provider: String,
    /// `receipt`, `return`, `void` (of a sale, or the cancelling of a tax-free invoice), `draft`, `note_number`.
    pub kind: String,
    /// For a note number: `debit_vat`, `credit_goods`, `credit_vat`.
    pub note: Option<String>,
    /// Whether it exists as a fiscal document: taken by the authority, or the draft completed by its merchant.
    pub issued: bool,
    /// The provider's word: `new`, `retry`, `submitted`, `ready`, `failed`, `voided`; for a draft `draft` or what
    /// customs said; for notes and cancels `accepted`; `lost` when a fault made the provider lose it.
    pub status: String,
    /// VAT number.
    pub fiscal_id: Option<String>,
    /// The provider's id; a tax-free invoice's `InvoiceId`.
    pub remote_id: String,
    /// Of what it is about.
    pub parent_remote_id: Option<String>,
    /// Of a draft.
    pub draft_id: Option<String>,
    /// Of a draft.
    pub merchant_invoice_id: Option<String>,
    /// Of a completed draft.
    pub otello_id: Option<String>,
    /// Of a note or a cancel.
    pub note_number: Option<String>,
    /// The authority's number.
    pub document_number: Option<String>,
    /// The authority's transaction.
    pub transaction_id: Option<String>,
    /// The Italian day it belongs to.
    pub document_date: Option<String>,
    /// What it comes to, in cents.
    pub total_amount: Option<String>,
    /// The same with eight decimals.
    pub total_amount_exact: Option<String>,
    /// Without VAT.
    pub total_taxable_amount: Option<String>,
    /// VAT.
    pub total_vat_amount: Option<String>,
    /// Line discounts without VAT.
    pub total_discount: Option<String>,
    /// Discount at payment, or of the whole draft.
    pub discount: Option<String>,
    /// Paid in cash.
    pub cash_payment_amount: Option<String>,
    /// Paid electronically.
    pub electronic_payment_amount: Option<String>,
    /// Paid with meal vouchers.
    pub ticket_restaurant_payment_amount: Option<String>,
    /// Services not yet paid.
    pub services_uncollected_amount: Option<String>,
    /// Goods not yet paid.
    pub goods_uncollected_amount: Option<String>,
    /// Its lines.
    pub items: Vec<LedgerItem>,
    /// When the provider said yes.
    pub received_at: Option<DateTime<Utc>>,
    /// The same on a clock in Rome.
    pub received_rome: Option<String>,
    /// Whether that was between 23:55:00 and 00:00:00.
    pub in_blackout: bool,
    /// When it became a fiscal document; none: not yet, or never.
    pub issued_at: Option<DateTime<Utc>>,
    /// The same on a clock in Rome.
    pub issued_rome: Option<String>,
    /// The `Idempotency-Key` header that came with it.
    pub idempotency_key: Option<String>,
    /// Openapi's tags as sent.
    pub tags: Option<serde_json::Value>,
    /// A void after a return: the amount is reversed twice.
    pub after_returns: bool,
    /// Other entries with the same `Idempotency-Key` at the same provider: each more than one is a double.
    pub duplicates: u64,
}

/// A line of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerItem {
    /// The authority's id.
    pub id: Option<String>,
    /// Text.
    pub description: String,
    /// How many were sold; of a return, how many came back.
    pub quantity: String,
    /// Price of one, VAT included.
    pub unit_price: String,
    /// VAT rate code.
    pub vat_rate_code: String,
    /// Discount of the line, VAT included.
    pub discount: String,
    /// A free gift.
    pub complimentary: bool,
    /// What it comes to.
    pub total_amount: Option<String>,
}

/// The whole ledger at `now`.
pub fn entries(world: &World, now: DateTime<Utc>) -> Vec<LedgerEntry> {
    let mut entries: Vec<LedgerEntry> = world.entries.iter().filter_map(|entry| one(world, *entry, now)).collect();
    let mut keys = std::collections::HashMap::new();
    for entry in &entries {
        if let Some(key) = &entry.idempotency_key {
            *keys.entry((entry.provider.clone(), key.clone())).or_insert(0u64) += 1;
        }
    }
    for (seq, entry) in (1..).zip(&mut entries) {
        entry.seq = seq;
        if let Some(key) = &entry.idempotency_key {
            let same = keys.get(&(entry.provider.clone(), key.clone())).copied().unwrap_or(1);
            entry.duplicates = same.saturating_sub(1);
        }
    }
    entries
}

fn one(world: &World, entry: Entry, now: DateTime<Utc>) -> Option<LedgerEntry> {
    Some(match entry {
        Entry::Doc(index) => of_doc(world, world.docs.get(index)?, now),
        Entry::Draft(index) => of_draft(world, world.invoices.get(index)?, now),
        Entry::Paper(index, place) => of_paper(world.invoices.get(index)?, place)?,
    })
}

fn rome(at: DateTime<Utc>) -> String {
    calendar::rome(at).format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn received(provider: ProviderKind, kind: Kind, at: DateTime<Utc>) -> LedgerEntry {
    LedgerEntry {
        provider: provider.name().to_owned(),
        kind: kind.name().to_owned(),
        received_at: Some(at),
        received_rome: Some(rome(at)),
        in_blackout: authority::in_blackout(at),
        ..LedgerEntry::default()
    }
}

fn of_doc(world: &World, doc: &Doc, now: DateTime<Utc>) -> LedgerEntry {
    let status = world.status(doc, now);
    let submitted = doc.passage.submitted.filter(|_| status.is_issued());
    let amount = |name| doc.terms.amount(name).round(2).map(|amount| amount.to_string());
    let quantity = |line: &super::document::Line| match doc.kind {
        Kind::Return => line.returned.clone(),
        _ => line.quantity.clone(),
    };
    LedgerEntry {
        issued: submitted.is_some(),
        status: if doc.lost { "lost".to_owned() } else { status.name().to_owned() },
        fiscal_id: Some(doc.fiscal_id.clone()),
        remote_id: doc.id.clone(),
        parent_remote_id: doc.parent.and_then(|parent| world.docs.get(parent)).map(|parent| parent.id.clone()),
        document_number: submitted.map(|at| authority::document_number(doc.provider, world.shown(at), doc.number)),
        transaction_id: submitted.map(|_| doc.number.to_string()),
        document_date: submitted.map(|at| calendar::fiscal_day(at).to_string()),
        total_amount: Some(doc.totals.total_amount.clone()),
        total_amount_exact: Some(doc.totals.total_amount_exact.clone()),
        total_taxable_amount: Some(doc.totals.total_taxable_amount.clone()),
        total_vat_amount: Some(doc.totals.total_vat_amount.clone()),
        total_discount: Some(doc.totals.total_discount.clone()),
        discount: amount("discount"),
        cash_payment_amount: amount("cash_payment_amount"),
        electronic_payment_amount: amount("electronic_payment_amount"),
        ticket_restaurant_payment_amount: amount("ticket_restaurant_payment_amount"),
        services_uncollected_amount: amount("services_uncollected_amount"),
        goods_uncollected_amount: amount("goods_uncollected_amount"),
        items: doc
            .lines
            .iter()
            .map(|line| LedgerItem {
                id: submitted.map(|_| line.id.clone()),
                description: line.description.clone(),
                quantity: quantity(line),
                unit_price: line.gross_price.clone(),
                vat_rate_code: line.vat_rate.clone(),
                discount: line.gross_discount.clone(),
                complimentary: line.complimentary,
                total_amount: Some(line.total_amount.clone()),
            })
            .collect(),
        issued_at: submitted,
        issued_rome: submitted.map(rome),
        idempotency_key: doc.idempotency_key.clone(),
        // A return shows its parent's tags to clients; none came with it.
        tags: doc.tags.clone().filter(|_| doc.kind == Kind::Receipt),
        after_returns: doc.after_returns && status != Status::Failed,
        ..received(doc.provider, doc.kind, doc.received_at)
    }
}

fn of_draft(world: &World, invoice: &Invoice, now: DateTime<Utc>) -> LedgerEntry {
    let completed = invoice.completed(&world.settings, now);
    let status = match completed {
        _ if invoice.lost => "lost",
        None => "draft",
        Some(_) => invoice.customs(&world.settings, now).name(),
    };
    LedgerEntry {
        issued: completed.is_some(),
        status: status.to_owned(),
        remote_id: invoice.invoice_id.clone(),
        draft_id: Some(invoice.draft_id.clone()),
        merchant_invoice_id: Some(invoice.draft.merchant_invoice_id.clone()),
        otello_id: completed.map(|_| invoice.otello_id.clone()),
        document_date: Some(invoice.draft.created_on.date().to_string()),
        total_amount: Some(invoice.totals.gross_total.to_string()),
        total_taxable_amount: invoice.totals.net_total.map(|total| total.to_string()),
        discount: Some(invoice.totals.discount_gross.to_string()),
        items: invoice
            .draft
            .items
            .iter()
            .map(|item| LedgerItem {
                id: item.item_code.clone(),
                description: item.description.clone(),
                quantity: item.quantity.to_string(),
                unit_price: item.unit_price_with_vat.to_string(),
                vat_rate_code: item.vat_rate.code().to_owned(),
                discount: "0".to_owned(),
                ..LedgerItem::default()
            })
            .collect(),
        issued_at: completed,
        issued_rome: completed.map(rome),
        idempotency_key: invoice.idempotency_key.clone(),
        ..received(ProviderKind::Stamp, Kind::Draft, invoice.received_at)
    }
}

fn of_paper(invoice: &Invoice, place: usize) -> Option<LedgerEntry> {
    let paper = invoice.papers.get(place)?;
    let kind = if paper.kind == PaperKind::Cancel { Kind::Void } else { Kind::NoteNumber };
    Some(LedgerEntry {
        note: (paper.kind != PaperKind::Cancel).then(|| paper.kind.name().to_owned()),
        issued: true,
        status: "accepted".to_owned(),
        remote_id: invoice.invoice_id.clone(),
        parent_remote_id: Some(invoice.invoice_id.clone()),
        merchant_invoice_id: Some(invoice.draft.merchant_invoice_id.clone()),
        note_number: Some(paper.number.clone()),
        issued_at: Some(paper.at),
        issued_rome: Some(rome(paper.at)),
        idempotency_key: paper.idempotency_key.clone(),
        ..received(ProviderKind::Stamp, kind, paper.at)
    })
}
