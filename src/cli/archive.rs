//! `staffetta archive`: what is done with, compressed.

use super::config::Config;
use super::output::{Output, plain, tell};
use super::people::count;
use super::trouble::Trouble;
use super::{Exit, args, connect, duration};
use crate::view::{ArchivedView, Damaged};

/// Archives, here or through the agent that has the journal.
///
/// # Errors
/// [`Trouble`] when the journal is held by somebody who serves no agent, not there, damaged, or the disk is full or fails.
pub fn run(args: &args::Archive, config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    connect::there_is_a_journal(config)?;
    super::with_journal(config, |journal, _| {
        let done = journal.archive(args.older_than)?;
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

fn in_words(done: &ArchivedView, args: &args::Archive, out: &mut Output) -> Result<(), Trouble> {
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
    if let Some(bytes) = done.table_bytes {
        out.line(format_args!("  what it says of archived documents is with the archives: {}", megabytes(bytes)))?;
    }
    if let Some(why) = &done.index_kept {
        out.line(plain(&format!("  the index keeps its files: {why}")))?;
    }
    for Damaged { segment, what, .. } in &done.damage {
        out.line(plain(&format!("  segment {segment:020}: {what}")))?;
    }
    Ok(())
}

/// Bytes for people: megabytes with one digit after the point.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}
