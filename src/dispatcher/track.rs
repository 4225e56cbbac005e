//! Following what the provider has until the authority has spoken, with growing intervals, many at a time.

use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::office::{Done, Health};
use super::shared::Shared;
use super::submit::{DEBIT_NOTE_NEEDED, after};
use super::unreadable;
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar;
use crate::domain::document::{Body, Kind};
use crate::domain::event::{DocEvent, How};
use crate::domain::id::DocId;
use crate::domain::outcome::{Answer, Customs, Remote, TrackOutcome};
use crate::domain::state::{Progress, State};
use crate::domain::totals;
use crate::error::Error;
use crate::journal::View;
use crate::provider::{Call, Provider, Tracked};
use crate::queue::Story;

/// How long the item ids of a registered sale are asked for; of one that was delivered late, from then on.
const ITEMS_HORIZON: TimeDelta = TimeDelta::days(3);
/// How long the authority's verdict may take before a person should see it.
const LATE: TimeDelta = TimeDelta::hours(2);

/// The attention of a tax-free invoice whose goods should have left.
const EXIT_OVER: &str = "exit_over";

struct Followed {
    progress: Progress,
    story: Story,
}

pub(super) async fn track(shared: Shared, provider: Arc<dyn Provider>, account: Account, ids: Vec<DocId>) -> Done {
    let _place = shared.wire.place().await;
    match ask(&shared, provider, &account, ids).await {
        Ok(done) => done,
        Err(error) => Done { error: Some(error), ..Done::of(Health::Nothing) },
    }
}

async fn ask(shared: &Shared, provider: Arc<dyn Provider>, account: &Account, ids: Vec<DocId>) -> Result<Done, Error> {
    let (followed, damaged) = shared
        .read(move |queue| {
            let journal = queue.journal();
            let (mut followed, mut damaged) = (Vec::with_capacity(ids.len()), Vec::new());
            for id in ids {
                let Some(progress) = journal.progress(id)? else { continue };
                if !matches!(progress.state, State::Accepted | State::Registered) {
                    continue;
                }
                match Story::read(journal, id) {
                    Ok(story) => followed.extend(story.map(|story| Followed { progress, story })),
                    Err(error) => match unreadable::damage(&error) {
                        Some(damage) => damaged.push((progress, damage)),
                        None => return Err(error),
                    },
                }
            }
            Ok((followed, damaged))
        })
        .await?;
    for (progress, damage) in damaged {
        unreadable::set_aside(shared, &progress, &damage).await?;
    }
    for Followed { progress, .. } in &followed {
        unreadable::clear(shared, progress).await?;
    }
    if followed.is_empty() {
        return Ok(Done::of(Health::Nothing));
    }
    let tracked: Vec<Tracked> = followed.iter().map(tracked).collect();
    let answers = provider.track_many(&tracked).await;
    // Fewer answers than documents: the provider was not asked on, since asking was in vain.
    let heard = answers.len() >= followed.len() && answers.iter().any(|answer| !answer.outcome.is_unreadable());
    let mut done = Done::of(if heard { Health::Read } else { Health::Unread });
    let mut recorded = Vec::with_capacity(followed.len());
    for (followed, answer) in followed.iter().zip(answers) {
        if let (Some(429), TrackOutcome::Unreadable { retry_after, .. }) = (answer.status, &answer.outcome) {
            done.health = Health::PauseAsking(*retry_after);
        }
        done.clock_skew_ms = answer.clock_skew_ms.or(done.clock_skew_ms);
        match &answer.outcome {
            // Said of this document before: who released the hold since need not hear it until the provider has tried again.
            TrackOutcome::PendingHeld { hold, .. } if followed.progress.reason == hold.detail => {}
            TrackOutcome::Hold(hold) | TrackOutcome::PendingHeld { hold, .. } => {
                done.hold = Some((followed.progress.fiscal_id.clone(), hold.clone()));
            }
            _ => {}
        }
        let events = events(shared, account, followed, answer);
        recorded.push(shared.record(followed.progress.id, followed.progress.state, events));
    }
    // One flush for all, where each by itself would wait for one of its own.
    for recorded in recorded {
        recorded.await?;
    }
    Ok(done)
}

fn tracked(followed: &Followed) -> Tracked {
    let Followed { progress, story } = followed;
    Tracked {
        call: Call {
            key: progress.key.clone(),
            body: story.body.clone(),
            fiscal_id: progress.fiscal_id.clone(),
            parent_id: None,
            return_items: Vec::new(),
            due: None,
        },
        remote: story.remote.clone(),
        accepted_at: progress.changed_at,
    }
}

/// What an answer makes of a document.
fn events(shared: &Shared, account: &Account, followed: &Followed, answer: Answer<TrackOutcome>) -> Vec<DocEvent> {
    let (progress, now) = (&followed.progress, shared.now());
    let due_at = after(now, shared.settings.track.delay(progress.asked + 1, progress.id.0));
    let again = |why: String| DocEvent::Tracked { remote: Box::default(), why, due_at };
    match answer.outcome {
        TrackOutcome::Pending(remote) => pending(account, progress, *remote, None, (now, due_at)),
        TrackOutcome::PendingHeld { remote, hold } => {
            pending(account, progress, *remote, Some(hold.detail), (now, due_at))
        }
        TrackOutcome::Registered(remote) => registered(followed, *remote, now, due_at),
        TrackOutcome::Failed { certain: true, code, message, remote } => match progress.state {
            State::Accepted => vec![DocEvent::Failed { code, message, remote }],
            _ => vec![again(message)],
        },
        TrackOutcome::Failed { certain: false, code, message, remote } => match progress.state {
            State::Accepted => {
                let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
                let why = format!(
                    "the provider gave up ({code}{message}); whether the authority has it is uncertain: search it by day and amount in \
                     Fatture e Corrispettivi, then `staffetta resolve {} --accepted ID` or `--not-accepted`",
                    progress.key
                );
                let learned = DocEvent::Tracked { remote, why: message, due_at: None };
                vec![learned, DocEvent::Held { code: "authority_uncertain".to_owned(), why }]
            }
            _ => vec![again(message)],
        },
        TrackOutcome::Gone { why } => match progress.state {
            State::Accepted => {
                let why = format!("the provider no longer knows it ({why}): look there, then `staffetta resolve`");
                vec![DocEvent::Held { code: "gone".to_owned(), why }]
            }
            _ => vec![DocEvent::Tracked { remote: Box::default(), why, due_at: None }],
        },
        TrackOutcome::Unreadable { why, retry_after } => {
            let due_at = retry_after.and_then(|wait| after(now, wait)).max(due_at);
            vec![DocEvent::Tracked { remote: Box::default(), why, due_at }]
        }
        TrackOutcome::Hold(hold) => vec![again(hold.detail)],
    }
}

fn pending(
    account: &Account,
    progress: &Progress,
    remote: Remote,
    refusal: Option<String>,
    (now, due_at): (DateTime<Utc>, Option<DateTime<Utc>>),
) -> Vec<DocEvent> {
    let mut events = Vec::new();
    if progress.kind == Kind::Draft {
        let past = progress.deadline.filter(|horizon| *horizon <= now);
        if let (State::Accepted, Some(horizon)) = (progress.state, past) {
            let why = format!("the merchant did not complete it before {}", horizon.to_rfc3339());
            return vec![DocEvent::Held { code: "deadline_passed".to_owned(), why }];
        }
        // No invoice yet: nothing had to leave.
        return vec![DocEvent::Tracked { remote: Box::new(remote), why: String::new(), due_at }];
    }
    let why = refusal.unwrap_or_else(|| match remote.status.as_deref() {
        Some("retry") => "the provider could not reach the authority and tries again by itself".to_owned(),
        _ => String::new(),
    });
    events.push(DocEvent::Tracked { remote: Box::new(remote), why, due_at });
    let known = |code: &str| has_attention(progress, code);
    if now - progress.changed_at >= LATE && !known("verdict_late") {
        let why = "the authority's verdict has been missing for over two hours".to_owned();
        events.push(DocEvent::Attention { code: "verdict_late".to_owned(), why, raised: true });
    }
    if account.provider == ProviderKind::SmartReceipt && end_of_day_near(progress, now) && !known("end_of_day") {
        let why =
            "what the authority has not confirmed by the end of the day it was sent, A-Cube declares failed".to_owned();
        events.push(DocEvent::Attention { code: "end_of_day".to_owned(), why, raised: true });
    }
    events
}

/// A-Cube's same-day rule (AC-lifecycle): attention from half past eleven of the day it was accepted.
fn end_of_day_near(progress: &Progress, now: DateTime<Utc>) -> bool {
    let day = calendar::fiscal_day(progress.changed_at);
    let wall = day.and_time(NaiveTime::from_hms_opt(23, 30, 0).unwrap_or(NaiveTime::MIN));
    calendar::rome(now) >= wall
}

/// The goods had to leave, and customs have not said that they did: what remains is to regularise (PROVIDERS.md 6).
fn exit_over(followed: &Followed, customs: Option<Customs>, now: DateTime<Utc>) -> Option<DocEvent> {
    let Followed { progress, story } = followed;
    let Body::Draft(draft) = &story.body else { return None };
    // By the invoice's own date; until when it is asked about, by the later one of that and its intake.
    let last = calendar::tax_free_last_exit(draft.created_on.date());
    if calendar::fiscal_day(now) <= last || customs.is_some_and(Customs::is_final) || has_attention(progress, EXIT_OVER)
    {
        return None;
    }
    let why = format!(
        "the goods had to leave the EU by {last} and customs have not confirmed it: without their visa the VAT is due, by a \
         debit note within the month after the fourth"
    );
    Some(DocEvent::Attention { code: EXIT_OVER.to_owned(), why, raised: true })
}

fn has_attention(progress: &Progress, code: &str) -> bool {
    progress.attention.iter().any(|(known, _)| known == code)
}

fn registered(followed: &Followed, remote: Remote, now: DateTime<Utc>, due_at: Option<DateTime<Utc>>) -> Vec<DocEvent> {
    let Followed { progress, story } = followed;
    let customs = remote.customs;
    let named = remote.otello_id.is_some() || story.remote.otello_id.is_some();
    let due_at = match (progress.kind, customs) {
        // Until customs have spoken and OTELLO's id is known, or its horizon ends.
        (Kind::Draft, Some(customs))
            if !(customs.is_final() && named) && progress.deadline.is_none_or(|horizon| now < horizon) =>
        {
            due_at
        }
        (Kind::Draft, None) => due_at,
        // A return needs the authority's item ids: a sale without them is asked about until they are there.
        (Kind::Receipt, _)
            if remote.items.is_empty()
                && !progress.has_items
                && now - progress.issued_at.max(progress.changed_at) < ITEMS_HORIZON =>
        {
            due_at
        }
        _ => None,
    };
    let mut events = Vec::new();
    for (code, _) in &progress.attention {
        let over = code == EXIT_OVER && customs.is_some_and(Customs::is_final);
        if over || matches!(code.as_str(), "verdict_late" | "end_of_day" | "deadline_near") {
            events.push(DocEvent::Attention { code: code.clone(), why: String::new(), raised: false });
        }
    }
    let differences = differences(story, &remote);
    let rejected = customs == Some(Customs::Rejected) && progress.customs != Some(Customs::Rejected);
    match progress.state {
        State::Registered => events.push(DocEvent::Tracked { remote: Box::new(remote), why: String::new(), due_at }),
        _ => events.push(DocEvent::Registered { remote: Box::new(remote), how: How::Tracking, due_at }),
    }
    if !differences.is_empty() && !has_attention(progress, "totals_differ") {
        let why = format!("the provider computed other totals: {}", differences.join("; "));
        events.push(DocEvent::Attention { code: "totals_differ".to_owned(), why, raised: true });
    }
    events.extend(exit_over(followed, customs, now));
    if rejected {
        let why = "customs refused the invoice: issue a debit note for the VAT and enqueue its number (note debit_vat)"
            .to_owned();
        events.push(DocEvent::Attention { code: DEBIT_NOTE_NEEDED.to_owned(), why, raised: true });
    }
    events
}

fn differences(story: &Story, remote: &Remote) -> Vec<String> {
    let kind = match &story.body {
        Body::Receipt(_) | Body::Void(_) => Kind::Receipt,
        Body::Return(_) => Kind::Return,
        Body::Draft(_) | Body::NoteNumber(_) => return Vec::new(),
    };
    match story.taken.totals.read(kind) {
        Ok(Some(ours)) => totals::differences(&ours, &remote.totals),
        Ok(None) | Err(_) => Vec::new(), // no totals of ours: a child of a document issued elsewhere
    }
}
