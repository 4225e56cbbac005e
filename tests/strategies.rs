//! The documents of the test kit are what they say: valid ones are taken, nearly valid ones are refused by name.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use staffetta::domain::account::ProviderKind;
use staffetta::domain::check::{self, Context};
use staffetta::domain::document::{Body, Kind};
use staffetta::domain::input::BodyInput;
use staffetta::prelude::*;
use staffetta::queue::Options;
use staffetta::testing::{HandClock, Sim, strategies};

use crate::intake::cases;

/// A queue in memory that knows no accounts yet.
fn queue() -> Queue {
    let clock = Arc::new(HandClock::starting_at("2026-11-22T10:00:00Z".parse().unwrap()));
    let journal =
        staffetta::journal::Options { files: Arc::new(Sim::default()), index_in_memory: true, ..Default::default() };
    Queue::open_with("/till/journal", Options { clock, accounts: Vec::new(), journal }).unwrap()
}

fn issuer() -> FiscalId {
    "12345678903".parse().unwrap()
}

#[test]
fn strategies_valid_documents_are_taken() {
    let (queue, mut runner) = (queue(), proptest::test_runner::TestRunner::new(cases(600)));
    let kinds = RefCell::new(BTreeSet::new());
    let taken = runner.run(&strategies::documents(issuer()), |document| {
        kinds.borrow_mut().insert(document.kind());
        match queue.take(document) {
            Ok(ticket) => prop_assert!(!ticket.duplicate && ticket.state == State::Queued),
            // A draft's number may have come before.
            Err(Error::Rejected(rejection)) => prop_assert_eq!(rejection.code, "key_reused", "{}", rejection),
            Err(error) => prop_assert!(false, "{}", error),
        }
        Ok(())
    });
    taken.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(kinds.into_inner().len(), Kind::ALL.len(), "all kinds");
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn strategies_sales_are_journaled_short_and_read_back_as_they_were(sale in strategies::receipts(issuer())) {
        let body = Body::Receipt(sale);
        let (short, long) = (body.to_short_json().unwrap(), body.to_json().unwrap());
        let read = Body::from_json(Kind::Receipt, &short).unwrap();
        prop_assert_eq!(&read, &body);
        prop_assert_eq!(read.to_json().unwrap(), long.as_str(), "every digit");
        prop_assert!(short.len() < long.len());
        prop_assert!(!short.contains(":0,") && !short.contains(":0}") && !short.contains("false"), "{}", short);
    }

    #[test]
    fn strategies_sales_are_valid_at_both_receipt_providers(sale in strategies::receipts(issuer())) {
        for provider in [ProviderKind::Openapi, ProviderKind::SmartReceipt] {
            let ids = [issuer()];
            let context = Context { provider: Some(provider), fiscal_ids: Some(&ids), now: None };
            let checked = check::body(&BodyInput::Receipt(sale.to_input()), &context);
            prop_assert!(checked.is_ok(), "{:?}", checked);
        }
    }

    #[test]
    fn strategies_returns_of_a_journaled_sale_are_taken(
        (sale, back) in strategies::receipts(issuer()).prop_flat_map(|sale| {
            let back = strategies::returns("sale".parse().unwrap(), &sale);
            (Just(sale), back)
        }),
    ) {
        let queue = queue();
        queue.enqueue("sale", sale).unwrap();
        let ticket = queue.enqueue("back", back);
        prop_assert!(ticket.is_ok(), "{:?}", ticket);
    }

    #[test]
    fn strategies_of_journaled_parents_are_taken(
        (sale, draft) in (strategies::receipts(issuer()), strategies::drafts()),
        void in strategies::voids("sale".parse().unwrap()),
        note in strategies::note_numbers("draft".parse().unwrap()),
        cancel in strategies::cancels("draft".parse().unwrap()),
    ) {
        let queue = queue();
        queue.enqueue("sale", sale).unwrap();
        queue.enqueue("draft", draft).unwrap();
        for (key, about) in [("void", void), ("note", note), ("cancel", cancel)] {
            let ticket = queue.enqueue(key, about);
            prop_assert!(ticket.is_ok(), "{}: {:?}", key, ticket);
        }
    }

    #[test]
    fn strategies_nearly_valid_documents_are_refused_by_name(nearly in strategies::nearly_valid(issuer())) {
        let refused = check::body(&nearly.document.body, &Context::default());
        let Err(violations) = refused else { panic!("taken: {nearly:?}") };
        prop_assert!(violations.contains(&nearly.violation), "{:?} is not among {:?}", nearly.violation, violations);
    }

    #[test]
    fn strategies_keys_are_keys(key in strategies::keys()) {
        prop_assert!((1..=128).contains(&key.as_str().len()));
    }
}
