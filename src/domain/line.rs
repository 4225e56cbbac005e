//! One line of JSON Lines into a [`NewDocument`] (CONTRACT.md 2, 5).
//!
//! What is not JSON of the right shape is `malformed` or `unknown_field`, with the place; what has the shape and breaks a
//! rule is `invalid`, with all that is wrong. The rules of the body are left to [`super::check`].

mod fault;
mod nulls;
mod unknown;

use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use self::fault::{Position, fault, key_of};

use super::check::{Violation, codes, explain};
use super::document::{Flaws, Kind, NewDocument, Parent};
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

impl LineError {
    fn of(Flaws { key, violations }: Flaws) -> LineError {
        LineError { key, code: "invalid", message: explain(&violations), violations }
    }
}

/// Reads one line. A byte-order mark before it and a line's end after it are not part of it.
///
/// # Errors
/// See [`LineError`].
pub fn parse(line: &[u8]) -> Result<NewDocument, LineError> {
    let mut document = read(line)?;
    match document.flaws.take() {
        None => Ok(document),
        Some(flaws) => Err(LineError::of(*flaws)),
    }
}

/// The same where the document is judged afterwards: what is wrong around a body that can be read is in its
/// [`flaws`](NewDocument::flaws), to be told together with the rules that the body breaks.
///
/// # Errors
/// As [`parse`].
pub fn read(line: &[u8]) -> Result<NewDocument, LineError> {
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
        LineError { key: key_of(text), ..unknown::all_named(text, fault) }
    })?;
    let key = envelope.key.clone();
    envelope.read().map_err(|error| LineError { key, ..unknown::all_named(text, error) })
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
        let mut broken = Vec::new();
        let key = sound(&mut broken, "key", codes::KEY, self.key.as_ref().map(|text| text.parse::<Key>().ok()));
        let account = self.account.map(|text| text.parse::<AccountName>().ok());
        let account = sound(&mut broken, "account", codes::ACCOUNT, account);
        let kind = self.kind.as_deref().and_then(|text| text.parse::<Kind>().ok());
        sound(&mut broken, "kind", codes::KIND, Some(kind));
        let issued_at = self.issued_at.as_deref().map(instant);
        let issued_at = sound(&mut broken, "issued_at", codes::ISSUED_AT, issued_at);
        let named = self.parent.is_some();
        let parent = sound(&mut broken, "parent", codes::PARENT_INVALID, self.parent.map(ParentInput::read));
        let takes_parent = kind.is_none_or(Kind::has_parent);
        match (kind, named) {
            (Some(_), true) if !takes_parent => broken.push(Violation::new("parent", codes::PARENT_NOT_ALLOWED)),
            (Some(_), false) if takes_parent => broken.push(Violation::new("parent", codes::PARENT_REQUIRED)),
            _ => {}
        }
        if self.body.is_none() && kind.is_some_and(|kind| kind != Kind::Void) {
            broken.push(Violation::new("body", codes::BODY_REQUIRED));
        }
        // A body of the wrong shape is reported even if the envelope breaks rules too: it is the graver fault.
        let body = kind.map(|kind| read_body(kind, self.body.map(RawValue::get))).transpose()?.flatten();
        let flaws = Flaws { key: self.key, violations: broken };
        let Some(body) = body else { return Err(LineError::of(flaws)) };
        let flaws = (!flaws.violations.is_empty()).then(|| Box::new(flaws));
        let parent = parent.filter(|_| takes_parent);
        Ok(NewDocument { key, account, parent, issued_at, body, flaws })
    }
}

/// A member's value; one that was given and means nothing breaks a rule.
fn sound<T>(broken: &mut Vec<Violation>, path: &str, code: &str, given: Option<Option<T>>) -> Option<T> {
    if matches!(given, Some(None)) {
        broken.push(Violation::new(path, code));
    }
    given.flatten()
}

/// A time with its offset, of a year that a till's clock can show.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (1970..=2100).contains(&at.year()).then_some(at)
}

fn read_body(kind: Kind, text: Option<&str>) -> Result<Option<BodyInput>, LineError> {
    fn object<T: DeserializeOwned>(text: &str) -> Result<T, LineError> {
        let read = serde_json::from_str::<Object<T>>(text).or_else(|error| {
            let twice = error.is_data() && error.to_string().starts_with("duplicate field `");
            let other = nulls::left_out(text).filter(|_| twice);
            other.map_or(Err(error), |other| serde_json::from_str(&other))
        });
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
