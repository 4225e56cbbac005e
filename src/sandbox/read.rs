//! Bodies into the domain's input types; what does not fit becomes a violation with its path.

use serde::de::DeserializeOwned;

use crate::domain::check::Violation;
use crate::domain::input::ReturnInput;

/// Reads JSON, refusing unknown members and anything after the end.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Violation> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        };
        violation(path, &error.into_inner())
    })?;
    deserializer.end().map_err(|error| violation(String::new(), &error))?;
    Ok(value)
}

fn violation(property_path: String, error: &serde_json::Error) -> Violation {
    let text = error.to_string();
    // Where in the text it was helps nobody: the path says it.
    let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
    Violation { property_path, message }
}

/// A return as the providers take it: items by their ids. (Our own input also knows lines; they do not.)
pub fn returned(body: &[u8]) -> Result<ReturnInput, Violation> {
    let input: ReturnInput = json(body)?;
    match input.items.iter().position(|item| item.id.is_none() || item.line.is_some()) {
        Some(index) => Err(Violation {
            property_path: format!("items[{index}].id"),
            message: "The id of return items must match with the ids of the original receipts".to_owned(),
        }),
        None => Ok(input),
    }
}
