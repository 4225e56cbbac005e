//! `staffetta verify`: the whole journal, read and checked.

use std::sync::Arc;

use super::config::Config;
use super::output::{Output, plain, tell};
use super::people::count;
use super::trouble::Trouble;
use super::{Exit, access, connect};
use crate::journal::{self, RealFiles};
use crate::view::{Damaged, Verified};

/// Reads everything, changes nothing.
///
/// # Errors
/// [`Trouble`] when the journal is in use or cannot be read.
pub fn run(config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    let folder = &config.journal;
    // Where nothing was ever taken nothing can be damaged; said, in case the folder is elsewhere.
    let nothing = matches!(folder.try_exists(), Ok(false));
    let found = if nothing {
        tell(plain(&connect::no_journal(config)));
        Verified { sound: true, records: 0, documents: 0, torn: 0, index_left_out: None, damage: Vec::new() }
    } else {
        connect::there_is_a_journal(config)?;
        access::verify(config, || Ok(journal::verify(folder, Arc::new(RealFiles))?.into()))?
    };
    if out.is_json() {
        out.object(&found)?;
    } else {
        in_words(&found, out)?;
    }
    if found.sound {
        return Ok(Exit::DONE);
    }
    let places = count(found.damage.len() as u64, "damaged place");
    let folder = folder.display();
    if found.damage.iter().all(|damaged| damaged.view) {
        tell(format_args!(
            "{folder}: the records are sound, what is wrong is in the index alone: stop what uses the journal and remove \
             `index/`; the next start makes it anew"
        ));
    } else {
        tell(format_args!("{folder} has {places}: keep it as it is, restore `segments/` from a backup, and compare"));
    }
    Ok(Exit::TROUBLE)
}

fn in_words(found: &Verified, out: &mut Output) -> Result<(), Trouble> {
    let word = if found.sound { "sound" } else { "damaged" };
    let (records, documents) = (count(found.records, "record"), count(found.documents, "document"));
    out.line(format_args!("{word}: {records}, {documents}"))?;
    if found.torn > 0 {
        out.line(format_args!(
            "  {} of a torn end, never acknowledged: the next start cuts them",
            count(found.torn, "byte")
        ))?;
    }
    if let Some(why) = &found.index_left_out {
        out.line(plain(&format!("  the index was not compared: {why}")))?;
    }
    for Damaged { segment, offset, key, what, .. } in &found.damage {
        let place = if *segment == 0 { String::new() } else { format!("segment {segment:020}, byte {offset}: ") };
        let key = key.as_ref().map(|key| format!(" (document {key})")).unwrap_or_default();
        out.line(plain(&format!("  {place}{what}{key}")))?;
    }
    Ok(())
}
