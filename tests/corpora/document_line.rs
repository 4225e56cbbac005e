//! One line of JSON Lines: JSON to document to JSON. Whatever the bytes are there is an answer, and a document that is
//! valid means the same after it was written down and read again.

use chrono::{DateTime, Utc};
use staffetta::domain::check::{self, Context};
use staffetta::domain::document::{Body, NewDocument};
use staffetta::domain::fingerprint;
use staffetta::domain::line;
use staffetta::domain::totals::Totals;

const NOW: DateTime<Utc> = DateTime::from_timestamp(1_795_000_000, 0).unwrap();

fn checked(document: &NewDocument) -> Option<Body> {
    let context = Context { now: Some(NOW), ..Context::default() };
    match check::body(&document.body, &context) {
        Ok(body) => Some(body),
        Err(violations) => {
            assert!(!violations.is_empty(), "refused without a word");
            assert!(violations.iter().all(|violation| !violation.message.is_empty()));
            assert!(!check::explain(&violations).is_empty());
            None
        }
    }
}

pub fn run(bytes: &[u8]) {
    let document = match line::parse(bytes) {
        Ok(document) => document,
        Err(error) => {
            assert!(["malformed", "unknown_field", "invalid", "too_large"].contains(&error.code), "{error:?}");
            assert!(!error.message.is_empty(), "refused without a word");
            assert_eq!(error.code == "invalid", !error.violations.is_empty(), "{error:?}");
            return;
        }
    };
    let Some(body) = checked(&document) else { return };
    let json = body.to_json().expect("a document can be written");
    assert_eq!(Body::from_json(body.kind(), &json).expect("and read again"), body);
    // As a till would hand it over once more.
    let mut again = format!(r#"{{"kind":"{}","body":{json}"#, body.kind());
    if body.kind().has_parent() {
        again.push_str(r#","parent":{"remote_id":"x"}"#);
    }
    again.push('}');
    let second = line::parse(again.as_bytes()).unwrap_or_else(|error| panic!("{again}: {error:?}"));
    let second_body = checked(&second).unwrap_or_else(|| panic!("valid, and no longer: {again}"));
    assert_eq!(second_body, body, "{again}");
    let fingerprint = |body| fingerprint::of(body, None, None, None);
    assert_eq!(fingerprint(&second_body), fingerprint(&body), "the same content");
    if let Some(totals) = Totals::of(&body) {
        let json = totals.to_json().expect("totals can be written");
        assert_eq!(Totals::from_json(body.kind(), &json).expect("and read again"), totals);
    }
}
