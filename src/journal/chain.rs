//! What must follow what: the rule by which records make one journal.

use uuid::Uuid;

use super::record::{Hash, Header, Position, Reached};
use super::segment;

/// Where a walk through the journal is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub seq: u64,
    pub hash: Hash,
    /// The group of the last record, and that record's place in it; no place: the group is whole.
    pub group: u64,
    place: Option<u32>,
}

impl Chain {
    /// Before the first record of a journal.
    pub fn beginning() -> Chain {
        Chain { seq: 0, hash: [0; 32], group: 0, place: None }
    }

    /// After a record that ended its group.
    pub fn after(reached: Reached) -> Chain {
        Chain { seq: reached.seq, hash: reached.hash, group: reached.group, place: None }
    }

    /// Whether the last record ended its group.
    pub fn at_group_end(&self) -> bool {
        self.place.is_none()
    }

    /// The group that the next record is of.
    pub fn next_group(&self) -> u64 {
        if self.at_group_end() { next(self.group) } else { self.group }
    }

    /// What is reached, with the last record at `position`.
    pub fn reached(&self, position: Position) -> Reached {
        Reached { seq: self.seq, group: self.group, position, hash: self.hash }
    }

    /// Goes on by a record, if it is the one that must come.
    pub fn follow(&mut self, header: &Header, hash: Hash) -> Result<(), String> {
        if header.seq != next(self.seq) {
            return Err(format!("record {} stands where record {} should", header.seq, next(self.seq)));
        }
        if header.previous_hash != self.hash {
            return Err(format!("record {} does not follow the one before it: their hashes differ", header.seq));
        }
        let (group, place) = self.place.map_or((next(self.group), 0), |place| (self.group, place.saturating_add(1)));
        if (header.group, header.place) != (group, place) {
            return Err(format!("record {} is not at its place in its commit group", header.seq));
        }
        if header.last_of_group && !header.last_of_transaction {
            return Err(format!("record {} ends its group inside a transaction", header.seq));
        }
        self.seq = header.seq;
        self.hash = hash;
        self.group = group;
        self.place = (!header.last_of_group).then_some(place);
        Ok(())
    }

    /// Goes on as if everything up to this record had been as it should: for what comes after damage.
    pub fn jump(&mut self, header: &Header, hash: Hash) {
        self.seq = header.seq;
        self.hash = hash;
        self.group = header.group;
        self.place = (!header.last_of_group).then_some(header.place);
    }

    /// Checks that a segment is the one that must come after one of this name and length.
    pub fn enter(&self, journal: Uuid, header: &segment::Header, before: Option<(u64, u64)>) -> Result<(), String> {
        let (previous, length) = before.unwrap_or((0, 0));
        let wrong = if header.journal != journal {
            "the segment belongs to another journal"
        } else if header.previous_segment != previous {
            "the segment before this one is missing, or this one is not where it belongs"
        } else if before.is_some() && header.previous_length != length {
            "the segment before this one has not the length it had"
        } else if header.first_seq != next(self.seq) || header.first_group != next(self.group) {
            "the segment does not begin where the one before ends"
        } else if header.previous_hash != self.hash {
            "the segment does not follow the one before it: their hashes differ"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }
}

/// The number after this one. No record has a number near the end ([`decode`](super::record::decode)); a damaged
/// checkpoint may.
fn next(number: u64) -> u64 {
    number.saturating_add(1)
}
