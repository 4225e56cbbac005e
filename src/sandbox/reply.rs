//! An answer, before anyone spoils it.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};

/// An answer of a simulated provider.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Headers besides `Content-Length` and `Date`.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// JSON.
    pub fn json(status: StatusCode, value: &Value) -> Reply {
        Reply::text(status, "application/json", value.to_string())
    }

    /// Text of some type.
    pub fn text(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Reply {
        Reply { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    /// No body.
    pub fn empty(status: StatusCode) -> Reply {
        Reply { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The sandbox's own refusals: `{"error": …}`.
    pub fn admin_error(status: StatusCode, message: impl std::fmt::Display) -> Reply {
        Reply::json(status, &json!({ "error": message.to_string() }))
    }
}

/// A number with exactly these digits, without zeros at its end: the providers print `10`, `4.5`, `8.19672131`.
/// What is not a number becomes text.
pub fn number(digits: &str) -> Value {
    let normal = digits.parse::<crate::domain::money::Decimal>().map(|d| d.normal().to_string());
    match normal.as_deref().map_or_else(|_| digits.parse(), str::parse::<serde_json::Number>) {
        Ok(number) => Value::Number(number),
        Err(_) => Value::String(digits.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (digits, shown) in
            [("10.00", "10"), ("4.50", "4.5"), ("8.19672131", "8.19672131"), ("0.00", "0"), ("x", "\"x\"")]
        {
            assert_eq!(number(digits).to_string(), shown);
        }
        assert_eq!(number("90071992547409930.12").to_string(), "90071992547409930.12");
    }
}
