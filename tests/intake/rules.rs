//! Every rule at its boundary, for each provider: the exact paths and messages, all at once, and no others.

use std::collections::BTreeSet;

mod drafts;
mod payments;
mod returns;
mod sales;

use proptest::prelude::*;
use staffetta::domain::account::ProviderKind;
use staffetta::domain::check::{self, Context, Violation, codes};
use staffetta::domain::document::{Body, Item, Kind, Parent, Receipt, Return};
use staffetta::domain::id::FiscalId;
use staffetta::domain::input::BodyInput;
use staffetta::domain::money::Decimal;
use staffetta::domain::vat::VatRate;
use staffetta::domain::{line, totals};

use drafts::draft;

const OPENAPI: Option<ProviderKind> = Some(ProviderKind::Openapi);
const SMART: Option<ProviderKind> = Some(ProviderKind::SmartReceipt);
const STAMP: Option<ProviderKind> = Some(ProviderKind::Stamp);
const RECEIPTS: [Option<ProviderKind>; 3] = [OPENAPI, SMART, None];

fn read(kind: Kind, body: &str) -> BodyInput {
    let parent = if kind.has_parent() { r#""parent":"p","# } else { "" };
    let line = format!(r#"{{"kind":"{kind}",{parent}"body":{body}}}"#);
    line::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error:?}")).body
}

fn judge(kind: Kind, body: &str, provider: Option<ProviderKind>) -> Result<Body, Vec<Violation>> {
    check::body(&read(kind, body), &Context { provider, fiscal_ids: None, now: None })
}

/// Exactly these violations, in any order, each once.
#[track_caller]
fn expect(result: Result<Body, Vec<Violation>>, what: &str, expected: &[(&str, &str)]) {
    let violations = result.err().unwrap_or_default();
    let found: BTreeSet<_> = violations.iter().map(|v| (v.property_path.as_str(), v.message.as_str())).collect();
    assert_eq!(found, expected.iter().copied().collect(), "{what}");
    assert_eq!(found.len(), violations.len(), "{what}: twice the same");
}

/// A sale of these lines with these other members.
fn sale(items: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { "," };
    format!(r#"{{"fiscal_id":"12345678903","items":[{items}]{comma}{rest}}}"#)
}

/// A line of 10.00 at 22 %, with these members instead of or beside its own.
fn item(members: &str) -> String {
    let has = |name: &str| members.contains(&format!("\"{name}\""));
    let mut all: Vec<String> = Vec::new();
    for (name, value) in
        [("quantity", "1"), ("description", "\"Mele\""), ("unit_price", "10.00"), ("vat_rate_code", "\"22\"")]
    {
        if !has(name) {
            all.push(format!("\"{name}\":{value}"));
        }
    }
    if !members.is_empty() {
        all.push(members.to_owned());
    }
    format!("{{{}}}", all.join(","))
}

const CASH: &str = r#""cash_payment_amount":10.00"#;

#[test]
fn a_member_that_is_missing_breaks_the_rule_that_wants_it() {
    expect(
        judge(Kind::Receipt, "{}", None),
        "nothing",
        &[("fiscal_id", codes::FISCAL_ID_FORMAT), ("items", codes::ITEMS_EMPTY)],
    );
    expect(
        judge(Kind::Receipt, &sale("{}", ""), OPENAPI),
        "an empty line",
        &[
            ("items[0].quantity", codes::QUANTITY),
            ("items[0].unit_price", codes::UNIT_PRICE),
            ("items[0].vat_rate_code", codes::VAT_RATE_CODE),
            ("items[0].description", codes::DESCRIPTION),
        ],
    );
    expect(judge(Kind::Return, "{}", None), "nothing", &[("items", codes::ITEMS_EMPTY)]);
    expect(
        judge(Kind::Draft, "{}", STAMP),
        "nothing",
        &[
            ("MerchantInvoiceId", codes::MERCHANT_INVOICE_ID),
            ("CreatedOn", codes::CREATED_ON),
            ("Items", codes::ITEMS_EMPTY),
        ],
    );
}

#[test]
fn everything_wrong_is_told_at_once() {
    let items = [
        item(r#""discount":10"#),
        item(r#""vat_rate_code":"23""#),
        item(r#""complimentary":true,"discount":1"#),
        item(r#""description":"""#),
    ];
    let rest = r#""cash_payment_amount":1,"ticket_restaurant_quantity":1,"lottery_code":"short","email":"x",
                  "tags":["0","1","2","3","4","5","6","7","8","9","10"]"#;
    let body = sale(&items.join(","), rest);
    let ids: Vec<FiscalId> = vec!["99999999999".parse().unwrap()];
    let context = Context { provider: OPENAPI, fiscal_ids: Some(&ids), now: None };
    let result = check::body(&read(Kind::Receipt, &body), &context);
    expect(
        result.clone(),
        &body,
        &[
            ("fiscal_id", codes::FISCAL_ID),
            ("items[0].gross_discount", codes::LINE_DISCOUNT),
            ("items[1].vat_rate_code", codes::VAT_RATE_CODE),
            ("items[2].discount", codes::DISCOUNT_COMPLIMENTARY),
            ("items[3].description", codes::DESCRIPTION),
            ("", codes::TOTAL),
            ("lottery_code", codes::LOTTERY_FORMAT),
            ("ticket_restaurant_payment_amount", codes::TICKET),
            ("tags", codes::TAGS_MAX),
            ("email", codes::EMAIL),
        ],
    );
    let violations = result.unwrap_err();
    let detail = check::detail(&violations);
    assert_eq!(detail.lines().count(), violations.len());
    assert!(detail.starts_with("fiscal_id: Unknown fiscal id\n"), "{detail}");
    assert!(detail.contains(&format!("\n{}\n", codes::TOTAL)), "no path, no colon: {detail}");
    assert_eq!(check::Violations(violations.clone()).to_string(), detail);
    let told = check::explain(&[Violation::new("discount", codes::AMOUNT_NEGATIVE), Violation::new("", codes::TOTAL)]);
    assert_eq!(told, format!("discount: the amount must not be below zero; {}", codes::TOTAL), "a person reads words");
    assert!(!check::explain(&violations).contains("X:"));
}

#[test]
fn a_void_says_nothing_or_names_its_credit_note_by_provider() {
    let number = |count: usize| format!(r#"{{"credit_note_number":"{}"}}"#, "n".repeat(count));
    const PATH: &str = "credit_note_number";
    for (body, openapi, stamp, unknown) in [
        ("{}".to_owned(), None, Some(codes::CREDIT_NOTE_REQUIRED), None),
        (r#"{"credit_note_number":null}"#.to_owned(), None, Some(codes::CREDIT_NOTE_REQUIRED), None),
        (number(0), None, Some(codes::CREDIT_NOTE_REQUIRED), None),
        (
            r#"{"credit_note_number":"  "}"#.to_owned(),
            Some(codes::CREDIT_NOTE_NOT_ALLOWED),
            Some(codes::CREDIT_NOTE_REQUIRED),
            Some(codes::CREDIT_NOTE_REQUIRED),
        ),
        (number(1), Some(codes::CREDIT_NOTE_NOT_ALLOWED), None, None),
        (number(256), Some(codes::CREDIT_NOTE_NOT_ALLOWED), None, None),
    ] {
        for (provider, code) in [(OPENAPI, openapi), (SMART, openapi), (STAMP, stamp), (None, unknown)] {
            let expected: Vec<_> = code.map(|code| (PATH, code)).into_iter().collect();
            expect(judge(Kind::Void, &body, provider), &format!("{body} {provider:?}"), &expected);
        }
    }
    expect(judge(Kind::Void, &number(257), STAMP), "too long", &[(PATH, codes::TEXT_MAX)]);
}

#[test]
fn a_note_number_is_a_text() {
    for (number, fine) in [("DN-1", true), ("", false), ("   ", false)] {
        let body = format!(r#"{{"note":"debit_vat","number":"{number}"}}"#);
        let expected: &[_] = if fine { &[] } else { &[("number", codes::NOTE_NUMBER)] };
        expect(judge(Kind::NoteNumber, &body, STAMP), &body, expected);
    }
    let long = format!(r#"{{"note":"credit_vat","number":"{}"}}"#, "n".repeat(257));
    expect(judge(Kind::NoteNumber, &long, STAMP), "too long", &[("number", codes::NOTE_NUMBER)]);
    expect(judge(Kind::NoteNumber, r#"{"note":"credit_goods"}"#, STAMP), "none", &[("number", codes::NOTE_NUMBER)]);
}

#[test]
fn a_provider_takes_only_its_kinds() {
    let kind = ("kind", codes::KIND_OF_PROVIDER);
    expect(judge(Kind::Receipt, &sale(&item(""), CASH), STAMP), "a receipt at Stamp", &[kind]);
    expect(judge(Kind::Receipt, &sale(&item(""), ""), STAMP), "a wrong one", &[kind, ("", codes::TOTAL)]);
    expect(judge(Kind::Draft, &draft("", ""), OPENAPI), "a draft at Openapi", &[kind]);
    expect(judge(Kind::NoteNumber, r#"{"note":"debit_vat","number":"1"}"#, SMART), "a note", &[kind]);
    expect(judge(Kind::Return, r#"{"items":[{"line":0,"quantity":1}]}"#, STAMP), "a return", &[kind]);
}

#[test]
fn what_no_source_settles_is_a_warning() {
    let warnings = |body: &str, provider| match judge(Kind::Receipt, body, provider) {
        Ok(checked) => check::warnings(&checked, provider),
        Err(violations) => panic!("{body}: {violations:?}"),
    };
    assert_eq!(warnings(&sale(&item(""), CASH), OPENAPI), Vec::<String>::new());
    for (body, word) in [
        (sale(&item(""), CASH).replace("12345678903", "12345678901"), "check digit"),
        (sale(&item(""), CASH).replace("12345678903", "string"), "check digit"),
        (sale(&item(r#""complimentary":true"#), ""), "complimentary"),
        (sale(&item(""), r#""discount":10"#), "takes everything"),
        (sale(&item(r#""description":"Caffè & co""#), CASH), "items[0].description"),
        (sale(&item(r#""description":"riga\nnuova""#), CASH), "items[0].description"),
        (sale(&item(""), &format!(r#"{CASH},"email":"a@b.it""#)), "e-mail"),
    ] {
        let found = warnings(&body, OPENAPI);
        assert!(found.len() == 1 && found[0].contains(word), "{body}: {found:?}");
    }
    let linked = |count| sale(&item(""), &format!(r#"{CASH},"linked_receipt":"{}""#, "x".repeat(count)));
    assert!(warnings(&linked(50), SMART).is_empty() && warnings(&linked(51), SMART)[0].contains("linked_receipt"));
    assert!(warnings(&sale(&item(""), &format!(r#"{CASH},"email":"a@b.it""#)), SMART).is_empty());
    assert!(warnings(&sale(&item(""), r#""cash_payment_amount":9.99,"discount":0.01"#), SMART).is_empty());
    let both = format!("{},{}", item(""), item(r#""complimentary":true"#));
    assert!(warnings(&sale(&both, CASH), SMART).is_empty());
    let Ok(checked) = judge(Kind::Draft, &draft("", ""), STAMP) else { panic!("a draft") };
    assert!(check::warnings(&checked, STAMP).is_empty());
}

#[test]
fn a_till_that_builds_its_documents_meets_the_same_rules() {
    let id: FiscalId = "12345678903".parse().unwrap();
    let amount = |text: &str| text.parse::<Decimal>().unwrap();
    let sale = || {
        Receipt::new(id.clone()).item(Item::new("Caffè", amount("1.20"), VatRate::Ten).quantity(2)).item(Item::new(
            "Cornetto",
            amount("1.50"),
            VatRate::Ten,
        ))
    };
    let receipt = sale().cash(amount("3.90")).build().unwrap();
    assert_eq!(totals::due(&receipt), Some(amount("3.90")));
    let violations = sale().cash(amount("3.91")).lottery_code("x").build().unwrap_err();
    assert_eq!(violations.0.len(), 2);
    let again = check::receipt(&receipt.to_input(), &Context::default());
    assert_eq!(again, Ok(receipt));
    let back = staffetta::domain::document::NewDocument::from(Return::of(Parent::Remote("x".into())).line(0, 1));
    assert_eq!(back.kind(), Kind::Return);
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn no_numbers_panic_and_what_is_taken_has_totals(
        numbers in proptest::collection::vec("-?[0-9]{0,14}(\\.[0-9]{1,10})?(e-?[0-9]{1,3})?|NaN", 10),
        gift in any::<bool>(),
    ) {
        let n: Vec<String> = numbers.iter().map(|number| format!("\"{number}\"")).collect();
        let members = format!(
            r#""quantity":{},"unit_price":{},"discount":{},"complimentary":{gift}"#, n[0], n[1], n[2],
        );
        let rest = format!(
            r#""cash_payment_amount":{},"electronic_payment_amount":{},"ticket_restaurant_payment_amount":{},
               "ticket_restaurant_quantity":{},"services_uncollected_amount":{},"goods_uncollected_amount":{},
               "discount":{}"#, n[3], n[4], n[5], n[6], n[7], n[8], n[9],
        );
        for provider in RECEIPTS {
            let input = read(Kind::Receipt, &sale(&item(&members), &rest));
            if let BodyInput::Receipt(input) = &input {
                totals::sale_of_input(input);
            }
            let context = Context { provider, fiscal_ids: None, now: None };
            match check::body(&input, &context) {
                Ok(checked) => prop_assert!(totals::Totals::of(&checked).is_some()),
                Err(violations) => prop_assert!(!violations.is_empty()),
            }
        }
    }

    #[test]
    fn no_numbers_of_a_draft_or_a_return_panic_and_what_is_taken_has_totals(
        numbers in proptest::collection::vec("-?[0-9]{0,14}(\\.[0-9]{1,10})?(e-?[0-9]{1,3})?|NaN|22", 5),
    ) {
        let n: Vec<String> = numbers.iter().map(|number| format!("\"{number}\"")).collect();
        let members = format!(r#""Quantity":{},"UnitPriceWithVat":{},"VatRate":{}"#, n[0], n[1], n[2]);
        let input = read(Kind::Draft, &draft(&members, &format!(r#""Discount":{}"#, n[3])));
        if let BodyInput::Draft(input) = &input {
            totals::draft_of_input(input);
        }
        if let Ok(checked) = check::body(&input, &Context { provider: STAMP, fiscal_ids: None, now: None }) {
            prop_assert!(totals::Totals::of(&checked).is_some());
        }
        let input = read(Kind::Return, &format!(r#"{{"items":[{{"line":0,"quantity":{}}}]}}"#, n[4]));
        let BodyInput::Return(input) = input else { panic!("a return") };
        // A sale of the most that there can be, so that any quantity that is one comes back.
        let line = check::ParentLine {
            id: None,
            quantity: "99999999999.99".parse().unwrap(),
            returned: Decimal::ZERO,
            unit_price: "99999999999.99999999".parse().unwrap(),
            unit_discount: "99999999999.99999999".parse().unwrap(),
            vat_rate: VatRate::TwentyTwo,
            complimentary: false,
        };
        if let Ok((checked, _)) = check::return_of(&input, std::slice::from_ref(&line)) {
            prop_assert!(totals::returned(&checked.items, &[&line]).is_some());
        }
    }
}
