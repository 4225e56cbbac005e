//! One binary for all integration tests; each file is named for what it proves.

mod cli;
mod dispatch;
mod intake;
mod journal;
mod papers;
mod sandbox;
mod simulation;
mod support;
mod totals;
