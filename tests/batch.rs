//! Many documents at once: in order, each for itself, and with few flushes.

use std::sync::Arc;

use staffetta::domain::document::NewDocument;
use staffetta::domain::limits::MAX_GROUP;
use staffetta::prelude::*;
use staffetta::testing::HandClock;
use tempfile::tempdir;

use crate::support::shop::memory_queue;

fn sale(key: String, paid: &str) -> NewDocument {
    let sale = Receipt::new("12345678903".parse().unwrap())
        .item(Item::new("Caffè", "1.20".parse().unwrap(), VatRate::Ten))
        .cash("1.20".parse().unwrap());
    let mut document = NewDocument::from(sale.build().unwrap());
    if let staffetta::domain::input::BodyInput::Receipt(receipt) = &mut document.body {
        receipt.cash_payment_amount = Some(paid.into());
    }
    document.key = Some(key.parse().unwrap());
    document
}

#[test]
fn a_batch_is_answered_in_order_and_flushed_in_whole_groups() {
    let folder = tempdir().unwrap();
    let clock = Arc::new(HandClock::starting_at("2026-11-22T10:00:00Z".parse().unwrap()));
    let queue = memory_queue(folder.path(), clock);
    let groups = 3;
    // Every fifth pays too little; one is a key that came before, one of those with other content.
    let count = groups * MAX_GROUP;
    let paid = |n: usize| if n.is_multiple_of(5) { "1.00" } else { "1.20" };
    let mut batch: Vec<_> = (0..count).map(|n| sale(format!("k-{n}"), paid(n))).collect();
    batch[count - 1] = sale("k-1".to_owned(), "1.20");
    batch[count - 2] = NewDocument { issued_at: "2026-11-22T09:00:00Z".parse().ok(), ..sale("k-2".to_owned(), "1.20") };
    let before = queue.stats().flushes;
    let answers = queue.take_all(batch);
    let flushes = queue.stats().flushes - before;
    assert_eq!(answers.len(), count);
    let mut last = 0;
    for (n, answer) in answers.iter().enumerate().take(count - 2) {
        match answer {
            Ok(ticket) => {
                assert_eq!((ticket.key.as_str(), n.is_multiple_of(5)), (format!("k-{n}").as_str(), false));
                let id: u64 = ticket.id.parse().unwrap();
                assert!(id > last, "in order");
                last = id;
            }
            Err(Error::Rejected(rejection)) => assert_eq!((rejection.code, n % 5), ("invalid", 0)),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(matches!(&answers[count - 2], Err(Error::Rejected(rejection)) if rejection.code == "key_reused"));
    assert!(answers[count - 1].as_ref().is_ok_and(|ticket| ticket.duplicate && ticket.key == "k-1"));
    assert!(flushes <= groups as u64, "{flushes} flushes of {groups} groups: handed over one by one?");
    let taken = answers.iter().flatten().filter(|ticket| !ticket.duplicate).count();
    assert_eq!(taken, (0..count - 2).filter(|n| !n.is_multiple_of(5)).count());
    assert_eq!(queue.status().unwrap().counts.get(&State::Queued), Some(&(taken as u64)));
}
