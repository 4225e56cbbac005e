//! What a person decides: `retry`, `cancel`, `resolve`, `release`.

use crate::error::Error;
use crate::queue::Queue;
use crate::view::Decision;

use super::output::{Output, plain};
use super::people::who;
use super::trouble::Trouble;
use super::{Exit, args, trouble_of};

/// `retry KEY…`.
///
/// # Errors
/// [`Trouble`] when the journal cannot take it.
pub fn retry(args: &args::Retry, queue: &Queue, out: &mut Output) -> Result<Exit, Trouble> {
    let who = who();
    each(&args.keys, out, |key| queue.retry(key, &who, &args.reason))
}

/// `cancel KEY…`.
///
/// # Errors
/// As [`retry`].
pub fn cancel(args: &args::Cancel, queue: &Queue, out: &mut Output) -> Result<Exit, Trouble> {
    let who = who();
    each(&args.keys, out, |key| queue.cancel(key, &who, &args.reason))
}

/// `resolve KEY`.
///
/// # Errors
/// As [`retry`].
pub fn resolve(args: &args::Resolve, queue: &Queue, out: &mut Output) -> Result<Exit, Trouble> {
    let accepted = args.accepted.as_ref().map(AsRef::as_ref);
    each(std::slice::from_ref(&args.key), out, |key| queue.resolve(key, accepted, &who(), &args.reason))
}

/// `release ACCOUNT [FISCAL_ID]`.
///
/// # Errors
/// As [`retry`].
pub fn release(args: &args::Release, queue: &Queue, out: &mut Output) -> Result<Exit, Trouble> {
    let fiscal_id = args.fiscal_id.as_ref().map(AsRef::as_ref);
    let decision = queue.release(args.account.as_str(), fiscal_id, &who(), &args.reason).map_err(trouble_of)?;
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
    mut decide: impl FnMut(&str) -> Result<Decision, Error>,
) -> Result<Exit, Trouble> {
    let mut exit = Exit::DONE;
    for key in keys {
        let decision = match decide(key) {
            Ok(decision) => decision,
            Err(error @ Error::UnknownKey(_)) => {
                Decision { key: key.clone(), state: None, done: false, why: error.to_string() }
            }
            Err(Error::Rejected(rejection)) => {
                Decision { key: key.clone(), state: None, done: false, why: rejection.message }
            }
            Err(other) => return Err(trouble_of(other)),
        };
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
