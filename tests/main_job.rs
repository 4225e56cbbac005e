//! The main job, end to end: documents go in as JSON lines and travel through the journal, the dispatcher and each
//! provider's adapter, over real HTTP, to the sandbox; its ledger must hold what was sent, to the cent, once.

mod bench;
mod compare;
mod faults;
mod receipts;
mod stamp;

use bench::Bench;
