//! One line of JSON Lines into a [`NewDocument`] (CONTRACT.md 2, 5).
//!
//! What is not JSON of the right shape is `malformed` or `unknown_field`, with the place; what has the shape and breaks a
//! rule is `invalid`, with all that is wrong. The rules of the body are left to [`super::check`].

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::check::{Violation, codes, explain};
use super::document::{Kind, NewDocument, Parent};
use super::id::{AccountName, Key, RemoteId};
use super::input::{BodyInput, Object, VoidInput};
use super::limits::MAX_LINE;

/// Why a line was not taken, as printed (CONTRACT.md 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The key, if the line had a readable one.
    pub key: Option<String>,
    /// `malformed`, `unknown_field`, `invalid` or `too_large`.
    pub code: &'static str,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// For `invalid`: every rule broken.
    pub violations: Vec<Violation>,
}

/// Reads one line. A byte-order mark before it and a line's end after it are not part of it.
///
/// # Errors
/// See [`LineError`].
pub fn parse(line: &[u8]) -> Result<NewDocument, LineError> {
    let refused = |code, message| {
        let start = line.get(..MAX_LINE).unwrap_or(line);
        let key = key_of(String::from_utf8_lossy(start).trim_start_matches('\u{FEFF}'));
        LineError { key, code, message, violations: Vec::new() }
    };
    if line.len() > MAX_LINE {
        return Err(refused("too_large", format!("the line has more than {MAX_LINE} bytes")));
    }
    let text = std::str::from_utf8(line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)).map_err(|error| {
        refused("malformed", format!("not UTF-8 after {} bytes: documents are JSON in UTF-8", error.valid_up_to()))
    })?;
    let Object(envelope) = serde_json::from_str::<Object<Envelope<'_>>>(text).map_err(|_| {
        // Only a line that fails is read again, slowly, for the place and the key.
        let fault = fault::<Object<Envelope<'_>>>(text, "", Position::Line);
        LineError { key: key_of(text), ..fault }
    })?;
    let key = envelope.key.clone();
    envelope.read().map_err(|error| LineError { key, ..error })
}

/// The members around a document, unchecked; the body still as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    parent: Option<ParentInput>,
    #[serde(default, borrow)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    issued_at: Option<String>,
}

impl Envelope<'_> {
    fn read(self) -> Result<NewDocument, LineError> {
        let mut violations = Vec::new();
        let mut wrong = |path: &str, code: &str| violations.push(Violation::new(path, code));
        let key = self.key.map(|text| text.parse::<Key>().map_err(|_| wrong("key", codes::KEY)));
        let account =
            self.account.map(|text| text.parse::<AccountName>().map_err(|_| wrong("account", codes::ACCOUNT)));
        let kind = self.kind.as_deref().and_then(|text| text.parse::<Kind>().ok());
        if kind.is_none() {
            wrong("kind", codes::KIND);
        }
        let issued_at = self.issued_at.map(|text| instant(&text).ok_or_else(|| wrong("issued_at", codes::ISSUED_AT)));
        let parent = self.parent.map(|parent| parent.read().ok_or_else(|| wrong("parent", codes::PARENT_INVALID)));
        match (kind.map(Kind::has_parent), &parent) {
            (Some(true), None) => wrong("parent", codes::PARENT_REQUIRED),
            (Some(false), Some(_)) => wrong("parent", codes::PARENT_NOT_ALLOWED),
            _ => {}
        }
        if self.body.is_none() && kind.is_some_and(|kind| kind != Kind::Void) {
            wrong("body", codes::BODY_REQUIRED);
        }
        // A body of the wrong shape is reported even if the envelope breaks rules too: it is the graver fault.
        let body = kind.map(|kind| read_body(kind, self.body.map(RawValue::get))).transpose()?.flatten();
        let document = (|| {
            Some(NewDocument {
                key: key.transpose().ok()?,
                account: account.transpose().ok()?,
                parent: parent.transpose().ok()?,
                issued_at: issued_at.transpose().ok()?,
                body: body?,
            })
        })();
        match document {
            Some(document) if violations.is_empty() => Ok(document),
            _ => Err(LineError { key: None, code: "invalid", message: explain(&violations), violations }),
        }
    }
}

/// A time with its offset, of a year that a till's clock can show.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (1970..=2100).contains(&at.year()).then_some(at)
}

fn read_body(kind: Kind, text: Option<&str>) -> Result<Option<BodyInput>, LineError> {
    fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, LineError> {
        let read = serde_json::from_str::<Object<T>>(text);
        read.map(|Object(body)| body).map_err(|_| fault::<Object<T>>(text, "body", Position::Unknown))
    }
    let Some(text) = text else {
        return Ok((kind == Kind::Void).then(|| BodyInput::Void(VoidInput::default())));
    };
    Ok(Some(match kind {
        Kind::Receipt => BodyInput::Receipt(object(text)?),
        Kind::Return => BodyInput::Return(object(text)?),
        Kind::Void => BodyInput::Void(object(text)?),
        Kind::Draft => BodyInput::Draft(object(text)?),
        Kind::NoteNumber => BodyInput::NoteNumber(object(text)?),
    }))
}

/// A parent as it was given.
enum ParentInput {
    Key(String),
    Remote(String),
}

impl ParentInput {
    fn read(self) -> Option<Parent> {
        match self {
            ParentInput::Key(text) => text.parse().ok().map(Parent::Key),
            ParentInput::Remote(text) => text.parse::<RemoteId>().ok().map(|id| Parent::Remote(id.into())),
        }
    }
}

impl<'de> Deserialize<'de> for ParentInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ParentInput, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Elsewhere {
            remote_id: String,
        }
        struct KeyOrId;
        impl<'de> Visitor<'de> for KeyOrId {
            type Value = ParentInput;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key, or {\"remote_id\": \"…\"}")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ParentInput, E> {
                Ok(ParentInput::Key(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ParentInput, A::Error> {
                let found = Elsewhere::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(ParentInput::Remote(found.remote_id))
            }
        }
        deserializer.deserialize_any(KeyOrId)
    }
}

/// Whether a position in the text is one in the line.
#[derive(PartialEq)]
enum Position {
    Line,
    Unknown,
}

/// Reads once more what could not be read, to say where and why. `within` is the path of `text` in the line.
fn fault<'a, T: Deserialize<'a>>(text: &'a str, within: &str, position: Position) -> LineError {
    let error = |code, message| LineError { key: None, code, message, violations: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let (path, cause) = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => match deserializer.end() {
            Ok(()) => return error("malformed", "cannot be read".to_owned()),
            Err(cause) => (String::new(), cause),
        },
        Err(fault) => (fault.path().to_string(), fault.into_inner()),
    };
    let path = match (within, path.trim_matches('.')) {
        (within, "" | "?") => within.to_owned(),
        ("", path) => path.to_owned(),
        (within, path) => format!("{within}.{path}"),
    };
    let full = cause.to_string();
    let plain = full.strip_suffix(&format!(" at line {} column {}", cause.line(), cause.column())).unwrap_or(&full);
    let place = if position == Position::Line && !cause.is_data() {
        format!(" at column {}", cause.column())
    } else {
        String::new()
    };
    let code = if cause.is_data() && plain.starts_with("unknown field `") { "unknown_field" } else { "malformed" };
    let what = if cause.is_data() { plain.to_owned() } else { format!("not JSON: {plain}{place}") };
    let what = if path.is_empty() || position == Position::Line && !cause.is_data() {
        what // the column says more than how far the path had come
    } else {
        format!("{path}: {what}")
    };
    error(code, what)
}

/// The key of a line that cannot be read as a document: the first `key` before the fault, or anywhere in sound JSON.
fn key_of(text: &str) -> Option<String> {
    struct Keys<'k>(&'k mut Option<String>);
    impl<'de> Visitor<'de> for Keys<'_> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(member) = map.next_key::<String>()? {
                if member == "key" && self.0.is_none() {
                    *self.0 = map.next_value::<serde_json::Value>()?.as_str().map(str::to_owned);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }
    let mut key = None;
    // What goes wrong has been reported; here only what came before it counts.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(Keys(&mut key));
    key
}
