//! What a person should see, of the accounts and of each document: `status` and `show` say the same.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Queue;
use super::reason::{MISSING, Surroundings, one_line};
use crate::domain::calendar;
use crate::domain::state::{INFORMS_ONLY, Progress, State, UNREADABLE};
use crate::domain::trust;
use crate::error::Error;
use crate::journal::View;
use crate::view::{AttentionLine, AttentionView};

/// Lines of attention that `status` shows; a shop with more has one problem, not five hundred.
const MAX_ATTENTION: usize = 500;
/// Days after which the authority's password expires (S1), and when `status` begins to say so.
const PASSWORD_DAYS: i64 = 90;
const PASSWORD_WARNING_DAYS: i64 = 14;
/// How long the provider may leave open whether it has a document, before a person should look.
const LONG_IN_DOUBT: TimeDelta = TimeDelta::hours(2);

impl Queue {
    /// All of it, of the accounts that the configuration has first.
    pub(super) fn attention(
        &self,
        surroundings: &Surroundings,
        now: DateTime<Utc>,
    ) -> Result<Vec<AttentionLine>, Error> {
        let mut lines = Vec::new();
        for hold in &surroundings.holds {
            let whom = hold.fiscal_id.as_ref().map(|id| format!(" for VAT number {id}")).unwrap_or_default();
            lines.push(AttentionLine {
                key: None,
                account: Some(hold.account.to_string()),
                what: State::Held.name().to_owned(),
                why: format!("{}{whom} ({}). {}", hold.reason.name(), hold.detail, hold.cure),
                since: hold.since,
            });
        }
        for account in surroundings.accounts.iter() {
            // Only by what this process heard: since an earlier one somebody may have set the clock right.
            if let Some(why) = trust::doubt(now, self.inner.clocks.heard(&account.name)) {
                lines.push(of_account(account.name.as_str(), "clock_wrong", why, now));
            }
            let Some(changed) = self.credentials_changed(&account.name) else { continue };
            let left = PASSWORD_DAYS - (calendar::fiscal_day(now) - changed).num_days();
            if left <= PASSWORD_WARNING_DAYS {
                let (what, how) = match left {
                    ..=0 => ("password_expired", "is over 90 days old".to_owned()),
                    left => ("password_expires", format!("expires in {left} days")),
                };
                let why = format!("the authority's password {how}: change it there, then `staffetta company update`");
                lines.push(of_account(account.name.as_str(), what, why, now));
            }
        }
        let known = !surroundings.accounts.is_empty();
        for group in self.journal().groups()?.into_iter().filter(|group| known && group.account.is_none()) {
            let left = MAX_ATTENTION.saturating_sub(lines.len());
            for id in self.journal().ready(&group, None, left)? {
                let Some(progress) = self.journal().progress(id)? else { continue };
                lines.extend(unknown_account(&progress, surroundings).map(|one| of_document(&progress, one)));
            }
        }
        for id in self.journal().in_state(State::InDoubt, None, MAX_ATTENTION)? {
            let Some(progress) = self.journal().progress(id)? else { continue };
            lines.extend(in_doubt(&progress, surroundings).map(|one| of_document(&progress, one)));
        }
        for id in self.journal().needing_attention(MAX_ATTENTION)? {
            let Some(progress) = self.journal().progress(id)? else { continue };
            lines.extend(of_state(&progress).into_iter().map(|one| of_document(&progress, one)));
        }
        Ok(lines)
    }
}

/// What a person should see of one document.
pub(super) fn of(progress: &Progress, around: &Surroundings) -> Vec<AttentionView> {
    let of_time = unknown_account(progress, around).into_iter().chain(in_doubt(progress, around));
    of_time.chain(of_state(progress)).collect()
}

/// What no account takes waits for ever, unless a person hears of it.
fn unknown_account(progress: &Progress, around: &Surroundings) -> Option<AttentionView> {
    let waits = progress.state == State::Queued && progress.account.is_none() && !around.accounts.is_empty();
    waits.then(|| AttentionView {
        what: "account_unknown".to_owned(),
        why: "it names no account, and none or several of the configuration can take it: change the configuration, or \
              cancel it and enqueue it anew with `account`"
            .to_owned(),
    })
}

/// Look-ups may fail for ever (a list that is too long, a parent that is gone), and nothing passes the document on its lane.
fn in_doubt(progress: &Progress, around: &Surroundings) -> Option<AttentionView> {
    // One that cannot be read was told as such.
    let told = progress.attention.iter().any(|(what, _)| what == UNREADABLE);
    let long = progress.state == State::InDoubt && around.now - progress.changed_at >= LONG_IN_DOUBT && !told;
    long.then(|| {
        let why = one_line(progress.reason.clone());
        let key = &progress.key;
        AttentionView {
            what: State::InDoubt.name().to_owned(),
            why: format!(
                "for over two hours nobody could tell whether it arrived, and what comes after it waits ({why}): look at the \
                 provider, then `staffetta resolve {key} --accepted ID` or `--not-accepted`"
            ),
        }
    })
}

/// A state that needs a person, then what was raised.
fn of_state(progress: &Progress) -> Vec<AttentionView> {
    let state = progress.state;
    let asks = state
        .needs_person()
        .then(|| AttentionView { what: state.name().to_owned(), why: one_line(progress.reason.clone()) });
    let raised =
        progress.attention.iter().map(|(what, why)| AttentionView { what: what.clone(), why: one_line(why.clone()) });
    asks.into_iter().chain(raised).collect()
}

fn of_document(progress: &Progress, one: AttentionView) -> AttentionLine {
    AttentionLine {
        key: Some(progress.key.to_string()),
        account: progress.account.as_ref().map(ToString::to_string),
        what: one.what,
        why: one.why,
        since: progress.changed_at,
    }
}

/// Accounts that left the configuration with documents that wait for them: nothing happens to these before a person does
/// something.
pub(super) fn missing_accounts(
    counts: &BTreeMap<String, BTreeMap<State, u64>>,
    around: &Surroundings,
    now: DateTime<Utc>,
) -> Vec<AttentionLine> {
    let mut lines = Vec::new();
    for (name, counts) in counts {
        // What is `held` asks for a person by itself.
        let waits = |state: &State| !state.is_final() && *state != State::Held;
        let waiting: u64 = counts.iter().filter(|(state, _)| waits(state)).map(|(_, count)| count).sum();
        if waiting > 0 && name.parse().is_ok_and(|name| around.lacks(&name)) {
            let why = format!(
                "the account {MISSING}, and {waiting} of its documents wait for it: add it again; what is still queued \
                 can be cancelled instead"
            );
            lines.push(of_account(name, "account_missing", why, now));
        }
    }
    lines
}

fn of_account(account: &str, what: &str, why: String, since: DateTime<Utc>) -> AttentionLine {
    AttentionLine { key: None, account: Some(account.to_owned()), what: what.to_owned(), why, since }
}

/// Whether a line of attention needs nobody.
pub(super) fn informs_only(line: &AttentionLine) -> bool {
    INFORMS_ONLY.contains(&line.what.as_str())
}
