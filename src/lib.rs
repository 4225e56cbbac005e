//! **Staffetta** (Italian: courier, relay): an offline-first, durable store-and-forward queue for Italian fiscal
//! documents. A till sells with or without a network; each sale, return and void reaches the tax authority once: never
//! lost, never twice, never in the window before midnight in which the authority takes nothing.
//!
//! None of the providers' APIs has an idempotency key, so sending again after a lost answer would declare a sale twice.
//! Staffetta journals every document under the till's key before it says "taken", writes the intent before each request,
//! and looks up what is in doubt instead of sending it again.
//!
//! ```no_run
//! use staffetta::prelude::*;
//!
//! # async fn till(accounts: Vec<Managed>) -> Result<(), Box<dyn std::error::Error>> {
//! let queue = Queue::open("/var/lib/till/fiscal")?;                 // one process at a time
//! let dispatcher = Dispatcher::start(&queue, accounts)?;            // background; the only part that needs a network
//!
//! let sale = Receipt::new("12345678903".parse()?)
//!     .item(Item::new("Caffè", "1.20".parse()?, VatRate::Ten).quantity(2))
//!     .item(Item::new("Cornetto", "1.50".parse()?, VatRate::Ten))
//!     .cash("3.90".parse()?)
//!     .build()?;                                                    // all violations at once, or a receipt that adds up
//!
//! let ticket = queue.enqueue("till-3/2026-11-22/000123", &sale)?;   // durable when this returns; again = same ticket
//! match queue.get(&ticket.key)?.state {
//!     State::Queued | State::Sending | State::InDoubt => println!("safe, on its way"),
//!     State::Registered => println!("at the authority: {:?}", queue.get(&ticket.key)?.remote.document_number),
//!     other => println!("{other}"),
//! }
//! queue.watch(&ticket.key).await?;                                  // wakes at each change
//!
//! let coffee_back = Return::of(Parent::Key(ticket.key.parse()?)).line(0, 1);
//! queue.enqueue("till-3/2026-11-22/000124", coffee_back)?;          // waits for its parent, binds its ids late
//!
//! dispatcher.stop().await?;                                         // finishes what is on the wire
//! # Ok(())
//! # }
//! ```
//!
//! The rooms, and the direction of the arrows (`ARCHITECTURE.md` says why):
//!
//! - [`domain`]: pure. Money, checks, calendar, the state machine.
//! - [`journal`]: synchronous I/O. Checksummed, hash-chained segments are the truth; the index is a view of them.
//! - [`provider`]: asynchronous. Maps and classifies; never retries, sleeps or stores.
//! - [`queue`]: what a till meets. No runtime, no network.
//! - [`dispatcher`]: drains the queue in the background.
//! - [`agent`]: serves the queue to others on this machine, over HTTP.
//! - [`sandbox`]: the three providers and the authority, simulated over real HTTP, with faults.
//! - [`cli`]: the command.
//! - `testing` (feature `testing`): with it a till proves that its own loop neither loses nor doubles a sale; in 30 lines.
#![forbid(unsafe_code)]

pub mod agent;
pub mod cli;
pub mod clock;
pub mod dispatcher;
pub mod domain;
pub mod error;
pub mod journal;
pub mod provider;
pub mod queue;
pub mod sandbox;
#[cfg(feature = "testing")]
pub mod testing;
pub mod view;

pub use dispatcher::{Dispatcher, Managed, Settings};
pub use domain::document::{Item, NewDocument, NoteNumber, Parent, Receipt, Return, Void};
pub use domain::id::{AccountName, FiscalId, Key};
pub use domain::money::Decimal;
pub use domain::state::State;
pub use domain::vat::VatRate;
pub use error::{Error, Rejection};
pub use queue::Queue;
pub use view::Ticket;

/// What most programs that embed the queue need.
pub mod prelude {
    pub use crate::{
        AccountName, Decimal, Dispatcher, Error, FiscalId, Item, Key, Managed, NewDocument, NoteNumber, Parent, Queue,
        Receipt, Return, Settings, State, Ticket, VatRate, Void,
    };
}
