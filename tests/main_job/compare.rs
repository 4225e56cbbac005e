//! What the authority has against what the till said and what the journal keeps, field by field.

use serde_json::Value;
use staffetta::Decimal;
use staffetta::sandbox::LedgerEntry;
use staffetta::view::DocumentView;

/// Members of a body with the amounts that the ledger shows.
const AMOUNTS: [&str; 6] = [
    "cash_payment_amount",
    "electronic_payment_amount",
    "ticket_restaurant_payment_amount",
    "services_uncollected_amount",
    "goods_uncollected_amount",
    "discount",
];

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// A member as the digits it was written with; absent is nothing.
pub fn digits(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => "0".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn same(what: &str, ours: &str, theirs: &str) {
    assert_eq!(decimal(ours), decimal(theirs), "{what}: sent {ours}, the ledger has {theirs}");
}

/// A sale as the till wrote it against the ledger's.
pub fn sale(sent: &Value, entry: &LedgerEntry) {
    let body = &sent["body"];
    assert_eq!(entry.kind, "receipt");
    assert_eq!(entry.fiscal_id.as_deref(), body["fiscal_id"].as_str());
    assert_eq!(entry.idempotency_key.as_deref(), sent["key"].as_str());
    let fields = [
        &entry.cash_payment_amount,
        &entry.electronic_payment_amount,
        &entry.ticket_restaurant_payment_amount,
        &entry.services_uncollected_amount,
        &entry.goods_uncollected_amount,
        &entry.discount,
    ];
    for (name, theirs) in AMOUNTS.into_iter().zip(fields) {
        same(name, &digits(body, name), theirs.as_deref().unwrap());
    }
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), entry.items.len());
    for (item, line) in items.iter().zip(&entry.items) {
        let either = |a: &str, b: &str| if item.get(a).is_some() { digits(item, a) } else { digits(item, b) };
        assert_eq!(item["description"].as_str(), Some(line.description.as_str()));
        same("quantity", &digits(item, "quantity"), &line.quantity);
        same("unit_price", &either("unit_price", "gross_price"), &line.unit_price);
        same("discount", &either("discount", "gross_discount"), &line.discount);
        assert_eq!(item["vat_rate_code"].as_str(), Some(line.vat_rate_code.as_str()));
        assert_eq!(item["complimentary"].as_bool().unwrap_or(false), line.complimentary);
    }
}

/// The totals of the journal against the ledger's; returns the total in cents.
pub fn totals(view: &DocumentView, entry: &LedgerEntry) -> String {
    let ours: Value = serde_json::from_str(view.totals.as_ref().expect("totals").get()).unwrap();
    let fields = [
        ("total_amount", &entry.total_amount),
        ("total_amount_exact", &entry.total_amount_exact),
        ("total_taxable_amount", &entry.total_taxable_amount),
        ("total_vat_amount", &entry.total_vat_amount),
        ("total_discount", &entry.total_discount),
    ];
    for (name, theirs) in fields {
        assert_eq!(ours[name].as_str(), theirs.as_deref(), "{name} of {}", view.key);
    }
    let differ = |attention: &&staffetta::view::AttentionView| attention.what == "totals_differ";
    assert_eq!(view.attention.iter().find(differ), None);
    entry.total_amount.clone().unwrap()
}

/// What `show` keeps of a registered receipt, return or void against the ledger.
pub fn numbers(view: &DocumentView, entry: &LedgerEntry) {
    let remote = &view.remote;
    assert!(entry.issued, "{entry:?}");
    assert_eq!(remote.remote_id.as_ref(), Some(&entry.remote_id));
    assert_eq!(remote.document_number, entry.document_number);
    assert_eq!(remote.transaction_id, entry.transaction_id);
    assert!(remote.document_number.is_some() && remote.transaction_id.is_some());
    let day = entry.document_date.as_deref().unwrap();
    assert!(remote.document_date.as_deref().is_some_and(|date| date.starts_with(day)), "{remote:?}");
    assert!(matches!(remote.status.as_deref(), Some("submitted" | "ready")), "{remote:?}");
    assert!(remote.created_at.is_some());
    assert_eq!((entry.duplicates, entry.in_blackout, entry.after_returns), (0, false, false));
}

/// The authority's item ids in `show` against the ledger's, line by line.
pub fn item_ids(view: &DocumentView, entry: &LedgerEntry) {
    let ours: Vec<_> = view.remote.items.iter().map(|item| (item.line, Some(item.id.clone()))).collect();
    let theirs: Vec<_> = (0..).zip(&entry.items).map(|(line, item)| (Some(line), item.id.clone())).collect();
    assert_eq!(ours, theirs);
}
