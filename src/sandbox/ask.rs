//! A request as the simulated providers see it, and which of their calls it is.

use std::fmt;
use std::str::FromStr;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::account::ProviderKind;

use super::fault::Outcome;

/// The calls that faults can be aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// A sale.
    Submit,
    /// Goods given back.
    Return,
    /// A sale called off.
    Void,
    /// A tax-free draft.
    Draft,
    /// A note's number, of any of the three kinds.
    Note,
    /// A tax-free invoice cancelled.
    Cancel,
    /// The list of receipts.
    List,
    /// One receipt.
    Get,
    /// One receipt's items and totals, or its PDF (Smart Receipt).
    Details,
    /// A tax-free invoice's PDF.
    Pdf,
    /// Its note's PDF.
    NotePdf,
    /// Its customer.
    Customer,
    /// Its customs status.
    Status,
    /// Its id at OTELLO.
    Crf0,
    /// A token is asked for.
    Login,
    /// A company's configuration, any method.
    Configuration,
    /// Openapi's logs of errors and callbacks.
    Diagnostics,
    /// The merchant's portal.
    Portal,
    /// A path or method that no provider has.
    Other,
}

impl Call {
    /// All of them with their names.
    const NAMES: [(Call, &'static str); 19] = [
        (Call::Submit, "submit"),
        (Call::Return, "return"),
        (Call::Void, "void"),
        (Call::Draft, "draft"),
        (Call::Note, "note"),
        (Call::Cancel, "cancel"),
        (Call::List, "list"),
        (Call::Get, "get"),
        (Call::Details, "details"),
        (Call::Pdf, "pdf"),
        (Call::NotePdf, "note_pdf"),
        (Call::Customer, "customer"),
        (Call::Status, "status"),
        (Call::Crf0, "crf0"),
        (Call::Login, "login"),
        (Call::Configuration, "configuration"),
        (Call::Diagnostics, "diagnostics"),
        (Call::Portal, "portal"),
        (Call::Other, "other"),
    ];

    /// The name in fault plans and in the log.
    pub fn name(self) -> &'static str {
        Call::NAMES.iter().find(|(call, _)| *call == self).map_or("other", |(_, name)| name)
    }

    /// Whether it asks the provider to do something that must not be done twice.
    pub fn is_submission(self) -> bool {
        matches!(self, Call::Submit | Call::Return | Call::Void | Call::Draft | Call::Note | Call::Cancel)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such call; there are submit, return, void, draft, note, cancel, list, get, details, pdf, note_pdf, customer, \
     status, crf0, login, configuration, diagnostics, portal, other and *"
)]
pub struct UnknownCall;

impl FromStr for Call {
    type Err = UnknownCall;
    fn from_str(text: &str) -> Result<Call, UnknownCall> {
        Call::NAMES.iter().find(|(_, name)| *name == text).map(|(call, _)| *call).ok_or(UnknownCall)
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// One of the three providers; the portal is Stamp's.
    Provider(ProviderKind),
    /// The sandbox's own calls, under `/_sandbox`.
    Admin,
    /// Nowhere.
    Nowhere,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Where it goes.
    pub room: Room,
    /// Which call it is.
    pub call: Call,
    /// Its method.
    pub method: Method,
    /// Path and query as they came.
    pub target: String,
    /// The path below the room, decoded, without empty parts.
    pub path: Vec<String>,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it was read, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// From a fault: lists leave out what is younger than so many milliseconds.
    pub list_lag_ms: u64,
    /// From a fault: what becomes of a document that this request brings.
    pub outcome: Outcome,
}

impl Ask {
    /// Takes a request apart.
    pub fn new(method: Method, target: &str, headers: HeaderMap, body: Bytes, at: DateTime<Utc>) -> Ask {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut parts = path.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false));
        let first = parts.next();
        let room = match first.as_deref() {
            Some("openapi") => Room::Provider(ProviderKind::Openapi),
            Some("smart-receipt") => Room::Provider(ProviderKind::SmartReceipt),
            Some("stamp" | "portal") => Room::Provider(ProviderKind::Stamp),
            Some("_sandbox") => Room::Admin,
            _ => Room::Nowhere,
        };
        let path: Vec<String> = parts.collect();
        let call = match first.as_deref() {
            Some("portal") => Call::Portal,
            _ => classify(room, &method, &path.iter().map(String::as_str).collect::<Vec<_>>()),
        };
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name, true), decode(value, true)))
            .collect();
        let outcome = Outcome::Accept;
        Ask { room, call, method, target: target.to_owned(), path, query, headers, body, at, list_lag_ms: 0, outcome }
    }

    /// A part of the path, empty when there is none.
    pub fn part(&self, index: usize) -> &str {
        self.path.get(index).map_or("", String::as_str)
    }

    /// The last value of a query member that is not empty.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a query member, comma lists and `name[]=` repetitions taken apart.
    pub fn query_list(&self, name: &str) -> Vec<&str> {
        self.query
            .iter()
            .filter(|(key, _)| key.strip_suffix("[]").unwrap_or(key) == name)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The bearer token, if there is one.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    }
}

/// Which call a path is. Stamp's two prefixes are kept exactly as its document writes them (PROVIDERS.md 1.5, 2).
fn classify(room: Room, method: &Method, path: &[&str]) -> Call {
    use ProviderKind::{Openapi, SmartReceipt, Stamp};
    let Room::Provider(provider) = room else { return Call::Other };
    match (provider, method.as_str(), path) {
        (Openapi, "POST", ["IT-receipts"]) => Call::Submit,
        (Openapi, "GET", ["IT-receipts"]) => Call::List,
        (Openapi, "GET", ["IT-receipts", _]) => Call::Get,
        (Openapi, "PATCH", ["IT-receipts", _]) => Call::Return,
        (Openapi, "DELETE", ["IT-receipts", _]) => Call::Void,
        (Openapi, _, ["IT-configurations", ..]) => Call::Configuration,
        (Openapi, _, ["oauth", "tokens" | "scopes", ..]) => Call::Login,
        (Openapi, _, ["oauth", "errors" | "callbacks", ..] | ["callbacks", ..]) => Call::Diagnostics,
        (SmartReceipt, "POST", ["login"]) => Call::Login,
        (SmartReceipt, "POST", ["receipts"]) => Call::Submit,
        (SmartReceipt, "GET", ["receipts"]) => Call::List,
        (SmartReceipt, "GET", ["receipts", _]) => Call::Get,
        (SmartReceipt, "DELETE", ["receipts", _]) => Call::Void,
        (SmartReceipt, "GET", ["receipts", _, "details"]) => Call::Details,
        (SmartReceipt, "POST", ["receipts", _, "return"]) => Call::Return,
        (SmartReceipt, _, ["business-registry-configurations", ..]) => Call::Configuration,
        (Stamp, "POST", ["api", "auth", "sign"]) => Call::Login,
        (Stamp, "POST", ["api", "i", "invoices", "draft"]) => Call::Draft,
        (Stamp, "GET", ["api", "invoices", _, "pdf"]) => Call::Pdf,
        (Stamp, "GET", ["api", "invoices", _, "note", "pdf"]) => Call::NotePdf,
        (Stamp, "GET", ["api", "i", "invoices", _, "customer"]) => Call::Customer,
        (Stamp, "GET", ["api", "i", "invoices", _, "status"]) => Call::Status,
        (Stamp, "GET", ["api", "invoices", _, "crf0"]) => Call::Crf0,
        (Stamp, "POST", ["api", "i", "invoices", _, "note", "debit" | "creditgoods" | "creditvat", "number"]) => {
            Call::Note
        }
        (Stamp, "POST", ["api", "invoices", _, "cancel"]) => Call::Cancel,
        _ => Call::Other,
    }
}

/// Percent-decoding; what is not valid stays as it is, bytes that are not UTF-8 are replaced.
pub fn decode(text: &str, plus_is_space: bool) -> String {
    let hex =
        |byte: Option<&u8>| byte.and_then(|b| (*b as char).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
                continue;
            }
            (b'+', _, _) if plus_is_space => out.push(b' '),
            (other, _, _) => out.push(*other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, target: &str) -> Ask {
        Ask::new(method, target, HeaderMap::new(), Bytes::new(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn paths_are_told_apart() {
        for (method, target, call) in [
            (Method::POST, "/openapi/IT-receipts", Call::Submit),
            (Method::GET, "/openapi/IT-receipts?limit=3", Call::List),
            (Method::PATCH, "/openapi/IT-receipts/a%2Fb", Call::Return),
            (Method::PUT, "/openapi/IT-receipts/a", Call::Other),
            (Method::POST, "/smart-receipt/receipts/u/return", Call::Return),
            (Method::GET, "/stamp/api/i/invoices/u/status", Call::Status),
            (Method::GET, "/stamp/api/invoices/u/status", Call::Other),
            (Method::POST, "/stamp/api/i/invoices/u/note/creditvat/number", Call::Note),
            (Method::POST, "/stamp/api/invoices/u/cancel", Call::Cancel),
            (Method::POST, "/stamp/api/i/invoices/u/cancel", Call::Other),
            (Method::GET, "/portal/draft-invoice/u", Call::Portal),
            (Method::GET, "/portalx", Call::Other),
        ] {
            assert_eq!(ask(method, target).call, call, "{target}");
        }
        assert_eq!(ask(Method::GET, "/openapi/IT-receipts/a%2Fb").part(1), "a/b");
    }

    #[test]
    fn queries_are_decoded() {
        let ask = ask(
            Method::GET,
            "/openapi/IT-receipts?created_at%5Bafter%5D=2026-01-01&status=new,retry&status[]=ready&x=%zz+%e8",
        );
        assert_eq!(ask.query("created_at[after]"), Some("2026-01-01"));
        assert_eq!(ask.query_list("status"), ["new", "retry", "ready"]);
        assert_eq!(ask.query("x"), Some("%zz \u{fffd}"));
    }
}
