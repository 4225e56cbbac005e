//! Reading what providers send, leniently: a member of an unexpected type is one we do not know, never a reason to lose
//! the answer it came in (PROVIDERS.md 1.5). Numbers keep their digits.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use crate::domain::calendar;
use crate::domain::id::RemoteId;
use crate::domain::money::Decimal;

/// The JSON of a body; a byte-order mark is skipped.
pub(crate) fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()
}

/// A member as text: strings without surrounding blanks and the quotes of placeholders (`"'22'"`), numbers by their
/// digits. Absent, null and empty are none.
pub(crate) fn text(object: &Value, name: &str) -> Option<String> {
    as_text(object.get(name)?)
}

/// A value as text, see [`text`].
pub(crate) fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => {
            let text = text.trim();
            text.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')).unwrap_or(text).trim()
        }
        Value::Number(number) => number.as_str(),
        _ => return None,
    };
    (!text.is_empty()).then(|| text.to_owned())
}

/// A member that names a document: [`text`] that can be an id.
pub(crate) fn id(object: &Value, name: &str) -> Option<String> {
    as_id(object.get(name)?)
}

/// A value that names a document, or the last step of a path that does (`/receipts/…`).
pub(crate) fn as_id(value: &Value) -> Option<String> {
    let text = as_text(value)?;
    let last = text.rsplit('/').next().unwrap_or_default().to_owned();
    // "null" as a string was seen where null was meant.
    let fine = !matches!(last.as_str(), "null" | "nulll" | "." | "..");
    RemoteId::try_from(last).ok().filter(|_| fine).map(String::from)
}

/// A member as a number.
pub(crate) fn number(object: &Value, name: &str) -> Option<Decimal> {
    text(object, name)?.parse().ok()
}

/// A member as yes or no.
pub(crate) fn flag(object: &Value, name: &str) -> Option<bool> {
    match object.get(name)? {
        Value::Bool(flag) => Some(*flag),
        other => match as_text(other)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "y" => Some(true),
            "false" | "0" | "n" => Some(false),
            _ => None,
        },
    }
}

/// A member that is a list of objects, or one object in its place; empty objects are left out.
pub(crate) fn objects<'a>(object: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = match object.get(name) {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    all.into_iter().filter(|one| one.as_object().is_some_and(|members| !members.is_empty())).collect()
}

/// What `data` holds, wrapped once or twice; the value itself when there is no `data`.
pub(crate) fn unwrap_data(value: &Value) -> &Value {
    let mut inner = value;
    for _ in 0..3 {
        match inner.get("data") {
            Some(data) if !data.is_null() => inner = data,
            _ => break,
        }
    }
    inner
}

/// A moment as a provider writes it, which may be one of several when it names no zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment(Vec<DateTime<Utc>>);

impl Moment {
    /// Of `created_at` (RFC 3339, or without a zone: then UTC or Rome), else of `create_timestamp` (Unix seconds).
    pub(crate) fn created(object: &Value) -> Option<Moment> {
        let written = text(object, "created_at").and_then(|text| Moment::read(&text));
        written.or_else(|| {
            let seconds = text(object, "create_timestamp")?.parse().ok()?;
            Some(Moment(vec![DateTime::from_timestamp(seconds, 0)?]))
        })
    }

    fn read(text: &str) -> Option<Moment> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(Moment(vec![at.to_utc()]));
        }
        let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
        let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
        Some(Moment(vec![local.and_utc(), calendar::from_rome(local)]))
    }

    /// Every moment that it may mean.
    pub(crate) fn any(&self, test: impl FnMut(&DateTime<Utc>) -> bool) -> bool {
        self.0.iter().any(test)
    }

    /// The latest that it may mean.
    pub(crate) fn latest(&self) -> Option<DateTime<Utc>> {
        self.0.iter().max().copied()
    }

    /// The one that lies nearest to `about`.
    pub(crate) fn nearest(&self, about: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.iter().min_by_key(|at| (**at - about).abs()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn odd_members_are_unknown_ones() {
        let odd = json!({"a": "'22'", "b": "", "c": null, "d": [1], "e": {}, "f": 8.50, "g": "  x ", "h": "'"});
        assert_eq!(text(&odd, "a").as_deref(), Some("22"));
        for none in ["b", "c", "d", "e", "z"] {
            assert_eq!(text(&odd, none), None, "{none}");
        }
        assert_eq!(text(&odd, "g").as_deref(), Some("x"));
        assert_eq!(text(&odd, "h").as_deref(), Some("'"));
        let kept: Value = serde_json::from_str(r#"{"f": 8.19672131000}"#).unwrap();
        assert_eq!(text(&kept, "f").as_deref(), Some("8.19672131000"));
        assert_eq!(text(&json!("not an object"), "f"), None);
    }

    #[test]
    fn ids_are_usable_or_none() {
        for bad in
            [json!(""), json!("null"), json!("nulll"), json!("a b"), json!(".."), json!({}), json!("x".repeat(300))]
        {
            assert_eq!(as_id(&bad), None, "{bad}");
        }
        assert_eq!(as_id(&json!("/receipts/abc")).as_deref(), Some("abc"));
        assert_eq!(as_id(&json!(4711)).as_deref(), Some("4711"));
    }

    #[test]
    fn data_once_or_twice() {
        let inner = json!({"id": "1"});
        assert_eq!(unwrap_data(&json!({"data": {"id": "1"}})), &inner);
        assert_eq!(unwrap_data(&json!({"data": {"data": {"id": "1"}, "custom": null}})), &inner);
        assert_eq!(unwrap_data(&inner), &inner);
        assert_eq!(unwrap_data(&json!({"data": "null"})), &json!("null"));
    }
}
