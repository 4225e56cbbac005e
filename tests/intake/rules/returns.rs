//! The rules of a return.

use staffetta::domain::check::{self, ParentLine, Violation, codes};
use staffetta::domain::document::{Body, Kind, ReturnItem};
use staffetta::domain::input::{BodyInput, ReturnInput};
use staffetta::domain::money::Decimal;
use staffetta::domain::vat::VatRate;

use super::{RECEIPTS, expect, judge, read};

fn parent() -> Vec<ParentLine> {
    let line = |id: &str, quantity: &str, returned: &str| ParentLine {
        id: Some(id.to_owned()),
        quantity: quantity.parse().unwrap(),
        returned: returned.parse().unwrap(),
        unit_price: "8.19672131".parse().unwrap(),
        unit_discount: Decimal::ZERO,
        vat_rate: VatRate::TwentyTwo,
        complimentary: false,
    };
    vec![line("A", "5", "3"), line("B", "0.50", "0"), line("C", "1", "1")]
}

fn judge_return(body: &str) -> Result<Body, Vec<Violation>> {
    let BodyInput::Return(input) = read(Kind::Return, body) else { panic!("a return") };
    check::return_of(&input, &parent()).map(|(checked, _)| Body::Return(checked))
}

#[test]
fn a_return_names_known_lines_once_and_gives_back_no_more_than_is_left() {
    let many = (0..1001).map(|line| format!(r#"{{"line":{line},"quantity":1}}"#)).collect::<Vec<_>>().join(",");
    let unknown_id = ("items[0].id", codes::RETURN_ID);
    let too_many = ("items[0].quantity", codes::RETURN_QUANTITY);
    let quantity = ("items[0].quantity", codes::QUANTITY);
    for (items, expected) in [
        (r#"{"line":0,"quantity":2}"#, vec![]),
        (r#"{"id":"A","quantity":2.00}"#, vec![]),
        (r#"{"id":"A","quantity":2},{"line":1,"quantity":0.5}"#, vec![]),
        (r#"{"id":"A","quantity":2.01}"#, vec![too_many]),
        (r#"{"id":"A","quantity":3}"#, vec![too_many]),
        (r#"{"line":1,"quantity":0.51}"#, vec![too_many]),
        (r#"{"id":"C","quantity":0.01}"#, vec![too_many]),
        (r#"{"id":"A","quantity":100000000000}"#, vec![("items[0].quantity", codes::QUANTITY_TOO_LARGE)]),
        (r#"{"id":"D","quantity":1}"#, vec![unknown_id]),
        (r#"{"id":"a","quantity":1}"#, vec![unknown_id]),
        (r#"{"id":"","quantity":1}"#, vec![unknown_id]),
        (r#"{"id":"A ","quantity":1}"#, vec![unknown_id]),
        (r#"{"line":3,"quantity":1}"#, vec![("items[0].line", codes::RETURN_ID)]),
        (r#"{"line":4294967295,"quantity":1}"#, vec![("items[0].line", codes::RETURN_ID)]),
        (r#"{"id":"D","quantity":0}"#, vec![unknown_id, quantity]),
        (r#"{"line":9,"quantity":0}"#, vec![("items[0].line", codes::RETURN_ID), quantity]),
        (r#"{"id":"A","quantity":0}"#, vec![quantity]),
        (r#"{"id":"A","quantity":-1}"#, vec![quantity]),
        (r#"{"id":"A","quantity":0.255}"#, vec![quantity]),
        (r#"{"id":"A"}"#, vec![quantity]),
        (r#"{"quantity":1}"#, vec![("items[0]", codes::LINE_OR_ID)]),
        (r#"{"line":0,"id":"A","quantity":1}"#, vec![("items[0]", codes::LINE_AND_ID)]),
        (r#"{"id":"A","quantity":1},{"id":"A","quantity":1}"#, vec![("items[1].id", codes::ITEM_DUPLICATE)]),
        (r#"{"line":0,"quantity":1},{"line":0,"quantity":1}"#, vec![("items[1].line", codes::ITEM_DUPLICATE)]),
        (r#"{"line":0,"quantity":1},{"id":"A","quantity":1}"#, vec![("items[1].id", codes::ITEM_DUPLICATE)]),
        (
            r#"{"id":"A","quantity":1},{"id":"B","quantity":0.5},{"id":"A","quantity":3}"#,
            vec![("items[2].id", codes::ITEM_DUPLICATE), ("items[2].quantity", codes::RETURN_QUANTITY)],
        ),
        (
            r#"{"id":"D","quantity":1},{"id":"B","quantity":0.255},{"id":"A","quantity":5}"#,
            vec![unknown_id, ("items[1].quantity", codes::QUANTITY), ("items[2].quantity", codes::RETURN_QUANTITY)],
        ),
        ("", vec![("items", codes::ITEMS_EMPTY)]),
        (many.as_str(), vec![("items", codes::ITEMS_MAX)]),
    ] {
        expect(judge_return(&format!(r#"{{"items":[{items}]}}"#)), items, &expected);
    }
}

#[test]
fn a_return_without_its_sale_is_judged_by_itself() {
    let many = (0..1000).map(|line| format!(r#"{{"line":{line},"quantity":1}}"#)).collect::<Vec<_>>().join(",");
    expect(judge(Kind::Return, &format!(r#"{{"items":[{many}]}}"#), None), "1000 lines", &[]);
    for (items, expected) in [
        (r#"{"id":"anything","quantity":999}"#, vec![]),
        (r#"{"id":"A","quantity":1},{"id":"A","quantity":1}"#, vec![("items[1].id", codes::ITEM_DUPLICATE)]),
        (r#"{"line":7,"quantity":"0"}"#, vec![("items[0].quantity", codes::QUANTITY)]),
    ] {
        for provider in RECEIPTS {
            expect(judge(Kind::Return, &format!(r#"{{"items":[{items}]}}"#), provider), items, &expected);
        }
    }
    let item = |id: &str| ReturnItem { line: None, id: Some(id.to_owned()), quantity: Decimal::ONE };
    assert_eq!(check::returns(&[item("B"), item("A")], &parent()).unwrap_err().len(), 1, "B has only a half");
    let mut unknown = parent();
    unknown.iter_mut().for_each(|line| line.id = None);
    assert!(check::returns(&[item("A")], &unknown).is_err());
    assert!(check::return_of(&ReturnInput::default(), &parent()).is_err());
}
