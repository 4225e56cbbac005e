//! The check that integrators trust finds what it is for: in the scripted authority's ledger and in the sandbox's, over
//! real HTTP; and the shop of the test kit is one in which a careless till is caught.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::prelude::*;
use staffetta::sandbox::LedgerEntry;
use staffetta::testing::{Chances, Cut, Finding, LedgerRow, Shop, Standing, check_exactly_once, strategies};
use staffetta::view::Summary;

use crate::cli;
use crate::cli::dispatch::Sandbox;

const HOUR: Duration = Duration::from_secs(3600);

fn shop(seed: u64) -> Shop {
    Shop::open("2026-11-22T22:40:00Z".parse().unwrap(), seed).unwrap()
}

fn sell(queue: &Queue, key: &str, number: u32) -> Ticket {
    let coffee = Item::new("Caffè", Decimal::ONE, VatRate::Ten).quantity(number);
    let sale = Receipt::new("12345678903".parse().unwrap()).item(coffee).cash(number.into()).build().unwrap();
    queue.enqueue(key, sale).unwrap()
}

fn listed(shop: &Shop) -> Vec<Summary> {
    shop.queue().list(&Default::default()).unwrap()
}

/// Every finding that a ledger and a journal can give, whatever ledger it is: these three keys are there, once each.
fn each_finding<R: LedgerRow + Clone>(ledger: Vec<R>, journal: &[Summary], mut gone: impl FnMut(&mut R)) {
    assert_eq!(ledger.len(), 3);
    assert!(ledger.iter().all(|row| row.standing() == Standing::Issued));
    assert_eq!(check_exactly_once(&ledger, journal), []);
    let key = ledger[1].key().to_owned();

    let twice = [ledger.clone(), vec![ledger[1].clone()]].concat();
    assert_eq!(check_exactly_once(&twice, journal), [Finding::Doubled { key: key.clone(), times: 2 }]);

    let lost = Finding::Lost { key: key.clone(), state: State::Registered };
    let fewer = [ledger[0].clone(), ledger[2].clone()];
    assert_eq!(check_exactly_once(&fewer, journal), std::slice::from_ref(&lost));
    let mut not_issued = ledger.clone();
    gone(&mut not_issued[1]);
    assert_eq!(check_exactly_once(&not_issued, journal), [lost]);

    let mut unsold = journal.to_vec();
    unsold.retain(|document| document.key != key);
    assert_eq!(check_exactly_once(&ledger, &unsold), [Finding::Unknown { key: key.clone() }]);

    let mut denied = journal.to_vec();
    denied.iter_mut().filter(|document| document.key == key).for_each(|document| document.state = State::Cancelled);
    assert_eq!(check_exactly_once(&ledger, &denied), [Finding::Denied { key, state: State::Cancelled }]);
}

/// A ledger's row that is not the authority's any more.
#[derive(Clone)]
struct Mine(staffetta::testing::Issued, Standing);

impl LedgerRow for Mine {
    fn key(&self) -> &str {
        self.0.key()
    }
    fn standing(&self) -> Standing {
        if self.1 == Standing::Issued { self.0.standing() } else { self.1 }
    }
}

#[test]
fn exactly_once_reads_the_scripted_ledger() {
    let shop = shop(1);
    for number in 1..=3 {
        sell(shop.queue(), &format!("k{number}"), number);
    }
    assert!(shop.drain(HOUR));
    let ledger = shop.authority().ledger();
    assert_eq!(check_exactly_once(&ledger, &listed(&shop)), []);
    let mine: Vec<_> = ledger.into_iter().map(|row| Mine(row, Standing::Issued)).collect();
    each_finding(mine, &listed(&shop), |row| row.1 = Standing::Taken);
}

#[test]
fn exactly_once_reads_what_the_authority_refused() {
    let shop = shop(1);
    shop.authority().set_chances(Chances { fails_at_authority: 1_000, ..Chances::NONE });
    sell(shop.queue(), "k1", 1);
    assert!(shop.drain(HOUR));
    let (ledger, mut journal) = (shop.authority().ledger(), listed(&shop));
    assert_eq!((journal[0].state, ledger[0].standing()), (State::Failed, Standing::Taken));
    assert_eq!(check_exactly_once(&ledger, &journal), []);
    journal[0].state = State::Registered;
    assert_eq!(check_exactly_once(&ledger, &journal).len(), 1);
}

#[test]
fn exactly_once_reads_the_sandbox_over_http() {
    let (shop, sandbox) = Sandbox::shop();
    shop.feed(&["enqueue"], cli::sales(3)).status(0);
    shop.run(&["drain", "--for", "60s"]).status(0);
    let ledger = || serde_json::from_value::<Vec<LedgerEntry>>(sandbox.get("/_sandbox/ledger")).unwrap();
    let journal = |shop: &cli::Shop| -> Vec<Summary> {
        let lines = shop.run(&["--json", "list"]).status(0).lines();
        lines.into_iter().map(|line| serde_json::from_value(line).unwrap()).collect()
    };
    each_finding(ledger(), &journal(&shop), |row| "lost".clone_into(&mut row.status));
    each_finding(ledger(), &journal(&shop), |row| row.issued = false);

    // A document without a key came from somebody else.
    let mut foreign = ledger();
    foreign[0].idempotency_key = None;
    let found = check_exactly_once(&foreign, &journal(&shop));
    assert!(found.contains(&Finding::Unknown { key: String::new() }) && found.len() == 2, "{found:?}");

    // A second till with a journal of its own and the same keys: what a till must not do, done.
    let other = cli::Shop::bare();
    let configuration = std::fs::read_to_string(shop.path("staffetta.toml")).unwrap();
    other.file("staffetta.toml", configuration);
    other.feed(&["enqueue"], cli::sales(2)).status(0);
    other.run(&["drain", "--for", "60s"]).status(0);
    let doubled = ["k1", "k2"].map(|key| Finding::Doubled { key: key.to_owned(), times: 2 });
    assert_eq!(check_exactly_once(&ledger(), &journal(&shop)), doubled);

    // The provider forgets everything.
    sandbox.ask("POST", "/_sandbox/reset", "");
    let lost = check_exactly_once(&ledger(), &journal(&shop));
    assert_eq!(lost.len(), 3, "{lost:?}");
    assert!(lost.iter().all(|finding| matches!(finding, Finding::Lost { state: State::Registered, .. })));
}

/// Plays a till over a bad line, a kill after every sale; what it sold and what was issued.
fn day(seed: u64, sell: impl Fn(&Queue, u32), sold: &str) -> (BTreeSet<String>, BTreeSet<String>, Vec<Finding>) {
    let mut shop = shop(seed);
    shop.authority().set_chances(Chances { lost_after: 300, ..Chances::BAD_LINE });
    for number in 1..=12 {
        sell(shop.queue(), number);
        shop.pass(Duration::from_millis(200));
        match number % 3 {
            0 => shop.cut_power(Cut::ALL[number as usize % Cut::ALL.len()]).unwrap(),
            _ => shop.kill().unwrap(),
        }
        sell(shop.queue(), number);
        shop.pass(Duration::from_secs(60));
    }
    shop.authority().set_chances(Chances::NONE);
    assert!(shop.drain(HOUR), "seed {seed}");
    let (ledger, journal) = (shop.authority().ledger(), listed(&shop));
    assert!(shop.authority().inside(Window::AUTHORITY).is_empty(), "seed {seed}: in the blackout");
    let sold = (1..=12).map(|number| format!("{sold}{number}")).collect();
    let findings = check_exactly_once(&ledger, &journal);
    (sold, ledger.into_iter().map(|row| row.key).collect(), findings)
}

#[test]
fn exactly_once_holds_for_a_careful_till() {
    for seed in 1..=4 {
        let (sold, issued, findings) =
            day(seed, |queue, number| drop(sell(queue, &format!("t/{number}"), number)), "t/");
        assert_eq!(findings, [], "seed {seed}");
        assert_eq!(issued, sold, "seed {seed}");
    }
}

#[test]
fn exactly_once_catches_careless_tills() {
    // A new key for each attempt: the shop declares its sales twice.
    let attempt = AtomicU32::new(0);
    let (sold, issued, findings) = day(
        1,
        |queue, number| {
            let attempt = attempt.fetch_add(1, Ordering::Relaxed);
            sell(queue, &format!("t/{number}/{attempt}"), number);
        },
        "t/",
    );
    assert_eq!(findings, [], "the queue did what it was told");
    assert!(issued != sold && issued.len() > 12, "{issued:?}");
    // Numbers that begin again: the till takes another sale's ticket for its own.
    let (sold, issued, _) = day(1, |queue, number| drop(sell(queue, &format!("t/{}", number % 7), 1)), "t/");
    assert!(issued != sold && issued.len() < 12, "{issued:?}");
}

#[test]
fn exactly_once_in_a_shop_whose_disk_fails() {
    let mut shop = shop(3);
    sell(shop.queue(), "k1", 1);
    shop.disk().fail(0, staffetta::testing::Fault::Eio, true);
    let coffee = Item::new("Caffè", Decimal::ONE, VatRate::Ten);
    let sale = Receipt::new("12345678903".parse().unwrap()).item(coffee).cash(1.into()).build().unwrap();
    shop.queue().enqueue("k2", &sale).unwrap_err();
    shop.disk().heal();
    shop.kill().unwrap();
    shop.queue().enqueue("k2", &sale).unwrap();
    assert!(shop.drain(HOUR));
    let ledger = shop.authority().ledger();
    assert_eq!(check_exactly_once(&ledger, &listed(&shop)), []);
    assert_eq!(ledger.len(), 2);
}

#[test]
fn exactly_once_serves_an_asynchronous_till_of_another_provider() {
    let account = Account {
        name: "taxfree".parse().unwrap(),
        provider: ProviderKind::Stamp,
        fiscal_ids: Vec::new(),
        blackout: Window::NONE,
    };
    let shop = Shop::open_with(account, "2026-06-01T08:00:00Z".parse().unwrap(), 7).unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = |number: u32| {
        use proptest::strategy::{Strategy, ValueTree};
        let draft = strategies::drafts().new_tree(&mut runner).unwrap().current();
        let key: Key = format!("d{number}").parse().unwrap();
        let note = strategies::note_numbers(key.clone()).new_tree(&mut runner).unwrap().current();
        let cancel = strategies::cancels(key).new_tree(&mut runner).unwrap().current();
        (draft, note, cancel)
    };
    let mut cancels = Vec::new();
    for number in 1..=3 {
        let (draft, note, cancel) = draw(number);
        shop.queue().enqueue(&format!("d{number}"), draft).unwrap();
        shop.queue().enqueue(&format!("n{number}"), note).unwrap();
        cancels.push(cancel);
    }
    let first = shop.run(async { shop.queue().watch("d1").await.unwrap() });
    assert_ne!(first.state, State::Queued, "time passes while a till waits");
    assert!(shop.drain(24 * HOUR));
    shop.queue().enqueue("c3", cancels.remove(2)).unwrap();
    shop.pass(2 * HOUR);
    assert!(shop.drain(24 * HOUR));
    let ledger = shop.authority().ledger();
    assert_eq!(check_exactly_once(&ledger, &listed(&shop)), []);
    assert_eq!(ledger.len(), 7, "{:?}", listed(&shop));
}
