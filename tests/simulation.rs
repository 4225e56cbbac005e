//! A simulated week of a shop with three tills at all three providers, at one of them with two accounts of one company, with
//! parents by either of their names: outages, lost answers, late commits, crashes,
//! refused credentials, clocks set wrong, blackouts, both changes of the clocks. At the end everything was issued exactly once or is
//! held with a reason, and nothing was on the wire in a blackout. `STAFFETTA_SEED=n` repeats one seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use staffetta::domain::account::Account;
use staffetta::domain::calendar::Window;
use staffetta::domain::document::{Kind, Note};
use staffetta::domain::input::{DraftInput, DraftItemInput};
use staffetta::prelude::*;
use staffetta::testing::{Authority, Chances, Issued, Random, Refusing, TestClock, check_exactly_once};
use staffetta::view::{ListFilter, ParentView, Summary};

use crate::support::patiently;
use crate::support::shop::{accounts, memory_queue_of};

const SEEDS: u64 = 50;
const AT_ONCE: usize = 4;
const TICK: TimeDelta = TimeDelta::minutes(20);

/// A winter week, and the weeks of both changes of the clocks.
const STARTS: [&str; 3] = ["2026-01-12T06:00:00Z", "2026-03-24T06:00:00Z", "2026-10-20T06:00:00Z"];

/// The shop's, and another one of the same company at the same provider: each finds the other's receipts in its lists.
fn all_accounts() -> Vec<Account> {
    let mut all = accounts();
    let other = Account { name: "shop-roma-2".parse().unwrap(), ..all[0].clone() };
    all.push(other);
    all
}

struct Shop {
    random: Random,
    clock: Arc<TestClock>,
    authorities: Vec<(Account, Authority)>,
    folder: tempfile::TempDir,
    queue: Queue,
    dispatcher: Option<Dispatcher>,
    sold: Vec<String>,
    drafts: Vec<String>,
    number: u64,
}

impl Shop {
    fn open(seed: u64) -> Shop {
        let start: DateTime<Utc> = STARTS[(seed % 3) as usize].parse().unwrap();
        let clock = Arc::new(TestClock::starting_at(start));
        let mut authorities: Vec<(Account, Authority)> = Vec::new();
        for (account, n) in all_accounts().into_iter().zip(0..) {
            let of_company = authorities.iter().find(|(other, _)| other.provider == account.provider);
            let authority = match of_company {
                Some((_, authority)) => authority.clone(),
                None => Authority::new(account.provider, Arc::clone(&clock), seed * 10 + n),
            };
            authorities.push((account, authority));
        }
        let folder = tempfile::tempdir().unwrap();
        let queue = memory_queue_of(folder.path(), clock.clone(), all_accounts());
        Shop {
            random: Random::new(seed),
            clock,
            authorities,
            folder,
            queue,
            dispatcher: None,
            sold: Vec::new(),
            drafts: Vec::new(),
            number: 0,
        }
    }

    fn start(&mut self) {
        let managed = self
            .authorities
            .iter()
            .map(|(account, authority)| Managed::new(account.clone(), Arc::new(authority.clone())))
            .collect();
        let settings = Settings { longest_sleep: Duration::from_secs(3600), ..Settings::default() };
        self.dispatcher = Some(Dispatcher::start_with(&self.queue, managed, settings).unwrap());
    }

    async fn crash(&mut self) {
        if let Some(dispatcher) = self.dispatcher.take() {
            dispatcher.stop_now().await;
        }
        self.queue.close().unwrap();
        self.queue = memory_queue_of(self.folder.path(), self.clock.clone(), all_accounts());
        self.start();
    }

    fn key(&mut self) -> String {
        self.number += 1;
        format!("till-{}/{:06}", self.number % 3 + 1, self.number)
    }

    /// What a till does; what intake refuses (a void after a return, too much given back) is refused, not lost.
    fn trade(&mut self) {
        let issuer = if self.random.per_mille(500) { "12345678903" } else { "01234567897" };
        let price = ["1.20", "12.90", "4.50"][self.random.below(3) as usize];
        let sale = Receipt::new(issuer.parse().unwrap())
            .item(Item::new("Caffè", price.parse().unwrap(), VatRate::Ten))
            .item(Item::new("Libro", "10.00".parse().unwrap(), VatRate::Four).quantity(2));
        let due = price.parse::<Decimal>().unwrap().checked_add("20.00".parse().unwrap()).unwrap();
        let key = self.key();
        let sale = NewDocument::from(sale.cash(due).build().unwrap());
        let sale = match (issuer, self.random.per_mille(500)) {
            ("12345678903", true) => sale.account("shop-roma".parse().unwrap()),
            ("12345678903", false) => sale.account("shop-roma-2".parse().unwrap()),
            _ => sale,
        };
        self.queue.enqueue(&key, sale).unwrap();
        self.sold.push(key);
        if self.random.per_mille(150) {
            let parent = self.recent();
            let key = self.key();
            self.correct(&key, |parent| Return::of(parent).line(1, 1).into(), parent);
        }
        if self.random.per_mille(100) {
            let parent = self.recent();
            let key = self.key();
            self.correct(&key, Void::of, parent);
        }
        if self.random.per_mille(60) {
            self.tax_free();
        }
    }

    fn tax_free(&mut self) {
        let key = self.key();
        let item = DraftItemInput {
            item_code: None,
            description: "Borsa in pelle".to_owned(),
            quantity: "1".into(),
            unit_price_with_vat: "244.00".into(),
            vat_rate: "22".into(),
        };
        let draft =
            DraftInput { merchant_invoice_id: key.clone(), created_on: None, items: vec![item], discount: None };
        self.queue.enqueue(&key, draft).unwrap();
        self.drafts.push(key);
        if self.random.per_mille(500) {
            let parent: Key = self.drafts[self.random.below(self.drafts.len() as u64) as usize].parse().unwrap();
            let key = self.key();
            let number = key.clone();
            self.enqueue(&key, NoteNumber::of(Parent::Key(parent), Note::CreditVat, number));
        }
    }

    /// By the name that the till gave the parent, or by the provider's, once that is known; then it may be of the company's
    /// other account, too.
    fn correct(&mut self, key: &str, document: impl Fn(Parent) -> NewDocument, parent: Key) {
        let known = self.queue.get(parent.as_str()).unwrap();
        match (known.remote.remote_id, known.account) {
            (Some(id), Some(account)) if self.random.per_mille(500) => {
                let both = ["shop-roma", "shop-roma-2"];
                let other = both.into_iter().find(|_| both.contains(&account.as_str()) && self.random.per_mille(300));
                let account = other.map_or(account, str::to_owned);
                self.enqueue(key, document(Parent::Remote(id)).account(account.parse().unwrap()));
            }
            _ => self.enqueue(key, document(Parent::Key(parent))),
        }
    }

    fn enqueue(&self, key: &str, document: NewDocument) {
        match self.queue.enqueue(key, document) {
            Ok(_) => {}
            Err(Error::Rejected(rejection)) => {
                assert!(matches!(rejection.code, "parent_conflict" | "invalid"), "{rejection}");
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn recent(&mut self) -> Key {
        let back = self.random.below(12.min(self.sold.len() as u64)) as usize;
        self.sold[self.sold.len() - 1 - back].parse().unwrap()
    }

    fn trouble(&mut self, now: DateTime<Utc>) {
        for index in 0..self.authorities.len() {
            let authority = self.authorities[index].1.clone();
            if self.random.per_mille(20) {
                let minutes = 5 + self.random.below(240) as i64;
                authority.add_outage(now, now + TimeDelta::minutes(minutes));
            }
            if self.random.per_mille(30) {
                let chances = if self.random.per_mille(700) { Chances::BAD_LINE } else { Chances::NONE };
                authority.set_chances(chances);
            }
            if self.random.per_mille(30) {
                authority.set_list_lag(TimeDelta::seconds(self.random.below(60) as i64));
            }
            if self.random.per_mille(5) {
                authority.set_refusing(Refusing::Credentials);
            } else if self.random.per_mille(300) {
                authority.set_refusing(Refusing::Nothing);
                let name = self.authorities[index].0.name.to_string();
                self.queue.release(&name, None, "the shop", "credentials corrected").unwrap();
            }
        }
    }

    fn end_of_trouble(&self) {
        for (account, authority) in &self.authorities {
            authority.set_chances(Chances::NONE);
            authority.set_refusing(Refusing::Nothing);
            self.queue.release(account.name.as_str(), None, "the shop", "all is well").unwrap();
        }
    }

    fn documents(&self) -> Vec<Summary> {
        self.queue.list(&ListFilter::default()).unwrap()
    }
}

async fn week(seed: u64) {
    let mut shop = Shop::open(seed);
    shop.start();
    let end = shop.clock.true_time() + TimeDelta::days(7);
    while shop.clock.true_time() < end {
        let now = shop.clock.true_time();
        shop.trouble(now);
        let chance = match staffetta::domain::calendar::rome(now).hour() {
            23 => 900, // close to the blackout most of all
            9..20 => 500,
            _ => 60,
        };
        if shop.random.per_mille(chance) {
            shop.trade();
        }
        if shop.random.per_mille(15) {
            shop.crash().await;
        }
        let jitter = TimeDelta::seconds(shop.random.below(1200) as i64 - 600);
        tokio::time::sleep((TICK + jitter).to_std().unwrap()).await;
    }
    shop.end_of_trouble();
    let drained = patiently(TimeDelta::days(3), shop.dispatcher.as_ref().unwrap().drained()).await;
    judge(seed, &shop, drained);
    shop.dispatcher.take().unwrap().stop().await.unwrap();
}

fn judge(seed: u64, shop: &Shop, drained: bool) {
    let documents = shop.documents();
    // The last account has the first one's authority.
    let (_, of_company) = shop.authorities.split_last().unwrap();
    let ledger: Vec<_> = of_company.iter().flat_map(|(_, authority)| authority.ledger()).collect();
    let findings = check_exactly_once(&ledger, &documents);
    assert!(findings.is_empty(), "seed {seed}: {findings:?}");
    given_back_once(seed, &ledger);
    for (account, authority) in &shop.authorities {
        let inside = authority.inside(Window::AUTHORITY);
        assert!(inside.is_empty(), "seed {seed}: {} in the blackout: {inside:?}", account.name);
    }
    for document in &documents {
        let reason = document.reason.as_deref().unwrap_or_default();
        match document.state {
            State::Registered | State::Cancelled => {}
            State::Accepted if document.kind == Kind::Draft => {} // waits for its merchant
            // Of one that a person must decide about: it waits for that, and is told to do so.
            State::Queued if parent_is_held(shop, &document.key) => {}
            State::Held => assert!(!reason.is_empty(), "seed {seed}: {} is held without a reason", document.key),
            other => panic!("seed {seed}: {} is left {other}: {reason} (drained: {drained})", document.key),
        }
        assert!(document.attempts < 60, "seed {seed}: {} took {} attempts", document.key, document.attempts);
    }
    let held = documents.iter().filter(|document| document.state == State::Held).count();
    assert!(held * 10 <= documents.len(), "seed {seed}: {held} of {} are held", documents.len());
    assert!(drained, "seed {seed}: not drained");
}

fn parent_is_held(shop: &Shop, key: &str) -> bool {
    let Some(ParentView::Key(parent)) = shop.queue.get(key).unwrap().parent else { return false };
    shop.queue.get(&parent).unwrap().state == State::Held
}

/// What was sold is given back no more than once, whatever name the parent was given: voided, or two of its one line returned.
fn given_back_once(seed: u64, ledger: &[Issued]) {
    let mut children: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for child in ledger {
        let Some(parent) = &child.parent else { continue };
        let (voids, returns) = children.entry(parent).or_default();
        match child.kind {
            Kind::Void => *voids += 1,
            Kind::Return => *returns += 1,
            _ => {}
        }
    }
    for (parent, (voids, returns)) in children {
        let sound = matches!((voids, returns), (0, 0..=2) | (1, 0));
        assert!(sound, "seed {seed}: {parent} was voided {voids} times and returned {returns} times");
    }
}

#[test]
fn simulation_of_weeks_issues_everything_exactly_once() {
    let seeds: Vec<u64> = match std::env::var("STAFFETTA_SEED") {
        Ok(seed) => vec![seed.parse().expect("STAFFETTA_SEED is a number")],
        Err(_) => (1..=SEEDS).collect(),
    };
    // Each waits for the disk most of the time: some are under way at once.
    let left = Mutex::new(seeds.into_iter());
    let weeks = || {
        while let Some(seed) = { left.lock().unwrap().next() } {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            runtime.block_on(week(seed));
        }
    };
    std::thread::scope(|threads| {
        (1..AT_ONCE).for_each(|_| drop(threads.spawn(weeks)));
        weeks();
    });
}
