//! What each fault must lead to, written down from the contract and PROVIDERS.md 4.2, 4.3 and 5, not from the code.

use staffetta::domain::account::ProviderKind;
use staffetta::sandbox::Outcome;

use super::plan::{Kind, Named, Nature, Stage, Step};
use super::{OPENAPI, SMART, STAMP};

/// Where a document ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Registered, and at the authority exactly once.
    Once,
    /// A draft whose lost link nobody saw: sent again (CONTRACT.md 5).
    DraftTwice,
    /// A person must decide; so many are at the provider.
    Held { code: &'static str, ledger: usize },
    /// Refused, nothing at the provider.
    Refused,
    /// The authority refused it.
    Failed,
    /// The provider has it, says it, and will never have it done.
    Waits,
    /// The account or VAT number is held, the document keeps its place; after the release it goes on.
    AccountHeld(&'static str),
}

/// Without a fault at the step itself.
pub fn without_trouble(kind: Kind, stage: Stage) -> End {
    match stage {
        // A note's number or a cancel is never sent a second time by itself.
        Stage::Lost { processed: false } if kind.is_note() => End::Held { code: "note_not_found", ledger: 0 },
        _ => End::Once,
    }
}

pub fn end(provider: ProviderKind, kind: Kind, step: Step, stage: Stage, fault: &Named) -> End {
    let base = without_trouble(kind, stage);
    match (step, &fault.nature) {
        (_, Nature::Harmless) => base,
        (Step::Login, Nature::Says(code)) => login(*code).unwrap_or(base),
        // Of the document itself nothing left.
        (Step::Login, _) => base,
        (Step::Submit, Nature::Lost { processed: false }) => without_trouble(kind, Stage::Lost { processed: false }),
        // Stamp's answer to these is empty anyway.
        (Step::Submit, Nature::Lost { .. }) if kind.is_note() => End::Once,
        (Step::Submit, Nature::Lost { .. }) if kind == Kind::Draft => End::DraftTwice,
        (Step::Submit, Nature::Lost { .. }) => End::Once,
        (Step::Submit, Nature::Says(code)) => submitted(provider, kind, *code),
        (Step::Submit, Nature::Then(outcome)) => then(provider, kind, outcome),
        // A sale that looks like it and does not show its lines: a person must say whether it is.
        (Step::Details, Nature::Says(404)) if kind == Kind::Receipt && stage != Stage::Verdict => {
            End::Held { code: "ambiguous", ledger: 1 }
        }
        // What is not told now is asked for later.
        (Step::VoidsId | Step::Crf0, _) => base,
        (_, Nature::Says(code)) => asked(provider, step, stage, *code).unwrap_or(base),
        // A question without an answer is asked again.
        (_, Nature::Lost { .. } | Nature::Then(_)) => base,
    }
}

fn login(code: u16) -> Option<End> {
    match code {
        400 | 401 | 403 | 422 => Some(End::AccountHeld("credentials")),
        402 => Some(End::AccountHeld("unpaid")),
        404 => Some(End::AccountHeld("misconfigured")),
        _ => None,
    }
}

/// The provider's own error on a submission.
fn submitted(provider: ProviderKind, kind: Kind, code: u16) -> End {
    match (code, provider, kind) {
        // A token from a login is renewed once.
        (401, OPENAPI, _) => End::AccountHeld("credentials"),
        (401 | 429, ..) => End::Once,
        (402, ..) => End::AccountHeld("unpaid"),
        (403, SMART, _) => End::AccountHeld("unknown_fiscal_id"),
        (403, ..) => End::AccountHeld("forbidden"),
        (404, OPENAPI, Kind::Receipt) => End::AccountHeld("unknown_fiscal_id"),
        (404, _, Kind::Receipt | Kind::Draft) => End::AccountHeld("misconfigured"),
        (422, OPENAPI | SMART, _) => End::AccountHeld("credentials"),
        _ => End::Refused,
    }
}

/// The provider's own error on a question.
fn asked(provider: ProviderKind, step: Step, stage: Stage, code: u16) -> Option<End> {
    match (code, step) {
        (401, _) if provider == OPENAPI => Some(End::AccountHeld("credentials")),
        (402, _) => Some(End::AccountHeld("unpaid")),
        (403, _) => Some(End::AccountHeld("forbidden")),
        // The provider says that it does not know what it took: a person must see that.
        (404, Step::Get | Step::Status) if stage == Stage::Verdict => Some(End::Held { code: "gone", ledger: 1 }),
        _ => None,
    }
}

/// A good answer, and then the authority.
fn then(provider: ProviderKind, kind: Kind, outcome: &Outcome) -> End {
    match (provider, outcome) {
        (STAMP, Outcome::Lose) if kind == Kind::Draft => End::Waits,
        (STAMP, _) => End::Once,
        // A-Cube does not tell a void's id: it is awaited with its sale.
        (SMART, Outcome::Lose) if kind == Kind::Void => End::Waits,
        (_, Outcome::Lose) => End::Held { code: "gone", ledger: 1 },
        (_, Outcome::Accept) => End::Once,
        (_, Outcome::Retry { code, .. }) if code == "422" => End::AccountHeld("credentials"),
        (_, Outcome::Retry { .. }) => End::Once,
        (_, Outcome::Fail { code, message }) => match code.as_str() {
            "403" | "422" => End::Failed,
            "400" if message != "BAD_REQUEST" && !message.contains("same day") => End::Failed,
            // Whether the authority has it is uncertain.
            _ => End::Held { code: "authority_uncertain", ledger: 1 },
        },
    }
}
