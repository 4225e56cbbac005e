//! One binary for all integration tests; each file is named for what it proves.

mod cli;
mod dispatch;
mod intake;
mod journal;
mod main_job;
mod papers;
mod power_cut;
mod providers;
mod sandbox;
mod sim;
mod simulation;
mod support;
mod totals;
