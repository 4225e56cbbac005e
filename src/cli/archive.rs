//! `staffetta archive`: what is done with, compressed.

use serde::Serialize;

use super::config::Config;
use super::output::{Output, plain, tell};
use super::people::count;
use super::trouble::Trouble;
use super::{Exit, args, connect, duration, trouble_of};
use crate::journal::Archived;

/// What was done, as printed.
#[derive(Serialize)]
struct Done {
    /// Segments that became archives.
    segments: u64,
    /// Their bytes, before and after.
    bytes: u64,
    archive_bytes: u64,
    /// Sealed segments that stay: not all of their documents are done with for so long.
    kept: u64,
    /// Bytes of the index's files, before and after; null when they were left as they are.
    index_bytes_before: Option<u64>,
    index_bytes: Option<u64>,
    /// Why the index's files are as they were, if making them anew failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    index_kept: Option<String>,
    /// Segments that stay because they are damaged.
    damage: Vec<Damaged>,
}

/// A segment that is not as it was written.
#[derive(Serialize)]
struct Damaged {
    segment: u64,
    what: String,
}

/// Opens the journal, archives, closes it.
///
/// # Errors
/// [`Trouble`] when the journal is in use, not there, damaged, or the disk is full or fails.
pub fn run(args: &args::Archive, config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    connect::there_is_a_journal(config)?;
    super::closing(&connect::open(config)?, |queue, _| {
        let Archived { segments, bytes, archive_bytes, kept, unsound, index, index_kept, .. } =
            queue.archive(args.older_than).map_err(trouble_of)?;
        let damage =
            unsound.into_iter().map(|unsound| Damaged { segment: unsound.segment, what: unsound.why }).collect();
        let (index_bytes_before, index_bytes) = index.unzip();
        let done = Done { segments, bytes, archive_bytes, kept, index_bytes_before, index_bytes, index_kept, damage };
        if out.is_json() {
            out.object(&done)?;
        } else {
            in_words(&done, args, out)?;
        }
        if done.damage.is_empty() {
            return Ok(Exit::DONE);
        }
        let places = count(done.damage.len() as u64, "segment");
        tell(format_args!("{places} stay as they are because they are damaged: run `staffetta verify`"));
        Ok(Exit::TROUBLE)
    })
}

fn in_words(done: &Done, args: &args::Archive, out: &mut Output) -> Result<(), Trouble> {
    if done.segments == 0 {
        let age = duration::show(args.older_than);
        out.line(format_args!("nothing to do: no segment has been done with for {age}"))?;
    } else {
        let (segments, before, after) =
            (count(done.segments, "segment"), megabytes(done.bytes), megabytes(done.archive_bytes));
        out.line(format_args!("archived: {segments}, {before} became {after}"))?;
    }
    if done.kept > 0 {
        let kept = count(done.kept, "sealed segment");
        out.line(format_args!("  {kept} with documents that are not final, still followed, or too young"))?;
    }
    if let (Some(before), Some(after)) = (done.index_bytes_before, done.index_bytes) {
        out.line(format_args!("  the index was made anew: {} became {}", megabytes(before), megabytes(after)))?;
    }
    if let Some(why) = &done.index_kept {
        out.line(plain(&format!("  the index keeps its files: {why}")))?;
    }
    for Damaged { segment, what } in &done.damage {
        out.line(plain(&format!("  segment {segment:020}: {what}")))?;
    }
    Ok(())
}

/// Bytes for people: megabytes with one digit after the point.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
