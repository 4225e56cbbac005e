//! A simulated journal whose segments are so short that few documents fill several.

use std::path::Path;
use std::sync::Arc;

use staffetta::journal::{Journal, JournalError, Options};
use staffetta::testing::Sim;

/// Where it is.
pub const DIR: &str = "/till/journal";

pub fn options(sim: &Sim) -> Options {
    Options {
        files: Arc::new(sim.clone()),
        segment_bytes: 1_200,
        reserve_bytes: 10,
        index_in_memory: true,
        ..Options::default()
    }
}

pub fn open(sim: &Sim) -> Result<Journal, JournalError> {
    Ok(Journal::open(Path::new(DIR), options(sim))?.0)
}
