//! What an answer proves, where all three providers agree (PROVIDERS.md 4.2, 5), and the words it is told in.

use serde_json::Value;

use super::http::{Reply, clip};
use super::json;
use super::session::Trouble;
use crate::domain::check::Violation;
use crate::domain::outcome::{
    Answer, HoldAnswer, HoldReason, HoldScope, LookUpOutcome, Refusal, StandingOutcome, SubmitOutcome, TrackOutcome,
};

/// What an unknown outcome says first when the answer is another request's, as it seems. What a look-up does not find then is
/// a person's: should the provider change our tags, or name a document that it has already, no look-up would ever find one.
pub const OTHERS_ANSWER: &str = "the answer is another document's";

/// What an answer to a submission proves. Where its status does not decide, the provider's own judgement does: `accepted`
/// says whether a 2xx holds what it must, `rejected` what a 4xx with the provider's own JSON error means.
pub(crate) fn submission(
    reply: &Reply,
    accepted: impl FnOnce() -> SubmitOutcome,
    rejected: impl FnOnce(&Value) -> SubmitOutcome,
) -> SubmitOutcome {
    let unknown = |what: &str| SubmitOutcome::Unknown { why: format!("HTTP {}: {what}", reply.status) };
    let said = || SubmitOutcome::Unknown { why: words(reply) };
    match reply.status {
        200..=299 => accepted(),
        300..=399 => unknown("a redirect, which is not followed; is the configured address right?"),
        // Timed out or overtaken on the provider's side, or given up by something between: nobody knows.
        408 | 425 | 499 => said(),
        429 => SubmitOutcome::Deferred { why: words(reply), retry_after: reply.retry_after, account: true },
        401 => hold(HoldScope::Account, HoldReason::Credentials, reply),
        402 => hold(HoldScope::Account, HoldReason::Unpaid, reply),
        400..=498 => match json::parse(&reply.body) {
            Some(error) if is_providers_own(&error) => rejected(&error),
            _ => unknown("not an error of the provider's own; something between us answered"),
        },
        _ => said(),
    }
}

/// Whether an error object is one that these providers write: any of their members is there.
fn is_providers_own(error: &Value) -> bool {
    const MEMBERS: [&str; 9] =
        ["message", "error", "detail", "title", "violations", "code", "ErrorCode", "ErrorMessage", "hydra:description"];
    MEMBERS.iter().any(|name| error.get(name).is_some_and(|member| !member.is_null()))
}

/// Holds an account or a VAT number, in the provider's words.
pub(crate) fn hold(scope: HoldScope, reason: HoldReason, reply: &Reply) -> SubmitOutcome {
    SubmitOutcome::Hold(HoldAnswer { scope, reason, detail: words(reply) })
}

/// Refuses the document.
pub(crate) fn refused(error: &Value, reply: &Reply) -> SubmitOutcome {
    SubmitOutcome::Refused(refusal(error, reply))
}

/// A refusal in the provider's words.
pub(crate) fn refusal(error: &Value, reply: &Reply) -> Refusal {
    let code = ["ErrorCode", "error", "code"].iter().find_map(|name| json::text(error, name));
    Refusal { code, message: words(reply), violations: violations(error) }
}

/// The violations of an error object.
pub(crate) fn violations(error: &Value) -> Vec<Violation> {
    let read = |one: &Value| Violation {
        property_path: json::text(one, "propertyPath").map(|path| clip(&path)).unwrap_or_default(),
        message: json::text(one, "message").map(|message| clip(&message)).unwrap_or_default(),
    };
    json::objects(error, "violations").into_iter().map(read).collect()
}

/// What an answer says, for a person: its status and the message of its error object; never a body as it came.
pub(crate) fn words(reply: &Reply) -> String {
    let error = json::parse(&reply.body).unwrap_or(Value::Null);
    let message = ["detail", "message", "ErrorMessage", "hydra:description", "title"]
        .iter()
        .find_map(|name| json::text(&error, name));
    let code = ["ErrorCode", "error"].iter().find_map(|name| json::text(&error, name));
    clip(&match (message, code) {
        (Some(message), Some(code)) => format!("HTTP {}: {message} (error {code})", reply.status),
        (Some(message), None) => format!("HTTP {}: {message}", reply.status),
        (None, Some(code)) => format!("HTTP {}: error {code}", reply.status),
        (None, None) => format!("HTTP {}", reply.status),
    })
}

/// Whether an error object's texts contain any of `needles` (in lower case).
pub(crate) fn mentions(error: &Value, needles: &[&str]) -> bool {
    let texts = ["detail", "message", "ErrorMessage", "error", "title", "error_message", "error_code"];
    let own = texts.iter().filter_map(|name| json::text(error, name));
    let all = own.chain(violations(error).into_iter().map(|violation| violation.message));
    all.map(|text| text.to_ascii_lowercase()).any(|text| needles.iter().any(|needle| text.contains(needle)))
}

/// A request without an answer, as the outcome of a submission.
pub(crate) fn submit_trouble(trouble: Trouble) -> Answer<SubmitOutcome> {
    let (status, clock_skew_ms) = trouble_meta(&trouble);
    let outcome = match trouble {
        Trouble::NotSent(why) => SubmitOutcome::NotSent { why },
        Trouble::Unknown { why, .. } => SubmitOutcome::Unknown { why },
        Trouble::Deferred { why, retry_after } => SubmitOutcome::Deferred { why, retry_after, account: true },
        Trouble::Hold { hold, .. } => SubmitOutcome::Hold(hold),
    };
    Answer { outcome, status, clock_skew_ms }
}

/// A reading that gave nothing to judge: no answer, or one that is not the list or document asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NoRead {
    /// No trustworthy answer.
    Failed { why: String, retry_after: Option<std::time::Duration> },
    /// The account or VAT number is refused.
    Hold(HoldAnswer),
    /// There is no such document.
    Gone(String),
    /// It can be read and would not tell, however often: there is too much of it.
    Endless(String),
}

impl NoRead {
    /// In words.
    pub(crate) fn failed(why: impl Into<String>) -> NoRead {
        NoRead::Failed { why: clip(&why.into()), retry_after: None }
    }

    /// The same, of a list: that there is no such list says nothing of the documents that could be in it.
    pub(crate) fn of_list(self) -> NoRead {
        match self {
            NoRead::Gone(why) => NoRead::Failed { why, retry_after: None },
            other => other,
        }
    }

    pub(crate) fn into_look_up(self) -> LookUpOutcome {
        match self {
            NoRead::Failed { why, retry_after } => LookUpOutcome::Failed { why, retry_after },
            NoRead::Hold(hold) => LookUpOutcome::Hold(hold),
            NoRead::Gone(why) => LookUpOutcome::Failed { why, retry_after: None },
            NoRead::Endless(why) => LookUpOutcome::CannotTell(why),
        }
    }

    pub(crate) fn into_standing(self) -> StandingOutcome {
        match self {
            NoRead::Failed { why, retry_after } => StandingOutcome::Failed { why, retry_after },
            NoRead::Hold(hold) => StandingOutcome::Hold(hold),
            NoRead::Gone(_) => StandingOutcome::Untold,
            NoRead::Endless(why) => StandingOutcome::Failed { why, retry_after: None },
        }
    }

    pub(crate) fn into_track(self) -> TrackOutcome {
        match self {
            NoRead::Failed { why, retry_after } => TrackOutcome::Unreadable { why, retry_after },
            NoRead::Hold(hold) => TrackOutcome::Hold(hold),
            NoRead::Gone(why) => TrackOutcome::Gone { why },
            NoRead::Endless(why) => TrackOutcome::Unreadable { why, retry_after: None },
        }
    }
}

impl From<Trouble> for NoRead {
    fn from(trouble: Trouble) -> NoRead {
        match trouble {
            Trouble::NotSent(why) | Trouble::Unknown { why, .. } => NoRead::Failed { why, retry_after: None },
            Trouble::Deferred { why, retry_after } => NoRead::Failed { why, retry_after },
            Trouble::Hold { hold, .. } => NoRead::Hold(hold),
        }
    }
}

/// The JSON of an answer to a reading, or why there is none.
pub(crate) fn read(reply: &Reply) -> Result<Value, NoRead> {
    let failed = |why: String| NoRead::Failed { why, retry_after: reply.retry_after };
    let parsed = json::parse(&reply.body);
    match reply.status {
        200..=299 => {
            let json = parsed.ok_or_else(|| failed(format!("HTTP {}, but not JSON", reply.status)))?;
            // Success is the status's word, unless the provider takes it back.
            match json::flag(&json, "success") {
                Some(false) => Err(failed(words(reply))),
                _ => Ok(json),
            }
        }
        300..=399 => Err(failed(format!("HTTP {}: a redirect, which is not followed", reply.status))),
        402 => Err(NoRead::Hold(hold_answer(HoldReason::Unpaid, reply))),
        403 if parsed.is_some_and(|error| is_providers_own(&error)) => {
            Err(NoRead::Hold(hold_answer(HoldReason::Forbidden, reply)))
        }
        404 | 410 if json::parse(&reply.body).is_some_and(|error| is_providers_own(&error)) => {
            Err(NoRead::Gone(words(reply)))
        }
        _ => Err(failed(words(reply))),
    }
}

fn hold_answer(reason: HoldReason, reply: &Reply) -> HoldAnswer {
    HoldAnswer { scope: HoldScope::Account, reason, detail: words(reply) }
}

fn trouble_meta(trouble: &Trouble) -> (Option<u16>, Option<i64>) {
    match trouble {
        Trouble::Unknown { status, skew_ms, .. } => (*status, *skew_ms),
        Trouble::Hold { status, .. } => (Some(*status), None),
        _ => (None, None),
    }
}

/// An outcome with what the answer also told.
pub(crate) fn answer<T>(outcome: T, reply: &Reply) -> Answer<T> {
    Answer { outcome, status: Some(reply.status), clock_skew_ms: reply.skew_ms }
}

/// What the answers to a row of readings also told: the last status, the last clock.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    status: Option<u16>,
    skew_ms: Option<i64>,
}

impl Seen {
    /// Takes note of an answer, or of the lack of one.
    pub(crate) fn note(&mut self, result: Result<Reply, Trouble>) -> Result<Reply, Trouble> {
        let (status, skew_ms) = match &result {
            Ok(reply) => (Some(reply.status), reply.skew_ms),
            Err(trouble) => trouble_meta(trouble),
        };
        self.status = status.or(self.status);
        self.skew_ms = skew_ms.or(self.skew_ms);
        result
    }

    pub(crate) fn answer<T>(self, outcome: T) -> Answer<T> {
        Answer { outcome, status: self.status, clock_skew_ms: self.skew_ms }
    }
}
