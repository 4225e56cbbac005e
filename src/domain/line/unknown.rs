//! Every member of a line that nobody knows: serde stops at the first, so that one is taken out and the rest read again.
//! Only a line that is refused pays for it.

use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::{Envelope, LineError};
use crate::domain::document::Kind;
use crate::domain::input::{DraftInput, NoteNumberInput, Object, ReceiptInput, ReturnInput, VoidInput};

/// Who misspells more, misspells them all the same way.
const MAX_NAMES: usize = 20;

/// Adds to an error about an unknown member the names of all others of the line.
pub(super) fn all_named(text: &str, mut error: LineError) -> LineError {
    let (true, Ok(mut line)) = (error.code == "unknown_field", serde_json::from_str::<Value>(text)) else {
        return error;
    };
    let mut names = Vec::new();
    while let Some((name, path)) = first(&line).filter(|_| names.len() <= MAX_NAMES) {
        if !remove(&mut line, &path) {
            break;
        }
        if !error.message.starts_with(&format!("{name}: ")) {
            names.push(name);
        }
    }
    if names.len() > MAX_NAMES {
        names.truncate(MAX_NAMES);
        names.push("and more".to_owned());
    }
    if !names.is_empty() {
        error.message.push_str(&format!("; unknown too: {}", names.join(", ")));
    }
    error
}

/// From the outside in, a member's name or a place in a list.
type Path = Vec<Segment>;

fn first(line: &Value) -> Option<(String, Path)> {
    let unknown = in_text::<Object<Envelope<'_>>>(&line.to_string());
    let (name, path) = match unknown {
        Some(found) => found,
        None => {
            let kind = line.get("kind")?.as_str()?.parse().ok()?;
            let (name, mut path) = in_body(kind, &line.get("body")?.to_string())?;
            path.insert(0, Segment::Map { key: "body".to_owned() });
            (format!("body.{name}"), path)
        }
    };
    Some((name, path))
}

fn in_body(kind: Kind, body: &str) -> Option<(String, Path)> {
    match kind {
        Kind::Receipt => in_text::<Object<ReceiptInput>>(body),
        Kind::Return => in_text::<Object<ReturnInput>>(body),
        Kind::Void => in_text::<Object<VoidInput>>(body),
        Kind::Draft => in_text::<Object<DraftInput>>(body),
        Kind::NoteNumber => in_text::<Object<NoteNumberInput>>(body),
    }
}

fn in_text<'a, T: Deserialize<'a>>(text: &'a str) -> Option<(String, Path)> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fault = serde_path_to_error::deserialize::<_, T>(&mut deserializer).err()?;
    let unknown = fault.inner().is_data() && fault.inner().to_string().starts_with("unknown field `");
    unknown.then(|| (fault.path().to_string(), fault.path().iter().cloned().collect()))
}

fn remove(value: &mut Value, path: &[Segment]) -> bool {
    match (path, value) {
        ([Segment::Map { key }], Value::Object(members)) => members.remove(key).is_some(),
        ([Segment::Map { key }, rest @ ..], Value::Object(members)) => {
            members.get_mut(key).is_some_and(|value| remove(value, rest))
        }
        ([Segment::Seq { index }, rest @ ..], Value::Array(items)) => {
            items.get_mut(*index).is_some_and(|value| remove(value, rest))
        }
        _ => false,
    }
}
