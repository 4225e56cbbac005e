//! The rules of a tax-free invoice.

use staffetta::domain::check::{self, Context, codes};
use staffetta::domain::document::{Body, Kind};

use super::{STAMP, expect, judge, read};

/// A tax-free invoice of one line of 100.00 at 22 %.
pub fn draft(members: &str, rest: &str) -> String {
    let has = |name: &str| members.contains(&format!("\"{name}\"")) || rest.contains(&format!("\"{name}\""));
    let own = |pairs: &[(&str, &str)]| {
        let own = pairs.iter().filter(|(name, _)| !has(name)).map(|(name, value)| format!("\"{name}\":{value}"));
        own.collect::<Vec<_>>()
    };
    let mut line =
        own(&[("Description", "\"Borsa\""), ("Quantity", "1"), ("UnitPriceWithVat", "100"), ("VatRate", "22")]);
    line.extend((!members.is_empty()).then(|| members.to_owned()));
    let mut all = own(&[("MerchantInvoiceId", "\"INV-1\""), ("CreatedOn", "\"2026-11-22T10:00:00\"")]);
    if !has("Items") {
        all.push(format!(r#""Items":[{{{}}}]"#, line.join(",")));
    }
    all.extend((!rest.is_empty()).then(|| rest.to_owned()));
    format!("{{{}}}", all.join(","))
}

#[test]
fn a_tax_free_invoice_at_the_bounds_of_its_rules() {
    let text = |name: &str, count: usize| format!(r#""{name}":"{}""#, "è".repeat(count));
    let description = ("Items[0].Description", codes::DRAFT_DESCRIPTION);
    let quantity = ("Items[0].Quantity", codes::QUANTITY);
    let price = ("Items[0].UnitPriceWithVat", codes::UNIT_PRICE);
    let rate = ("Items[0].VatRate", codes::VAT_RATE);
    let minimum = ("", codes::TAX_FREE_MINIMUM);
    let range = ("Discount", codes::DISCOUNT_RANGE);
    let id = ("MerchantInvoiceId", codes::MERCHANT_INVOICE_ID);
    let date = ("CreatedOn", codes::CREATED_ON);
    for (members, rest, expected) in [
        (String::new(), String::new(), vec![]),
        (text("Description", 5), String::new(), vec![]),
        (text("Description", 4), String::new(), vec![description]),
        (text("Description", 0), String::new(), vec![description]),
        (text("Description", 1000), String::new(), vec![]),
        (text("Description", 1001), String::new(), vec![("Items[0].Description", codes::DESCRIPTION_MAX)]),
        (text("ItemCode", 256), String::new(), vec![]),
        (text("ItemCode", 257), String::new(), vec![("Items[0].ItemCode", codes::TEXT_MAX)]),
        (r#""Quantity":0"#.into(), String::new(), vec![quantity]),
        (r#""Quantity":-1"#.into(), String::new(), vec![quantity]),
        (r#""Quantity":1.005"#.into(), String::new(), vec![quantity]),
        (r#""Quantity":"0.75""#.into(), String::new(), vec![]),
        (r#""UnitPriceWithVat":0"#.into(), String::new(), vec![price]),
        (r#""UnitPriceWithVat":-70.01"#.into(), String::new(), vec![price]),
        (r#""UnitPriceWithVat":70.01"#.into(), String::new(), vec![]),
        (r#""UnitPriceWithVat":70.00"#.into(), String::new(), vec![minimum]),
        (r#""UnitPriceWithVat":70.004"#.into(), String::new(), vec![minimum]),
        (r#""UnitPriceWithVat":70.005"#.into(), String::new(), vec![]),
        (r#""UnitPriceWithVat":35.01,"Quantity":2"#.into(), String::new(), vec![]),
        (
            r#""UnitPriceWithVat":100000000000"#.into(),
            String::new(),
            vec![("Items[0].UnitPriceWithVat", codes::AMOUNT_TOO_LARGE)],
        ),
        (r#""UnitPriceWithVat":99999999999,"Quantity":2"#.into(), String::new(), vec![("", codes::AMOUNT_TOO_LARGE)]),
        (r#""VatRate":4"#.into(), String::new(), vec![]),
        (r#""VatRate":5.0"#.into(), String::new(), vec![]),
        (r#""VatRate":"10""#.into(), String::new(), vec![]),
        (r#""VatRate":0"#.into(), String::new(), vec![rate]),
        (r#""VatRate":21"#.into(), String::new(), vec![rate]),
        (r#""VatRate":22.5"#.into(), String::new(), vec![rate]),
        (r#""VatRate":"N1""#.into(), String::new(), vec![rate]),
        (r#""VatRate":0,"UnitPriceWithVat":50"#.into(), String::new(), vec![rate, minimum]),
        (r#""VatRate":0,"Quantity":0,"Description":"x""#.into(), String::new(), vec![rate, quantity, description]),
        (String::new(), r#""Discount":0"#.into(), vec![]),
        (String::new(), r#""Discount":null"#.into(), vec![]),
        (String::new(), r#""Discount":29.99"#.into(), vec![]),
        (String::new(), r#""Discount":30.00"#.into(), vec![minimum]),
        (String::new(), r#""Discount":99.99"#.into(), vec![minimum]),
        (String::new(), r#""Discount":100"#.into(), vec![range]),
        (String::new(), r#""Discount":100.01"#.into(), vec![range]),
        (String::new(), r#""Discount":-0.01"#.into(), vec![range]),
        (String::new(), r#""Discount":"x""#.into(), vec![range]),
        (String::new(), r#""Discount":1.005"#.into(), vec![("Discount", codes::AMOUNT_DECIMALS)]),
        (String::new(), r#""Items":[]"#.into(), vec![("Items", codes::ITEMS_EMPTY)]),
        (String::new(), text("MerchantInvoiceId", 256), vec![]),
        (String::new(), text("MerchantInvoiceId", 257), vec![id]),
        (String::new(), r#""MerchantInvoiceId":"""#.into(), vec![id]),
        (String::new(), r#""MerchantInvoiceId":"  ""#.into(), vec![id]),
        (String::new(), r#""CreatedOn":null"#.into(), vec![date]),
        (String::new(), r#""CreatedOn":"yesterday""#.into(), vec![date]),
        (String::new(), r#""CreatedOn":"22/13/2026 10:00:00""#.into(), vec![date]),
        (String::new(), r#""CreatedOn":"9999-11-22T10:00:00""#.into(), vec![date]),
        (
            r#""Description":"x""#.into(),
            r#""Discount":100,"MerchantInvoiceId":"""#.into(),
            vec![description, range, id],
        ),
    ] {
        let body = draft(&members, &rest);
        for provider in [STAMP, None] {
            expect(judge(Kind::Draft, &body, provider), &body, &expected);
        }
    }
    let two = |cents: &str| {
        let line =
            |price: &str| format!(r#"{{"Description":"Borsa","Quantity":1,"UnitPriceWithVat":{price},"VatRate":22}}"#);
        draft("", &format!(r#""Items":[{},{}]"#, line("99999999999"), line(cents)))
    };
    expect(judge(Kind::Draft, &two("0.99"), STAMP), "just below 10^11", &[]);
    expect(judge(Kind::Draft, &two("1.00"), STAMP), "10^11", &[("", codes::AMOUNT_TOO_LARGE)]);
    let many = vec![r#"{"Description":"Borsa","Quantity":1,"UnitPriceWithVat":1,"VatRate":22}"#; 1001].join(",");
    let body = draft("", &format!(r#""Items":[{many}]"#));
    expect(judge(Kind::Draft, &body, STAMP), "1001 lines", &[("Items", codes::ITEMS_MAX)]);
    let body = body.replacen(
        &format!("{},", r#"{"Description":"Borsa","Quantity":1,"UnitPriceWithVat":1,"VatRate":22}"#),
        "",
        1,
    );
    expect(judge(Kind::Draft, &body, STAMP), "1000 lines", &[]);
}

#[test]
fn a_drafts_date_is_read_in_every_spelling_and_defaults_to_now_in_italy() {
    let at = |body: &str| {
        let now = Some("2026-07-01T22:30:00.5Z".parse().unwrap());
        match check::body(&read(Kind::Draft, body), &Context { provider: STAMP, fiscal_ids: None, now }) {
            Ok(Body::Draft(draft)) => draft.created_on.to_string(),
            other => panic!("{body}: {other:?}"),
        }
    };
    for (text, expected) in [
        ("2018-12-25T10:30:00", "2018-12-25 10:30:00"),
        ("2018-12-25 10:30:00", "2018-12-25 10:30:00"),
        ("2018-12-25T10:30:00.999", "2018-12-25 10:30:00"),
        ("05/03/2026 18:30:00", "2026-03-05 18:30:00"),
        ("2026-07-01T10:00:00Z", "2026-07-01 12:00:00"),
        ("2026-01-01T10:00:00-05:00", "2026-01-01 16:00:00"),
        ("2026-07-01", "2026-07-01 00:00:00"),
    ] {
        assert_eq!(at(&draft("", &format!(r#""CreatedOn":"{text}""#))), expected, "{text}");
    }
    assert_eq!(at(&draft("", r#""CreatedOn":null"#)), "2026-07-02 00:30:00");
    let snake = r#"{"merchant_invoice_id":"1","created_on":"2026-07-01","items":[{"item_code":"","description":"Borsa",
        "quantity":1,"unit_price_with_vat":"99.90","vat_rate":22}],"discount":"0"}"#;
    let Ok(Body::Draft(read)) = judge(Kind::Draft, snake, STAMP) else { panic!("our own names") };
    assert_eq!(
        (read.items[0].item_code.as_deref(), read.items[0].unit_price_with_vat.to_string()),
        (None, "99.90".into())
    );
}
