//! The durable state, as an open journal is read.

use std::sync::atomic::Ordering;

use super::Journal;
use super::apply::{Entries, Pair};
use super::error::Result;
use super::record::Position;
use super::shared::Shared;
use super::view::source::Source;
use super::view::{Recorded, View};

/// The durable state.
pub(crate) struct Live<'a>(pub &'a Shared);

impl Entries for Live<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.layers.get_under(&[], key)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.0.layers.scan_under(&[], from, to, limit)
    }
}

#[allow(private_interfaces, reason = "the trait is sealed")]
impl Source for Live<'_> {
    fn entries(&self) -> &dyn Entries {
        self
    }
    fn read(&self, at: Position) -> Result<(Recorded, Position)> {
        self.0.segments.read(at)
    }
    fn read_after(&self, seq: u64, near: Option<Position>, limit: usize) -> Result<Vec<Recorded>> {
        self.0.segments.read_after(seq, self.0.last_seq.load(Ordering::Acquire), near, limit)
    }
}

impl View for Live<'_> {}

impl Entries for Journal {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Live(&self.handle.shared).get(key)
    }
    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>> {
        Live(&self.handle.shared).scan(from, to, limit)
    }
}

#[allow(private_interfaces, reason = "the trait is sealed")]
impl Source for Journal {
    fn entries(&self) -> &dyn Entries {
        self
    }
    fn read(&self, at: Position) -> Result<(Recorded, Position)> {
        Live(&self.handle.shared).read(at)
    }
    fn read_after(&self, seq: u64, near: Option<Position>, limit: usize) -> Result<Vec<Recorded>> {
        Live(&self.handle.shared).read_after(seq, near, limit)
    }
}

impl View for Journal {}
