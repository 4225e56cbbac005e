//! One line of JSON Lines: what is refused, by which code, where, and with whose key.

use proptest::prelude::*;
use staffetta::domain::document::{Kind, Parent};
use staffetta::domain::input::BodyInput;
use staffetta::domain::limits::MAX_LINE;
use staffetta::domain::line::{self, LineError};

fn refused(line: &str) -> LineError {
    line::parse(line.as_bytes()).expect_err(line)
}

/// A body of a receipt within a line whose key is `a`.
fn with_body(body: &str) -> String {
    format!(r#"{{"key":"a","kind":"receipt","body":{body}}}"#)
}

#[test]
fn an_unknown_member_is_refused_by_name_at_every_level() {
    for (line, path, name) in [
        (r#"{"colour":1,"key":"a"}"#.to_owned(), "colour: ", "`colour`"),
        (r#"{"key":"a","kind":"void","parent":{"remote_id":"x","y":1}}"#.to_owned(), "parent.y: ", "`y`"),
        (with_body(r#"{"payments":[]}"#), "body.payments: ", "`payments`"),
        (with_body(r#"{"items":[{"quantity":1},{"colour":"red"}]}"#), "body.items[1].colour: ", "`colour`"),
        (with_body(r#"{"Items":[]}"#), "body.Items: ", "`Items`"),
        (r#"{"key":"a","kind":"void","parent":"p","body":{"why":""}}"#.to_owned(), "body.why: ", "`why`"),
        (
            r#"{"key":"a","kind":"return","parent":"p","body":{"items":[{"sku":1}]}}"#.to_owned(),
            "body.items[0].sku",
            "",
        ),
        (r#"{"key":"a","kind":"draft","body":{"Items":[{"Colour":1}]}}"#.to_owned(), "body.Items[0].Colour: ", ""),
        (r#"{"key":"a","kind":"note_number","parent":"p","body":{"Number":1}}"#.to_owned(), "body.Number: ", ""),
    ] {
        let error = refused(&line);
        assert_eq!((error.code, error.key.as_deref()), ("unknown_field", Some("a")), "{line}: {error:?}");
        assert!(error.message.starts_with(path) && error.message.contains(name), "{line}: {}", error.message);
        assert!(error.message.contains("expected"), "it says what is known: {}", error.message);
        assert!(error.violations.is_empty());
    }
}

/// Whoever renames members in a till finds all of them at once.
#[test]
fn every_unknown_member_is_named() {
    let line = r#"{"key":"a","kind":"receipt","colour":1,"size":2,"body":{"payments":[],"a.b":{},"items":[{"quantity":1},{"colour":"red","sise":1}]}}"#;
    let error = refused(line);
    assert_eq!((error.code, error.key.as_deref()), ("unknown_field", Some("a")));
    let (first, others) = error.message.split_once("; unknown too: ").expect("all of them");
    assert!(first.starts_with("colour: unknown field `colour`, expected"), "{first}");
    let mut others: Vec<_> = others.split(", ").collect();
    others.sort_unstable();
    assert_eq!(others, ["body.a.b", "body.items[1].colour", "body.items[1].sise", "body.payments", "size"]);
    let one = refused(&with_body(r#"{"items":[{"colour":1,"colour":2}]}"#)).message;
    assert!(!one.contains("unknown too"), "{one}");
    let many = (0..1_000).map(|n| format!(r#""m{n}":1"#)).collect::<Vec<_>>().join(",");
    let many = refused(&with_body(&format!("{{{many}}}"))).message;
    assert!(many.ends_with("and more") && many.len() < 1_000, "{many}");
}

#[test]
fn a_wrong_shape_is_malformed_with_its_place_and_what_was_expected() {
    for (body, path, expected) in [
        ("[1]", "body: ", "expected an object"),
        ("5", "body: ", "expected an object"),
        (r#"["1",[]]"#, "body: ", "expected an object"),
        (r#"{"items":{"a":1}}"#, "body.items: ", "expected a sequence"),
        (r#"{"items":[[1,"x",1,"22"]]}"#, "body.items[0]: ", "expected an object"),
        (r#"{"items":[{},{"quantity":true}]}"#, "body.items[1].quantity: ", "expected a number"),
        (r#"{"items":[{"quantity":[1]}]}"#, "body.items[0].quantity: ", "expected a number"),
        (r#"{"items":[{"description":5}]}"#, "body.items[0].description: ", "expected a string"),
        (r#"{"items":[{"vat_rate_code":[]}]}"#, "body.items[0].vat_rate_code: ", "expected a string"),
        (r#"{"items":[null]}"#, "body.items[0]: ", "expected an object"),
        (r#"{"fiscal_id":"1","fiscal_id":null}"#, "body: ", "duplicate field `fiscal_id`"),
        (r#"{"items":[{"complimentary":"Y"}]}"#, "body.items[0].complimentary: ", "expected a boolean"),
        (r#"{"items":[{"unit_price":1,"gross_price":1}]}"#, "body.items[0]: ", "duplicate field `unit_price`"),
        (r#"{"items":[{"discount":1,"gross_discount":1}]}"#, "body.items[0]: ", "duplicate field `discount`"),
        (r#"{"fiscal_id":"1","fiscal_id":"1"}"#, "body: ", "duplicate field `fiscal_id`"),
        (r#"{"fiscal_id":5}"#, "body.fiscal_id: ", "expected a string"),
        (r#"{"fiscal_id":"\ud800"}"#, "body.fiscal_id: ", "not JSON"),
        (r#"{"tags":[["x"]]}"#, "body.tags[0]: ", "expected a string"),
        (r#"{"cash_payment_amount":{}}"#, "body.cash_payment_amount: ", "expected a number"),
        (r#"{"invoice_issuing":1}"#, "body.invoice_issuing: ", "expected a boolean"),
        (r#"{"cash_payment_amount":01}"#, "not JSON: ", " at column "),
        (r#"{"cash_payment_amount":NaN}"#, "not JSON: ", " at column "),
        (r#"{"cash_payment_amount":+1}"#, "not JSON: ", " at column "),
        (r#"{"cash_payment_amount":1.}"#, "not JSON: ", " at column "),
        (r#"{"fiscal_id":"12"#, "not JSON: ", " at column "),
        ("{}}", "not JSON: ", " at column "),
        ("{}} {\"key\":\"b\"}", "not JSON: ", "trailing characters"),
    ] {
        let error = refused(&with_body(body));
        assert_eq!((error.code, error.key.as_deref()), ("malformed", Some("a")), "{body}: {error:?}");
        assert!(error.message.starts_with(path), "{body}: {}", error.message);
        assert!(error.message.contains(expected), "{body}: {}", error.message);
    }
    for line in ["", " ", "{", "5", "null", "[]", r#"["k",null,"receipt"]"#, "nonsense", "\"receipt\""] {
        let error = refused(line);
        assert_eq!((error.code, error.key), ("malformed", None), "{line}");
    }
    assert_eq!(refused(r#"{"key":"a","kind":"void","parent":{"remote_id":5}}"#).code, "malformed");
    assert_eq!(refused(r#"{"key":"a","kind":"void","parent":["x"]}"#).code, "malformed");
    assert_eq!(refused(r#"{"key":"a","kind":5}"#).code, "malformed");
    assert_eq!(refused(r#"{"key":"a","kind":"note_number","parent":"p","body":{"note":"credit"}}"#).code, "malformed");
    assert_eq!(refused(r#"{"key":"a","kind":"return","parent":"p","body":{"items":[{"line":-1}]}}"#).code, "malformed");
    assert_eq!(
        refused(r#"{"key":"a","kind":"return","parent":"p","body":{"items":[{"line":0.5}]}}"#).code,
        "malformed"
    );
}

/// A till that always writes every member may leave it empty by null, under either name.
#[test]
fn null_is_not_given_in_every_kind() {
    let body = |text: &str| line::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:?}")).body;
    let of = |kind: &str, text: &str| body(&format!(r#"{{"kind":"{kind}","parent":"p","body":{text}}}"#));
    let parentless = |kind: &str, text: &str| body(&format!(r#"{{"kind":"{kind}","body":{text}}}"#));
    for (kind, nulls, none) in [
        ("receipt", r#"{"fiscal_id":null,"items":null,"tags":null}"#, "{}"),
        (
            "receipt",
            r#"{"items":[{"quantity":null,"description":null,"unit_price":null,"vat_rate_code":null,"sku":null}]}"#,
            r#"{"items":[{}]}"#,
        ),
        ("draft", r#"{"merchant_invoice_id":null,"items":null,"discount":null}"#, "{}"),
        ("draft", r#"{"Items":[{"Description":null,"Quantity":null,"VatRate":null}]}"#, r#"{"items":[{}]}"#),
        ("receipt", r#"{"items":[{"unit_price":1,"gross_price":null}]}"#, r#"{"items":[{"unit_price":1}]}"#),
        ("receipt", r#"{"items":[{"unit_price":null,"gross_price":"1.50"}]}"#, r#"{"items":[{"unit_price":"1.50"}]}"#),
        ("draft", r#"{"MerchantInvoiceId":null,"merchant_invoice_id":"F"}"#, r#"{"merchant_invoice_id":"F"}"#),
    ] {
        assert_eq!(parentless(kind, nulls), parentless(kind, none), "{nulls}");
    }
    assert_eq!(of("return", r#"{"items":null}"#), of("return", "{}"));
    assert_eq!(of("void", r#"{"credit_note_number":null}"#), of("void", "{}"));
    let numbered = |number: &str| of("note_number", &format!(r#"{{"note":"debit_vat"{number}}}"#));
    assert_eq!(numbered(r#","number":null"#), numbered(""));
    let error = refused(r#"{"key":"a","kind":"note_number","parent":"p","body":{"note":null,"number":"1"}}"#);
    assert_eq!(error.code, "malformed");
    assert!(error.message.starts_with("body.note: ") && !error.message.contains("not JSON"), "{}", error.message);
}

#[test]
fn the_key_is_told_whenever_it_can_be_read() {
    for (line, key) in [
        (r#"{"colour":1,"key":"late"}"#, Some("late")),
        (r#"{"key":"a","key":"b"}"#, Some("a")),
        (r#"{"key":"a","body":{"x":"#, Some("a")),
        (r#"{"key":"a""#, Some("a")),
        (r#"{"body":{"key":"inner"},"x":1}"#, None),
        (r#"{"body":[[1,{"key":"inner"}]],"key":"outer","x":1}"#, Some("outer")),
        (r#"{"key":5,"x":1}"#, None),
        (r#"{"x":"#, None),
        (r#"{"key":"two words","kind":"void","parent":"p"}"#, Some("two words")),
    ] {
        assert_eq!(refused(line).key.as_deref(), key, "{line}");
    }
    let error = line::parse(b"{\"key\":\"a\",\"kind\":\"\xff\"}").unwrap_err();
    assert_eq!((error.code, error.key.as_deref()), ("malformed", Some("a")));
    assert!(error.message.contains("UTF-8"), "{}", error.message);
    let long = format!(r#"{{"key":"a","kind":"{}"}}"#, "x".repeat(MAX_LINE));
    let error = refused(&long);
    assert_eq!((error.code, error.key.as_deref()), ("too_large", Some("a")));
}

#[test]
fn every_broken_rule_of_the_envelope_is_reported_at_once() {
    let error = refused(r#"{"key":"a b","account":"","kind":"sale","issued_at":"yesterday","parent":""}"#);
    let found: Vec<_> = error.violations.iter().map(|v| (v.property_path.as_str(), v.message.as_str())).collect();
    let expected = [
        ("key", "X:key_length_1_128"),
        ("account", "X:account_length_1_64"),
        ("kind", "X:kind_unknown"),
        ("issued_at", "X:issued_at_rfc3339"),
        ("parent", "X:parent_invalid"),
    ];
    assert_eq!((error.code, error.key.as_deref(), found.as_slice()), ("invalid", Some("a b"), &expected[..]));
    for (line, path, message) in [
        (r#"{"kind":"void"}"#, "parent", "X:parent_required"),
        (r#"{"kind":"return","body":{}}"#, "parent", "X:parent_required"),
        (r#"{"kind":"note_number","body":{"note":"debit_vat","number":"1"}}"#, "parent", "X:parent_required"),
        (r#"{"kind":"receipt","parent":"p","body":{}}"#, "parent", "X:parent_not_allowed"),
        (r#"{"kind":"draft","parent":{"remote_id":"p"},"body":{}}"#, "parent", "X:parent_not_allowed"),
        (r#"{"kind":"void","parent":"two words"}"#, "parent", "X:parent_invalid"),
        (r#"{"kind":"void","parent":{"remote_id":""}}"#, "parent", "X:parent_invalid"),
        (r#"{"kind":"receipt"}"#, "body", "X:body_required"),
        (r#"{"kind":"receipt","body":null}"#, "body", "X:body_required"),
        (r#"{"kind":"return","parent":"p"}"#, "body", "X:body_required"),
        (r#"{"body":{}}"#, "kind", "X:kind_unknown"),
        (r#"{"kind":"receipt","body":{},"key":""}"#, "key", "X:key_length_1_128"),
        (r#"{"kind":"receipt","body":{},"key":"è"}"#, "key", "X:key_length_1_128"),
        (r#"{"kind":"receipt","body":{},"issued_at":"2026-11-22T10:00:00"}"#, "issued_at", "X:issued_at_rfc3339"),
        (r#"{"kind":"receipt","body":{},"issued_at":"9999-11-22T10:00:00Z"}"#, "issued_at", "X:issued_at_rfc3339"),
        (r#"{"kind":"receipt","body":{},"issued_at":"1969-12-31T23:59:59Z"}"#, "issued_at", "X:issued_at_rfc3339"),
    ] {
        let error = refused(line);
        let found: Vec<_> = error.violations.iter().map(|v| (v.property_path.as_str(), v.message.as_str())).collect();
        assert_eq!((error.code, found.as_slice()), ("invalid", &[(path, message)][..]), "{line}");
        assert!(error.message.starts_with(path) && !error.message.contains("X:"), "in words: {}", error.message);
    }
    let keys = [("k".repeat(128), true), ("k".repeat(129), false)];
    for (key, fine) in keys {
        assert_eq!(line::parse(format!(r#"{{"kind":"receipt","body":{{}},"key":"{key}"}}"#).as_bytes()).is_ok(), fine);
    }
}

#[test]
fn a_sound_line_is_read_whole() {
    let line = "\u{FEFF}{\"key\":\"till-3/1\",\"account\":\"shop\",\"kind\":\"return\",\"parent\":{\"remote_id\":\"7f\"},\
                \"issued_at\":\"2026-11-22T10:00:00+01:00\",\"body\":{\"items\":[{\"line\":\"2\",\"quantity\":\"0.50\"}]}}\r";
    let new = line::parse(line.as_bytes()).unwrap();
    assert_eq!(new.key.as_ref().map(|key| key.as_str()), Some("till-3/1"));
    assert_eq!(new.account.as_ref().map(|account| account.as_str()), Some("shop"));
    assert_eq!((new.kind(), &new.parent), (Kind::Return, &Some(Parent::Remote("7f".to_owned()))));
    assert_eq!(new.issued_at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-11-22T09:00:00+00:00"));
    let BodyInput::Return(body) = new.body else { panic!("a return") };
    assert_eq!((body.items[0].line, body.items[0].quantity.as_str()), (Some(2), "0.50"));

    let new = line::parse(br#"{"kind":"void","parent":"p","key":null,"account":null,"issued_at":null}"#).unwrap();
    assert_eq!((new.key, new.account, new.issued_at, new.body.kind()), (None, None, None, Kind::Void));
    assert_eq!(new.parent, Some(Parent::Key("p".parse().unwrap())));
    assert!(line::parse(br#"{"kind":"void","parent":"p","body":{}}"#).is_ok());
    assert!(line::parse(br#"{"kind":"receipt","body":{},"parent":null}"#).is_ok());
}

#[test]
fn a_number_is_kept_as_it_was_written() {
    let body = r#"{"items":[{"quantity":1.10,"unit_price":"1e400","discount":100000000000000000000000000000000000000000}],
                   "cash_payment_amount":-0.0}"#;
    let BodyInput::Receipt(body) = line::parse(with_body(body).as_bytes()).unwrap().body else { panic!("a receipt") };
    assert_eq!((body.items[0].quantity.as_str(), body.items[0].unit_price.as_str()), ("1.10", "1e400"));
    assert_eq!(body.items[0].discount.as_ref().map(|n| n.as_str().len()), Some(42));
    assert_eq!(body.cash_payment_amount.as_ref().map(|n| n.as_str()), Some("-0.0"));
}

#[test]
fn no_depth_of_nesting_overflows_the_stack() {
    let depth = 150_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        for line in [
            deep.clone(),
            format!(r#"{{"key":{deep}}}"#),
            format!(r#"{{"x":{deep},"key":"a"}}"#),
            format!(r#"{{"key":"a","kind":"void","parent":{deep}}}"#),
            with_body(&deep),
            with_body(&format!(r#"{{"items":{deep}}}"#)),
            with_body(&format!(r#"{{"items":[{{"quantity":{deep}}}]}}"#)),
            with_body(&format!(r#"{{"tags":{deep}}}"#)),
            with_body(&open.repeat(depth)),
        ] {
            let error = refused(&line);
            assert!(matches!(error.code, "malformed" | "unknown_field" | "too_large"), "{}", error.code);
        }
    }
}

/// A sound line, cut, doubled or spoilt somewhere.
fn spoilt_line() -> impl Strategy<Value = Vec<u8>> {
    let sound = r#"{"key":"a","kind":"receipt","account":"b","issued_at":"2026-11-22T10:00:00Z","body":{"fiscal_id":"1",
        "items":[{"quantity":1,"description":"x","unit_price":1.00,"vat_rate_code":"22","complimentary":false}],
        "cash_payment_amount":"1.00","lottery_code":"ABCD1234","tags":["a"],"discount":1e-2}}"#;
    let length = sound.len();
    (0..length, 0..length, any::<u8>(), 0..4u8).prop_map(move |(at, other, byte, how)| {
        let mut bytes = sound.as_bytes().to_vec();
        match how {
            0 => bytes.truncate(at),
            1 => bytes[at] = byte,
            2 => {
                bytes.remove(at);
            }
            _ => {
                let (from, to) = (at.min(other), at.max(other));
                let part = bytes[from..to].to_vec();
                bytes.splice(at..at, part);
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(super::cases(512))]

    #[test]
    fn no_bytes_panic_and_every_refusal_has_a_code(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    #[test]
    fn no_spoilt_line_panics_and_every_refusal_has_a_code(bytes in spoilt_line()) {
        check(&bytes)?;
    }
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Err(error) = line::parse(bytes) {
        prop_assert!(matches!(error.code, "malformed" | "unknown_field" | "invalid"), "{error:?}");
        prop_assert!(!error.message.is_empty());
        prop_assert_eq!(error.code == "invalid", !error.violations.is_empty());
    }
    Ok(())
}
