//! A till that repeats itself gets the ticket it had, whatever has become of the configuration meanwhile.

use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::domain::line;
use staffetta::prelude::*;
use staffetta::queue::Options;
use staffetta::view::Ticket;
use tempfile::tempdir;

use crate::support::shop;

const LINES: [&str; 6] = [
    r#"{"key":"sale","kind":"receipt","body":{"fiscal_id":"12345678903","items":[{"quantity":1,"description":"Pane","unit_price":"1.00","vat_rate_code":"4"}],"cash_payment_amount":"1.00"}}"#,
    r#"{"key":"named","kind":"receipt","account":"shop-roma","body":{"fiscal_id":"12345678903","items":[{"quantity":1,"description":"Pane","unit_price":"1.00","vat_rate_code":"4"}],"cash_payment_amount":"1.00"}}"#,
    r#"{"key":"far","kind":"void","account":"shop-roma","parent":{"remote_id":"r-1"},"body":{}}"#,
    r#"{"key":"back","kind":"return","parent":"sale","body":{"items":[{"line":0,"quantity":1}]}}"#,
    r#"{"key":"draft","kind":"draft","body":{"MerchantInvoiceId":"F-1","Items":[{"ItemCode":"1","Description":"Borsa di pelle","Quantity":1,"UnitPriceWithVat":"200.00","VatRate":"22"}]}}"#,
    r#"{"key":"note","kind":"note_number","parent":"draft","body":{"note":"debit_vat","number":"N-1"}}"#,
];

fn account(name: &str, provider: ProviderKind, fiscal_id: &str) -> Account {
    let fiscal_ids = vec![fiscal_id.parse().unwrap()];
    Account { name: name.parse().unwrap(), provider, fiscal_ids, blackout: Window::AUTHORITY }
}

fn take(queue: &Queue, text: &str) -> Result<Ticket, Error> {
    queue.take(line::parse(text.as_bytes()).unwrap())
}

fn refused(queue: &Queue, text: &str) -> String {
    match take(queue, text) {
        Err(Error::Rejected(rejection)) => rejection.code.to_owned(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_same_line_has_the_same_ticket_under_any_configuration() {
    let dir = tempdir().unwrap();
    let open = |accounts| Queue::open_with(dir.path(), Options { accounts, ..Options::default() }).unwrap();
    let tickets: Vec<Ticket> = {
        let queue = open(shop::accounts());
        LINES.iter().map(|line| take(&queue, line).unwrap()).collect()
    };
    let (openapi, smart, stamp) = (ProviderKind::Openapi, ProviderKind::SmartReceipt, ProviderKind::Stamp);
    for accounts in [
        Vec::new(),
        vec![account("renamed", openapi, "12345678903"), account("taxfree", stamp, "12345678903")],
        // Its VAT number has gone, or nobody takes it, or several do.
        vec![account("shop-roma", openapi, "01234567897"), account("taxfree", stamp, "01234567897")],
        vec![account("taxfree", stamp, "12345678903")],
        vec![account("shop-roma", smart, "12345678903")],
        vec![account("one", openapi, "12345678903"), account("two", smart, "12345678903")],
    ] {
        let names: Vec<String> =
            accounts.iter().map(|account| format!("{} {}", account.name, account.provider)).collect();
        let queue = open(accounts);
        for (line, first) in LINES.iter().zip(&tickets) {
            let again = take(&queue, line).unwrap_or_else(|error| panic!("{names:?}: {line}: {error}"));
            assert!(again.duplicate && again.id == first.id && again.key == first.key, "{names:?}: {again:?}");
        }
        for (what, other) in [
            ("Pane", "Latte"),
            (r#""account":"shop-roma""#, r#""account":"shop-milano""#),
            ("r-1", "r-2"),
            ("Borsa", "Bursa"),
        ] {
            for line in LINES.iter().filter(|line| line.contains(what)) {
                assert_eq!(refused(&queue, &line.replace(what, other)), "key_reused", "{names:?}: {line}");
            }
        }
        let sale = LINES[0];
        for member in [r#""lottery_code":"ABC","#, &format!(r#""linked_receipt":"{}","#, "1".repeat(60))] {
            let other = sale.replace(r#""items""#, &format!(r#"{member}"items""#));
            assert_eq!(refused(&queue, &other), "key_reused", "{names:?}: {member}");
        }
        // Under a key of its own it is a new document, for which the configuration as it is counts.
        let new = LINES[1].replace(r#""named""#, r#""new""#);
        match names.iter().any(|name| name.starts_with("shop-roma")) {
            false if names.is_empty() => {}
            false => assert_eq!(refused(&queue, &new), "unknown_account", "{names:?}"),
            true if names[0] == "shop-roma openapi" => assert_eq!(refused(&queue, &new), "invalid", "{names:?}"),
            true => {}
        }
    }
}
