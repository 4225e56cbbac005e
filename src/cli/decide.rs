//! What a person decides: `retry`, `cancel`, `resolve`, `release`.

use crate::view::Decision;

use super::access::Access;
use super::output::{Output, plain};
use super::people::who;
use super::trouble::Trouble;
use super::{Exit, args};

/// `retry KEY…`.
///
/// # Errors
/// [`Trouble`] when the journal cannot take it.
pub fn retry(args: &args::Retry, journal: &mut Access<'_>, out: &mut Output) -> Result<Exit, Trouble> {
    let who = who();
    each(&args.keys, out, |key| journal.retry(key, &who, &args.reason))
}

/// `cancel KEY…`.
///
/// # Errors
/// As [`retry`].
pub fn cancel(args: &args::Cancel, journal: &mut Access<'_>, out: &mut Output) -> Result<Exit, Trouble> {
    let who = who();
    each(&args.keys, out, |key| journal.cancel(key, &who, &args.reason))
}

/// `resolve KEY`.
///
/// # Errors
/// As [`retry`].
pub fn resolve(args: &args::Resolve, journal: &mut Access<'_>, out: &mut Output) -> Result<Exit, Trouble> {
    let accepted = args.accepted.as_ref().map(AsRef::as_ref);
    each(std::slice::from_ref(&args.key), out, |key| journal.resolve(key, accepted, &who(), &args.reason))
}

/// `release ACCOUNT [FISCAL_ID]`.
///
/// # Errors
/// As [`retry`].
pub fn release(args: &args::Release, journal: &mut Access<'_>, out: &mut Output) -> Result<Exit, Trouble> {
    let fiscal_id = args.fiscal_id.as_ref().map(AsRef::as_ref);
    let decision = journal.release(args.account.as_str(), fiscal_id, &who(), &args.reason)?;
    if out.is_json() {
        out.object(&decision)?;
    } else {
        let whole = fiscal_id.map_or_else(|| args.account.to_string(), |id| format!("{}, {id}", args.account));
        let done = if decision.done { "done" } else { "not done" };
        out.line(plain(&format!("{done}  {whole}  {}", decision.why)))?;
    }
    Ok(if decision.done { Exit::DONE } else { Exit::REFUSED })
}

/// Decides for every key, whatever became of those before.
fn each(
    keys: &[String],
    out: &mut Output,
    mut decide: impl FnMut(&str) -> Result<Decision, Trouble>,
) -> Result<Exit, Trouble> {
    let mut exit = Exit::DONE;
    for key in keys {
        let decision = decide(key)?;
        if !decision.done {
            exit = Exit::REFUSED;
        }
        if out.is_json() {
            out.object(&decision)?;
        } else {
            let done = if decision.done { "done" } else { "not done" };
            let state = decision.state.map_or_else(|| "unknown".to_owned(), |state| state.to_string());
            out.line(plain(&format!("{done}  {key}  {state}  {}", decision.why)))?;
        }
    }
    Ok(exit)
}
