//! The bytes of a commit group: each record with its place in the group and in the chain of hashes.

use uuid::Uuid;

use super::index::Reached;
use super::record::{self, Header, Position};
use super::transaction::Staging;

/// Room for a group is kept from group to group, but not more than this.
const KEPT: usize = 1024 * 1024;

/// A group's bytes while it is put together.
pub(crate) struct Sealed {
    pub bytes: Vec<u8>,
    /// The last record that is in the bytes.
    pub last: Reached,
    count: usize,
}

impl Sealed {
    /// A group after this record.
    pub fn after(last: Reached) -> Sealed {
        Sealed { bytes: Vec::new(), last, count: 0 }
    }

    /// Begins anew, with a group after this record.
    pub fn begin(&mut self, last: Reached) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.last = Reached { group: last.group + 1, ..last };
        self.count = 0;
    }

    /// Adds the records that nothing can change any more: all but the last, which may be the last of its group. With
    /// `whole` it is.
    pub fn follow(&mut self, journal: Uuid, staging: &Staging, whole: bool) {
        let count = staging.records.len();
        let upto = if whole { count } else { count.saturating_sub(1) };
        for (place, staged) in staging.records.iter().enumerate().take(upto).skip(self.count) {
            let header = Header {
                version: record::VERSION,
                seq: staged.seq,
                group: self.last.group,
                place: u32::try_from(place).unwrap_or(u32::MAX), // a group is bounded by its bytes
                last_of_transaction: staged.last_of_transaction,
                last_of_group: place + 1 == count,
                at_micros: staged.at.timestamp_micros(),
                previous_of_document: staged.previous,
                previous_hash: self.last.hash,
            };
            self.last.hash = record::encode(journal, &header, &staged.payload, &mut self.bytes);
            self.last.seq = staged.seq;
            self.last.position = Position { segment: staging.segment, offset: staged.offset };
        }
        self.count = self.count.max(upto);
    }
}
