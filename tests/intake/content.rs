//! Same content means the same values: the fingerprint sees every value and no spelling, and a document's JSON loses no
//! digit.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use staffetta::domain::check::{self, Context};
use staffetta::domain::document::{Body, NewDocument};
use staffetta::domain::event::ParentRef;
use staffetta::domain::id::DocId;
use staffetta::domain::money::Decimal;
use staffetta::domain::{fingerprint, line};

fn new(line: &str) -> NewDocument {
    line::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error:?}"))
}

fn checked(new: &NewDocument, now: DateTime<Utc>) -> Body {
    let context = Context { provider: None, fiscal_ids: None, now: Some(now) };
    check::body(&new.body, &context).unwrap_or_else(|violations| panic!("{violations:?}"))
}

fn now() -> DateTime<Utc> {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn of(line: &str) -> [u8; 32] {
    let new = new(line);
    fingerprint::of_new(&new, &checked(&new, now()), None)
}

const SALE: &str = r#"{"kind":"receipt","body":{"fiscal_id":"12345678903","items":[{"quantity":2,"description":"Mele",
    "unit_price":5.00,"vat_rate_code":"22","discount":1,"sku":"s"}],"cash_payment_amount":4,
    "ticket_restaurant_payment_amount":3,"ticket_restaurant_quantity":1,"electronic_payment_amount":1,"discount":1,
    "linked_receipt":"l","tags":["a","b"],"email":"a@b.it"}}"#;

#[test]
fn spelling_does_not_matter() {
    for (from, to) in [
        ("5.00", "5"),
        ("5.00", "\"5.0\""),
        ("5.00", "5e0"),
        ("5.00", "0.5e1"),
        ("unit_price", "gross_price"),
        ("\"discount\":1,\"sku\"", "\"gross_discount\":\"1.00\",\"sku\""),
        (r#""quantity":2,"description":"Mele""#, r#""description":"Mele","quantity":2"#),
        (r#""quantity":2"#, r#""complimentary":false,"quantity":2"#),
        ("Mele", "\\u004dele"),
        (r#""tags""#, r#""services_uncollected_amount":-0,"goods_uncollected_amount":null,"tags""#),
        (r#""tags""#, r#""invoice_issuing":false,"lottery_code":null,"tags""#),
        ("\"ticket_restaurant_quantity\":1", "\"ticket_restaurant_quantity\":\"1.0\""),
    ] {
        let other = SALE.replacen(from, to, 1);
        assert_ne!(other, SALE);
        assert_eq!(of(&other), of(SALE), "{other}");
    }
    let draft = |date: &str| {
        format!(
            r#"{{"kind":"draft","body":{{"MerchantInvoiceId":"1","CreatedOn":"{date}","Items":[{{"Description":"Borsa",
            "Quantity":1,"UnitPriceWithVat":100,"VatRate":22}}]}}}}"#
        )
    };
    assert_eq!(of(&draft("2026-11-22T10:00:00")), of(&draft("22/11/2026 10:00:00")));
    assert_ne!(of(&draft("2026-11-22T10:00:00")), of(&draft("2026-11-22T10:00:01")));
    let dated = draft("2026-11-22T10:00:00");
    let other_names = dated.replace("MerchantInvoiceId", "merchant_invoice_id").replace("VatRate", "vat_rate");
    assert_eq!(of(&dated), of(&other_names));
    let upper = SALE.replace("\"tags\"", "\"lottery_code\":\"abcd1234\",\"tags\"");
    let electronic = |line: &str| {
        line.replace("\"cash_payment_amount\":4", "\"cash_payment_amount\":0")
            .replace(r#""ticket_restaurant_payment_amount":3,"ticket_restaurant_quantity":1,"#, "")
            .replace("\"electronic_payment_amount\":1", "\"electronic_payment_amount\":8")
    };
    assert_eq!(of(&electronic(&upper)), of(&electronic(&upper.replace("abcd", "ABCD"))));
}

#[test]
fn every_value_counts() {
    let mut lines = vec![
        SALE.to_owned(),
        SALE.replace("{\"kind\"", "{\"account\":\"shop\",\"kind\""),
        SALE.replace("{\"kind\"", "{\"account\":\"other\",\"kind\""),
        SALE.replace("{\"kind\"", "{\"issued_at\":\"2026-11-22T10:00:00Z\",\"kind\""),
        SALE.replace("{\"kind\"", "{\"issued_at\":\"2026-11-22T10:00:00.5Z\",\"kind\""),
        SALE.replace("12345678903", "01234567897"),
        SALE.replace("\"quantity\":2", "\"quantity\":1").replace("5.00", "10.00"),
        SALE.replace("5.00", "5.01").replace("\"discount\":1,\"sku\"", "\"discount\":1.02,\"sku\""),
        SALE.replace("Mele", "Pere"),
        SALE.replace("\"22\"", "\"10\""),
        SALE.replace("\"sku\":\"s\"", "\"sku\":\"t\""),
        SALE.replace(",\"sku\":\"s\"", ""),
        SALE.replace("\"cash_payment_amount\":4", "\"cash_payment_amount\":3,\"services_uncollected_amount\":1"),
        SALE.replace("\"cash_payment_amount\":4", "\"cash_payment_amount\":3,\"goods_uncollected_amount\":1"),
        SALE.replace("\"cash_payment_amount\":4", "\"cash_payment_amount\":3").replace("amount\":1,", "amount\":2,"),
        SALE.replace("amount\":1,\"discount\":1", "amount\":2,\"discount\":0"),
        SALE.replace("amount\":3", "amount\":2").replace("amount\":4", "amount\":5"),
        SALE.replace("\"ticket_restaurant_quantity\":1", "\"ticket_restaurant_quantity\":2"),
        SALE.replace("\"l\"", "\"m\""),
        SALE.replace("[\"a\",\"b\"]", "[\"ab\"]"),
        SALE.replace("[\"a\",\"b\"]", "[\"b\",\"a\"]"),
        SALE.replace("[\"a\",\"b\"]", "[]"),
        SALE.replace("a@b.it", "b@b.it"),
        SALE.replace(
            "}],",
            "},{\"quantity\":1,\"description\":\"x\",\"unit_price\":1,\"vat_rate_code\":\"22\",\
                             \"complimentary\":true}],",
        ),
        SALE.replace("\"cash_payment_amount\":4", "\"cash_payment_amount\":0")
            .replace("\"ticket_restaurant_payment_amount\":3,\"ticket_restaurant_quantity\":1,", "")
            .replace("\"electronic_payment_amount\":1,\"discount\":1", "\"invoice_issuing\":true"),
        r#"{"kind":"void","parent":"p"}"#.to_owned(),
        r#"{"kind":"void","parent":"p","body":{"credit_note_number":"1"}}"#.to_owned(),
        r#"{"kind":"return","parent":"p","body":{"items":[{"line":0,"quantity":1}]}}"#.to_owned(),
        r#"{"kind":"return","parent":"p","body":{"items":[{"line":1,"quantity":1}]}}"#.to_owned(),
        r#"{"kind":"return","parent":"p","body":{"items":[{"line":0,"quantity":2}]}}"#.to_owned(),
        r#"{"kind":"return","parent":"p","body":{"items":[{"id":"0","quantity":1}]}}"#.to_owned(),
        r#"{"kind":"return","parent":"p","body":{"items":[{"id":"0","quantity":1},{"id":"1","quantity":1}]}}"#
            .to_owned(),
    ];
    for note in ["debit_vat", "credit_goods", "credit_vat"] {
        lines.push(format!(r#"{{"kind":"note_number","parent":"p","body":{{"note":"{note}","number":"1"}}}}"#));
    }
    lines.push(r#"{"kind":"note_number","parent":"p","body":{"note":"debit_vat","number":"2"}}"#.to_owned());
    let item = r#"{"Description":"Borsa","Quantity":1,"UnitPriceWithVat":100,"VatRate":22}"#;
    let draft = format!(r#"{{"kind":"draft","body":{{"MerchantInvoiceId":"1","Items":[{item}],"Discount":1}}}}"#);
    lines.extend([
        draft.clone(),
        draft.replace("\"1\"", "\"2\""),
        draft.replace("Borsa", "Borse"),
        draft.replace("\"Quantity\":1", "\"Quantity\":2"),
        draft.replace("100", "101"),
        draft.replace(":22", ":10"),
        draft.replace("\"Discount\":1", "\"Discount\":2"),
        draft.replace("\"Description\"", "\"ItemCode\":\"x\",\"Description\""),
        draft.replace("\"Discount\"", "\"CreatedOn\":\"2026-11-22T11:00:00\",\"Discount\""),
        draft.replace(item, &format!("{item},{item}")),
    ]);
    let mut seen: BTreeMap<[u8; 32], String> = BTreeMap::new();
    for line in lines {
        if let Some(other) = seen.insert(of(&line), line.clone()) {
            panic!("the same fingerprint:\n{other}\n{line}");
        }
    }
}

#[test]
fn the_parent_counts_and_a_local_one_is_not_a_remote_one() {
    let void = new(r#"{"kind":"void","parent":"p"}"#);
    let body = checked(&void, now());
    let parents = [None, Some(ParentRef::Local(DocId(1))), Some(ParentRef::Local(DocId(2)))];
    let parents = parents.into_iter().chain(["1", "2"].map(|id| Some(ParentRef::Remote(id.to_owned()))));
    let all: Vec<_> = parents.map(|parent| fingerprint::of(&body, None, parent.as_ref(), None)).collect();
    for (index, one) in all.iter().enumerate() {
        assert!(!all[..index].contains(one), "parent {index}");
    }
}

#[test]
fn a_draft_without_a_date_is_the_same_an_hour_later() {
    let item = r#"{"Description":"Borsa","Quantity":1,"UnitPriceWithVat":100,"VatRate":22}"#;
    let new = new(&format!(r#"{{"kind":"draft","body":{{"MerchantInvoiceId":"1","Items":[{item}]}}}}"#));
    let (first, later) = (checked(&new, now()), checked(&new, now() + TimeDelta::hours(1)));
    assert_ne!(first, later, "the checks fill in the moment");
    assert_eq!(fingerprint::of_new(&new, &first, None), fingerprint::of_new(&new, &later, None));
    assert_ne!(fingerprint::of(&first, None, None, None), fingerprint::of(&later, None, None, None));
    let sale = new_sale();
    let body = checked(&sale, now());
    assert_eq!(fingerprint::of_new(&sale, &body, None), fingerprint::of(&body, None, None, None));
}

fn new_sale() -> NewDocument {
    new(SALE)
}

#[test]
fn the_fingerprint_of_a_known_document_never_changes() {
    // Journals keep it for ever: if this fails, every till's repeat of an old document would be refused as another one.
    let hex = |hash: [u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(of(SALE)), "027995404d142bfe240d0131f4b671b77bd6a30a4e236edabdd7a4af0c2689f4");
}

proptest! {
    #![proptest_config(super::cases(128))]

    #[test]
    fn json_to_document_to_json_loses_no_digit(
        quantity in 1..1_000_000u64,
        price in 1..10_000_000_000_000u64,
        zeros in 0..6usize,
        discount in 0..1_000_000_000u64,
    ) {
        let number = |digits: u64, places: u32| {
            let one = 10u64.pow(places);
            format!("{}.{:0width$}", digits / one, digits % one, width = places as usize)
        };
        let (quantity, price, discount) = (number(quantity, 2), number(price, 8), number(discount, 8));
        let line = format!(
            r#"{{"kind":"receipt","body":{{"fiscal_id":"1","items":[{{"quantity":{quantity}{z},"description":"x",
            "unit_price":"{price}{z}","vat_rate_code":"22","discount":{discount}}}],"invoice_issuing":true}}}}"#,
            z = "0".repeat(zeros),
        );
        let new = new(&line);
        let context = Context::default();
        // A discount above the line is refused, and nothing is left to compare.
        if let Ok(body) = check::body(&new.body, &context) {
            let json = body.to_json().unwrap();
            let read = |name: &str| {
                let value: serde_json::Value = serde_json::from_str(&json).unwrap();
                value["items"][0][name].as_str().expect("a decimal string").to_owned()
            };
            prop_assert_eq!(read("quantity"), quantity);
            prop_assert_eq!(read("unit_price"), price);
            prop_assert_eq!(read("discount"), discount);
            let again = Body::from_json(body.kind(), &json).unwrap();
            prop_assert_eq!(again.to_json().unwrap(), json);
            prop_assert_eq!(
                fingerprint::of(&again, None, None, None),
                fingerprint::of(&body, None, None, None)
            );
            prop_assert_eq!(again, body);
        }
    }

    #[test]
    fn json_of_payments_drafts_and_returns_loses_no_digit(
        quantity in 100..1_000_000i64, price in 7_100_000_000..1_000_000_000_000_000i64, cents in 1..100i64, zeros in 0..6usize,
    ) {
        let number = |digits, places: u32| Decimal::new(i128::from(digits), places).unwrap().to_string();
        let (quantity, price, cents, z) = (number(quantity, 2), number(price, 8), number(cents, 2), "0".repeat(zeros));
        let sale = format!(
            r#"{{"kind":"receipt","body":{{"fiscal_id":"1","items":[{{"quantity":6,"description":"x","unit_price":{cents},
            "vat_rate_code":"N1"}}],"cash_payment_amount":{cents}{z},"electronic_payment_amount":"{cents}{z}",
            "ticket_restaurant_payment_amount":{cents},"ticket_restaurant_quantity":1,"services_uncollected_amount":{cents},
            "goods_uncollected_amount":{cents}{z},"discount":"{cents}"}}}}"#
        );
        let draft = format!(
            r#"{{"kind":"draft","body":{{"MerchantInvoiceId":"1","CreatedOn":"2026-11-22T10:00:00","Items":[{{
            "Description":"Borsa","Quantity":"{quantity}{z}","UnitPriceWithVat":{price}{z},"VatRate":22}}],
            "Discount":{cents}{z}}}}}"#
        );
        let back = format!(
            r#"{{"kind":"return","parent":"p","body":{{"items":[{{"line":0,"quantity":{quantity}{z}}}]}}}}"#
        );
        for (line, expected) in [
            (sale, vec![
                ("/cash_payment_amount", &cents), ("/electronic_payment_amount", &cents), ("/discount", &cents),
                ("/ticket_restaurant_payment_amount", &cents), ("/services_uncollected_amount", &cents),
                ("/goods_uncollected_amount", &cents),
            ]),
            (draft, vec![
                ("/items/0/quantity", &quantity), ("/items/0/unit_price_with_vat", &price), ("/discount", &cents),
            ]),
            (back, vec![("/items/0/quantity", &quantity)]),
        ] {
            let body = checked(&new(&line), now());
            let json = body.to_json().unwrap();
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            for (pointer, digits) in expected {
                prop_assert_eq!(value.pointer(pointer).unwrap(), digits.as_str(), "{} of {}", pointer, json);
            }
            prop_assert_eq!(Body::from_json(body.kind(), &json).unwrap(), body);
        }
    }
}
