//! One binary for all integration tests; each file is named for what it proves.

mod cli;
mod damage;
mod dispatch;
mod faults;
mod intake;
mod journal;
mod papers;
mod power_cut;
mod providers;
mod sandbox;
mod sim;
mod simulation;
mod support;
mod totals;
