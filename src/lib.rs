//! Staffetta.
#![forbid(unsafe_code)]
pub mod clock;
pub mod domain;
pub mod journal;
pub mod provider;
