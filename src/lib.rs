//! Staffetta.
#![forbid(unsafe_code)]
pub mod clock;
pub mod domain;
pub mod provider;
pub mod sandbox;
