//! Reading a journal's records again, from where the index has come to the end, and applying them.

use uuid::Uuid;

use super::apply::{self, At, Changes, Entries};
use super::chain::Chain;
use super::error::{JournalError, Result};
use super::layers::Under;
use super::reader::{Step, Walk, recorded};
use super::record::{self, Flaw, Position, Reached};
use super::recovery::Segment;
use super::salvage::follows;
use super::segment;
use super::shared::Shared;
use super::view::Recorded;
use crate::domain::event::Entry;

/// Before the first record.
pub(crate) const NOTHING: Reached = Reached { seq: 0, group: 0, position: Position::NONE, hash: [0; 32] };

/// A record read again, and the one before of the same document.
pub(crate) struct Replayed {
    pub at: At,
    pub entry: Entry,
    pub previous: Position,
}

/// Where a journal ends.
pub(crate) struct End {
    /// The last record of the last whole group.
    pub last: Reached,
    /// Where in the last segment the last group begins, if it was read.
    pub last_group: Option<u64>,
    /// Where in the last segment the next record goes.
    pub length: u64,
    /// Bytes of a torn tail after that.
    pub torn: u64,
}

/// Walks from after `reached` to the end, group by group.
pub(crate) fn walk(
    id: Uuid,
    segments: &[Segment],
    reached: Option<Reached>,
    mut each: impl FnMut(Vec<Replayed>, Reached) -> Result<()>,
) -> Result<End> {
    let mut last = reached.unwrap_or(NOTHING);
    let (mut last_group, mut length) = (None, segment::HEADER as u64);
    let mut before: Option<(u64, u64)> = None;
    for (index, segment) in segments.iter().enumerate() {
        let name = segment.header.first_seq;
        let damaged = |offset, what: &str| JournalError::damaged(name, offset, what);
        let skip = reached.is_some_and(|reached| name < reached.position.segment);
        let begins_here = reached.filter(|reached| name == reached.position.segment);
        let mut chain = Chain::after(last);
        if !skip && begins_here.is_none() {
            chain.enter(id, &segment.header, before).map_err(|what| damaged(0, &what))?;
        }
        before = Some((name, segment.length));
        if skip {
            continue;
        }
        let read = |error| JournalError::damaged(name, 0, format!("the segment cannot be read: {error}"));
        let is_last = index + 1 == segments.len();
        let mut walk =
            Walk::new(segment.file.clone(), id, begins_here.map_or(segment::HEADER as u64, |at| at.position.offset));
        if begins_here.is_some() {
            walk.step().map_err(read)?; // the record reached itself
        }
        length = walk.offset();
        last_group = None;
        let mut group = Vec::new();
        loop {
            let position = Position { segment: name, offset: walk.offset() };
            let flaw = match walk.step().map_err(read)? {
                Step::Record(frame) => {
                    let hash = record::hash(frame.bytes);
                    chain.follow(&frame.header, hash).map_err(|what| damaged(position.offset, &what))?;
                    let Recorded { seq, at: time, entry } = recorded(&frame, position)?;
                    let previous = frame.header.previous_of_document;
                    group.push(Replayed { at: At { seq, time, position }, entry, previous });
                    if chain.at_group_end() {
                        last = chain.reached(position);
                        last_group = Some(length);
                        length = walk.offset();
                        each(std::mem::take(&mut group), last)?;
                    }
                    continue;
                }
                Step::End if group.is_empty() => break,
                Step::End => "the segment ends inside a commit group".to_owned(),
                Step::Flaw(flaw @ Flaw::Version(_)) => return Err(JournalError::Version { what: flaw.words() }),
                Step::Flaw(flaw) => flaw.words(),
            };
            if !is_last {
                return Err(damaged(position.offset, &flaw));
            }
            if follows(&mut walk, chain.next_group()).map_err(read)? {
                let what = format!("{flaw}, and records that were written later follow");
                return Err(damaged(position.offset, &what));
            }
            return Ok(End { last, last_group, length, torn: segment.length.saturating_sub(length) });
        }
    }
    Ok(End { last, last_group, length, torn: 0 })
}

/// Applies a commit group that was read again.
pub(crate) fn apply_group(shared: &Shared, group: Vec<Replayed>, reached: Reached) -> Result<()> {
    let mut changes = Changes::new();
    for replayed in group {
        let under = Under { layers: &shared.layers, over: &[&changes] };
        let applied = apply_one(&replayed, &under)?;
        changes.extend(applied);
    }
    shared.layers.publish(changes, reached, false)
}

/// What a record read again changes; what cannot follow is damage.
pub(crate) fn apply_one(replayed: &Replayed, before: &dyn Entries) -> Result<Changes> {
    let At { seq, position, .. } = replayed.at;
    let damaged = |what: String| JournalError::damaged(position.segment, position.offset, what);
    let applied = apply::apply(replayed.at, &replayed.entry, before).map_err(|error| match error {
        JournalError::Index { .. } | JournalError::Full { .. } | JournalError::Io { .. } | JournalError::Closed => {
            error
        }
        other => damaged(format!("record {seq} contradicts what came before it: {other}")),
    })?;
    if applied.previous != replayed.previous {
        return Err(damaged(format!("record {seq} does not point to the record before it of the same document")));
    }
    Ok(applied.changes)
}
