//! `list`, `show` and `export` of a journal that is damaged, so that it does not open: what is readable goes to standard
//! output, every damaged place to standard error, and the exit status is 2.

use std::sync::Arc;

use super::config::Config;
use super::output::{Output, plain, tell};
use super::trouble::Trouble;
use super::{Exit, args, connect, list, show, trouble_of};
use crate::clock::Clock;
use crate::journal::RealFiles;
use crate::queue::Salvage;

/// What is to be printed.
pub enum Wanted<'a> {
    List(&'a args::List),
    Show(&'a args::Show),
    Export(&'a args::Export),
}

/// Prints what can be read.
///
/// # Errors
/// [`Trouble`] when not even that can be, or the output cannot be written.
pub fn run(config: &Config, refused: &Trouble, wanted: Wanted<'_>, out: &mut Output) -> Result<Exit, Trouble> {
    let now = connect::clock().now();
    let salvage = Salvage::read(&config.journal, Arc::new(RealFiles)).map_err(trouble_of)?;
    match wanted {
        Wanted::List(args) => {
            let mut filter = list::filter(args, now);
            filter.limit = args.limit;
            list::print(&salvage.list(&filter), true, out)?;
        }
        Wanted::Show(args) => match salvage.show(&args.key).map_err(trouble_of)? {
            Some(document) => show::print(&document, out)?,
            None => tell(format_args!("no readable document has the key {}", args.key)),
        },
        Wanted::Export(args) => {
            list::export_from(args, now, out, |filter, f| salvage.export(filter, f).map_err(trouble_of))?
        }
    }
    out.flush()?;
    tell(refused);
    for damage in salvage.damage() {
        let place = match damage.segment {
            0 => String::new(),
            segment => format!("segment {segment:020}, byte {}: ", damage.offset),
        };
        let key = damage.key.as_ref().map(|key| format!(" (document {key})")).unwrap_or_default();
        tell(plain(&format!("damaged: {place}{}{key}", damage.what)));
    }
    Ok(Exit::TROUBLE)
}
