//! `staffetta status`: how things are, and whether somebody must do something.

use std::collections::BTreeMap;

use crate::domain::state::State;
use crate::view::{AccountView, StatusView};
use chrono::{DateTime, Utc};

use super::Exit;
use super::access::Access;
use super::output::{Output, plain};
use super::people::{age, between, count, time};
use super::trouble::Trouble;

/// Prints the status.
///
/// # Errors
/// [`Trouble`] when the journal cannot be read.
pub fn run(journal: &mut Access<'_>, now: DateTime<Utc>, out: &mut Output) -> Result<Exit, Trouble> {
    let status = journal.status()?;
    if out.is_json() {
        out.object(&status)?;
    } else {
        in_words(&status, now, out)?;
    }
    Ok(if status.needs_person { Exit::LEFT } else { Exit::DONE })
}

fn in_words(status: &StatusView, now: DateTime<Utc>, out: &mut Output) -> Result<(), Trouble> {
    let all: u64 = status.counts.values().sum();
    out.line(format_args!("{}: {}", count(all, "document"), counts(&status.counts)))?;
    match &status.oldest_unsent {
        Some(oldest) => out.line(format_args!("oldest unsent   {} ({})", oldest.key, age(oldest.age_s)))?,
        None => out.line("oldest unsent   none")?,
    }
    if let Some(due) = status.next_due {
        let soon = due.signed_duration_since(now).num_seconds() < 1;
        let when = if soon { "now".to_owned() } else { format!("in {}", between(now, due)) };
        out.line(format_args!("next due        {} ({when})", time(due)))?;
    }
    for account in &status.accounts {
        out.line("")?;
        account_in_words(account, now, out)?;
    }
    if !status.attention.is_empty() {
        out.line("\nneeds a person")?;
    }
    for line in &status.attention {
        let what = line.key.as_deref().or(line.account.as_deref()).unwrap_or("-");
        out.line(plain(&format!("  {what}  {}: {} (since {})", line.what, line.why, time(line.since))))?;
    }
    Ok(())
}

fn account_in_words(account: &AccountView, now: DateTime<Utc>, out: &mut Output) -> Result<(), Trouble> {
    let name = if account.name.is_empty() { "(no account yet)" } else { &account.name };
    let provider = account.provider.as_deref().unwrap_or("not in the configuration");
    out.line(format_args!("{name} ({provider}): {}", counts(&account.counts)))?;
    if account.blackout.active {
        let until = account.blackout.until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
        out.line(format_args!("  blackout{until}"))?;
    }
    for hold in &account.holds {
        let whom = hold.fiscal_id.as_deref().unwrap_or("all of it");
        let since = between(hold.since, now);
        out.line(plain(&format!("  held: {whom}, {} (for {since}); {}", hold.reason, hold.cure)))?;
    }
    if let Some(skew) = account.clock_skew_ms.filter(|skew| skew.unsigned_abs() >= 1_000) {
        let (seconds, word) = (skew.unsigned_abs() / 1_000, if skew > 0 { "ahead of" } else { "behind" });
        out.line(format_args!("  the provider's clock is {seconds}s {word} ours"))?;
    }
    if let Some(days) = account.credentials_age_days {
        out.line(format_args!("  the authority's password was changed {} ago", count(days.unsigned_abs(), "day")))?;
    }
    Ok(())
}

fn counts(counts: &BTreeMap<State, u64>) -> String {
    let shown: Vec<String> = counts.iter().filter(|(_, n)| **n > 0).map(|(state, n)| format!("{n} {state}")).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}
