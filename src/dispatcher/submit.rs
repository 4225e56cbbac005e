//! One submission: bind, write the intent, look at the clock once more, send once, write the outcome.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::bind::{self, Binding};
use super::lane::Lane;
use super::office::{Done, Health};
use super::plan::{self, Desk};
use super::shared::Shared;
use super::unreadable;
use crate::domain::account::Account;
use crate::domain::calendar;
use crate::domain::event::{DocEvent, How, ParentRef};
use crate::domain::id::{DocId, FiscalId};
use crate::domain::outcome::{Answer, Remote, SubmitOutcome};
use crate::domain::retry::Backoff;
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::View;
use crate::provider::{Call, Provider};

/// The attention of a tax-free invoice that customs refused.
pub(super) const DEBIT_NOTE_NEEDED: &str = "debit_note_needed";

pub(super) async fn submit(
    shared: Shared,
    provider: Arc<dyn Provider>,
    account: Account,
    id: DocId,
    lane: Lane,
    desk: Desk,
) -> Done {
    match attempt(&shared, provider, &account, id, &desk).await {
        Ok((mut done, open)) => {
            done.frees = (!open).then_some(lane);
            done
        }
        // The journal did not take a record. If the request had left, the document is `sending` there and will be looked up.
        Err(error) => Done { error: Some(error), ..Done::of(Health::Nothing) },
    }
}

/// What happened, and whether the call is still open (the lane stays closed then).
async fn attempt(
    shared: &Shared,
    provider: Arc<dyn Provider>,
    account: &Account,
    id: DocId,
    desk: &Desk,
) -> Result<(Done, bool), Error> {
    let owned = account.clone();
    let found = shared
        .read(move |queue| {
            let Some(progress) = queue.journal().progress(id)?.filter(|progress| progress.state == State::Queued)
            else {
                return Ok(None);
            };
            let binding = bind::bind(queue.journal(), &progress, &owned);
            Ok(Some((progress, binding)))
        })
        .await?;
    let Some((progress, binding)) = found else { return Ok((Done::of(Health::Nothing), false)) };
    if let Some(damage) = binding.as_ref().err().and_then(unreadable::damage) {
        shared.record(id, State::Queued, vec![unreadable::held(&progress.key, &damage)]).await?;
        return Ok((Done::of(Health::Nothing), false));
    }
    unreadable::clear(shared, &progress).await?;
    let call = match binding? {
        Binding::Ready(call) => call,
        Binding::Wait(why) => {
            tracing::debug!(key = %progress.key, why, "waits");
            return Ok((Done { rests: Lane::of(&progress), ..Done::of(Health::Nothing) }, false));
        }
        Binding::Hold { code, why } => {
            shared.record(id, State::Queued, vec![DocEvent::Held { code: code.to_owned(), why }]).await?;
            return Ok((Done::of(Health::Nothing), false));
        }
    };
    let number = progress.attempt.as_ref().map_or(0, |attempt| attempt.number) + 1;
    if !intend(shared, &progress, number).await? {
        return Ok((Done::of(Health::Nothing), false)); // called off or held meanwhile
    }
    // The intent took time to be written: the clock is asked again where the request starts.
    if !plan::may_start(shared.now(), desk, shared.settings.on_the_wire()) {
        let why = "the blackout is too near".to_owned();
        shared
            .record(id, State::Sending, vec![DocEvent::NotSent { why, status: None, counts: false, due_at: None }])
            .await?;
        return Ok((Done::of(Health::Nothing), false));
    }
    let answer = provider.submit(&call).await;
    take_in(shared, account, &progress, &call, answer).await
}

/// Writes the intent, unless the document is no longer to be sent.
async fn intend(shared: &Shared, progress: &Progress, number: u32) -> Result<bool, Error> {
    let (id, account, fiscal_id) = (progress.id, progress.account.clone(), progress.fiscal_id.clone());
    shared
        .transact(move |txn| {
            let queued = txn.progress(id)?.is_some_and(|progress| progress.state == State::Queued);
            let held = txn.holds()?.iter().any(|hold| hold.covers(account.as_ref(), fiscal_id.as_ref()));
            if !queued || held {
                return Ok(false);
            }
            txn.record(id, DocEvent::Sending { attempt: number })?;
            Ok(true)
        })
        .await
}

async fn take_in(
    shared: &Shared,
    account: &Account,
    progress: &Progress,
    call: &Call,
    answer: Answer<SubmitOutcome>,
) -> Result<(Done, bool), Error> {
    let (now, id, status) = (shared.now(), progress.id, answer.status);
    let who = id.0;
    let fiscal_id: Option<FiscalId> = progress.fiscal_id.clone();
    let later = |backoff: &Backoff, attempt: u32| after(now, backoff.delay(attempt, who));
    let mut done = Done { clock_skew_ms: answer.clock_skew_ms, ..Done::of(Health::Answered) };
    let mut open = false;
    let event = match answer.outcome {
        SubmitOutcome::NotSent { why } => {
            done.health = Health::Failed;
            done.backed_off = Some(id);
            let due_at = later(&shared.settings.backoff, progress.attempts + 1);
            DocEvent::NotSent { why, status, counts: true, due_at }
        }
        SubmitOutcome::Deferred { why, retry_after, account: true } => {
            done.health = Health::Pause(retry_after);
            DocEvent::NotSent { why, status, counts: false, due_at: None }
        }
        SubmitOutcome::Deferred { why, retry_after, account: false } => {
            let due_at = match retry_after {
                Some(wanted) => after(now, wanted),
                None => later(&shared.settings.track, progress.attempts + 1),
            };
            DocEvent::NotSent { why, status, counts: true, due_at }
        }
        SubmitOutcome::Hold(hold) => {
            let why = hold.detail.clone();
            done.hold = Some((fiscal_id, hold));
            DocEvent::NotSent { why, status, counts: false, due_at: None }
        }
        SubmitOutcome::Refused(refusal) => {
            done.refusal = Some((fiscal_id, Some(refusal.message.clone())));
            DocEvent::Refused { status, refusal }
        }
        SubmitOutcome::Unknown { why } => {
            done.health = Health::Failed;
            open = true;
            // The first look soon, in case only the answer was lost; what it does not find counts only after the settle time.
            let soon = shared.settings.backoff.initial.min(shared.settings.settle);
            DocEvent::Unknown { why, status, due_at: after(now, soon) }
        }
        SubmitOutcome::Accepted(remote) => {
            done.refusal = Some((fiscal_id, None));
            return accept(shared, account, progress, call, *remote, How::Answer, done).await.map(|done| (done, false));
        }
        SubmitOutcome::Registered(remote) => {
            done.refusal = Some((fiscal_id, None));
            DocEvent::Registered { remote, how: How::Answer, due_at: None }
        }
    };
    let registered = matches!(event, DocEvent::Registered { .. });
    shared.record(id, State::Sending, vec![event]).await?;
    if registered {
        settle_parent(shared, progress).await?;
    }
    Ok((done, open))
}

/// A debit note's number that arrived ends what its invoice asked for.
pub(super) async fn settle_parent(shared: &Shared, progress: &Progress) -> Result<(), Error> {
    let Some(ParentRef::Local(parent)) = progress.parent else { return Ok(()) };
    shared
        .transact(move |txn| {
            let asks = |parent: &Progress| parent.attention.iter().any(|(code, _)| code == DEBIT_NOTE_NEEDED);
            if txn.progress(parent)?.as_ref().is_some_and(asks) {
                let code = DEBIT_NOTE_NEEDED.to_owned();
                txn.record(parent, DocEvent::Attention { code, why: String::new(), raised: false })?;
            }
            Ok(())
        })
        .await
}

/// Takes over the provider's id, unless another document of this journal owns it already: then a person must look.
pub(super) async fn accept(
    shared: &Shared,
    account: &Account,
    progress: &Progress,
    call: &Call,
    remote: Remote,
    how: How,
    done: Done,
) -> Result<Done, Error> {
    let (now, id, name) = (shared.now(), progress.id, account.name.clone());
    let wait = if how == How::Answer { shared.settings.track.delay(1, id.0) } else { Duration::ZERO };
    let moved = fiscal_day_moved(progress, &remote, now);
    let remote_id = remote.remote_id.clone();
    let kind = call.body.kind();
    shared
        .transact(move |txn| {
            let Some(current) = txn.progress(id)? else { return Ok(()) };
            if !matches!(current.state, State::Sending | State::InDoubt) {
                return Ok(());
            }
            let owner = match &remote_id {
                Some(remote_id) => txn.by_remote(&name, remote_id)?.filter(|owner| *owner != id),
                None => None,
            };
            if let Some(owner) = owner {
                let owner = txn.progress(owner)?.map(|owner| owner.key.to_string()).unwrap_or_default();
                let remote_id = remote_id.unwrap_or_default();
                let why = format!("the provider answered with the id {remote_id}, which belongs to {owner}");
                if current.state == State::Sending {
                    txn.record(id, DocEvent::Unknown { why: why.clone(), status: None, due_at: None })?;
                }
                txn.record(id, DocEvent::Held { code: "id_not_new".to_owned(), why })?;
                return Ok(());
            }
            tracing::info!(key = %current.key, %kind, "accepted");
            txn.record(id, DocEvent::Accepted { remote: Box::new(remote), how, due_at: after(now, wait) })?;
            if let Some(why) = moved {
                txn.record(id, DocEvent::Attention { code: "fiscal_day_moved".to_owned(), why, raised: true })?;
            }
            Ok(())
        })
        .await?;
    Ok(done)
}

/// A sale that reached the provider on another Italian day than it was made: it counts on that day (PROVIDERS.md 5).
fn fiscal_day_moved(progress: &Progress, remote: &Remote, now: DateTime<Utc>) -> Option<String> {
    let sold = calendar::fiscal_day(progress.issued_at);
    let sent = calendar::fiscal_day(remote.created_at.unwrap_or(now));
    (sold != sent && progress.kind == crate::domain::document::Kind::Receipt)
        .then(|| format!("sold on {sold}, delivered on {sent}"))
}

pub(super) fn after(now: DateTime<Utc>, wait: Duration) -> Option<DateTime<Utc>> {
    TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait))
}
