//! The worked cases of `tests/vectors/`: from the providers' own documents, from payloads that the authority took, and
//! derived from their rules. Each runs from its JSON text through the public functions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use staffetta::domain::account::ProviderKind;
use staffetta::domain::calendar::{self, Window};
use staffetta::domain::check::{self, Context, ParentLine, Violation};
use staffetta::domain::document::Body;
use staffetta::domain::id::FiscalId;
use staffetta::domain::input::BodyInput;
use staffetta::domain::line;
use staffetta::domain::money::Decimal;
use staffetta::domain::totals::{self, Totals};

#[derive(Deserialize)]
struct Case {
    id: String,
    provider: String,
    confidence: String,
    #[serde(default)]
    context: CaseContext,
    input: Box<RawValue>,
    verdict: Option<String>,
    #[serde(default)]
    violations: Vec<Expected>,
    detail: Option<String>,
    totals: Option<Value>,
    expected: Option<Value>,
}

#[derive(Deserialize, Default)]
struct CaseContext {
    known_fiscal_ids: Option<Vec<FiscalId>>,
    parent: Option<Parent>,
}

#[derive(Deserialize)]
struct Parent {
    items: Vec<ParentItem>,
}

#[derive(Deserialize)]
struct ParentItem {
    id: String,
    quantity: Decimal,
    unit_price: Decimal,
    unit_discount: Decimal,
    vat_rate: String,
    returned: Decimal,
    #[serde(default)]
    complimentary: bool,
}

#[derive(Deserialize)]
struct Expected {
    #[serde(rename = "propertyPath")]
    path: String,
    message: String,
}

/// What came out of a document: its violations, its totals if they could be computed, and the providers' `detail`.
struct Outcome {
    violations: Vec<Violation>,
    totals: Option<Totals>,
}

fn cases(file: &str) -> Vec<Case> {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!cases.is_empty());
    cases
}

/// The providers that a case is about: a common one must come out the same whichever it is, or if none is known.
fn providers(case: &Case, common: &[ProviderKind]) -> Vec<Option<ProviderKind>> {
    match case.provider.as_str() {
        "common" => common.iter().copied().map(Some).chain([None]).collect(),
        "openapi" => vec![Some(ProviderKind::Openapi)],
        "acube" => vec![Some(ProviderKind::SmartReceipt)],
        "stamp" => vec![Some(ProviderKind::Stamp)],
        other => panic!("{}: unknown provider {other}", case.id),
    }
}

/// Runs every case of a file; returns the ids of those that only report because nobody knows.
fn run(file: &str, kind: &str, common: &[ProviderKind], outcome: impl Fn(&Case, BodyInput, &Context<'_>) -> Outcome) {
    let mut failures = Vec::new();
    for case in cases(file) {
        for provider in providers(&case, common) {
            let parent = if kind == "return" { r#""parent": "p", "# } else { "" };
            let line = format!(r#"{{"kind": "{kind}", {parent}"body": {}}}"#, case.input.get());
            let new = line::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{}: {error:?}", case.id));
            let context = Context { provider, fiscal_ids: case.context.known_fiscal_ids.as_deref(), now: None };
            let outcome = outcome(&case, new.body, &context);
            for difference in compare(&case, &outcome) {
                let difference = format!("{} ({provider:?}): {difference}", case.id);
                if case.confidence == "unverified" {
                    println!("unverified, reported only: {difference}");
                } else {
                    failures.push(difference);
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn compare(case: &Case, outcome: &Outcome) -> Vec<String> {
    let mut differences = Vec::new();
    let expected: BTreeSet<_> = case.violations.iter().map(|v| (v.path.as_str(), v.message.as_str())).collect();
    let found: BTreeSet<_> =
        outcome.violations.iter().map(|v| (v.property_path.as_str(), v.message.as_str())).collect();
    if found != expected {
        differences.push(format!("violations {found:?}, expected {expected:?}"));
    }
    if outcome.violations.len() != found.len() {
        differences.push(format!("a violation is reported twice: {:?}", outcome.violations));
    }
    if outcome.violations.is_empty() != (case.verdict.as_deref() == Some("valid")) {
        differences.push(format!("verdict, expected {:?}", case.verdict));
    }
    if let Some(detail) = &case.detail
        && check::detail(&outcome.violations) != *detail
    {
        differences.push(format!("detail {:?}, expected {detail:?}", check::detail(&outcome.violations)));
    }
    if let Some(expected) = &case.totals {
        match &outcome.totals {
            None => differences.push("no totals".to_owned()),
            // Serialised and read back: names, places and nulls as text.
            Some(totals) => {
                let found: Value = serde_json::from_str(&totals.to_json().unwrap()).unwrap();
                differences.extend(fields("totals", &found, expected));
            }
        }
    }
    differences
}

/// Every field that differs, as text.
fn fields(path: &str, found: &Value, expected: &Value) -> Vec<String> {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let names: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
            let of = |object: &serde_json::Map<String, Value>, name: &str| object.get(name).cloned();
            let missing = || Value::String("(missing)".into());
            let pair = |name: &String| {
                let (a, b) = (of(found, name).unwrap_or_else(missing), of(expected, name).unwrap_or_else(missing));
                fields(&format!("{path}.{name}"), &a, &b)
            };
            names.into_iter().flat_map(pair).collect()
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => found
            .iter()
            .zip(expected)
            .enumerate()
            .flat_map(|(index, (found, expected))| fields(&format!("{path}[{index}]"), found, expected))
            .collect(),
        (found, expected) if found == expected => Vec::new(),
        (found, expected) => vec![format!("{path} is {found}, expected {expected}")],
    }
}

#[test]
fn every_sale_has_its_verdict_and_its_totals() {
    run("sales.jsonl", "receipt", &[ProviderKind::Openapi, ProviderKind::SmartReceipt], |_, body, context| {
        let BodyInput::Receipt(input) = &body else { panic!("not a receipt") };
        let of_input = totals::sale_of_input(input).map(Totals::Sale);
        match check::body(&body, context) {
            Ok(checked) => {
                let totals = Totals::of(&checked);
                assert_eq!(totals, of_input, "checked or not, the totals are the same");
                Outcome { violations: Vec::new(), totals }
            }
            Err(violations) => Outcome { violations, totals: of_input },
        }
    });
}

#[test]
fn every_draft_has_its_verdict_and_its_totals() {
    run("tax-free-drafts.jsonl", "draft", &[], |_, body, context| {
        let BodyInput::Draft(input) = &body else { panic!("not a draft") };
        let of_input = totals::draft_of_input(input).map(Totals::Draft);
        match check::body(&body, context) {
            Ok(checked) => {
                let totals = Totals::of(&checked);
                assert_eq!(totals, of_input, "checked or not, the totals are the same");
                Outcome { violations: Vec::new(), totals }
            }
            Err(violations) => Outcome { violations, totals: of_input },
        }
    });
}

#[test]
fn every_return_has_its_verdict_and_its_totals() {
    let common = [ProviderKind::Openapi, ProviderKind::SmartReceipt];
    run("returns.jsonl", "return", &common, |case, body, context| {
        let parent: Vec<ParentLine> =
            case.context.parent.iter().flat_map(|parent| &parent.items).map(line_of).collect();
        let BodyInput::Return(input) = &body else { panic!("not a return") };
        let together = check::return_of(input, &parent);
        let in_steps = check::body(&body, context).and_then(|checked| {
            let Body::Return(checked) = checked else { panic!("not a return") };
            check::returns(&checked.items, &parent).map(|lines| (checked, lines))
        });
        match (together, in_steps) {
            (Ok((checked, lines)), Ok(in_steps)) => {
                assert_eq!((&checked, &lines), (&in_steps.0, &in_steps.1));
                let lines: Vec<_> = lines.iter().map(|line| &parent[*line]).collect();
                let totals = totals::returned(&checked.items, &lines).map(Totals::Return);
                Outcome { violations: Vec::new(), totals }
            }
            (Err(violations), Err(_)) => Outcome { violations, totals: None },
            (together, in_steps) => panic!("{}: {together:?} and {in_steps:?}", case.id),
        }
    });
}

fn line_of(item: &ParentItem) -> ParentLine {
    ParentLine {
        id: Some(item.id.clone()),
        quantity: item.quantity,
        returned: item.returned,
        unit_price: item.unit_price,
        unit_discount: item.unit_discount,
        vat_rate: item.vat_rate.parse().unwrap(),
        complimentary: item.complimentary,
    }
}

fn members(raw: &RawValue) -> BTreeMap<String, Value> {
    serde_json::from_str(raw.get()).unwrap()
}

fn text<'a>(members: &'a BTreeMap<String, Value>, name: &str) -> &'a str {
    members[name].as_str().unwrap()
}

#[test]
fn every_instant_is_in_the_blackout_or_not() {
    for case in cases("blackout.jsonl") {
        let (input, expected) = (members(&case.input), case.expected.unwrap());
        let at: DateTime<Utc> = text(&input, "instant").parse().unwrap();
        let local: NaiveDateTime = expected["rome_local"].as_str().unwrap().parse().unwrap();
        assert_eq!(calendar::rome(at), local, "{}", case.id);
        assert_eq!(Window::AUTHORITY.contains(at), expected["in_blackout"].as_bool().unwrap(), "{}", case.id);
        assert_eq!(calendar::from_rome(local), at, "{}", case.id);
    }
}

#[test]
fn every_tax_free_invoice_has_its_last_day() {
    for case in cases("tax-free-deadlines.jsonl") {
        let (input, expected) = (members(&case.input), case.expected.unwrap());
        let issued: NaiveDate = text(&input, "issue_date").parse().unwrap();
        let last: NaiveDate = expected["last_exit_day"].as_str().unwrap().parse().unwrap();
        assert_eq!(calendar::tax_free_last_exit(issued), last, "{}", case.id);
    }
}

#[test]
fn every_void_is_allowed_or_not_and_why() {
    for case in cases("voids.jsonl") {
        let (input, expected) = (members(&case.input), case.expected.unwrap());
        let provider: ProviderKind = text(&input, "provider").parse().unwrap();
        let age = Duration::from_secs(input["age_seconds"].as_u64().unwrap());
        let allowed = calendar::void_allowed(provider, text(&input, "parent_status"), age);
        assert_eq!(allowed.is_ok(), expected["allowed"].as_bool().unwrap(), "{}", case.id);
        let reason = allowed.err().map(|refusal| refusal.to_string());
        assert_eq!(reason.as_deref(), expected["reason"].as_str(), "{}", case.id);
    }
}
