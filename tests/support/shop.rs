//! The shop of the tests: three accounts, and a queue whose journal is in memory.

use std::path::Path;
use std::sync::Arc;

use staffetta::clock::Clock;
use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::calendar::Window;
use staffetta::prelude::*;
use staffetta::queue::Options;

/// Openapi, Smart Receipt and Stamp, with the contract's VAT numbers and the authority's blackout.
pub fn accounts() -> Vec<Account> {
    let account = |name: &str, provider, issuer: &[&str], blackout| Account {
        name: name.parse().unwrap(),
        provider,
        fiscal_ids: issuer.iter().map(|id| id.parse().unwrap()).collect(),
        blackout,
    };
    vec![
        account("shop-roma", ProviderKind::Openapi, &["12345678903"], Window::AUTHORITY),
        account("shop-milano", ProviderKind::SmartReceipt, &["01234567897"], Window::SMART_RECEIPT),
        account("taxfree", ProviderKind::Stamp, &[], Window::AUTHORITY),
    ]
}

/// A queue in this folder whose journal's files are in memory and stay there while the test runs.
pub fn memory_queue(folder: &Path, clock: Arc<dyn Clock>) -> Queue {
    memory_queue_of(folder, clock, accounts())
}

/// The same of other accounts.
pub fn memory_queue_of(folder: &Path, clock: Arc<dyn Clock>, accounts: Vec<Account>) -> Queue {
    let journal = staffetta::journal::Options { index_in_memory: true, ..Default::default() };
    Queue::open_with(folder, Options { clock, accounts, journal }).unwrap()
}
