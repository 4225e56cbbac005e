//! The core, pure: money, rules, calendar, state and planning are synchronous functions of their arguments, `now`
//! included. No input or output, no clock, no randomness.

pub mod account;
mod body;
pub mod calendar;
pub mod check;
pub mod document;
pub mod event;
pub mod fingerprint;
pub mod id;
pub mod input;
pub mod limits;
pub mod line;
pub mod money;
pub mod outcome;
pub mod retry;
pub mod state;
pub mod totals;
pub mod trust;
pub mod vat;
