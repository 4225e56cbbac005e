//! The rules of a sale.

use staffetta::domain::check::{self, Context, codes};
use staffetta::domain::document::{Body, Kind};
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
fn the_amounts_beside_the_lines_at_the_bounds_of_their_rules() {
    for name in [
        "cash_payment_amount",
        "electronic_payment_amount",
        "services_uncollected_amount",
        "goods_uncollected_amount",
        "discount",
    ] {
        for (value, code, more) in [
            ("10", None, None),
            ("\"10.00\"", None, None),
            ("10.000000000000000000", None, None),
            ("1e1", None, None),
            ("-10", Some(codes::AMOUNT_NEGATIVE), Some(codes::TOTAL)),
            ("-0.01", Some(codes::AMOUNT_NEGATIVE), Some(codes::TOTAL)),
            ("10.001", Some(codes::AMOUNT_DECIMALS), Some(codes::TOTAL)),
            ("9.999", Some(codes::AMOUNT_DECIMALS), Some(codes::TOTAL)),
            ("1e-20", Some(codes::AMOUNT_DECIMALS), None),
            ("100000000000", Some(codes::AMOUNT_TOO_LARGE), Some(codes::TOTAL)),
            ("1e400", Some(codes::AMOUNT_TOO_LARGE), None),
            ("\"NaN\"", Some(codes::AMOUNT_NUMBER), None),
            ("\"\"", Some(codes::AMOUNT_NUMBER), None),
            ("\"10,00\"", Some(codes::AMOUNT_NUMBER), None),
        ] {
            let body = sale(&item(""), &format!(r#""{name}":{value}"#));
            let mut expected: Vec<_> = code.map(|code| (name, code)).into_iter().collect();
            // What is a number counts in the total, whatever other rule it breaks.
            expected.extend(more.map(|total| ("", total)));
            if name == "discount" && value == "100000000000" {
                expected.push(("discount", codes::DISCOUNT_RANGE));
            }
            for provider in RECEIPTS {
                expect(judge(Kind::Receipt, &body, provider), &body, &expected);
            }
        }
    }
    let body = sale(&item(""), r#""cash_payment_amount":-10.005"#);
    expect(
        judge(Kind::Receipt, &body, None),
        &body,
        &[
            ("", codes::TOTAL),
            ("cash_payment_amount", codes::AMOUNT_NEGATIVE),
            ("cash_payment_amount", codes::AMOUNT_DECIMALS),
        ],
    );
    // The sum has the same bound as its parts.
    for (cents, expected) in [("0.99", &[][..]), ("1.00", &[("", codes::AMOUNT_TOO_LARGE)])] {
        let lines = [item(r#""unit_price":99999999999"#), item(&format!(r#""unit_price":{cents}"#))].join(",");
        let rest = format!(r#""cash_payment_amount":99999999999,"electronic_payment_amount":{cents}"#);
        let body = sale(&lines, &rest);
        expect(judge(Kind::Receipt, &body, OPENAPI), &body, expected);
    }
}

#[test]
fn payments_must_make_the_total_to_the_cent_and_nothing_hides_a_difference() {
    for (rest, expected) in [
        (r#""cash_payment_amount":10"#, vec![]),
        (r#""cash_payment_amount":9.99"#, vec![("", codes::TOTAL)]),
        (r#""cash_payment_amount":10.01"#, vec![("", codes::TOTAL)]),
        ("", vec![("", codes::TOTAL)]),
        (r#""cash_payment_amount":4,"electronic_payment_amount":6"#, vec![]),
        (r#""services_uncollected_amount":4,"goods_uncollected_amount":6"#, vec![]),
        (r#""cash_payment_amount":9,"discount":1"#, vec![]),
        (r#""discount":10"#, vec![]),
        (r#""discount":10.01"#, vec![("", codes::TOTAL), ("discount", codes::DISCOUNT_RANGE)]),
        (r#""cash_payment_amount":10,"discount":1"#, vec![("", codes::TOTAL)]),
    ] {
        let body = sale(&item(""), rest);
        for provider in RECEIPTS {
            expect(judge(Kind::Receipt, &body, provider), &body, &expected);
        }
    }
    // An unknown VAT code or a missing description says nothing about what is to pay.
    let body = sale(&item(r#""vat_rate_code":"21","description":"""#), r#""cash_payment_amount":9"#);
    expect(
        judge(Kind::Receipt, &body, OPENAPI),
        &body,
        &[
            ("items[0].vat_rate_code", codes::VAT_RATE_CODE),
            ("items[0].description", codes::DESCRIPTION),
            ("", codes::TOTAL),
        ],
    );
}

#[test]
fn an_invoice_that_follows_leaves_nothing_to_pay_here() {
    let invoice = |rest: &str| sale(&item(""), &format!(r#""invoice_issuing":true,{rest}"#));
    let paid = ("invoice_issuing", codes::INVOICE_ISSUING);
    for (rest, expected) in [
        (r#""cash_payment_amount":0"#, vec![]),
        (r#""cash_payment_amount":0.01"#, vec![paid]),
        (r#""electronic_payment_amount":10"#, vec![paid]),
        (r#""services_uncollected_amount":10"#, vec![paid]),
        (r#""goods_uncollected_amount":10"#, vec![paid]),
        (r#""ticket_restaurant_payment_amount":10,"ticket_restaurant_quantity":1"#, vec![paid]),
        (r#""discount":1"#, vec![("discount", codes::DISCOUNT_INVOICE)]),
        (r#""discount":11"#, vec![("discount", codes::DISCOUNT_INVOICE)]),
        (r#""cash_payment_amount":9,"discount":1"#, vec![paid, ("discount", codes::DISCOUNT_INVOICE)]),
    ] {
        let body = invoice(rest);
        for provider in RECEIPTS {
            expect(judge(Kind::Receipt, &body, provider), &body, &expected);
        }
    }
    let body = sale(&item(""), r#""invoice_issuing":false,"cash_payment_amount":0"#);
    expect(judge(Kind::Receipt, &body, SMART), &body, &[("", codes::TOTAL)]);
}

#[test]
fn the_lottery_takes_part_from_a_euro_and_only_electronically() {
    let lottery = |price: &str, rest: &str, code: &str| {
        sale(&item(&format!(r#""unit_price":{price}"#)), &format!(r#"{rest},"lottery_code":"{code}""#))
    };
    let amounts = ("lottery_code", codes::LOTTERY);
    for (price, rest, expected) in [
        ("1.00", r#""electronic_payment_amount":1.00"#, vec![]),
        ("0.995", r#""electronic_payment_amount":1.00"#, vec![]),
        ("0.99", r#""electronic_payment_amount":0.99"#, vec![amounts]),
        ("0.994", r#""electronic_payment_amount":0.99"#, vec![amounts]),
        ("2.00", r#""electronic_payment_amount":1.99,"cash_payment_amount":0.01"#, vec![amounts]),
        ("2.00", r#""electronic_payment_amount":1.99,"goods_uncollected_amount":0.01"#, vec![amounts]),
        ("2.00", r#""electronic_payment_amount":1.99,"services_uncollected_amount":0.01"#, vec![amounts]),
        ("2.00", r#""electronic_payment_amount":1.00,"discount":1.00"#, vec![]),
        ("2.00", r#""discount":2.00"#, vec![amounts]),
        ("2.00", r#""cash_payment_amount":2.00"#, vec![amounts]),
        ("2.00", r#""cash_payment_amount":0,"invoice_issuing":true"#, vec![amounts]),
        ("2.00", r#""electronic_payment_amount":3.00"#, vec![("", codes::TOTAL)]),
        ("2.00", r#""cash_payment_amount":3.00"#, vec![("", codes::TOTAL), amounts]),
    ] {
        let body = lottery(price, rest, "ABCD1234");
        for provider in RECEIPTS {
            expect(judge(Kind::Receipt, &body, provider), &body, &expected);
        }
    }
    let paid = r#""electronic_payment_amount":2.00"#;
    for code in ["", "ABCD123", "ABCD12345", "ABCD-123", "ABCD 123", "àBCD123", "ABCD123è", "\\u0661234567A"] {
        // A code that is none is reported as that only.
        let body = lottery("0.50", r#""cash_payment_amount":0.50"#, code);
        expect(judge(Kind::Receipt, &body, OPENAPI), &body, &[("lottery_code", codes::LOTTERY_FORMAT)]);
    }
    let Ok(Body::Receipt(receipt)) = judge(Kind::Receipt, &lottery("2.00", paid, "1a3v5g7f"), SMART) else {
        panic!("lower case is admitted")
    };
    assert_eq!(receipt.lottery_code.as_deref(), Some("1A3V5G7F"), "sent in upper case");
    // What is to pay is not known: what was paid is.
    for (rest, broken) in
        [(r#""cash_payment_amount":5"#, true), (r#""electronic_payment_amount":5"#, false), ("", true)]
    {
        let rest = if rest.is_empty() { String::new() } else { format!("{rest},") };
        let body = sale(&item(r#""quantity":0"#), &format!(r#"{rest}"lottery_code":"ABCD1234""#));
        let quantity = ("items[0].quantity", codes::QUANTITY);
        let expected = if broken { vec![quantity, amounts] } else { vec![quantity] };
        expect(judge(Kind::Receipt, &body, None), &body, &expected);
    }
}

/// An amount that breaks a rule of its own hides no other rule; one that is no number hides those that need it.
#[test]
fn a_bad_amount_hides_no_other_rule() {
    let (total, negative) = (("", codes::TOTAL), ("cash_payment_amount", codes::AMOUNT_NEGATIVE));
    let (places, number) =
        (("cash_payment_amount", codes::AMOUNT_DECIMALS), ("cash_payment_amount", codes::AMOUNT_NUMBER));
    let lottery = ("lottery_code", codes::LOTTERY);
    let invoice = ("invoice_issuing", codes::INVOICE_ISSUING);
    for (rest, expected) in [
        (r#""cash_payment_amount":-1,"electronic_payment_amount":11"#, vec![negative]),
        (r#""cash_payment_amount":-1,"electronic_payment_amount":10"#, vec![negative, total]),
        (r#""cash_payment_amount":9.995,"electronic_payment_amount":0.01"#, vec![places, total]),
        (
            r#""cash_payment_amount":9.99500,"electronic_payment_amount":0.005"#,
            vec![places, ("electronic_payment_amount", codes::AMOUNT_DECIMALS)],
        ),
        (r#""cash_payment_amount":0.0000000001"#, vec![places, total]),
        (r#""cash_payment_amount":"x""#, vec![number]),
        (r#""cash_payment_amount":"x","electronic_payment_amount":1,"lottery_code":"ABCD1234""#, vec![number]),
        (
            r#""cash_payment_amount":"x","services_uncollected_amount":1,"lottery_code":"ABCD1234""#,
            vec![number, lottery],
        ),
        (
            r#""cash_payment_amount":-1,"electronic_payment_amount":11,"lottery_code":"ABCD1234""#,
            vec![negative, lottery],
        ),
        (r#""cash_payment_amount":0.001,"invoice_issuing":true"#, vec![places, invoice]),
        (r#""cash_payment_amount":"x","goods_uncollected_amount":1,"invoice_issuing":true"#, vec![number, invoice]),
        (
            r#""cash_payment_amount":"x","discount":1,"invoice_issuing":true"#,
            vec![number, ("discount", codes::DISCOUNT_INVOICE)],
        ),
        (r#""cash_payment_amount":"x","discount":11"#, vec![number, ("discount", codes::DISCOUNT_RANGE)]),
        (
            r#""cash_payment_amount":-1,"electronic_payment_amount":9,"ticket_restaurant_payment_amount":2"#,
            vec![negative, ("ticket_restaurant_quantity", codes::TICKET)],
        ),
    ] {
        let body = sale(&item(""), rest);
        expect(judge(Kind::Receipt, &body, OPENAPI), &body, &expected);
    }
    let body = sale(&item(r#""complimentary":true,"discount":1.123456789"#), r#""cash_payment_amount":0"#);
    let discount = |rule| ("items[0].discount", rule);
    let expected = [discount(codes::AMOUNT_8_DECIMALS), discount(codes::DISCOUNT_COMPLIMENTARY)];
    expect(judge(Kind::Receipt, &body, OPENAPI), &body, &expected);
}

#[test]
fn meal_vouchers_have_an_amount_and_a_number_or_neither() {
    let amount = ("ticket_restaurant_payment_amount", codes::TICKET);
    let quantity = ("ticket_restaurant_quantity", codes::TICKET);
    let whole = ("ticket_restaurant_quantity", codes::TICKET_QUANTITY);
    let ticket = |rest: &str| format!(r#""ticket_restaurant_payment_amount":{rest}"#);
    for (rest, expected) in [
        (ticket(r#"10,"ticket_restaurant_quantity":2"#), vec![]),
        (ticket(r#"10,"ticket_restaurant_quantity":"2.0""#), vec![]),
        (ticket("10"), vec![quantity]),
        (ticket(r#"10,"ticket_restaurant_quantity":0"#), vec![quantity]),
        (ticket(r#"10,"ticket_restaurant_quantity":1.5"#), vec![whole]),
        (ticket(r#"10,"ticket_restaurant_quantity":-1"#), vec![whole]),
        (ticket(r#"10,"ticket_restaurant_quantity":"two""#), vec![whole]),
        (ticket(r#"10,"ticket_restaurant_quantity":4294967295"#), vec![]),
        (ticket(r#"10,"ticket_restaurant_quantity":4294967296"#), vec![whole]),
        (ticket(r#"10,"ticket_restaurant_quantity":1e400"#), vec![whole]),
        (format!(r#"{CASH},"ticket_restaurant_quantity":1"#), vec![amount]),
        (format!(r#"{CASH},"ticket_restaurant_quantity":0"#), vec![]),
        (ticket(r#"0,"ticket_restaurant_quantity":1,"cash_payment_amount":10"#), vec![amount]),
        (ticket(r#"0,"ticket_restaurant_quantity":0,"cash_payment_amount":10"#), vec![]),
        (
            ticket(r#"10.001,"ticket_restaurant_quantity":1"#),
            vec![("ticket_restaurant_payment_amount", codes::AMOUNT_DECIMALS), ("", codes::TOTAL)],
        ),
    ] {
        let body = sale(&item(""), &rest);
        for provider in RECEIPTS {
            expect(judge(Kind::Receipt, &body, provider), &body, &expected);
        }
    }
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
