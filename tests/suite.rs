//! One binary for all integration tests; each file is named for what it proves.

mod agent;
mod cli;
mod crash;
mod damage;
mod dispatch;
mod faults;
mod format;
mod index;
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
mod tidy;
mod totals;
