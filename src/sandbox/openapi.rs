//! Openapi's receipts (PROVIDERS.md 1.1): envelope, oddities and all.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::account::ProviderKind;
use crate::domain::check::Violations;
use crate::domain::document::Kind;
use crate::domain::input::{ReceiptInput, ReturnInput};

use super::ask::{Ask, Call};
use super::authority::{self, Status};
use super::document::Doc;
use super::reply::{Reply, number};
use super::settings::Day;
use super::world::{Refusal, World};
use super::{configuration, oauth, pdf, query, read};

const OPENAPI: ProviderKind = ProviderKind::Openapi;

/// A good answer.
pub fn ok(data: Value) -> Reply {
    ok_with(data, "", Value::Null)
}

/// A good answer with a message.
pub fn ok_with(data: Value, message: &str, error: Value) -> Reply {
    Reply::json(StatusCode::OK, &json!({ "data": data, "success": true, "message": message, "error": error }))
}

/// A bad answer; `data` is the text `null`, as printed.
pub fn error(status: StatusCode, message: &str, code: u32) -> Reply {
    let body = json!({ "data": "null", "success": false, "message": message, "error": code });
    Reply::json(status, &body)
}

/// What Openapi says with a bare status.
pub fn plain_error(status: StatusCode) -> Reply {
    let reason = status.canonical_reason().unwrap_or("Error");
    match status {
        StatusCode::UNAUTHORIZED => oauth::error(status, "Unauthorized", 130),
        StatusCode::FORBIDDEN => oauth::error(status, "Forbidden", 403),
        StatusCode::UNPROCESSABLE_ENTITY => error(status, "INVALID_CREDENTIALS", 422),
        _ => error(status, reason, u32::from(status.as_u16())),
    }
}

/// Any request below `/openapi`.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    if matches!(ask.call, Call::Login | Call::Diagnostics) {
        return oauth::handle(world, ask);
    }
    if let Err(reply) = oauth::authorize(world, ask) {
        return reply;
    }
    let id = ask.part(1);
    match ask.call {
        Call::Configuration => configuration::handle(world, ask),
        Call::Submit => submit(world, ask),
        Call::List => list(world, ask),
        Call::Get => get(world, ask, id),
        Call::Return => give_back(world, ask, id),
        Call::Void => void(world, ask, id),
        _ if ask.part(0) == "IT-receipts" && ask.path.len() <= 2 => plain_error(StatusCode::METHOD_NOT_ALLOWED),
        _ => plain_error(StatusCode::NOT_FOUND),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::NotFound => error(StatusCode::NOT_FOUND, "Receipt not found", 404),
        Refusal::Violations(violations) => {
            error(StatusCode::BAD_REQUEST, &Violations(violations.clone()).to_string(), 400)
        }
        Refusal::State(message) => error(StatusCode::BAD_REQUEST, message, 400),
        Refusal::Unavailable => error(StatusCode::INTERNAL_SERVER_ERROR, "SERVICE_UNAVAILABLE", 500),
    }
}

fn submit(world: &mut World, ask: &Ask) -> Reply {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&ask.body) else {
        return error(StatusCode::BAD_REQUEST, "Invalid JSON", 400);
    };
    let fiscal_id = match members.get("fiscal_id") {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        _ => return error(StatusCode::BAD_REQUEST, "Missing fiscal_id", 423),
    };
    match world.configurations.get(&(OPENAPI, fiscal_id)) {
        None => return configuration::unknown(),
        Some(known) if !known.receipts => {
            return error(StatusCode::BAD_REQUEST, "Receipts are not enabled for this fiscal_id", 400);
        }
        Some(_) => {}
    }
    for required in ["items", "cash_payment_amount"] {
        if members.get(required).is_none_or(Value::is_null) {
            return error(StatusCode::BAD_REQUEST, &format!("Missing {required}"), 423);
        }
    }
    // Tags are internal: echoed as sent, nested lists too, as in S1's sample.
    let tags = members.get("tags").cloned();
    if let Some(flat) = tags.as_ref().and_then(flat_tags) {
        members.insert("tags".to_owned(), flat);
    }
    let request_items = members.get("items").cloned().unwrap_or(Value::Null);
    let input: ReceiptInput = match read::json(Value::Object(members).to_string().as_bytes()) {
        Ok(input) => input,
        Err(violation) => return refused(&Refusal::Violations(vec![violation])),
    };
    match world.take_sale(OPENAPI, ask, &input, echoed_items(&request_items), tags) {
        Ok(index) => accepted(world, index, ask.at, |doc, world, now| ok(receipt(world, doc, now, true))),
        Err(refusal) => refused(&refusal),
    }
}

fn accepted(
    world: &World,
    index: usize,
    now: DateTime<Utc>,
    answer: impl FnOnce(&Doc, &World, DateTime<Utc>) -> Reply,
) -> Reply {
    match world.docs.get(index) {
        Some(doc) => answer(doc, world, now),
        None => plain_error(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn flat_tags(tags: &Value) -> Option<Value> {
    let mut flat = Vec::new();
    for tag in tags.as_array()? {
        match tag {
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Some(Value::Array(flat))
}

/// The items as the POST answer shows them: the request shape, price gross (PROVIDERS.md 1.5, 11).
fn echoed_items(items: &Value) -> Value {
    let echo = |item: &Value| {
        let field = |names: [&str; 2]| names.iter().find_map(|name| item.get(name).filter(|v| !v.is_null())).cloned();
        let amount = |names| match field(names) {
            Some(Value::Number(digits)) => number(digits.as_str()),
            Some(Value::String(digits)) => number(&digits),
            _ => json!(0),
        };
        let mut echo = json!({
            "quantity": amount(["quantity", "quantity"]),
            "description": field(["description", "description"]),
            "unit_price": amount(["unit_price", "gross_price"]),
            "vat_rate_code": field(["vat_rate_code", "vat_rate_code"]),
            "discount": amount(["discount", "gross_discount"]),
            "complimentary": field(["complimentary", "complimentary"]).unwrap_or(json!(false)),
        });
        if let (Some(sku), Some(members)) = (field(["sku", "sku"]), echo.as_object_mut()) {
            members.insert("sku".to_owned(), sku);
        }
        echo
    };
    Value::Array(items.as_array().map(|items| items.iter().map(echo).collect()).unwrap_or_default())
}

/// A receipt as Openapi shows it: zeros and empty numbers while new, the fiscal shape once the authority has it.
pub fn receipt(world: &World, doc: &Doc, now: DateTime<Utc>, with_tags: bool) -> Value {
    let status = world.status(doc, now);
    let issued = status.is_issued();
    let mut members = Map::new();
    doc.terms.put(&mut members);
    if issued {
        doc.totals.put(&mut members, doc.kind == Kind::Return);
    } else {
        let totals = ["taxable_amount", "vat_amount", "discount", "gross_discount", "uncollected_amount"];
        members.extend(totals.map(|name| (format!("total_{name}"), json!(0))));
        let total = if doc.kind == Kind::Receipt { json!(0) } else { Value::Null };
        members.insert("total_amount".to_owned(), total);
    }
    let items = match (issued, doc.kind) {
        (true, _) => Value::Array(doc.lines.iter().map(|line| line_json(doc, line)).collect()),
        (false, Kind::Receipt) => doc.request_items.clone(),
        (false, _) => json!([{}]),
    };
    let created = world.shown(doc.received_at);
    let submitted = doc.passage.submitted.filter(|_| issued).map(|at| world.shown(at));
    let trouble = doc.passage.trouble(now);
    let updated = [doc.passage.ready, doc.passage.submitted, trouble.map(|t| t.at)].into_iter().flatten();
    let updated = updated.filter(|at| *at <= now).max().unwrap_or(doc.received_at);
    let more = json!({
        "id": doc.id,
        "fiscal_id": doc.fiscal_id,
        "items": items,
        "status": status.name(),
        "type": doc.type_name(),
        "created_at": iso(created),
        "create_timestamp": created.timestamp(),
        "update_timestamp": world.shown(updated).timestamp(),
        "document_number": submitted.map_or(String::new(), |at| authority::document_number(OPENAPI, at, doc.number)),
        "document_date": submitted.map(iso),
        "transaction_id": submitted.map(|_| doc.number.to_string()),
        "error_code": trouble.map(|trouble| &trouble.code),
        "error_message": trouble.map(|trouble| &trouble.message),
        "deductible_amount": 0,
    });
    if let Value::Object(more) = more {
        members.extend(more);
    }
    if let Some(parent) = doc.parent.and_then(|parent| world.docs.get(parent)) {
        members.insert("parent_receipt_id".to_owned(), json!(parent.id));
    }
    if let (true, Some(tags)) = (with_tags, &doc.tags) {
        members.insert("tags".to_owned(), tags.clone());
    }
    Value::Object(members)
}

/// A sale's own `return` stays 0 here, as in every sample of S1; only the return's says how many came back.
fn line_json(doc: &Doc, line: &super::document::Line) -> Value {
    let mut value = line.to_json(true);
    if let (true, Some(members)) = (doc.kind != Kind::Return, value.as_object_mut()) {
        members.insert("return".to_owned(), json!(0));
    }
    value
}

fn iso(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S.000Z").to_string() // whole seconds, as in every sample
}

fn get(world: &World, ask: &Ask, id: &str) -> Reply {
    let Some((_, doc)) = world.find(OPENAPI, id) else { return refused(&Refusal::NotFound) };
    let wants_pdf = |name| ask.header(name).is_some_and(|value| value.starts_with("application/pdf"));
    if wants_pdf("content-type") {
        return match world.status(doc, ask.at) {
            Status::Ready | Status::Voided => pdf::reply(&pdf::of_receipt(doc)),
            _ => error(StatusCode::NOT_FOUND, "The PDF is not ready", 404),
        };
    }
    ok(receipt(world, doc, ask.at, world.settings.echo_tags_in_lists))
}

fn give_back(world: &mut World, ask: &Ask, id: &str) -> Reply {
    let input: ReturnInput = match read::returned(&ask.body) {
        Ok(input) => input,
        Err(violation) => return refused(&Refusal::Violations(vec![violation])),
    };
    match world.take_return(OPENAPI, ask, id, &input) {
        Ok(index) => accepted(world, index, ask.at, |doc, world, now| ok(receipt(world, doc, now, true))),
        Err(refusal) => refused(&refusal),
    }
}

/// The answer to a void is the oddest of all: `items` is one object in the fiscal shape, the payment is the parent's,
/// and `error` is the text `nulll` (S1's sample).
fn void(world: &mut World, ask: &Ask, id: &str) -> Reply {
    let index = match world.take_void(OPENAPI, ask, id) {
        Ok(index) => index,
        Err(refusal) => return refused(&refusal),
    };
    accepted(world, index, ask.at, |doc, world, now| {
        let mut data = receipt(world, doc, now, true);
        let parent = doc.parent.and_then(|parent| world.docs.get(parent));
        if let (Some(members), Some(parent)) = (data.as_object_mut(), parent) {
            let first = parent.lines.first().map_or_else(|| json!({}), |line| line_json(parent, line));
            members.insert("items".to_owned(), first);
            let cash = parent.terms.amount("cash_payment_amount");
            members.insert("cash_payment_amount".to_owned(), number(&cash.to_string()));
        }
        ok_with(data, &format!("voided receipt: {id}"), json!("nulll"))
    })
}

fn list(world: &World, ask: &Ask) -> Reply {
    let filter = match Filter::read(world, ask) {
        Ok(filter) => filter,
        Err(reply) => return reply,
    };
    let lag = authority::later(ask.at, -query::lag(world, ask));
    let matching = world.docs.iter().rev().filter(|doc| {
        doc.provider == OPENAPI && !doc.lost && doc.received_at <= lag && filter.takes(world, doc, ask.at)
    });
    let tags = world.settings.echo_tags_in_lists;
    let page = matching.skip(filter.skip).take(filter.limit).map(|doc| receipt(world, doc, ask.at, tags));
    ok(Value::Array(page.collect()))
}

struct Filter<'a> {
    fiscal_ids: Vec<&'a str>,
    statuses: Vec<&'a str>,
    types: Vec<&'a str>,
    document_number: Option<&'a str>,
    parent: Option<&'a str>,
    created: query::Days,
    dated: query::Days,
    skip: usize,
    limit: usize,
}

impl<'a> Filter<'a> {
    fn read(world: &World, ask: &'a Ask) -> Result<Filter<'a>, Reply> {
        let bad = |name: &str| error(StatusCode::BAD_REQUEST, &format!("Invalid field: {name}."), 400);
        let statuses = ask.query_list("status");
        let known = ["new", "retry", "submitted", "ready", "failed", "voided"];
        if statuses.iter().any(|status| !known.contains(status)) {
            return Err(bad("status"));
        }
        let types = ask.query_list("type");
        if types.iter().any(|kind| !["sale", "return", "void"].contains(kind)) {
            return Err(bad("type"));
        }
        let whole = |name, default: usize| match ask.query(name).map(str::parse::<usize>) {
            None => Ok(default),
            Some(parsed) => parsed.map_err(|_| bad(name)),
        };
        let limit = whole("limit", 100)?;
        if !(1..=100).contains(&limit) {
            return Err(bad("limit"));
        }
        let rome = world.settings.created_day == Day::Rome;
        Ok(Filter {
            fiscal_ids: ask.query_list("fiscal_id"),
            statuses,
            types,
            document_number: ask.query("document_number"),
            parent: ask.query("parent_receipt_id"),
            created: query::Days::read(ask, "created_at", rome).map_err(bad)?,
            dated: query::Days::read(ask, "document_date", rome).map_err(bad)?,
            skip: whole("skip", 0)?,
            limit,
        })
    }

    fn takes(&self, world: &World, doc: &Doc, now: DateTime<Utc>) -> bool {
        let among = |list: &[&str], value: &str| list.is_empty() || list.contains(&value);
        let issued = || doc.passage.submitted.filter(|_| world.status(doc, now).is_issued()).map(|at| world.shown(at));
        among(&self.fiscal_ids, &doc.fiscal_id)
            && among(&self.types, doc.type_name())
            && (self.statuses.is_empty() || among(&self.statuses, world.status(doc, now).name()))
            && self.created.hold(Some(world.shown(doc.received_at)))
            && (self.dated.is_open() || self.dated.hold(issued()))
            && self.document_number.is_none_or(|wanted| {
                issued().is_some_and(|at| authority::document_number(OPENAPI, at, doc.number) == wanted)
            })
            && self.parent.is_none_or(|wanted| {
                doc.parent.and_then(|parent| world.docs.get(parent)).is_some_and(|parent| parent.id == wanted)
            })
    }
}
