//! A document with the line that says it, so that it can be handed over twice.

use crate::domain::document::NewDocument;
use crate::domain::id::Key;

/// A document with the line that it was read from.
pub struct Line {
    /// The document; it has a key, unless it is one that will be refused.
    pub document: NewDocument,
    /// The line, with its key in it.
    pub text: Vec<u8>,
}

impl Line {
    /// From a line as it was read. One without a key gets it here: should the line have to be handed over twice, it is
    /// the same document.
    pub fn new(mut document: NewDocument, text: &[u8]) -> Line {
        let mut text = text.to_vec();
        // One that will be refused keeps the key that it has: what it says is judged once more by whoever gets the line.
        if document.key.is_none() && document.flaws.is_none() {
            let key = Key::random(uuid::Uuid::new_v4());
            // With every digit of its numbers: they are kept as text.
            let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
            let written = object.and_then(|mut object| {
                object.insert("key".to_owned(), serde_json::Value::String(key.to_string()));
                serde_json::to_vec(&object)
            });
            if let Ok(written) = written {
                text = written;
            }
            document.key = Some(key);
        }
        Line { document, text }
    }
}
