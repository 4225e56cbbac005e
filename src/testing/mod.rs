//! For tests, ours and integrators' (feature `testing`). With it a till proves that whatever it does around the queue, and
//! whatever happens on the line, each of its sales is issued exactly once:
//!
//! | what | for |
//! |---|---|
//! | [`Authority`] | a provider and the authority behind it, in memory: loses answers, refuses, goes down, by [`Chances`] and a seed; what it issued is its ledger |
//! | [`check_exactly_once`] | the ledger against the journal: what was doubled, lost, denied or never known |
//! | [`TestClock`], [`HandClock`] | the time, told by the test: a week passes in a second |
//! | [`strategies`] | documents of every kind for property tests, valid by construction and nearly valid |
//! | [`Sim`], [`Disk`], [`Cut`] | a disk in memory that fails, fills up, and loses what was not synced when the power is cut |
//! | [`play`], [`actions`], [`Action`] | the queue's own model test: random sequences of everything that can happen |
//! | [`Random`] | numbers by seed, so that one number repeats a failure |
//!
//! # Testing a till's own loop
//!
//! The part under test is `sell`: it retries, and it may be killed anywhere. The rest is the same for every till.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use staffetta::domain::{account::{Account, ProviderKind}, calendar::Window};
//! use staffetta::testing::{Authority, Chances, Sim, TestClock, check_exactly_once};
//! use staffetta::{journal, prelude::*, queue::Options, view::ListFilter};
//!
//! /// The till's own code: the key is chosen once for each sale, before anything else.
//! fn sell(queue: &Queue, number: u32) -> Result<(), Error> {
//!     let coffee = Item::new("Caffè", Decimal::ONE, VatRate::Ten).quantity(number % 3 + 1);
//!     let sale = Receipt::new("12345678903".parse().unwrap()).item(coffee).cash(Decimal::from(number % 3 + 1));
//!     let sale = sale.build().expect("it adds up");
//!     for _impatience in 0..2 {
//!         queue.enqueue(&format!("till-1/{number:06}"), &sale)?; // again: the same ticket, never a second sale
//!     }
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(async {
//! // In a test: #[tokio::test(start_paused = true)]
//! for seed in 1..=5 {
//!     let clock = Arc::new(TestClock::starting_at("2026-11-22T22:40:00Z".parse()?)); // a quarter of an hour before the blackout
//!     let (name, id) = ("shop".parse()?, "12345678903".parse()?);
//!     let blackout = Window::AUTHORITY;
//!     let account = Account { name, provider: ProviderKind::Openapi, fiscal_ids: vec![id], blackout };
//!     let authority = Authority::new(account.provider, clock.clone(), seed);
//!     authority.set_chances(Chances { lost_after: 300, not_sent: 100, ..Chances::BAD_LINE }); // of a thousand
//!
//!     let disk = Arc::new(Sim::default());
//!     for run in 0..3u32 {
//!         // Opened again after each crash; what was taken is there.
//!         let journal = journal::Options { files: disk.clone(), index_in_memory: true, ..Default::default() };
//!         let options = Options { clock: clock.clone(), accounts: vec![account.clone()], journal };
//!         let queue = Queue::open_with("/till/journal", options)?;
//!         let managed = Managed::new(account.clone(), Arc::new(authority.clone()));
//!         let dispatcher = Dispatcher::start_with(&queue, vec![managed], Settings::default())?;
//!         for number in 1..=10 {
//!             sell(&queue, run * 10 + number)?;
//!             tokio::time::sleep(Duration::from_secs(60)).await;
//!         }
//!         if run < 2 {
//!             dispatcher.stop_now().await; // a crash: what was on the wire is in doubt
//!             continue;
//!         }
//!         authority.set_chances(Chances::NONE);
//!         dispatcher.drained().await;
//!         let journal = queue.list(&ListFilter::default())?;
//!         assert_eq!(check_exactly_once(&authority.ledger(), &journal), [], "seed {seed}");
//!         assert_eq!(authority.ledger().len(), 30, "every sale is there");
//!         assert!(authority.inside(blackout).is_empty(), "and none was sent in the blackout");
//!     }
//! }
//! # Ok(()) }) }
//! ```
//!
//! What is awaited inside a paused runtime must not depend on a thread outside of it: time would jump to the next timer
//! meanwhile. The queue's own calls are synchronous and safe there. A till that chose a new key for each attempt would
//! pass [`check_exactly_once`] and fail on the number of documents: compare both.

mod action;
mod authority;
mod clock;
mod disk;
mod driver;
mod exactly_once;
mod invariants;
mod machine;
mod model;
mod power;
mod random;
mod restart;
pub mod strategies;
mod till;

pub use action::{Action, Arrival, Paper, Reply, Sight, Verdict, actions};
pub use authority::{Authority, Chances, Issued, Refusing, Submission};
pub use clock::{HandClock, TestClock};
pub use disk::{Fault, Image, Op, Sim};
pub use exactly_once::{Finding, check_exactly_once};
pub use power::{Cut, Disk};
pub use random::Random;

/// How often what has happened, by name: events of documents, and what disks and clocks do.
pub type Happened = std::collections::BTreeMap<&'static str, u64>;

/// Plays a sequence of actions against the model: a queue on a simulated disk, with kills, power cuts and lost answers.
/// After each action the invariants hold, and at the end everything drains. Tells what has happened.
///
/// # Errors
/// What is wrong, and after which action.
pub fn play(actions: &[Action]) -> Result<Happened, String> {
    let mut machine = machine::Machine::start()?;
    for (number, action) in actions.iter().enumerate() {
        machine.act(*action).map_err(|why| format!("after action {number}, {action:?}: {why}"))?;
    }
    machine.drain().and_then(|()| machine.end()).map_err(|why| format!("at the end: {why}"))
}
