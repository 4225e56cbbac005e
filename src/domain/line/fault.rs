//! Why a line cannot be read: the place, what is wrong there, and every member that nobody knows.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::LineError;

/// Whether a position in the text is one in the line.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Position {
    Line,
    Unknown,
}

/// Reads once more what could not be read, to say where and why. `within` is the path of `text` in the line.
pub(super) fn fault<'a, T: Deserialize<'a>>(text: &'a str, within: &str, position: Position) -> LineError {
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
pub(super) fn key_of(text: &str) -> Option<String> {
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
