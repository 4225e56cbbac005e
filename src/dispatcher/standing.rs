//! Just before a return or void is sent its provider is asked what there is about the sale: other tills, other programs and
//! people at the portal correct it too. A void of a returned sale is taken by the authority and counts twice (HAR-RET), and
//! partial returns repeat happily (PROVIDERS.md 4.3, 6).

use super::submit::not_begun;
use crate::domain::document::Body;
use crate::domain::event::DocEvent;
use crate::domain::money::Decimal;
use crate::domain::outcome::{Answer, Standing, StandingOutcome, SubmitOutcome};
use crate::provider::{Call, Provider};

/// What keeps a correction from being sent.
pub(super) enum Objection {
    /// To be recorded instead of sending it; it may have been sent before, then it is looked up.
    Recorded { events: Vec<DocEvent>, open: bool },
    /// The provider was to be asked first, and that did not work.
    Answered(Answer<SubmitOutcome>),
}

/// Asks about the parent of a return or void; nothing is asked about anything else.
pub(super) async fn objection(provider: &dyn Provider, call: &Call) -> Option<Objection> {
    if !matches!(call.body, Body::Return(_) | Body::Void(_)) {
        return None;
    }
    let answer = provider.standing(call).await;
    let status = answer.status;
    let outcome = match answer.outcome {
        StandingOutcome::Untold => return None,
        StandingOutcome::Known(standing) => return against(call, &standing),
        StandingOutcome::Hold(hold) => SubmitOutcome::Hold(hold),
        StandingOutcome::Failed { why, retry_after } => match status {
            Some(429) => SubmitOutcome::Deferred { why, retry_after, account: true },
            // It has no such question: what it says to the correction must do.
            Some(400..=499) if !matches!(status, Some(401 | 402 | 403 | 408 | 425 | 499)) => return None,
            _ => SubmitOutcome::NotSent { why: format!("the sale cannot be read before it is corrected: {why}") },
        },
    };
    Some(Objection::Answered(Answer { outcome, status, clock_skew_ms: answer.clock_skew_ms }))
}

fn against(call: &Call, standing: &Standing) -> Option<Objection> {
    let parent = call.parent_id.as_deref().unwrap_or_default();
    let held = |code: &str, why: String| {
        let held = DocEvent::Held { code: code.to_owned(), why: why.clone() };
        Some(Objection::Recorded { events: vec![not_begun(&why), held], open: false })
    };
    match &call.body {
        Body::Void(_) if standing.voided => {
            let why = "the sale is voided already; whether by an earlier attempt is looked up".to_owned();
            let events = vec![DocEvent::Unknown { why, status: None, due_at: None }];
            Some(Objection::Recorded { events, open: true })
        }
        Body::Void(_) if !standing.returns.is_empty() => {
            let ids = standing.returns.join(", ");
            let why = format!(
                "the provider has returns of {parent} that were not made here ({ids}): a sale with returns must not be voided; \
                 cancel this void, and return what is left"
            );
            held("parent_returned", why)
        }
        Body::Return(_) if standing.voided => {
            let why = format!("{parent} is voided at the provider, and not from here: nothing of it can be returned");
            held("parent_voided", why)
        }
        Body::Return(_) => {
            let (id, returned, sold) = call.return_items.iter().find_map(|item| too_many(item, standing))?;
            let why = format!(
                "of {sold} pieces of the line {id} of {parent} {returned} were given back already, as the provider has it: so \
                 many more cannot be returned"
            );
            held("return_does_not_fit", why)
        }
        _ => None,
    }
}

/// A line of which more would be given back than was sold: its id, how many were given back, and how many were sold.
fn too_many<'a>((id, quantity): &'a (String, Decimal), standing: &Standing) -> Option<(&'a str, Decimal, Decimal)> {
    let line = standing.items.iter().find(|line| line.id == *id)?;
    let (returned, sold) = (line.returned.parse::<Decimal>().ok()?, line.quantity.parse::<Decimal>().ok()?);
    (returned.checked_add(*quantity)? > sold).then_some((id.as_str(), returned, sold))
}
