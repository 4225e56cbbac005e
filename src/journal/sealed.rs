//! The bytes of a commit group: each record with its place in the group and in the chain of hashes.

use uuid::Uuid;

use super::record::{self, Header, Position, Reached};
use super::transaction::Staging;

/// Room for a group is kept from group to group, but not more than this.
const KEPT: usize = 1024 * 1024;

/// A group's bytes while it is put together.
pub(crate) struct Sealed {
    pub bytes: Vec<u8>,
    /// So many of them are in the file.
    pub written: usize,
    /// The last record that is in the bytes.
    pub last: Reached,
    count: usize,
}

impl Sealed {
    /// A group after this record.
    pub fn after(last: Reached) -> Sealed {
        Sealed { bytes: Vec::new(), written: 0, last, count: 0 }
    }

    /// Begins anew, with a group after this record.
    pub fn begin(&mut self, last: Reached) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.written = 0;
        self.last = Reached { group: last.group + 1, ..last };
        self.count = 0;
    }

    /// What is not in the file yet.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::transaction::Staged;
    use chrono::DateTime;

    fn staged(place: u64) -> Staged {
        Staged {
            seq: 10 + place,
            offset: 100 * place,
            at: DateTime::UNIX_EPOCH,
            previous: Position::NONE,
            payload: vec![place as u8; 5],
            last_of_transaction: place != 1,
        }
    }

    #[test]
    fn a_group_has_the_same_bytes_however_early_it_was_begun() {
        let before = Reached { seq: 9, group: 3, position: Position { segment: 1, offset: 7 }, hash: [8; 32] };
        let (mut ahead, mut at_once) = (Sealed::after(before), Sealed::after(before));
        ahead.begin(before);
        let mut staging = Staging::new(1, 0, 10);
        for place in 0..5 {
            ahead.follow(Uuid::nil(), &staging, false);
            staging.records.push(staged(place));
            ahead.follow(Uuid::nil(), &staging, false);
        }
        ahead.follow(Uuid::nil(), &staging, true);
        at_once.begin(before);
        at_once.follow(Uuid::nil(), &staging, true);
        assert_eq!((&ahead.bytes, ahead.last), (&at_once.bytes, at_once.last));
        assert_eq!((ahead.last.seq, ahead.last.group), (14, 4));

        let mut rest = ahead.bytes.as_slice();
        let mut ends = Vec::new();
        while !rest.is_empty() {
            let frame = record::decode(Uuid::nil(), rest).unwrap();
            ends.push(frame.header.last_of_group);
            rest = &rest[frame.bytes.len()..];
        }
        assert_eq!(ends, [false, false, false, false, true]);

        ahead.begin(before);
        assert!(ahead.bytes.is_empty() && ahead.last.hash == before.hash);
    }
}
