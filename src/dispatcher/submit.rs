//! One submission: bind, write the intent, look at the clock once more, send once, write the outcome.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::bind::{self, Binding};
use super::lane::Lane;
use super::office::{Done, Health};
use super::plan::{self, Desk};
use super::shared::{Shared, Taken};
use super::standing::{self, Objection};
use super::unreadable;
use super::wire::Pass;
use crate::domain::account::Account;
use crate::domain::calendar;
use crate::domain::event::{DocEvent, How, ParentRef};
use crate::domain::id::{DocId, FiscalId};
use crate::domain::outcome::{Answer, Remote, SubmitOutcome};
use crate::domain::retry::Backoff;
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::View;
use crate::provider::turns;
use crate::provider::{Call, Provider};
use crate::queue::parents;

/// The attention of a tax-free invoice that customs refused.
pub(super) const DEBIT_NOTE_NEEDED: &str = "debit_note_needed";

/// What is to be submitted, and what is known of its turn.
pub(super) struct Errand {
    pub(super) id: DocId,
    pub(super) lane: Lane,
    /// The document before it on the lane, while the outcome of that one is not known to be durable.
    pub(super) behind: Option<DocId>,
    pub(super) desk: Desk,
    /// Until when it may be sent.
    pub(super) pass: Pass,
}

/// What became of an intent.
enum Intent {
    /// It is durable.
    Written,
    /// The document was called off or held meanwhile.
    NotNow,
    /// The outcome of the document before it on the lane was not recorded.
    Behind(DocId),
}

/// What was made ready to be sent.
enum Prepared<F> {
    /// It is no longer to be sent.
    Gone,
    /// Its intent is with the journal.
    Ready(Box<Progress>, Box<Call>, F),
    /// Why it cannot be sent now.
    Not(Box<Progress>, Result<Binding, Error>),
}

pub(super) async fn submit(shared: Shared, provider: Arc<dyn Provider>, account: Account, errand: Errand) -> Done {
    shared.wire.begins(errand.id);
    let attempt = attempt(&shared, provider, &account, &errand).await;
    shared.wire.leaves(errand.id);
    match attempt {
        Ok((mut done, open)) => {
            done.frees = (!open).then_some(errand.lane);
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
    errand: &Errand,
) -> Result<(Done, bool), Error> {
    let (id, begun) = (errand.id, shared.ticks());
    let prepared = if matches!(errand.lane, Lane::Sales(..)) {
        // One record: handing it to another thread and back would cost more than reading it.
        prepare(shared, account, id, errand.behind)?
    } else {
        // The histories of its parent and of all that is about that one.
        let (account, behind, own) = (account.clone(), errand.behind, shared.clone());
        shared.read(move |_| prepare(&own, &account, id, behind)).await?
    };
    let (progress, call, intent) = match prepared {
        Prepared::Gone => return Ok((Done::of(Health::Nothing), false)),
        Prepared::Ready(progress, call, intent) => (progress, call, intent.await?),
        Prepared::Not(progress, binding) => match ready_after_all(shared, &progress, binding).await? {
            Ok(call) => {
                let intent = intend(shared, &progress, errand.behind).await?;
                (progress, call, intent)
            }
            Err(done) => return Ok((*done, false)),
        },
    };
    match intent {
        Intent::Written => {}
        Intent::NotNow => return Ok((Done::of(Health::Nothing), false)),
        Intent::Behind(open) => return Ok((Done { behind: Some(open), ..Done::of(Health::Nothing) }, true)),
    }
    let place = shared.wire.place_after(shared.ticks().saturating_sub(begun), || shared.ticks()).await;
    if errand.pass.is_good()
        && let Some(objection) = standing::objection(&*provider, &call).await
    {
        drop(place);
        return match objection {
            Objection::Recorded { events, open } => {
                shared.record(id, State::Sending, events).await?;
                Ok((Done::of(Health::Read), open))
            }
            Objection::Answered(answer) => take_in(shared, account, &progress, errand, &call, answer).await,
        };
    }
    turns::wait().await;
    // That took time: it is asked again where the request starts.
    let against = if !plan::may_start(shared.now(), &errand.desk, shared.settings.on_the_wire()) {
        Some("the blackout is too near")
    } else if progress.deadline.is_some_and(|deadline| deadline <= shared.now()) {
        Some("its deadline is over")
    } else {
        (!errand.pass.is_good()).then_some("nothing more is sent for the moment")
    };
    if let Some(why) = against {
        shared.record(id, State::Sending, vec![not_begun(why)]).await?;
        return Ok((Done::of(Health::Nothing), false));
    }
    shared.wire.leaves(id);
    let answer = provider.submit(&call).await;
    if closes(&answer.outcome) {
        errand.pass.close();
    }
    drop(place);
    take_in(shared, account, &progress, errand, &call, answer).await
}

/// Whether an answer speaks against sending what else was begun: the provider or the line is down, wants a pause, or
/// refuses the account.
fn closes(outcome: &SubmitOutcome) -> bool {
    use SubmitOutcome::{Deferred, Hold, NotSent, Unknown};
    matches!(outcome, NotSent { .. } | Unknown { .. } | Deferred { account: true, .. } | Hold(_))
}

/// Its intent was written, and its request was never begun.
pub(super) fn not_begun(why: &str) -> DocEvent {
    DocEvent::NotSent { why: why.to_owned(), status: None, counts: false, due_at: None }
}

/// Reads a document, binds it, and hands its intent to the journal.
fn prepare(
    shared: &Shared,
    account: &Account,
    id: DocId,
    behind: Option<DocId>,
) -> Result<Prepared<impl Future<Output = Result<Intent, Error>> + Send + use<>>, Error> {
    let journal = shared.queue.journal();
    let Some(progress) = journal.progress(id)?.filter(|progress| progress.state == State::Queued) else {
        return Ok(Prepared::Gone);
    };
    let company = shared.company(&account.name);
    match bind::bind(journal, &progress, (account, &company)) {
        Ok(Binding::Ready(call)) if !unreadable::is_set_aside(&progress) => {
            let intent = intend(shared, &progress, behind);
            Ok(Prepared::Ready(Box::new(progress), call, intent))
        }
        other => Ok(Prepared::Not(Box::new(progress), other)),
    }
}

/// Deals with what keeps a document from being sent. Ready all the same if only its attention had to be cleared.
async fn ready_after_all(
    shared: &Shared,
    progress: &Progress,
    binding: Result<Binding, Error>,
) -> Result<Result<Box<Call>, Box<Done>>, Error> {
    let nothing = || Err(Box::new(Done::of(Health::Nothing)));
    if let Some(damage) = binding.as_ref().err().and_then(unreadable::damage) {
        shared.record(progress.id, State::Queued, vec![unreadable::held(&progress.key, &damage)]).await?;
        return Ok(nothing());
    }
    unreadable::clear(shared, progress).await?;
    Ok(match binding? {
        Binding::Ready(call) => Ok(call),
        Binding::Wait(why) => {
            tracing::debug!(key = %progress.key, why, "waits");
            Err(Box::new(Done { rests: shared.lanes.of(progress), ..Done::of(Health::Nothing) }))
        }
        Binding::Hold { code, why } => {
            let held = DocEvent::Held { code: code.to_owned(), why };
            shared.record(progress.id, State::Queued, vec![held]).await?;
            nothing()
        }
    })
}

/// Writes the intent, unless the document is no longer to be sent. Decided where the order is decided: what was recorded
/// since it was gathered counts, and so does whether the one before it on its lane is through.
fn intend(
    shared: &Shared,
    progress: &Progress,
    behind: Option<DocId>,
) -> impl Future<Output = Result<Intent, Error>> + Send + use<> {
    let (id, account, fiscal_id) = (progress.id, progress.account.clone(), progress.fiscal_id.clone());
    let number = progress.attempt.as_ref().map_or(0, |attempt| attempt.number) + 1;
    let child = progress.parent.is_some().then(|| (progress.clone(), shared.company_of(progress)));
    shared.hand_over(move |txn| {
        let queued = txn.progress(id)?.is_some_and(|progress| progress.state == State::Queued);
        let held = txn.holds()?.iter().any(|hold| hold.covers(account.as_ref(), fiscal_id.as_ref()));
        if !queued || held {
            return Ok(Intent::NotNow);
        }
        // One that names the same parent in another way is on another lane, and may have been sent since.
        if let Some((child, company)) = &child
            && let Some(parent) = &child.parent
            && bind::against(child, "", &parents::living_children(txn, parent, company)?).is_some()
        {
            return Ok(Intent::NotNow);
        }
        if let Some(before) = behind {
            let before = txn.progress(before)?;
            if let Some(open) = before.filter(|one| matches!(one.state, State::Sending | State::InDoubt)) {
                return Ok(Intent::Behind(open.id));
            }
        }
        txn.record(id, DocEvent::Sending { attempt: number })?;
        Ok(Intent::Written)
    })
}

async fn take_in(
    shared: &Shared,
    account: &Account,
    progress: &Progress,
    errand: &Errand,
    call: &Call,
    answer: Answer<SubmitOutcome>,
) -> Result<(Done, bool), Error> {
    let (now, id, status) = (shared.now(), progress.id, answer.status);
    let who = id.0;
    let fiscal_id: Option<FiscalId> = progress.fiscal_id.clone();
    let later = |backoff: &Backoff, attempt: u32| after(now, backoff.delay(attempt, who));
    let mut done = Done { clock_skew_ms: answer.clock_skew_ms, ..Done::of(Health::Answered) };
    let mut open = false;
    // Whether a correction may be sent is read from what is durable: there the lane waits for that.
    let tell = |due_at| {
        if matches!(errand.lane, Lane::Sales(..)) {
            shared.tell(Taken { id, clock_skew_ms: answer.clock_skew_ms, due_at });
        }
    };
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
            let (recorded, due_at) = accept(shared, account, progress, call, *remote, How::Answer);
            tell(due_at);
            recorded.await?;
            return Ok((done, false));
        }
        SubmitOutcome::Registered(remote) => {
            done.refusal = Some((fiscal_id, None));
            let event = DocEvent::Registered { remote, how: How::Answer, due_at: None };
            let recorded = shared.record(id, State::Sending, vec![event]);
            tell(None);
            recorded.await?;
            settle_parent(shared, progress).await?;
            return Ok((done, false));
        }
    };
    shared.record(id, State::Sending, vec![event]).await?;
    Ok((done, open))
}

/// A debit note's number that arrived ends what its invoice asked for.
pub(super) async fn settle_parent(shared: &Shared, progress: &Progress) -> Result<(), Error> {
    let Some(ParentRef::Local(parent)) = progress.parent else { return Ok(()) };
    shared
        .hand_over(move |txn| {
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
/// Handed to the journal when this returns; what it returns waits for the disk. Also tells when the verdict is asked for.
pub(super) fn accept(
    shared: &Shared,
    account: &Account,
    progress: &Progress,
    call: &Call,
    remote: Remote,
    how: How,
) -> (impl Future<Output = Result<(), Error>> + Send + use<>, Option<DateTime<Utc>>) {
    let (now, id, accounts) = (shared.now(), progress.id, shared.company(&account.name));
    let wait = if how == How::Answer { shared.settings.track.delay(1, id.0) } else { Duration::ZERO };
    let moved = fiscal_day_moved(progress, &remote, now);
    let remote_id = remote.remote_id.clone();
    let kind = call.body.kind();
    let due_at = after(now, wait);
    let recorded = shared.hand_over(move |txn| {
        let Some(current) = txn.progress(id)? else { return Ok(()) };
        if !matches!(current.state, State::Sending | State::InDoubt) {
            return Ok(());
        }
        let owner = match &remote_id {
            Some(remote_id) => txn.owners(&accounts, remote_id)?.into_iter().find(|owner| *owner != id),
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
        txn.record(id, DocEvent::Accepted { remote: Box::new(remote), how, due_at })?;
        if let Some(why) = moved {
            txn.record(id, DocEvent::Attention { code: "fiscal_day_moved".to_owned(), why, raised: true })?;
        }
        Ok(())
    });
    (recorded, due_at)
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

#[cfg(test)]
mod tests;
