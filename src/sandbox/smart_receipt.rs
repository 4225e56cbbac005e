//! A-Cube's Smart Receipt (PROVIDERS.md 1.2).

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::account::ProviderKind;
use crate::domain::calendar;
use crate::domain::check::{Violation, Violations};
use crate::domain::document::Kind;
use crate::domain::input::{ReceiptInput, ReturnInput};

use super::ask::{Ask, Call};
use super::authority::{self, Status};
use super::document::Doc;
use super::reply::{Reply, number};
use super::token::{self, BadToken, Claims};
use super::world::{Refusal, World};
use super::{pdf, query, read, registry};

const SMART: ProviderKind = ProviderKind::SmartReceipt;

/// An error of the API.
pub fn error(status: StatusCode, detail: &str, violations: &[Violation]) -> Reply {
    let mut body = json!({
        "type": "https://tools.ietf.org/html/rfc2616#section-10",
        "title": "An error occurred",
        "detail": detail,
    });
    if let (false, Some(members)) = (violations.is_empty(), body.as_object_mut()) {
        members.insert("violations".to_owned(), json!(violations));
    }
    Reply::json(status, &body)
}

/// An error of the firewall before it.
fn firewall(message: &str) -> Reply {
    Reply::json(StatusCode::UNAUTHORIZED, &json!({ "code": 401, "message": message }))
}

/// What A-Cube says with a bare status.
pub fn plain_error(status: StatusCode) -> Reply {
    match status.as_u16() {
        401 => firewall("Invalid JWT Token"),
        403 => error(status, "CANNOT_SEND_DATA_FOR_THIS_LEGAL_ENTITY", &[]),
        422 => error(status, "INVALID_CREDENTIALS", &[]),
        400 => error(status, "BAD_REQUEST", &[]),
        500 => error(status, "SERVICE_UNAVAILABLE", &[]),
        _ => error(status, status.canonical_reason().unwrap_or("Error"), &[]),
    }
}

/// Rules broken: 400, `detail` is the paths and messages, one a line.
pub fn violated(violations: &[Violation]) -> Reply {
    error(StatusCode::BAD_REQUEST, &Violations(violations.to_vec()).to_string(), violations)
}

/// Any request below `/smart-receipt`.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    if ask.call == Call::Login {
        return login(world, ask);
    }
    let verdict = match ask.bearer() {
        None => return firewall("JWT Token not found"),
        Some(bearer) => token::verify(bearer, SMART.name(), world.token_epoch, world.shown(ask.at)),
    };
    match verdict {
        Ok(()) => {}
        Err(BadToken::Invalid) => return firewall("Invalid JWT Token"),
        Err(BadToken::Expired) => return firewall("Expired JWT Token"),
    }
    let id = ask.part(1);
    match ask.call {
        Call::Submit => submit(world, ask),
        Call::List => list(world, ask),
        Call::Get => match world.find(SMART, id) {
            Some((_, doc)) => Reply::json(StatusCode::OK, &summary(world, doc, ask.at, true)),
            None => plain_error(StatusCode::NOT_FOUND),
        },
        Call::Details => details(world, ask, id),
        Call::Return => give_back(world, ask, id),
        Call::Void => match world.take_void(SMART, ask, id) {
            Ok(_) => Reply::empty(StatusCode::NO_CONTENT),
            Err(refusal) => refused(&refusal),
        },
        Call::Configuration => registry::handle(world, ask),
        _ if ask.part(0) == "receipts" && ask.path.len() <= 3 => plain_error(StatusCode::METHOD_NOT_ALLOWED),
        _ => plain_error(StatusCode::NOT_FOUND),
    }
}

fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::NotFound => plain_error(StatusCode::NOT_FOUND),
        Refusal::Violations(violations) => violated(violations),
        Refusal::State(message) => error(StatusCode::BAD_REQUEST, message, &[]),
        Refusal::Unavailable => plain_error(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn login(world: &mut World, ask: &Ask) -> Reply {
    let body: Value = serde_json::from_slice(&ask.body).unwrap_or(Value::Null);
    let text = |name| body.get(name).and_then(Value::as_str).unwrap_or("");
    let (email, password) = (text("email"), text("password"));
    if !world.login_is_good(email, password) {
        return firewall("Invalid credentials.");
    }
    let claims = Claims {
        audience: SMART.name(),
        username: email.to_owned(),
        issued: world.shown(ask.at),
        expires: world.shown(authority::later(ask.at, world.settings.token_lifetime.delta())),
        epoch: world.token_epoch,
        id: world.ids.uuid(),
    };
    Reply::json(StatusCode::OK, &json!({ "token": token::issue(&claims) }))
}

fn submit(world: &mut World, ask: &Ask) -> Reply {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&ask.body) else {
        return error(StatusCode::BAD_REQUEST, "Syntax error", &[]);
    };
    // Openapi's own fields mean nothing here.
    members.remove("tags");
    if let Some(items) = members.get_mut("items").and_then(Value::as_array_mut) {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("sku");
        }
    }
    let input: ReceiptInput = match read::json(Value::Object(members).to_string().as_bytes()) {
        Ok(input) => input,
        Err(violation) => return violated(&[violation]),
    };
    match world.take_sale(SMART, ask, &input, Value::Null, None) {
        Ok(index) => created(world, index, ask.at),
        Err(refusal) => refused(&refusal),
    }
}

fn created(world: &World, index: usize, now: DateTime<Utc>) -> Reply {
    match world.docs.get(index) {
        Some(doc) => Reply::json(StatusCode::CREATED, &summary(world, doc, now, true)),
        None => plain_error(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn give_back(world: &mut World, ask: &Ask, id: &str) -> Reply {
    let input: ReturnInput = match read::returned(&ask.body) {
        Ok(input) => input,
        Err(violation) => return violated(&[violation]),
    };
    match world.take_return(SMART, ask, id, &input) {
        Ok(index) => created(world, index, ask.at),
        Err(refusal) => refused(&refusal),
    }
}

/// A receipt without its items; with its relatives when asked for, who come without theirs.
fn summary(world: &World, doc: &Doc, now: DateTime<Utc>, with_relatives: bool) -> Value {
    let status = world.status(doc, now);
    let submitted = doc.passage.submitted.filter(|_| status.is_issued()).map(|at| world.shown(at));
    let trouble = doc.passage.trouble(now);
    let total = if doc.kind == Kind::Return { &doc.totals.total_amount_exact } else { &doc.totals.total_amount };
    let mut value = json!({
        "uuid": doc.id,
        "type": doc.type_name(),
        "status": status.name(),
        "fiscal_id": doc.fiscal_id,
        "created_at": plain(world.shown(doc.received_at)),
        "total_amount": number(total),
        "transaction_id": submitted.map(|_| doc.number.to_string()),
        "document_number": submitted.map(|at| authority::document_number(SMART, at, doc.number)),
        // The authority's date is Italian time.
        "document_date": submitted.map(|at| calendar::rome(at).format("%Y-%m-%d %H:%M:%S").to_string()),
        "error_code": trouble.map(|trouble| &trouble.code),
        "error_message": trouble.map(|trouble| &trouble.message),
    });
    if let (true, Some(members)) = (with_relatives, value.as_object_mut()) {
        let children = |kind| world.children(doc).filter(move |child| child.kind == kind && !child.lost);
        let brief = |relative: &Doc| summary(world, relative, now, false);
        let returns: Vec<Value> = children(Kind::Return).map(brief).collect();
        let parent =
            |kind| doc.parent.filter(|_| doc.kind == kind).and_then(|parent| world.docs.get(parent)).map(brief);
        members.insert("return_receipts".to_owned(), Value::Array(returns));
        members.insert("voiding_receipt".to_owned(), json!(children(Kind::Void).last().map(brief)));
        members.insert("returned_receipt".to_owned(), json!(parent(Kind::Return)));
        members.insert("voided_receipt".to_owned(), json!(parent(Kind::Void)));
    }
    value
}

/// Without a zone: UTC.
fn plain(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn details(world: &World, ask: &Ask, id: &str) -> Reply {
    let Some((_, doc)) = world.find(SMART, id) else { return plain_error(StatusCode::NOT_FOUND) };
    let status = world.status(doc, ask.at);
    if ask.header("accept").is_some_and(|accept| accept.contains("application/pdf")) {
        return match status {
            Status::Ready | Status::Voided => pdf::reply(&pdf::of_receipt(doc)),
            _ => plain_error(StatusCode::NOT_FOUND),
        };
    }
    let line = |line: &super::document::Line| {
        let mut value = line.to_json(false);
        if let (false, Some(members)) = (status.is_issued(), value.as_object_mut()) {
            members.insert("id".to_owned(), Value::Null); // the authority gives the ids
        }
        value
    };
    let mut members = Map::new();
    if let Value::Object(summary) = summary(world, doc, ask.at, false) {
        members.extend(summary);
    }
    doc.terms.put(&mut members);
    doc.totals.put(&mut members, doc.kind == Kind::Return);
    members.insert("items".to_owned(), Value::Array(doc.lines.iter().map(line).collect()));
    Reply::json(StatusCode::OK, &Value::Object(members))
}

fn list(world: &World, ask: &Ask) -> Reply {
    let bad = |name: &str| {
        let message = "This value is not valid.".to_owned();
        violated(&[Violation { property_path: name.to_owned(), message }])
    };
    let whole = |name, default: usize| match ask.query(name).map(str::parse::<usize>) {
        None => Ok(default),
        Some(Ok(number)) if number >= 1 => Ok(number),
        Some(_) => Err(bad(name)),
    };
    let (page, per_page) = match (whole("page", 1), whole("itemsPerPage", 30)) {
        (Ok(page), Ok(per_page)) => (page, per_page.min(100)),
        (Err(reply), _) | (_, Err(reply)) => return reply,
    };
    let days = match query::Days::read(ask, "document_date", true) {
        Ok(days) => days,
        Err(name) => return bad(name),
    };
    let lag = authority::later(ask.at, -query::lag(world, ask));
    let (fiscal_ids, statuses, types) = (ask.query_list("fiscal_id"), ask.query_list("status"), ask.query_list("type"));
    let among = |list: &[&str], value: &str| list.is_empty() || list.contains(&value);
    let matching = world.docs.iter().rev().filter(|doc| {
        let issued =
            || doc.passage.submitted.filter(|_| world.status(doc, ask.at).is_issued()).map(|at| world.shown(at));
        doc.provider == SMART
            && !doc.lost
            && doc.received_at <= lag
            && among(&fiscal_ids, &doc.fiscal_id)
            && among(&types, doc.type_name())
            && (statuses.is_empty() || among(&statuses, world.status(doc, ask.at).name()))
            && (days.is_open() || days.hold(issued()))
            && ask.query("document_number").is_none_or(|wanted| {
                issued().is_some_and(|at| authority::document_number(SMART, at, doc.number) == wanted)
            })
    });
    let skip = (page - 1).saturating_mul(per_page);
    let page = matching.skip(skip).take(per_page).map(|doc| summary(world, doc, ask.at, true));
    Reply::json(StatusCode::OK, &Value::Array(page.collect()))
}
