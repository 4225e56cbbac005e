//! The rules of a sale but for what is paid: its lines, texts, tags and who issues it.

use staffetta::domain::check::{self, Context, codes};
use staffetta::domain::document::Kind;
use staffetta::domain::id::FiscalId;

use super::{CASH, OPENAPI, RECEIPTS, SMART, expect, item, judge, read, sale};

#[test]
fn a_line_of_a_sale_at_the_bounds_of_its_rules() {
    let long = |count| format!(r#""description":"{}""#, "è".repeat(count));
    let sku = |count| format!(r#""sku":"{}""#, "s".repeat(count));
    let quantity = ("items[0].quantity", codes::QUANTITY);
    let price = ("items[0].unit_price", codes::UNIT_PRICE);
    let rate = ("items[0].vat_rate_code", codes::VAT_RATE_CODE);
    let description = ("items[0].description", codes::DESCRIPTION);
    for (members, expected) in [
        (String::new(), vec![]),
        (r#""quantity":"1.00""#.into(), vec![]),
        (r#""quantity":1.0000000000000"#.into(), vec![]),
        (r#""quantity":0.01,"unit_price":1000"#.into(), vec![]),
        (r#""quantity":1e1,"unit_price":1e0"#.into(), vec![]),
        (r#""quantity":0"#.into(), vec![quantity]),
        (r#""quantity":-0"#.into(), vec![quantity]),
        (r#""quantity":-1"#.into(), vec![quantity]),
        (r#""quantity":0.001"#.into(), vec![quantity]),
        (r#""quantity":1.005"#.into(), vec![quantity]),
        (r#""quantity":"NaN""#.into(), vec![quantity]),
        (r#""quantity":"1,5""#.into(), vec![quantity]),
        (r#""quantity":"""#.into(), vec![quantity]),
        (r#""quantity":null"#.into(), vec![quantity]),
        (r#""quantity":-1e400"#.into(), vec![quantity]),
        (r#""quantity":1e-400"#.into(), vec![quantity]),
        (r#""quantity":1e400"#.into(), vec![("items[0].quantity", codes::QUANTITY_TOO_LARGE)]),
        (r#""quantity":100000000000"#.into(), vec![("items[0].quantity", codes::QUANTITY_TOO_LARGE)]),
        (r#""unit_price":"10""#.into(), vec![]),
        (r#""unit_price":10.000000000000000"#.into(), vec![]),
        (r#""unit_price":9.99999999"#.into(), vec![]),
        (r#""unit_price":9.999999999"#.into(), vec![price]),
        (r#""unit_price":0"#.into(), vec![price]),
        (r#""unit_price":-10.00"#.into(), vec![price]),
        (r#""unit_price":"ten""#.into(), vec![price]),
        (r#""unit_price":0.0000000000001"#.into(), vec![price]),
        (r#""unit_price":1e400"#.into(), vec![("items[0].unit_price", codes::AMOUNT_TOO_LARGE)]),
        (r#""unit_price":100000000000"#.into(), vec![("items[0].unit_price", codes::AMOUNT_TOO_LARGE)]),
        (
            r#""unit_price":1234567890123456789012345678901234567890"#.into(),
            vec![("items[0].unit_price", codes::AMOUNT_TOO_LARGE)],
        ),
        (r#""quantity":10,"unit_price":10000000000.00"#.into(), vec![("items[0]", codes::AMOUNT_TOO_LARGE)]),
        (r#""vat_rate_code":"0""#.into(), vec![rate]),
        (r#""vat_rate_code":"N7""#.into(), vec![rate]),
        (r#""vat_rate_code":"n1""#.into(), vec![rate]),
        (r#""vat_rate_code":"22%""#.into(), vec![rate]),
        (r#""vat_rate_code":" 22""#.into(), vec![rate]),
        (r#""vat_rate_code":"10.0""#.into(), vec![rate]),
        (r#""vat_rate_code":22"#.into(), vec![rate]),
        (r#""vat_rate_code":"""#.into(), vec![rate]),
        (r#""description":"""#.into(), vec![description]),
        (r#""description":"  ""#.into(), vec![description]),
        (long(1), vec![]),
        (long(1000), vec![]),
        (long(1001), vec![description]),
        (sku(256), vec![]),
        (sku(257), vec![("items[0].sku", codes::TEXT_MAX)]),
        (r#""sku":"""#.into(), vec![]),
        (
            r#""quantity":-1,"unit_price":0,"vat_rate_code":"x","description":"""#.into(),
            vec![quantity, price, rate, description],
        ),
    ] {
        let item = item(&members);
        for provider in RECEIPTS {
            expect(judge(Kind::Receipt, &sale(&item, CASH), provider), &item, &expected);
        }
    }
}

#[test]
fn a_discount_of_a_line_at_the_bounds_of_its_rules() {
    let range = ("items[0].gross_discount", codes::LINE_DISCOUNT);
    let negative = ("items[0].discount", codes::AMOUNT_NEGATIVE);
    for (members, cash, expected) in [
        (r#""discount":9.99"#, "0.01", vec![]),
        (r#""gross_discount":9.99"#, "0.01", vec![]),
        (r#""discount":9.99999999"#, "0", vec![]),
        (r#""discount":0"#, "10", vec![]),
        (r#""discount":0.00"#, "10", vec![]),
        (r#""discount":-0"#, "10", vec![]),
        (r#""discount":"1.50""#, "8.50", vec![]),
        (r#""discount":10"#, "0", vec![range]),
        (r#""discount":10.00000001"#, "0", vec![range]),
        (r#""discount":-0.01"#, "10.01", vec![negative]),
        (r#""discount":1.000000001"#, "9", vec![("items[0].discount", codes::AMOUNT_8_DECIMALS)]),
        (r#""discount":-1.000000001"#, "9", vec![negative, ("items[0].discount", codes::AMOUNT_8_DECIMALS)]),
        (r#""discount":"-""#, "9", vec![("items[0].discount", codes::AMOUNT_NUMBER)]),
        (r#""discount":1e400"#, "9", vec![("items[0].discount", codes::AMOUNT_TOO_LARGE)]),
        (r#""discount":1e-400"#, "9", vec![("items[0].discount", codes::AMOUNT_8_DECIMALS)]),
        (r#""quantity":2,"discount":19.99"#, "0.01", vec![]),
        (r#""quantity":2,"discount":20"#, "0", vec![range]),
        (r#""quantity":0.5,"discount":5"#, "0", vec![range]),
    ] {
        let item = item(members);
        for provider in RECEIPTS {
            let rest = format!(r#""cash_payment_amount":{cash}"#);
            expect(judge(Kind::Receipt, &sale(&item, &rest), provider), &item, &expected);
        }
    }
    // Its own violation does not hide the one of the total: both can be told (S2, third example).
    let body = sale(&item(r#""discount":20"#), CASH);
    expect(judge(Kind::Receipt, &body, SMART), &body, &[range, ("", codes::TOTAL)]);
}

#[test]
fn a_complimentary_line_with_a_discount_is_refused_where_the_provider_forbids_it() {
    let two = |discount: &str| {
        let gift = item(&format!(r#""complimentary":true,"discount":{discount}"#));
        sale(&format!("{},{gift}", item("")), CASH)
    };
    let forbidden = [("items[1].discount", codes::DISCOUNT_COMPLIMENTARY)];
    expect(judge(Kind::Receipt, &two("0.01"), OPENAPI), "Openapi", &forbidden);
    expect(judge(Kind::Receipt, &two("0"), OPENAPI), "Openapi, no discount", &[]);
    expect(judge(Kind::Receipt, &two("0.01"), SMART), "Smart Receipt", &[]);
    expect(judge(Kind::Receipt, &two("0.01"), None), "not known yet", &[]);
    expect(
        judge(Kind::Receipt, &two("10"), OPENAPI),
        "both rules",
        &[forbidden[0], ("items[1].gross_discount", codes::LINE_DISCOUNT)],
    );
    expect(judge(Kind::Receipt, &two("-1"), OPENAPI), "below zero", &[("items[1].discount", codes::AMOUNT_NEGATIVE)]);
    // A gift is not paid for.
    let gift = sale(&item(r#""complimentary":true"#), CASH);
    expect(judge(Kind::Receipt, &gift, OPENAPI), "paid gift", &[("", codes::TOTAL)]);
}

#[test]
fn tags_texts_and_addresses_at_the_bounds_of_their_rules() {
    let tags = |count: usize| {
        let tags: Vec<_> = (0..count).map(|index| format!("\"t{index}\"")).collect();
        format!(r#""tags":[{}]"#, tags.join(","))
    };
    let of = |name: &str, count: usize| format!(r#""{name}":"{}""#, "è".repeat(count));
    let address = |text: &str| format!(r#""email":"{text}""#);
    let long_address = format!("{}@x.it", "a".repeat(252));
    for (rest, expected) in [
        (tags(10), [None, None]),
        (tags(11), [Some(("tags", codes::TAGS_MAX)), None]),
        (r#""tags":null"#.to_owned(), [None, None]),
        (format!(r#""tags":["{}"]"#, "t".repeat(256)), [None, None]),
        (format!(r#""tags":["a","{}"]"#, "t".repeat(257)), [Some(("tags[1]", codes::TEXT_MAX)); 2]),
        (of("linked_receipt", 50), [None, None]),
        (of("linked_receipt", 51), [Some(("linked_receipt", codes::LINKED_RECEIPT)), None]),
        (
            of("linked_receipt", 257),
            [Some(("linked_receipt", codes::LINKED_RECEIPT)), Some(("linked_receipt", codes::TEXT_MAX))],
        ),
        (address("cliente@example.com"), [None, None]),
        (address(""), [None, None]),
        (address(&long_address), [Some(("email", codes::TEXT_MAX)); 2]),
        (address("cliente"), [Some(("email", codes::EMAIL)); 2]),
        (address("@example.com"), [Some(("email", codes::EMAIL)); 2]),
        (address("cliente@"), [Some(("email", codes::EMAIL)); 2]),
        (address("a@b@c"), [Some(("email", codes::EMAIL)); 2]),
        (address("a b@example.com"), [Some(("email", codes::EMAIL)); 2]),
        (address("a\\u0000@example.com"), [Some(("email", codes::EMAIL)); 2]),
    ] {
        let body = sale(&item(""), &format!("{CASH},{rest}"));
        for (provider, expected) in [OPENAPI, SMART].into_iter().zip(expected) {
            expect(judge(Kind::Receipt, &body, provider), &body, expected.as_slice());
        }
    }
}

#[test]
fn only_the_accounts_own_fiscal_ids_are_known() {
    let ids: Vec<FiscalId> = vec!["12345678903".parse().unwrap()];
    let of = |id: &str| sale(&item(""), CASH).replace("12345678903", id);
    for (id, known, expected) in [
        ("12345678903", Some(ids.as_slice()), None),
        ("12345678903", None, None),
        ("string", None, None),
        ("string", Some(ids.as_slice()), Some(codes::FISCAL_ID)),
        ("12345678903", Some(&[][..]), Some(codes::FISCAL_ID)),
        ("1234 5678903", Some(ids.as_slice()), Some(codes::FISCAL_ID)),
        ("", Some(ids.as_slice()), Some(codes::FISCAL_ID)),
        ("", None, Some(codes::FISCAL_ID_FORMAT)),
        ("1234 5678903", None, Some(codes::FISCAL_ID_FORMAT)),
    ] {
        let context = Context { provider: OPENAPI, fiscal_ids: known, now: None };
        let expected: Vec<_> = expected.map(|code| ("fiscal_id", code)).into_iter().collect();
        expect(check::body(&read(Kind::Receipt, &of(id)), &context), id, &expected);
    }
}

#[test]
fn a_sale_has_at_least_one_line_and_at_most_a_thousand() {
    let lines = |count: usize| {
        let items = vec![item(r#""unit_price":0.01"#); count];
        sale(&items.join(","), &format!(r#""cash_payment_amount":{}.{:02}"#, count / 100, count % 100))
    };
    expect(judge(Kind::Receipt, &lines(200), OPENAPI), "200", &[]);
    expect(judge(Kind::Receipt, &lines(1000), OPENAPI), "1000", &[]);
    expect(judge(Kind::Receipt, &lines(1001), OPENAPI), "1001", &[("items", codes::ITEMS_MAX)]);
    expect(judge(Kind::Receipt, &sale("", ""), OPENAPI), "0", &[("items", codes::ITEMS_EMPTY)]);
}
