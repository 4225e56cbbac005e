//! Stamp's tax-free invoices (PROVIDERS.md 1.3, S0).

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::domain::account::ProviderKind;
use crate::domain::check::{self, Context, Violations};
use crate::domain::document::Body;
use crate::domain::input::{BodyInput, DraftInput};
use crate::domain::totals;

use super::ask::{Ask, Call};
use super::authority;
use super::fault::Outcome;
use super::reply::Reply;
use super::stamp_invoice::{Invoice, Paper, PaperKind};
use super::token::{self, Claims};
use super::world::{Entry, World};
use super::{files, portal, read};

const STAMP: ProviderKind = ProviderKind::Stamp;

/// An error as S0 prints it. 101 is the document's; the other codes are ours, since no source has any.
pub fn error(status: StatusCode, code: u32, message: &str) -> Reply {
    Reply::json(status, &json!({ "ErrorCode": code, "ErrorMessage": message }))
}

/// Not completed yet, and not known at all: the same answer.
fn not_found() -> Reply {
    error(StatusCode::BAD_REQUEST, 101, "Not found")
}

/// What Stamp says with a bare status.
pub fn plain_error(status: StatusCode) -> Reply {
    error(status, u32::from(status.as_u16()), status.canonical_reason().unwrap_or("Error"))
}

/// Any request below `/stamp` or `/portal`.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    match ask.call {
        Call::Portal => return portal::handle(world, ask),
        Call::Login => return login(world, ask),
        _ => {}
    }
    let verdict =
        ask.bearer().map(|bearer| token::verify(bearer, STAMP.name(), world.token_epoch, world.shown(ask.at)));
    if !matches!(verdict, Some(Ok(()))) {
        return plain_error(StatusCode::UNAUTHORIZED).header("www-authenticate", "Bearer");
    }
    // /api/i/invoices/{id}/… and /api/invoices/{id}/…
    let id = if ask.part(1) == "i" { ask.part(3) } else { ask.part(2) };
    match ask.call {
        Call::Draft => upload(world, ask),
        Call::Pdf | Call::NotePdf | Call::Customer | Call::Status | Call::Crf0 => look(world, ask, id),
        Call::Note => match ask.part(5) {
            "debit" => note(world, ask, id, PaperKind::DebitVat),
            "creditgoods" => note(world, ask, id, PaperKind::CreditGoods),
            _ => note(world, ask, id, PaperKind::CreditVat),
        },
        Call::Cancel => note(world, ask, id, PaperKind::Cancel),
        _ => Reply::empty(StatusCode::NOT_FOUND),
    }
}

/// A member of a body, in the provider's spelling or all small.
fn text(body: &Value, name: &str) -> String {
    let small = name.to_ascii_lowercase();
    let member = body.as_object().and_then(|members| members.iter().find(|(key, _)| key.to_ascii_lowercase() == small));
    match member {
        Some((_, Value::String(text))) => text.clone(),
        Some((_, Value::Number(number))) => number.as_str().to_owned(),
        _ => String::new(),
    }
}

fn login(world: &mut World, ask: &Ask) -> Reply {
    let body: Value = serde_json::from_slice(&ask.body).unwrap_or(Value::Null);
    let (email, password) = (text(&body, "Email"), text(&body, "Password"));
    if !world.login_is_good(&email, &password) {
        return plain_error(StatusCode::UNAUTHORIZED);
    }
    let lifetime = world.settings.token_lifetime.delta();
    let claims = Claims {
        audience: STAMP.name(),
        username: email,
        issued: world.shown(ask.at),
        expires: authority::later(world.shown(ask.at), lifetime),
        epoch: world.token_epoch,
        id: world.ids.uuid(),
    };
    let answer = json!({ "AccessToken": token::issue(&claims), "ExpiresIn": lifetime.num_seconds() });
    Reply::json(StatusCode::OK, &answer)
}

fn upload(world: &mut World, ask: &Ask) -> Reply {
    let invalid = |message: &str| error(StatusCode::BAD_REQUEST, 102, message);
    let input: DraftInput = match read::json(&ask.body) {
        Ok(input) => input,
        Err(violation) => return invalid(&violation.to_string()),
    };
    let context = Context { provider: Some(STAMP), fiscal_ids: None, now: Some(ask.at) };
    let draft = match check::body(&BodyInput::Draft(input), &context) {
        Ok(Body::Draft(draft)) => draft,
        Ok(_) => return invalid("Not a draft"),
        Err(violations) => return invalid(&Violations(violations).to_string()),
    };
    let same = |invoice: &Invoice| invoice.draft.merchant_invoice_id == draft.merchant_invoice_id;
    if world.settings.unique_merchant_invoice_id && world.invoices.iter().any(same) {
        return error(StatusCode::BAD_REQUEST, 103, "MerchantInvoiceId already used");
    }
    let Some(totals) = totals::draft(&draft) else { return invalid("The amounts are too large") };
    let invoice = Invoice {
        draft_id: world.ids.uuid(),
        invoice_id: world.ids.uuid(),
        draft,
        totals,
        received_at: ask.at,
        completed_at: None,
        customs: None,
        otello_id: world.ids.hex(9).to_uppercase(),
        papers: Vec::new(),
        idempotency_key: ask.header("idempotency-key").map(str::to_owned),
        lost: ask.outcome == Outcome::Lose,
    };
    let answer = json!({ "DraftId": invoice.draft_id, "InvoiceId": invoice.invoice_id });
    let index = world.invoices.len();
    world.by_draft.insert(invoice.draft_id.clone(), index);
    world.by_invoice.insert(invoice.invoice_id.clone(), index);
    world.invoices.push(invoice);
    world.entries.push(Entry::Draft(index));
    Reply::json(StatusCode::OK, &answer)
}

/// The invoice, once its merchant has completed it.
fn completed<'a>(world: &'a World, id: &str, now: DateTime<Utc>) -> Option<(usize, &'a Invoice, DateTime<Utc>)> {
    let index = *world.by_invoice.get(id)?;
    let invoice = world.invoices.get(index)?;
    Some((index, invoice, invoice.completed(&world.settings, now)?))
}

fn look(world: &World, ask: &Ask, id: &str) -> Reply {
    let Some((_, invoice, _)) = completed(world, id, ask.at) else { return not_found() };
    let answer = match ask.call {
        Call::Pdf => json!({ "FileUri": link(world, ask.at, id, "") }),
        // A cancel has a note too: its credit note.
        Call::NotePdf if invoice.papers.is_empty() => return not_found(),
        Call::NotePdf => json!({ "FileUri": link(world, ask.at, id, "-note") }),
        Call::Customer => json!({
            "DateOfBirth": "1990-03-01T00:00:00",
            "DocumentType": 0,
            "IdentityDocumentIssuingCountryIso2Code": "CH",
            "Fullname": "Luca Rossi",
            "IdentityDocumentId": "YA12345678",
        }),
        Call::Status => json!({ "Status": invoice.customs(&world.settings, ask.at).code() }),
        _ => json!({ "OtelloCommunicationId": invoice.otello_id }),
    };
    Reply::json(StatusCode::OK, &answer)
}

/// A link that works for a day without a token, as Azure's.
fn link(world: &World, now: DateTime<Utc>, id: &str, what: &str) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true).replace(':', "%3A");
    let start = world.shown(now);
    let name = format!("Invoice-{id}{what}-OTELLO.pdf");
    let end = authority::later(start, TimeDelta::hours(24)).timestamp();
    let sig = files::signature(&name, end);
    format!(
        "{}/_sandbox/files/{name}?sv=2017-04-17&sr=b&sig={sig}&st={}&se={}&sp=r",
        world.base_url,
        time(start),
        time(authority::later(start, TimeDelta::hours(24))),
    )
}

/// A note's number or a cancel. Each one that is taken is a paper of its own: nothing here knows repetitions.
fn note(world: &mut World, ask: &Ask, id: &str, kind: PaperKind) -> Reply {
    let Some((index, invoice, _)) = completed(world, id, ask.at) else { return not_found() };
    let body: Value = serde_json::from_slice(&ask.body).unwrap_or(Value::Null);
    let number = text(&body, "InvoiceNoteNumber");
    if number.trim().is_empty() {
        return error(StatusCode::BAD_REQUEST, 102, "InvoiceNoteNumber: must not be empty");
    }
    let cancelled = invoice.papers.iter().any(|paper| paper.kind == PaperKind::Cancel);
    if kind == PaperKind::Cancel && cancelled {
        return error(StatusCode::BAD_REQUEST, 104, "Invoice already canceled");
    }
    let idempotency_key = ask.header("idempotency-key").map(str::to_owned);
    let paper = Paper { kind, number, at: ask.at, idempotency_key };
    if let Some(invoice) = world.invoices.get_mut(index) {
        let place = invoice.papers.len();
        invoice.papers.push(paper);
        world.entries.push(Entry::Paper(index, place));
    }
    Reply::empty(StatusCode::OK)
}
