//! A process that stopped while a request was on the wire: whoever opens the queue next is told that nobody knows, with no
//! dispatcher and no network.

use std::path::Path;

use staffetta::journal::{Journal, Options, View};
use staffetta::prelude::*;

use crate::papers::{key, record, sending};

/// What a process leaves that stopped while it was sending this document.
pub fn stopped_while_sending(journal: &Path, of: &str) {
    let journal = Journal::open(journal, Options::default()).unwrap().0;
    let id = journal.find(&key(of)).unwrap().unwrap();
    record(&journal, id, sending(1)).unwrap();
}

#[test]
fn what_was_being_sent_is_in_doubt_as_soon_as_the_queue_is_open() {
    let folder = tempfile::tempdir().unwrap();
    {
        let queue = Queue::open(folder.path()).unwrap();
        let coffee = Item::new("Caffè", Decimal::ONE, VatRate::Ten);
        let sale = Receipt::new("12345678903".parse().unwrap()).item(coffee).cash(1.into()).build().unwrap();
        queue.enqueue("sent", &sale).unwrap();
        queue.enqueue("waits", &sale).unwrap();
    }
    stopped_while_sending(folder.path(), "sent");
    for opening in 1..=2 {
        let queue = Queue::open(folder.path()).unwrap();
        let found = queue.recovery().interrupted.len();
        assert_eq!(found, usize::from(opening == 1), "in doubt already the second time");
        assert_eq!(queue.get("waits").unwrap().state, State::Queued);
        let sent = queue.get("sent").unwrap();
        assert_eq!((sent.state, sent.attempts), (State::InDoubt, 1));
        let told: Vec<_> = sent.events.iter().map(|event| (event.event.as_str(), event.why.as_deref())).collect();
        let expected = [("enqueued", None), ("sending", None), ("unknown", Some("the process stopped while sending"))];
        assert_eq!(told, expected);
        let status = queue.status().unwrap();
        assert_eq!((status.counts[&State::Sending], status.counts[&State::InDoubt]), (0, 1));
        // It cannot be called off: it may have arrived.
        let decision = queue.cancel("sent", "maria", "wrong").unwrap();
        assert!(!decision.done && decision.state == Some(State::InDoubt), "{decision:?}");
    }
}
