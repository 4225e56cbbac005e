//! What is in doubt is looked up, never sent again on hope. "Not found" counts only after the settle time, and only if
//! a second look agrees; what cannot be told apart is a person's to decide (PROVIDERS.md 4.3).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::bind::{self, Binding};
use super::office::{Done, Health};
use super::shared::Shared;
use super::submit::{accept, after, settle_parent};
use super::unreadable;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::document::Kind;
use crate::domain::event::{DocEvent, Entry, How, ParentRef};
use crate::domain::id::{AccountName, DocId};
use crate::domain::outcome::{Answer, LookUpOutcome, Refusal};
use crate::domain::state::{Progress, State};
use crate::domain::trust;
use crate::error::Error;
use crate::journal::View;
use crate::provider::{BARE_BAD_REQUEST, Call, Claimed, Lost, OTHERS_ANSWER, Provider, SLACK};
use crate::queue::{Queue, Story, parents};

/// Negative looks that must agree before a document may be sent again.
const NEGATIVES: u32 = 2;

/// What is known of the provider's clock minus ours, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skew {
    /// Now.
    pub(super) now: i64,
    /// When the document was sent, if anything is known of that.
    pub(super) then: Option<i64>,
    /// Whether that was noted when it was sent; or is what an earlier process heard last.
    pub(super) sure: bool,
}

impl Skew {
    /// From when until when it may have been under way, by what our clock says now: somebody may have set it since, and then
    /// the document would be looked for at the wrong time, not be found, and be sent again. Whether before it was sent or
    /// after is not known: both are meant, unless the one time is none that can be. Be it ever so little: a time too long costs
    /// a comparison, one too short a second fiscal document.
    fn by_now(self, sent_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let moved = self.then.map_or(0, |then| then.saturating_sub(self.now));
        let by_now = |at| trust::ahead(at, moved);
        if trust::is_impossible(sent_at) {
            return (by_now(sent_at), by_now(ended_at));
        }
        (sent_at.min(by_now(sent_at)), ended_at.max(by_now(ended_at)))
    }
}

/// The ids that this journal owns at an account, or at another of the same company.
struct Owned {
    queue: Queue,
    accounts: Arc<[AccountName]>,
}

impl Claimed for Owned {
    fn is_claimed(&self, remote_id: &str) -> bool {
        // If the index cannot be read, nothing may be claimed anew: say yes.
        self.queue.journal().owners(&self.accounts, remote_id).map_or(true, |owners| !owners.is_empty())
    }
}

pub(super) async fn look_up(
    shared: Shared,
    provider: Arc<dyn Provider>,
    account: Account,
    id: DocId,
    skew: Skew,
) -> Done {
    let _place = shared.wire.place().await;
    match ask(&shared, provider, &account, id, skew).await {
        Ok(done) => done,
        Err(error) => Done { error: Some(error), ..Done::of(Health::Nothing) },
    }
}

async fn ask(
    shared: &Shared,
    provider: Arc<dyn Provider>,
    account: &Account,
    id: DocId,
    skew: Skew,
) -> Result<Done, Error> {
    let (owned, company) = (account.clone(), shared.company(&account.name));
    let found = shared
        .read(move |queue| {
            let Some(progress) = queue.journal().progress(id)?.filter(|progress| progress.state == State::InDoubt)
            else {
                return Ok(None);
            };
            let call = call_of_lost(queue, &progress, (&owned, &company));
            Ok(Some((progress, call)))
        })
        .await?;
    let Some((progress, call)) = found else { return Ok(Done::of(Health::Nothing)) };
    if let Some(damage) = call.as_ref().err().and_then(unreadable::damage) {
        unreadable::set_aside(shared, &progress, &damage).await?;
        return Ok(Done::of(Health::Nothing));
    }
    unreadable::clear(shared, &progress).await?;
    let (Some(attempt), Some(call)) = (progress.attempt.clone(), call?) else {
        let why =
            "what was sent cannot be put together again: look at the provider, then `staffetta resolve`".to_owned();
        hold(shared, id, "cannot_look_up", why).await?;
        return Ok(Done::of(Health::Nothing));
    };
    let (sent_at, ended_at) = skew.by_now(attempt.sent_at, attempt.ended_at.unwrap_or(attempt.sent_at));
    let lost = Lost { call, sent_at, ended_at, clock_skew_ms: skew.now, settle: shared.settings.settle };
    let claimed = Owned { queue: shared.queue.clone(), accounts: shared.company(&account.name) };
    let answer = provider.look_up(&lost, &claimed).await;
    take_in(shared, account, &progress, (&lost, skew.sure), answer).await
}

/// The call as it was sent. A return or void is bound again to its parent, whose ids have not changed.
fn call_of_lost(
    queue: &Queue,
    progress: &Progress,
    (account, company): (&Account, &[AccountName]),
) -> Result<Option<Call>, Error> {
    let journal = queue.journal();
    if let Binding::Ready(call) = bind::bind(journal, progress, (account, company))? {
        return Ok(Some(*call));
    }
    // What keeps it from being sent anew does not keep it from being looked up.
    let Some(story) = Story::read(journal, progress.id)? else { return Ok(None) };
    let parent_id = match &progress.parent {
        Some(ParentRef::Local(parent)) => journal.progress(*parent)?.and_then(|parent| parent.remote_id),
        Some(ParentRef::Remote(id)) => Some(id.clone()),
        None => None,
    };
    Ok(parent_id.map(|parent_id| Call {
        key: progress.key.clone(),
        body: story.body,
        fiscal_id: progress.fiscal_id.clone(),
        parent_id: Some(parent_id),
        return_items: Vec::new(),
        due: None,
    }))
}

async fn take_in(
    shared: &Shared,
    account: &Account,
    progress: &Progress,
    (lost, sure): (&Lost, bool),
    answer: Answer<LookUpOutcome>,
) -> Result<Done, Error> {
    let (now, id) = (shared.now(), progress.id);
    let mut done = Done { clock_skew_ms: answer.clock_skew_ms, ..Done::of(Health::Read) };
    let later = |wait: Option<Duration>| {
        after(now, wait.unwrap_or_else(|| shared.settings.backoff.delay(progress.asked + 1, id.0)))
    };
    let moved = |heard: i64| heard.saturating_sub(lost.clock_skew_ms).abs() > trust::MOST_SKEW_MS;
    let by_an_old_clock = answer.clock_skew_ms.is_some_and(moved);
    match answer.outcome {
        LookUpOutcome::NotFound | LookUpOutcome::Ambiguous(_) if by_an_old_clock => {
            let why = "the provider was asked by a clock that was set meanwhile; asked again by what it says now";
            not_yet(shared, id, why.to_owned(), later(None)).await?;
        }
        LookUpOutcome::Found(remote) => {
            let remote_id = remote.remote_id.clone();
            if progress.kind == Kind::NoteNumber && other_notes(shared, progress).await? {
                let why = "the provider has a note for this invoice, but more than one was sent: which one it is cannot be told";
                hold(shared, id, "ambiguous", why.to_owned()).await?;
            } else if account.provider == ProviderKind::Stamp {
                let event = DocEvent::Registered { remote, how: How::LookUp, due_at: None };
                shared.record(id, State::InDoubt, vec![event]).await?;
                settle_parent(shared, progress).await?;
            } else {
                accept(shared, account, progress, &lost.call, *remote, How::LookUp).0.await?;
            }
            found_after_all(shared, progress, remote_id).await?;
            done.frees = shared.lanes.of(progress);
        }
        LookUpOutcome::Ambiguous(ids) => {
            let why = format!(
                "{} documents at the provider could be this one ({}): look which it is, then `staffetta resolve {} --accepted ID`",
                ids.len(),
                ids.join(", "),
                progress.key
            );
            hold(shared, id, "ambiguous", why).await?;
            done.frees = shared.lanes.of(progress);
        }
        LookUpOutcome::NotFound => {
            negative(shared, progress, lost, (now, sure), "the provider does not list it", &mut done).await?
        }
        LookUpOutcome::CannotTell(why) if progress.kind == Kind::Draft => {
            // A draft has no fiscal effect and its lost link was shown to nobody: one settle time is enough.
            done.health = Health::Nothing;
            let settled = after(lost.ended_at, lost.settle).unwrap_or(now);
            let event = if now >= settled {
                done.frees = shared.lanes.of(progress);
                DocEvent::NotThere { why, due_at: None }
            } else {
                DocEvent::LookedUp { counts: false, why, due_at: Some(settled) }
            };
            shared.record(id, State::InDoubt, vec![event]).await?;
        }
        LookUpOutcome::CannotTell(why) => {
            done.health = Health::Nothing;
            let why = format!("{why}: look at the provider, then `staffetta resolve {}`", progress.key);
            hold(shared, id, "cannot_tell", why).await?;
            done.frees = shared.lanes.of(progress);
        }
        LookUpOutcome::Failed { why, retry_after } => {
            done.health = if answer.status == Some(429) { Health::PauseAsking(retry_after) } else { Health::Unread };
            not_yet(shared, id, why, later(retry_after)).await?;
        }
        LookUpOutcome::Hold(answer) => {
            let why = answer.detail.clone();
            done.hold = Some((progress.fiscal_id.clone(), answer));
            not_yet(shared, id, why, later(None)).await?;
        }
    }
    Ok(done)
}

/// A look that found nothing.
async fn negative(
    shared: &Shared,
    progress: &Progress,
    lost: &Lost,
    (now, sure): (DateTime<Utc>, bool),
    why: &str,
    done: &mut Done,
) -> Result<(), Error> {
    let id = progress.id;
    let earlier = progress.attempt.as_ref().map_or(0, |attempt| attempt.negatives);
    let seen = Seen::of(shared, id).await?;
    if seen.clock_was_set(lost, sure, now) {
        // When it was sent is not known any more: the list may have been searched at the wrong time.
        if progress.asked == 0 {
            let why = format!("{why}, but the clock was set since it was sent");
            return not_yet(shared, id, why, after(now, lost.settle)).await;
        }
        done.frees = shared.lanes.of(progress);
        let why = format!(
            "{why}, but this machine's clock was set since it was sent, so that it may be there at another time: look \
             at the provider, then `staffetta resolve`"
        );
        return hold(shared, id, "cannot_tell", why).await;
    }
    let settled = after(lost.ended_at, lost.settle).unwrap_or(now);
    if now < settled {
        return not_yet(shared, id, format!("{why}, but it may still be taking it in"), Some(settled)).await;
    }
    // A person, or the provider's word, may have had it asked sooner.
    if let Some(due) = seen.again.filter(|due| now < *due) {
        return not_yet(shared, id, format!("{why}; asked once more before that counts"), Some(due)).await;
    }
    if earlier + 1 < NEGATIVES {
        let why = format!("{why}; asked once more before that counts");
        let due_at = after(now, lost.settle / 2);
        shared.record(id, State::InDoubt, vec![DocEvent::LookedUp { counts: true, why, due_at }]).await?;
        return Ok(());
    }
    done.frees = shared.lanes.of(progress);
    let why = format!("{why}, asked {NEGATIVES} times after the settle time");
    let stamp = matches!(progress.kind, Kind::NoteNumber)
        || (progress.kind == Kind::Void
            && matches!(lost.call.body, crate::domain::document::Body::Void(ref void) if void.credit_note_number.is_some()));
    if stamp {
        // Each note is a fiscal document of its own and none is ever sent a second time by itself (CONTRACT.md 5).
        let why = format!(
            "{why}; a note number or cancel is not sent twice by itself: look at Stamp, then `staffetta resolve`"
        );
        return hold(shared, id, "note_not_found", why).await;
    }
    if seen.unknown_by(OTHERS_ANSWER).is_some() {
        let why = format!(
            "{why}, but its answer was one of another document: look at the provider, then `staffetta resolve`"
        );
        return hold(shared, id, "cannot_tell", why).await;
    }
    // It may mean "data not valid or a generic error": unknown once, and a refusal once the provider is known not to have
    // the document (PROVIDERS.md 4.2).
    if let Some(message) = seen.unknown_by(BARE_BAD_REQUEST).map(str::to_owned) {
        let refusal = Refusal { code: Some("BAD_REQUEST".to_owned()), message, violations: Vec::new() };
        shared.record(id, State::InDoubt, vec![DocEvent::Refused { status: Some(400), refusal }]).await?;
        return Ok(());
    }
    let due_at = after(lost.ended_at, shared.settings.backoff.delay(progress.attempts, id.0)).filter(|at| *at > now);
    shared.record(id, State::InDoubt, vec![DocEvent::NotThere { why, due_at }]).await?;
    Ok(())
}

/// What was recorded of a document since it was sent.
#[derive(Default)]
struct Seen {
    /// The earliest of those records by the clock.
    earliest: Option<DateTime<Utc>>,
    /// The last look that counted, …
    counted: Option<DateTime<Utc>>,
    /// … and when it was to be asked again.
    again: Option<DateTime<Utc>>,
    /// Why nobody knows whether it arrived.
    unknown: Option<String>,
}

impl Seen {
    async fn of(shared: &Shared, id: DocId) -> Result<Seen, Error> {
        let story = shared.read(move |queue| Story::read(queue.journal(), id)).await?;
        let mut seen = Seen::default();
        for recorded in story.map(|story| story.events).unwrap_or_default() {
            let Entry::Document { event, .. } = recorded.entry else { continue };
            match event {
                DocEvent::Sending { .. } => seen = Seen::default(),
                DocEvent::LookedUp { counts: true, due_at, .. } => {
                    (seen.counted, seen.again) = (Some(recorded.at), due_at);
                }
                DocEvent::Unknown { why, .. } => seen.unknown = Some(why),
                _ => {}
            }
            seen.earliest = Some(seen.earliest.map_or(recorded.at, |earliest| earliest.min(recorded.at)));
        }
        Ok(seen)
    }

    /// Whether the clock was set, so far that it is not known when the document was sent, or asked for. `sure`: what the
    /// clock said when it was sent is known by the provider's.
    fn clock_was_set(&self, lost: &Lost, sure: bool, now: DateTime<Utc>) -> bool {
        let back = |from: DateTime<Utc>| from - now.min(self.earliest.unwrap_or(now)) > SLACK;
        let forward = trust::is_impossible(lost.sent_at) && !trust::is_impossible(now);
        self.counted.is_some_and(|counted| counted - now > SLACK) || (!sure && (back(lost.sent_at) || forward))
    }

    /// Why nobody knows whether it arrived, if that begins so.
    fn unknown_by(&self, beginning: &str) -> Option<&str> {
        self.unknown.as_deref().filter(|why| why.starts_with(beginning))
    }
}

/// Whether another note for the same invoice was sent, or may have been.
async fn other_notes(shared: &Shared, progress: &Progress) -> Result<bool, Error> {
    let (id, parent) = (progress.id, progress.parent.clone());
    let company = shared.company_of(progress);
    shared
        .read(move |queue| {
            let Some(parent) = parent else { return Ok(false) };
            let sent = |sibling: &Progress| sibling.state == State::Registered || sibling.may_have_left();
            let others = parents::about(queue.journal(), &parent, &company)?;
            Ok(others.iter().any(|other| other.id != id && sent(other)))
        })
        .await
}

/// A person may have said meanwhile that the provider does not have it: then it is not sent again, it is theirs once more.
async fn found_after_all(shared: &Shared, progress: &Progress, remote_id: Option<String>) -> Result<(), Error> {
    let number = |progress: &Progress| progress.attempt.as_ref().map(|attempt| attempt.number);
    let (id, looked_up) = (progress.id, number(progress));
    let found = shared.hand_over(move |txn| {
        let back = |current: &Progress| current.state == State::Queued && number(current) == looked_up;
        if let Some(current) = txn.progress(id)?.filter(back) {
            let remote_id = remote_id.unwrap_or_default();
            let why = format!(
                "it was to be sent again, but the provider has it as {remote_id}: look there, then `staffetta resolve {} --accepted ID`",
                current.key
            );
            txn.record(id, DocEvent::Held { code: "found_after_all".to_owned(), why })?;
        }
        Ok(())
    });
    found.await
}

/// A look that does not count: when to look again.
async fn not_yet(shared: &Shared, id: DocId, why: String, due_at: Option<DateTime<Utc>>) -> Result<(), Error> {
    shared.record(id, State::InDoubt, vec![DocEvent::LookedUp { counts: false, why, due_at }]).await?;
    Ok(())
}

async fn hold(shared: &Shared, id: DocId, code: &str, why: String) -> Result<(), Error> {
    shared.record(id, State::InDoubt, vec![DocEvent::Held { code: code.to_owned(), why }]).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
