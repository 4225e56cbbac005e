//! The rules of what is paid for a sale: payments, vouchers, discounts, the lottery, an invoice that follows.

use staffetta::domain::check::codes;
use staffetta::domain::document::{Body, Kind};

use super::{CASH, OPENAPI, RECEIPTS, SMART, expect, item, judge, sale};

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
