//! The documents that everything here is measured with: till receipts of about 1.2 KB of JSON, no two alike.

use std::sync::atomic::{AtomicU64, Ordering};

use staffetta::NewDocument;
use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::domain::line;

const GOODS: [(&str, &str); 8] = [
    ("Caffè macchiato in tazza grande", "1.30"),
    ("Cornetto alla crema pasticcera", "1.60"),
    ("Panino prosciutto crudo e mozzarella", "5.50"),
    ("Acqua minerale naturale 50 cl", "1.20"),
    ("Spremuta d'arancia fresca", "4.00"),
    ("Tramezzino tonno e carciofini", "3.20"),
    ("Tè freddo alla pesca in bottiglia", "2.80"),
    ("Insalata mista con feta e olive", "7.90"),
];

static SHOPS: AtomicU64 = AtomicU64::new(16);

/// VAT numbers of the account: so many lanes.
pub fn shops() -> u64 {
    SHOPS.load(Ordering::Relaxed)
}

/// From now on so many VAT numbers.
pub fn set_shops(count: u64) {
    SHOPS.store(count.max(1), Ordering::Relaxed);
}

/// A valid Italian VAT number.
pub fn vat_number(shop: u64) -> String {
    let digits = format!("{:010}", 1_234_567_000 + shop % shops());
    let sum: u32 = digits
        .bytes()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte - b'0');
            if index % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

pub fn account() -> Account {
    Account {
        name: "shop".parse().expect("a name"),
        provider: ProviderKind::Openapi,
        fiscal_ids: (0..shops()).map(|shop| vat_number(shop).parse().expect("a VAT number")).collect(),
        blackout: Window::NONE,
    }
}

pub fn key(till: u64, number: u64) -> String {
    format!("till-{till}/2026-11-22/{number:08}")
}

/// The body of a receipt, as JSON.
pub fn body(till: u64, number: u64) -> String {
    let (mut items, mut cents) = (Vec::new(), 0);
    for place in 0..7 {
        let (name, price) = GOODS[((number + place * 3 + till) % 8) as usize];
        let quantity = 1 + (number / 7 + place) % 3;
        cents += quantity * price.replace('.', "").parse::<u64>().expect("a price");
        items.push(format!(
            r#"{{"description":"{name}","quantity":{quantity},"unit_price":"{price}","vat_rate_code":"10","sku":"80{:06}{place}"}}"#,
            (number * 31 + place * 977) % 1_000_000,
        ));
    }
    format!(
        r#"{{"fiscal_id":"{}","items":[{}],"electronic_payment_amount":"{}.{:02}","tags":["till-{till}","{number}"]}}"#,
        vat_number(number),
        items.join(","),
        cents / 100,
        cents % 100
    )
}

/// A document as a line of JSON Lines.
pub fn line(till: u64, number: u64) -> String {
    format!(r#"{{"key":"{}","kind":"receipt","body":{}}}"#, key(till, number), body(till, number))
}

/// A document as the library takes it.
pub fn document(till: u64, number: u64) -> NewDocument {
    line::parse(line(till, number).as_bytes()).expect("a document")
}
