//! For tests, ours and integrators' (feature `testing`). With it a till proves that whatever it does around the queue, and
//! whatever happens on the line, each of its sales is issued exactly once:
//!
//! | what | for |
//! |---|---|
//! | [`Shop`] | everything around a till, wired together: queue, dispatcher, authority, clock and disk; killed, or without power, when the test says |
//! | [`Authority`] | a provider and the authority behind it, in memory: loses answers, refuses, goes down; what it took is its ledger |
//! | [`Chances`] | its fault plan: what goes wrong, how often. Over real HTTP [`sandbox::FaultPlan`](crate::sandbox::FaultPlan) says it rule by rule |
//! | [`check_exactly_once`] | the ledger (the scripted authority's, the sandbox's, your own: [`LedgerRow`]) against the journal: what was doubled, lost, denied or never known |
//! | [`TestClock`], [`HandClock`] | the time, told by the test: a week passes in a second |
//! | [`strategies`] | documents of every kind for property tests, valid by construction and nearly valid |
//! | [`Sim`], [`Disk`], [`Cut`] | a disk in memory that fails, fills up, and loses what was not synced when the power is cut |
//! | [`play`], [`actions`], [`Action`] | the queue's own model test: random sequences of everything that can happen |
//! | [`Random`] | numbers by seed, so that one number repeats a failure |
//!
//! # Testing a till's own loop
//!
//! The part under test is `sell`; it may be killed anywhere, and then does again what it cannot know that it did.
//!
//! ```
//! use staffetta::prelude::*;
//! use staffetta::testing::{Chances, Shop, check_exactly_once};
//! use std::{collections::BTreeSet, time::Duration};
//!
//! /// The till's own code. The key is the sale's own: chosen once, before anything else.
//! fn sell(queue: &Queue, number: u32) -> Result<Ticket, Error> {
//!     let coffee = Item::new("Caffè", Decimal::ONE, VatRate::Ten).quantity(number);
//!     let sale = Receipt::new("12345678903".parse().unwrap()).item(coffee).cash(number.into());
//!     queue.enqueue(&format!("till-1/{number:06}"), sale.build().expect("it adds up"))
//! }
//!
//! fn each_sale_is_issued_once(seed: u64) -> Result<(), Error> {
//!     let mut shop = Shop::open("2026-11-22T22:40:00Z".parse().unwrap(), seed)?; // it is soon midnight
//!     shop.authority().set_chances(Chances { lost_after: 300, ..Chances::BAD_LINE }); // of a thousand
//!     for number in 1..=30 {
//!         sell(shop.queue(), number)?;
//!         shop.pass(Duration::from_millis(200)); // the request is on the wire
//!         shop.kill()?; // before the till has written down that this was sold: so it sells it again
//!         sell(shop.queue(), number)?;
//!         shop.pass(Duration::from_secs(60));
//!     }
//!     shop.authority().set_chances(Chances::NONE);
//!     assert!(shop.drain(Duration::from_secs(3600)), "not everything came to its end");
//!     let ledger = shop.authority().ledger();
//!     assert_eq!(check_exactly_once(&ledger, &shop.queue().list(&Default::default())?), []);
//!     let sold: BTreeSet<_> = (1..=30).map(|number| format!("till-1/{number:06}")).collect();
//!     assert_eq!(ledger.into_iter().map(|issued| issued.key).collect::<BTreeSet<_>>(), sold);
//!     Ok(())
//! }
//! # fn main() { (1..=5).for_each(|seed| each_sale_is_issued_once(seed).unwrap()) } // in a suite: #[test]
//! ```
//!
//! [`check_exactly_once`] finds what the queue did wrong: a key issued twice, a document that one side knows and the other
//! does not. What the till did wrong shows in the last line: a sale that was never handed over is missing, one handed over
//! under two keys is there twice. A test must therefore know the keys of its sales by itself.
//!
//! A till under a runtime of its own takes the parts instead: [`Authority`] as a [`Managed`](crate::Managed) provider, a
//! [`TestClock`] under `#[tokio::test(start_paused = true)]`, a [`Sim`] as the journal's files. What is awaited inside a
//! paused runtime must not depend on a thread outside of it: time would jump to the next timer meanwhile. The queue's own
//! calls are synchronous and safe there.
//!
//! # Documents of every kind
//!
//! | kind | valid | nearly valid |
//! |---|---|---|
//! | receipt | [`receipts`](strategies::receipts) | [`nearly_valid`](strategies::nearly_valid): one rule is broken, and intake must name it |
//! | return | [`returns`](strategies::returns) of a sale, [`remote_returns`](strategies::remote_returns) | the same |
//! | void | [`voids`](strategies::voids) of a sale, [`cancels`](strategies::cancels) of a tax-free invoice, [`remote_voids`](strategies::remote_voids) | the same |
//! | draft | [`drafts`](strategies::drafts) | the same |
//! | note number | [`note_numbers`](strategies::note_numbers), [`remote_note_numbers`](strategies::remote_note_numbers) | the same |
//! | any | [`documents`](strategies::documents) | the same |

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
mod shop;
pub mod strategies;
mod till;

pub use action::{Action, Arrival, Paper, Reply, Sight, Verdict, actions};
pub use authority::{Authority, Chances, Issued, Refusing, Submission};
pub use clock::{HandClock, TestClock};
pub use disk::{Fault, Image, Op, Sim};
pub use exactly_once::{Finding, LedgerRow, Standing, check_exactly_once};
pub use power::{Cut, Disk};
pub use random::Random;
pub use shop::Shop;

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
