//! A refusal names every rule that is broken: those of the document alone, of its parent, of its number and of the
//! configuration together (PROVIDERS.md 3).

use std::collections::BTreeSet;

use staffetta::domain::check::{Violation, codes};
use staffetta::domain::line;
use staffetta::prelude::*;
use staffetta::queue::Options;
use tempfile::{TempDir, tempdir};

use crate::support::shop;

/// A queue with a sale of two lines, 3 and 1 pieces, and a draft.
fn queue() -> (TempDir, Queue) {
    let dir = tempdir().unwrap();
    let options = Options { accounts: shop::accounts(), ..Options::default() };
    let queue = Queue::open_with(dir.path(), options).unwrap();
    for text in [
        r#"{"key":"a","kind":"receipt","account":"shop-roma","body":{"fiscal_id":"12345678903","items":[{"quantity":3,"description":"Pane","unit_price":"1.00","vat_rate_code":"4"},{"quantity":1,"description":"Latte","unit_price":"1.00","vat_rate_code":"4"}],"cash_payment_amount":"4.00"}}"#,
        r#"{"key":"d","kind":"draft","body":{"MerchantInvoiceId":"F-1","Items":[{"ItemCode":"1","Description":"Borsa di pelle","Quantity":1,"UnitPriceWithVat":"200.00","VatRate":"22"}]}}"#,
    ] {
        queue.take(line::parse(text.as_bytes()).unwrap()).unwrap();
    }
    (dir, queue)
}

fn violations(queue: &Queue, text: &str) -> Vec<Violation> {
    match queue.take(line::read(text.as_bytes()).unwrap()) {
        Err(Error::Rejected(rejection)) => {
            assert_eq!(rejection.code, "invalid", "{text}: {rejection}");
            rejection.violations
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[track_caller]
fn broken(queue: &Queue, text: &str, expected: &[(&str, &str)]) {
    let violations = violations(queue, text);
    let found: BTreeSet<_> = violations.iter().map(|one| (one.property_path.as_str(), one.message.as_str())).collect();
    assert_eq!(found, expected.iter().copied().collect(), "{text}");
    assert_eq!(found.len(), violations.len(), "{text}: twice the same");
}

fn goods(parent: &str, items: &str) -> String {
    format!(r#"{{"key":"r","kind":"return","parent":{parent},"account":"shop-roma","body":{{"items":[{items}]}}}}"#)
}

#[test]
fn a_return_breaks_its_own_rules_and_those_of_its_sale() {
    let (_dir, queue) = queue();
    let quantity = |index: usize| if index == 0 { "items[0].quantity" } else { "items[1].quantity" };
    for (items, expected) in [
        (
            r#"{"line":1,"quantity":5},{"line":0,"quantity":0}"#,
            vec![(quantity(0), codes::RETURN_QUANTITY), (quantity(1), codes::QUANTITY)],
        ),
        (
            r#"{"line":9,"quantity":1},{"line":0,"quantity":-7}"#,
            vec![("items[0].line", codes::RETURN_ID), (quantity(1), codes::QUANTITY)],
        ),
        (
            r#"{"line":0,"quantity":4},{"line":0,"quantity":1}"#,
            vec![(quantity(0), codes::RETURN_QUANTITY), ("items[1].line", codes::ITEM_DUPLICATE)],
        ),
        // The sale has no ids yet: whether one is its own is seen before the return is sent.
        (
            r#"{"line":0,"quantity":4},{"id":"77","quantity":0}"#,
            vec![(quantity(0), codes::RETURN_QUANTITY), (quantity(1), codes::QUANTITY)],
        ),
    ] {
        broken(&queue, &goods(r#""a""#, items), &expected);
    }
    let both = queue.take(line::parse(goods(r#""b""#, r#"{"line":0,"quantity":0}"#).as_bytes()).unwrap());
    assert!(matches!(both, Err(Error::Rejected(rejection)) if rejection.violations.len() == 1), "of no sale here");
}

/// One item with an id hides no other that names a line.
#[test]
fn lines_are_judged_beside_ids_that_nobody_knows_yet() {
    let (_dir, queue) = queue();
    let with_id = |line: &str| goods(r#""a""#, &format!(r#"{line},{{"id":"77","quantity":1}}"#));
    broken(&queue, &with_id(r#"{"line":0,"quantity":99}"#), &[("items[0].quantity", codes::RETURN_QUANTITY)]);
    broken(&queue, &with_id(r#"{"line":9,"quantity":1}"#), &[("items[0].line", codes::RETURN_ID)]);
    queue.take(line::parse(with_id(r#"{"line":0,"quantity":2}"#).as_bytes()).unwrap()).unwrap();
    broken(
        &queue,
        &goods(r#""a""#, r#"{"line":0,"quantity":2}"#).replace(r#""r""#, r#""r2""#),
        &[("items[0].quantity", codes::RETURN_QUANTITY)],
    );
}

#[test]
fn what_was_issued_elsewhere_is_returned_by_ids_alone() {
    let (_dir, queue) = queue();
    let far = r#"{"remote_id":"abc"}"#;
    let both = goods(far, r#"{"id":"7","quantity":1},{"line":0,"quantity":1}"#);
    broken(&queue, &both, &[("items[1].line", codes::RETURN_ID)]);
    queue.take(line::parse(goods(far, r#"{"id":"7","quantity":1}"#).as_bytes()).unwrap()).unwrap();
}

#[test]
fn a_used_number_is_named_beside_what_else_is_wrong_with_a_draft() {
    let (_dir, queue) = queue();
    let draft = |number: &str| {
        format!(
            r#"{{"key":"d2","kind":"draft","body":{{"MerchantInvoiceId":"{number}","Items":[{{"ItemCode":"1","Description":"Borsa di pelle","Quantity":1,"UnitPriceWithVat":"60.00","VatRate":"22"}}]}}}}"#
        )
    };
    let little = violations(&queue, &draft("F-2"));
    let [rule] = little.as_slice() else { panic!("{little:?}") };
    let rule = (rule.property_path.as_str(), rule.message.as_str());
    broken(&queue, &draft("F-1"), &[rule, ("MerchantInvoiceId", "X:merchant_invoice_id_used")]);
}

#[test]
fn an_unknown_vat_number_hides_nothing() {
    let (_dir, queue) = queue();
    let unknown = ("fiscal_id", codes::FISCAL_ID);
    for (body, expected) in [
        ("{}", vec![unknown, ("items", codes::ITEMS_EMPTY)]),
        (
            r#"{"fiscal_id":"zz","items":[{"quantity":-1,"description":"C","unit_price":1,"vat_rate_code":"10"}],"cash_payment_amount":9,"lottery_code":"abc"}"#,
            vec![unknown, ("items[0].quantity", codes::QUANTITY), ("lottery_code", codes::LOTTERY_FORMAT)],
        ),
        (
            r#"{"fiscal_id":"99999999990","items":[{"quantity":1,"description":"C","unit_price":1,"vat_rate_code":"10"}],"cash_payment_amount":1}"#,
            vec![unknown],
        ),
    ] {
        broken(&queue, &format!(r#"{{"key":"n","kind":"receipt","body":{body}}}"#), &expected);
    }
}

/// What is wrong around a body hides nothing of what is wrong in it, with its parent or with its number.
#[test]
fn a_bad_key_or_time_hides_no_rule_of_the_body() {
    let (_dir, queue) = queue();
    let (key, issued) = (("key", codes::KEY), ("issued_at", codes::ISSUED_AT));
    let bad = r#""key":"two words","issued_at":"yesterday","#;
    let sale = r#""body":{"fiscal_id":"12345678903","items":[{"quantity":0,"description":"C","unit_price":1,"vat_rate_code":"10"}],"lottery_code":"abc"}"#;
    let of_body = [("items[0].quantity", codes::QUANTITY), ("lottery_code", codes::LOTTERY_FORMAT)];
    let with = |more: &[(&'static str, &'static str)]| [&[key, issued], more].concat();
    broken(&queue, &format!(r#"{{{bad}"account":"shop-roma","kind":"receipt",{sale}}}"#), &with(&of_body));
    broken(
        &queue,
        &format!(r#"{{{bad}"account":"","kind":"receipt",{sale}}}"#),
        &with(&[("account", codes::ACCOUNT), of_body[0], of_body[1]]),
    );
    let elsewhere = sale.replace("12345678903", "99999999990");
    let elsewhere = format!(r#"{{{bad}"parent":"a","kind":"receipt",{elsewhere}}}"#);
    let not_ours = [("parent", codes::PARENT_NOT_ALLOWED), ("fiscal_id", codes::FISCAL_ID)];
    broken(&queue, &elsewhere, &with(&[not_ours[0], not_ours[1], of_body[0], of_body[1]]));
    let back = goods(r#""a""#, r#"{"line":0,"quantity":4},{"line":9,"quantity":1}"#).replace(r#""key":"r","#, bad);
    broken(&queue, &back, &with(&[("items[0].quantity", codes::RETURN_QUANTITY), ("items[1].line", codes::RETURN_ID)]));
    let draft = r#""kind":"draft","body":{"MerchantInvoiceId":"F-1","Items":[{"Description":"Borsa di pelle","Quantity":1,"UnitPriceWithVat":"200.00","VatRate":"22"}]}"#;
    broken(&queue, &format!("{{{bad}{draft}}}"), &with(&[("MerchantInvoiceId", "X:merchant_invoice_id_used")]));
    // The same document with a sound time is known; with this one it is not what was taken.
    let late = r#"{"key":"d","issued_at":"yesterday","kind":"draft","body":{"MerchantInvoiceId":"F-9","Items":[{"ItemCode":"1","Description":"Borsa di pelle","Quantity":1,"UnitPriceWithVat":"200.00","VatRate":"22"}]}}"#;
    broken(&queue, late, &[issued]);
    let built = || line::parse(format!(r#"{{"account":"shop-roma","kind":"receipt",{sale}}}"#).as_bytes()).unwrap();
    let Err(Error::Rejected(rejection)) = queue.enqueue("two words", built()) else { panic!("refused") };
    assert_eq!(rejection.violations.len(), 3, "{rejection}");
}
