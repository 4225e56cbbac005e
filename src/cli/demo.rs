//! `staffetta demo`: a shop's day in a minute.

use super::Exit;
use super::output::Output;
use super::trouble::Trouble;

/// Tells the story and counts what was lost or doubled.
///
/// # Errors
/// [`Trouble`] when the demo itself cannot run.
pub fn run(_out: &mut Output) -> Result<Exit, Trouble> {
    Err(Trouble::new("demo", "the demo is not part of this build yet"))
}
