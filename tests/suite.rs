//! One binary for all integration tests; each file is named for what it proves.

mod damage;
mod faults;
mod format;
mod index;
mod journal;
mod papers;
mod power_cut;
mod sim;
