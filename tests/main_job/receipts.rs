//! Receipts, returns and voids on the two receipt APIs.

use serde_json::{Value, json};
use staffetta::Rejection;
use staffetta::domain::account::ProviderKind;
use staffetta::domain::check::Violation;
use staffetta::domain::document::{Body, Kind};
use staffetta::domain::outcome::SubmitOutcome;
use staffetta::prelude::*;
use staffetta::provider::Call;
use staffetta::provider::calls::{Fetch, Fetched};
use staffetta::sandbox::Span;
use staffetta::view::ParentView;

use super::bench::{OPENAPI, SMART, Setup};
use super::{Bench, compare};

const BOTH: [ProviderKind; 2] = [OPENAPI, SMART];

fn issuer(provider: ProviderKind) -> &'static str {
    if provider == OPENAPI { "12345678903" } else { "01234567897" }
}

fn account(provider: ProviderKind) -> &'static str {
    if provider == OPENAPI { "shop-roma" } else { "shop-milano" }
}

/// Everything that a sale can have: a weight whose line is no whole cents, discounts, a gift, three ways to pay.
fn rich(provider: ProviderKind, key: &str) -> Value {
    let mut sale = json!({"key": key, "kind": "receipt", "issued_at": "2026-11-20T08:59:30Z", "body": {
        "fiscal_id": issuer(provider),
        "items": [
            {"quantity": 2, "description": "Caffè, espresso", "unit_price": "1.20", "vat_rate_code": "10"},
            {"quantity": "0.35", "description": "Prosciutto crudo, kg", "gross_price": "12.90",
                "vat_rate_code": "4", "gross_discount": "0.50"},
            {"quantity": 1, "description": "Tazzina", "unit_price": 3, "vat_rate_code": "22", "complimentary": true},
            {"quantity": 3, "description": "Marca da bollo", "unit_price": "2.00", "vat_rate_code": "N2"}],
        "cash_payment_amount": 4, "electronic_payment_amount": "3.00", "ticket_restaurant_payment_amount": "4.00",
        "ticket_restaurant_quantity": 1, "services_uncollected_amount": "0.60", "goods_uncollected_amount": "0.40",
        "discount": "0.42", "linked_receipt": "0001-0002"}});
    if provider == OPENAPI {
        sale["body"]["tags"] = json!(["store1", "till-3"]);
        sale["body"]["items"][0]["sku"] = json!("ESP-1");
    } else {
        sale["body"]["email"] = json!("cliente@example.com");
    }
    sale
}

fn plain(provider: ProviderKind, key: &str) -> Value {
    json!({"key": key, "kind": "receipt", "body": {
        "fiscal_id": issuer(provider), "cash_payment_amount": 27, "items": [
            {"quantity": 5, "description": "Quaderno a righe", "unit_price": "3.00", "vat_rate_code": "22"},
            {"quantity": "2.5", "description": "Mele, kg", "unit_price": "4.80", "vat_rate_code": "4"}]}})
}

fn child(kind: &str, key: &str, parent: &str, body: &Value) -> Value {
    json!({"key": key, "kind": kind, "parent": parent, "body": body})
}

async fn a_receipt(provider: ProviderKind) {
    let mut bench = Bench::new();
    let sent = rich(provider, "till-1/1");
    assert_eq!(bench.take(&sent).state, State::Queued);
    bench.start();
    bench.drained().await;

    let (view, entry) = (bench.get("till-1/1"), bench.entry("till-1/1"));
    assert_eq!((view.state, view.attempts, view.account.as_deref()), (State::Registered, 1, Some(account(provider))));
    assert_eq!(bench.events("till-1/1")[..3], ["enqueued", "sending", "accepted"]);
    assert_eq!((entry.provider.as_str(), entry.parent_remote_id.as_ref()), (provider.name(), None));
    compare::sale(&sent, &entry);
    compare::numbers(&view, &entry);
    compare::item_ids(&view, &entry);
    // By hand: 2.40 + 0.35 × 12.90 − 0.50 + 6.00 = 12.415, the gift apart, and rounded once.
    assert_eq!(compare::totals(&view, &entry), "12.42");
    let by_hand =
        [&entry.total_amount_exact, &entry.total_taxable_amount, &entry.total_vat_amount, &entry.total_discount];
    let by_hand = by_hand.map(|amount| compare::decimal(amount.as_deref().unwrap()));
    assert_eq!(by_hand, ["12.415", "14.98218073", "0.9135885", "0.48076923"].map(compare::decimal));
    if provider == OPENAPI {
        assert_eq!(entry.tags, Some(json!(["store1", "till-3", "oq-till-1/1"])));
    }
    // The rest is not in the ledger; the provider has it.
    let Ok(Fetched::Json(theirs)) = bench.adapter(provider).fetch(Fetch::Details, &entry.remote_id).await else {
        panic!("no details")
    };
    let theirs = theirs.get("data").cloned().unwrap_or(theirs);
    assert_eq!(theirs["linked_receipt"], "0001-0002");
    assert_eq!(compare::digits(&theirs, "ticket_restaurant_quantity"), "1");
    assert_eq!(theirs["invoice_issuing"], false);
    if provider == OPENAPI {
        assert_eq!(theirs["items"][0]["sku"], "ESP-1");
    }
    assert_eq!(bench.sandbox.ledger().len(), 1);
    assert_eq!(bench.submissions().len(), 1);
}

#[tokio::test]
async fn a_receipt_on_openapi() {
    a_receipt(OPENAPI).await;
}

#[tokio::test]
async fn a_receipt_on_smart_receipt() {
    a_receipt(SMART).await;
}

/// Other ways to pay, or not to.
#[tokio::test]
async fn receipts_with_an_invoice_to_follow_and_with_a_lottery_code() {
    let mut bench = Bench::new();
    let mut sent = Vec::new();
    for provider in BOTH {
        let (mut invoice, mut lottery) =
            (plain(provider, &format!("{provider}/i")), plain(provider, &format!("{provider}/l")));
        invoice["body"]["cash_payment_amount"] = json!(0);
        invoice["body"]["invoice_issuing"] = json!(true);
        lottery["body"]["cash_payment_amount"] = json!(0);
        lottery["body"]["electronic_payment_amount"] = json!("27.00");
        lottery["body"]["lottery_code"] = json!("1a3v5g7f");
        sent.extend([(provider, invoice), (provider, lottery)]);
    }
    sent.iter().for_each(|(_, sent)| drop(bench.take(sent)));
    bench.start();
    bench.drained().await;
    for (provider, sent) in &sent {
        let key = sent["key"].as_str().unwrap();
        let (view, entry) = (bench.get(key), bench.entry(key));
        assert_eq!(view.state, State::Registered);
        compare::sale(sent, &entry);
        assert_eq!(compare::totals(&view, &entry), "27.00");
        let fetched = bench.adapter(*provider).fetch(Fetch::Details, &entry.remote_id).await;
        let Ok(Fetched::Json(theirs)) = fetched else { panic!("{key}: no details") };
        let theirs = theirs.get("data").cloned().unwrap_or(theirs);
        assert_eq!(theirs["invoice_issuing"], key.ends_with("/i"), "{key}");
        let code = key.ends_with("/l").then_some("1A3V5G7F");
        assert_eq!(theirs["lottery_code"].as_str(), code, "{key}");
    }
}

/// Two partial returns by line, taken before the sale has even left; the rest by item id; nothing more.
async fn returns(provider: ProviderKind) {
    let mut bench = Bench::new();
    bench.take(plain(provider, "s"));
    let by_line =
        |key, quantity: &str| child("return", key, "s", &json!({"items": [{"line": 1, "quantity": quantity}]}));
    bench.take(by_line("r1", "0.75"));
    bench.take(child("return", "r2", "s", &json!({"items": [{"line": 0, "quantity": 2}, {"line": 1, "quantity": 1}]})));
    let too_much = bench.try_take(by_line("r3", "0.76")).unwrap_err();
    let Error::Rejected(rejection) = too_much else { panic!("{too_much:?}") };
    assert_eq!(rejection.violations[0].property_path, "items[0].quantity");
    bench.start();
    bench.drained().await;

    let (sale, sold) = (bench.get("s"), bench.entry("s"));
    assert_eq!(sale.state, State::Registered);
    assert_eq!(sale.children, ["r1", "r2"]);
    let ids: Vec<String> = sale.remote.items.iter().map(|item| item.id.clone()).collect();
    let returned = |key: &str, lines: &[(usize, &str)], total: &str| {
        let (view, entry) = (bench.get(key), bench.entry(key));
        assert_eq!((view.state, view.parent.as_ref()), (State::Registered, Some(&ParentView::Key("s".to_owned()))));
        assert_eq!((entry.kind.as_str(), &entry.fiscal_id), ("return", &sold.fiscal_id));
        assert_eq!(entry.parent_remote_id.as_ref(), Some(&sold.remote_id));
        compare::numbers(&view, &entry);
        assert_eq!(compare::totals(&view, &entry), total);
        assert_eq!(entry.items.len(), lines.len());
        for ((line, quantity), item) in lines.iter().zip(&entry.items) {
            assert_eq!(item.description, sold.items[*line].description);
            assert_eq!(item.unit_price, sold.items[*line].unit_price);
            assert_eq!(item.vat_rate_code, sold.items[*line].vat_rate_code);
            assert_eq!(compare::decimal(&item.quantity), compare::decimal(quantity));
        }
        entry
    };
    returned("r1", &[(1, "0.75")], "3.60");
    returned("r2", &[(0, "2"), (1, "1")], "10.80");

    bench.take(child(
        "return",
        "r4",
        "s",
        &json!({"items": [{"id": ids[1], "quantity": "0.75"}, {"id": ids[0], "quantity": 3}]}),
    ));
    bench.drained().await;
    let last = returned("r4", &[(1, "0.75"), (0, "3")], "12.60");
    // 3.60 + 10.80 + 12.60: the whole sale came back.
    assert_eq!(sold.total_amount.as_deref(), Some("27.00"));
    assert!(!last.after_returns);
    for again in [json!({"id": ids[0], "quantity": "0.01"}), json!({"line": 1, "quantity": "0.01"})] {
        let error = bench.try_take(child("return", "r5", "s", &json!({"items": [again]}))).unwrap_err();
        let Error::Rejected(rejection) = error else { panic!("{error:?}") };
        let message = "The quantity of the returned items should not be greater than the quantity of the original item";
        let expected = Violation { property_path: "items[0].quantity".to_owned(), message: message.to_owned() };
        assert_eq!(rejection.violations, [expected]);
    }
    let error = bench.try_take(child("void", "v", "s", &json!({}))).unwrap_err();
    assert!(matches!(error, Error::Rejected(Rejection { code: "parent_conflict", .. })), "{error:?}");
    assert_eq!(bench.sandbox.ledger().len(), 4);
    assert_eq!(bench.submissions().len(), 4);
}

#[tokio::test]
async fn returns_on_openapi() {
    returns(OPENAPI).await;
}

#[tokio::test]
async fn returns_on_smart_receipt() {
    returns(SMART).await;
}

/// Another till takes a piece back, with a journal of its own: the sale is not voided any more, and no more of it is given back
/// than is left.
async fn corrected_elsewhere(provider: ProviderKind) {
    let mut bench = Bench::new();
    bench.take(plain(provider, "s"));
    bench.start();
    let sale = bench.registered("s").await.remote;
    let (line, one) = (sale.items[0].id.clone(), "1".parse().unwrap());
    let back = Call {
        key: "till-2/1".parse().unwrap(),
        body: Body::from_json(Kind::Return, r#"{"items":[{"line":0,"quantity":1}]}"#).unwrap(),
        fiscal_id: Some(issuer(provider).parse().unwrap()),
        parent_id: sale.remote_id.clone(),
        return_items: vec![(line, one)],
        due: None,
    };
    let answer = bench.adapter(provider).submit(&back).await;
    assert!(matches!(answer.outcome, SubmitOutcome::Accepted(_)), "{answer:?}");
    let theirs = bench.entry("till-2/1").remote_id;

    bench.take(child("void", "v", "s", &json!({})));
    bench.drained().await;
    let void = bench.get("v");
    assert_eq!((void.state, bench.ledger("v").len()), (State::Held, 0));
    assert!(void.reason.as_ref().is_some_and(|why| why.contains(&theirs)), "{:?}", void.reason);
    assert!(bench.queue.cancel("v", "anna", "it was returned").unwrap().done);
    bench.take(child("return", "r", "s", &json!({"items": [{"line": 0, "quantity": 4}]})));
    bench.drained().await;
    assert_eq!((bench.get("r").state, bench.ledger("r").len()), (State::Registered, 1));
    if provider == SMART {
        bench.take(child("return", "all", "s", &json!({"items": [{"line": 0, "quantity": 1}]})));
        bench.drained().await;
        let all = bench.get("all");
        assert_eq!((all.state, bench.ledger("all").len()), (State::Held, 0));
        assert!(all.reason.as_ref().is_some_and(|why| why.contains("given back already")), "{:?}", all.reason);
    }
}

#[tokio::test]
async fn a_sale_that_is_corrected_elsewhere_on_openapi() {
    corrected_elsewhere(OPENAPI).await;
}

#[tokio::test]
async fn a_sale_that_is_corrected_elsewhere_on_smart_receipt() {
    corrected_elsewhere(SMART).await;
}

/// A void waits for its sale's verdict; the ids come from the sale's answer.
async fn a_void(provider: ProviderKind) {
    let mut setup = Setup::default();
    setup.sandbox.submit_delay = Span::from_millis(400);
    setup.sandbox.ready_delay = Span::from_millis(500);
    let mut bench = Bench::with(setup);
    let sent = rich(provider, "s");
    bench.take(&sent);
    bench.start();
    bench.until("s", |view| view.state == State::Accepted).await;
    assert_eq!(bench.take(child("void", "v", "s", &json!({}))).state, State::Queued);
    for (kind, body) in [("void", json!({})), ("return", json!({"items": [{"line": 0, "quantity": 1}]}))] {
        let error = bench.try_take(child(kind, "late", "s", &body)).unwrap_err();
        assert!(matches!(error, Error::Rejected(Rejection { code: "parent_conflict", .. })), "{kind}: {error:?}");
    }
    bench.drained().await;

    let (sale, sold) = (bench.get("s"), bench.entry("s"));
    let (view, entry) = (bench.get("v"), bench.entry("v"));
    assert_eq!((sale.state, view.state, view.attempts), (State::Registered, State::Registered, 1));
    assert_eq!((entry.kind.as_str(), entry.parent_remote_id.as_ref()), ("void", Some(&sold.remote_id)));
    assert_eq!((entry.fiscal_id.as_ref(), sold.status.as_str()), (sold.fiscal_id.as_ref(), "voided"));
    compare::sale(&sent, &sold);
    compare::numbers(&view, &entry);
    assert_eq!(compare::totals(&view, &entry), "12.42");
    assert_eq!(entry.discount.as_deref(), Some("0.42"), "a void keeps the discount");
    assert_eq!(entry.cash_payment_amount.as_deref(), Some("0.00"));
    assert_eq!(entry.items.len(), 4);
    assert!(view.deadline.is_some() == (provider == OPENAPI));
    assert_eq!(bench.submissions().len(), 2);
}

#[tokio::test]
async fn a_void_on_openapi() {
    a_void(OPENAPI).await;
}

#[tokio::test]
async fn a_void_on_smart_receipt() {
    a_void(SMART).await;
}

#[tokio::test]
async fn a_void_of_a_sale_that_never_left_sends_nothing() {
    let mut bench = Bench::new();
    for provider in BOTH {
        let (sale, void) = (format!("{provider}/s"), format!("{provider}/v"));
        bench.take(plain(provider, &sale));
        assert_eq!(bench.take(child("void", &void, &sale, &json!({}))).state, State::Cancelled);
    }
    bench.start();
    bench.drained().await;
    for key in ["openapi/s", "openapi/v", "smart-receipt/s", "smart-receipt/v"] {
        assert_eq!(bench.get(key).state, State::Cancelled, "{key}");
        assert_eq!(bench.events(key), ["enqueued", "cancelled"]);
    }
    assert!(bench.sandbox.ledger().is_empty());
    assert!(bench.sandbox.requests().is_empty(), "{}", bench.story());
}

/// A void taken with its sale, which is on its way already, ends with both at the authority.
#[tokio::test]
async fn corrections_of_documents_issued_elsewhere() {
    let mut elsewhere = Bench::new();
    for provider in BOTH {
        for key in ["s", "t"] {
            elsewhere.take(plain(provider, &format!("{provider}/{key}")));
        }
    }
    elsewhere.start();
    elsewhere.drained().await;
    let folder = tempfile::tempdir().unwrap();
    let queue = super::bench::open(folder.path(), &elsewhere.clock, &BOTH);
    elsewhere.stop_now().await;
    let old = std::mem::replace(&mut elsewhere.queue, queue);

    let mut bench = elsewhere;
    let remote = |provider: ProviderKind, key: &str| old.get(&format!("{provider}/{key}")).unwrap().remote;
    for provider in BOTH {
        let (sale, voided) = (remote(provider, "s"), remote(provider, "t"));
        let parent = |id: &Option<String>| json!({"remote_id": id});
        bench.take(json!({"key": format!("{provider}/r"), "kind": "return", "account": account(provider),
            "parent": parent(&sale.remote_id), "body": {"items": [{"id": sale.items[0].id, "quantity": 4}]}}));
        bench.take(json!({"key": format!("{provider}/v"), "kind": "void", "account": account(provider),
            "parent": parent(&voided.remote_id), "body": {}}));
    }
    bench.start();
    bench.drained().await;
    for provider in BOTH {
        let (goods, void) = (bench.entry(&format!("{provider}/r")), bench.entry(&format!("{provider}/v")));
        assert_eq!(goods.parent_remote_id, remote(provider, "s").remote_id);
        assert_eq!((goods.total_amount.as_deref(), goods.items.len()), (Some("12.00"), 1));
        assert_eq!(void.parent_remote_id, remote(provider, "t").remote_id);
        assert_eq!(void.total_amount.as_deref(), Some("27.00"));
        for (key, entry) in [("r", &goods), ("v", &void)] {
            let view = bench.get(&format!("{provider}/{key}"));
            assert_eq!(view.state, State::Registered);
            compare::numbers(&view, entry);
        }
    }
}
