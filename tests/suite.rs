//! One binary for all integration tests; each file is named for what it proves.

mod intake;
mod sandbox;
mod totals;
