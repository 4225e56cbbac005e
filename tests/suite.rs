//! One binary for all integration tests; each file is named for what it proves.

mod agent;
mod backup;
mod blackout;
mod cli;
mod corpora;
mod crash;
mod damage;
mod dispatch;
mod exactly_once;
mod faults;
mod format;
mod index;
mod intake;
mod interrupted;
mod journal;
mod main_job;
mod model;
mod papers;
mod power_cut;
mod providers;
mod sandbox;
mod simulation;
mod strategies;
mod support;
mod tidy;
mod totals;
