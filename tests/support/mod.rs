//! What several tests share.

pub mod shop;
