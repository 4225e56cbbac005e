//! What is tried: the faults, the kinds of documents, the steps at which a fault can hit them.

use serde_json::{Value, json};
use staffetta::domain::account::ProviderKind;
use staffetta::sandbox::{Call, Ending, Fault, Outcome};

use super::{OPENAPI, SMART, STAMP};

/// Where in its life a document meets the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// When it is asked what there is about its sale.
    Before,
    /// On its way to the provider.
    Submission,
    /// When its answer was lost and it is looked up; whether the provider has it.
    Lost { processed: bool },
    /// When the provider has it and is asked for the verdict.
    Verdict,
}

/// A document, as far as faults care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Receipt,
    Return,
    Void,
    Draft,
    DebitVat,
    CreditGoods,
    CreditVat,
    Cancel,
}

pub const KINDS: [Kind; 8] = [
    Kind::Receipt,
    Kind::Return,
    Kind::Void,
    Kind::Draft,
    Kind::DebitVat,
    Kind::CreditGoods,
    Kind::CreditVat,
    Kind::Cancel,
];

impl Kind {
    pub fn is_of(self, provider: ProviderKind) -> bool {
        matches!(self, Kind::Receipt | Kind::Return | Kind::Void) != (provider == STAMP)
    }

    /// A note's number, or a cancel: never sent twice by itself.
    pub fn is_note(self) -> bool {
        matches!(self, Kind::DebitVat | Kind::CreditGoods | Kind::CreditVat | Kind::Cancel)
    }

    pub fn call(self) -> Call {
        match self {
            Kind::Receipt => Call::Submit,
            Kind::Return => Call::Return,
            Kind::Void => Call::Void,
            Kind::Draft => Call::Draft,
            Kind::Cancel => Call::Cancel,
            Kind::DebitVat | Kind::CreditGoods | Kind::CreditVat => Call::Note,
        }
    }

    /// A sale or a draft that the others can be about.
    pub fn parent(self, provider: ProviderKind, key: &str) -> Value {
        let kind = if provider == STAMP { Kind::Draft } else { Kind::Receipt };
        kind.document(provider, key, "")
    }

    pub fn document(self, provider: ProviderKind, key: &str, parent: &str) -> Value {
        let note = |note: &str| json!({"key": key, "kind": "note_number", "parent": parent, "body": {"note": note, "number": "N/1"}});
        match self {
            Kind::Receipt => json!({"key": key, "kind": "receipt", "body": {
                "fiscal_id": if provider == OPENAPI { "12345678903" } else { "01234567897" },
                "items": [
                    {"quantity": 2, "description": "Caffè", "unit_price": "1.20", "vat_rate_code": "10"},
                    {"quantity": 1, "description": "Cornetto", "unit_price": "1.50", "vat_rate_code": "10"}],
                "cash_payment_amount": "3.90"}}),
            Kind::Return => json!({"key": key, "kind": "return", "parent": parent,
                "body": {"items": [{"line": 0, "quantity": 1}]}}),
            Kind::Void => json!({"key": key, "kind": "void", "parent": parent, "body": {}}),
            Kind::Draft => json!({"key": key, "kind": "draft", "body": {
                "merchant_invoice_id": key, "created_on": "2026-11-20T09:58:00", "items": [
                    {"description": "Borsa in pelle", "quantity": 1, "unit_price_with_vat": "610.00", "vat_rate": 22}]}}),
            Kind::DebitVat => note("debit_vat"),
            Kind::CreditGoods => note("credit_goods"),
            Kind::CreditVat => note("credit_vat"),
            Kind::Cancel => {
                json!({"key": key, "kind": "void", "parent": parent, "body": {"credit_note_number": "N/1"}})
            }
        }
    }
}

/// A request that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A login, made necessary by a token that is refused.
    Login,
    /// The submission.
    Submit,
    /// The question for the void's id, which A-Cube's answer does not tell.
    VoidsId,
    List,
    Get,
    Details,
    NotePdf,
    Status,
    Crf0,
    /// The list that is read when many documents wait for their verdict.
    Crowd,
}

impl Step {
    pub fn call(self, kind: Kind) -> Call {
        match self {
            Step::Login => Call::Login,
            Step::Submit => kind.call(),
            Step::List | Step::Crowd => Call::List,
            Step::Get | Step::VoidsId => Call::Get,
            Step::Details => Call::Details,
            Step::NotePdf => Call::NotePdf,
            Step::Status => Call::Status,
            Step::Crf0 => Call::Crf0,
        }
    }
}

/// The steps of a stage that such a document comes to; the first one that needs a token first.
pub fn own_steps(provider: ProviderKind, kind: Kind, stage: Stage) -> &'static [Step] {
    use Step::{Crf0, Crowd, Details, Get, List, NotePdf, Status, Submit, VoidsId};
    match (stage, kind) {
        (Stage::Before, Kind::Return | Kind::Void) if provider == OPENAPI => &[Get, List],
        (Stage::Before, Kind::Return) => &[Get, Details],
        (Stage::Before, Kind::Void) => &[Get],
        (Stage::Before, _) => &[],
        (Stage::Submission, Kind::Void) if provider == SMART => &[Submit, VoidsId],
        (Stage::Submission, _) => &[Submit],
        (Stage::Lost { .. }, Kind::Draft) => &[],
        (Stage::Lost { .. }, Kind::Cancel) => &[Status],
        (Stage::Lost { .. }, kind) if kind.is_note() => &[NotePdf],
        (Stage::Lost { processed: true }, Kind::Receipt) if provider == OPENAPI => &[List, Get],
        (Stage::Lost { .. }, Kind::Void) if provider == OPENAPI => &[Get, List],
        (Stage::Lost { .. }, _) if provider == OPENAPI => &[List],
        (Stage::Lost { processed: true }, Kind::Receipt) => &[List, Details],
        (Stage::Lost { .. }, Kind::Receipt) => &[List],
        (Stage::Lost { processed: true }, Kind::Return) => &[Get, Details],
        (Stage::Lost { .. }, _) => &[Get],
        (Stage::Verdict, Kind::Draft) => &[Status, Crf0],
        (Stage::Verdict, kind) if kind.is_note() => &[],
        (Stage::Verdict, Kind::Receipt) if provider == SMART => &[Get, Details, Crowd],
        (Stage::Verdict, Kind::Return) if provider == SMART => &[Get, Details],
        (Stage::Verdict, Kind::Receipt) => &[Get, Crowd],
        (Stage::Verdict, _) => &[Get],
    }
}

pub fn steps(provider: ProviderKind, kind: Kind, stage: Stage) -> Vec<Step> {
    let own = own_steps(provider, kind, stage);
    let login = (provider != OPENAPI && !own.is_empty()).then_some(Step::Login);
    login.into_iter().chain(own.iter().copied()).collect()
}

/// The call that meets the refused token.
pub fn first_call(provider: ProviderKind, kind: Kind, stage: Stage) -> Call {
    own_steps(provider, kind, stage).first().map_or(Call::Other, |step| step.call(kind))
}

/// What a fault comes to for the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nature {
    /// A good answer, perhaps a late one.
    Harmless,
    /// No answer that can be trusted.
    Lost { processed: bool },
    /// The provider's own error.
    Says(u16),
    /// A good answer; what comes after it is this.
    Then(Outcome),
}

#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub fault: Fault,
    pub nature: Nature,
    /// It uses up the time-outs, which are short then.
    pub slow: bool,
}

pub fn status(code: u16) -> Fault {
    let headers = if code == 429 { vec![("Retry-After".to_owned(), "1".to_owned())] } else { Vec::new() };
    Fault::Status { code, body: None, headers, processed: false }
}

/// The faults that can make a difference at a stage: of a question it does not matter whether it was processed, nor what
/// the authority would have made of a document that it did not bring.
pub fn faults(stage: Stage) -> Vec<Named> {
    let mut all = passing();
    if stage == Stage::Submission {
        all.extend(lasting());
    }
    all
}

fn named(name: impl Into<String>, fault: Fault, nature: Nature) -> Named {
    let slow = matches!(fault, Fault::Hang { .. } | Fault::Delay { late: true, .. });
    Named { name: name.into(), fault, nature, slow }
}

fn spoilt(code: u16, processed: bool) -> Fault {
    Fault::Status { code, body: None, headers: Vec::new(), processed }
}

/// What is over with the connection.
fn passing() -> Vec<Named> {
    let (gone, done) = (Nature::Lost { processed: false }, Nature::Lost { processed: true });
    let redirect = |code| Fault::Redirect { code, location: None, processed: false };
    let mut all = vec![
        named("a slow answer", Fault::Delay { ms: 250, late: false }, Nature::Harmless),
        named("processed after the time-out", Fault::Delay { ms: 2_300, late: true }, done.clone()),
        named("connection refused", Fault::RefuseConnection { ms: 200 }, gone.clone()),
        named("reset before", Fault::DropBefore(Ending::Reset), gone.clone()),
        named("closed before", Fault::DropBefore(Ending::Close), gone.clone()),
        named("reset after", Fault::DropAfter(Ending::Reset), done.clone()),
        named("closed after", Fault::DropAfter(Ending::Close), done.clone()),
        named("half an answer", Fault::HalfAnswer, done.clone()),
        named("broken JSON", Fault::BrokenJson, done.clone()),
        named("an empty body", Fault::EmptyBody, done.clone()),
        named("a huge body", Fault::HugeBody { bytes: 17 * 1024 * 1024 }, done),
        named("silence", Fault::Hang { ms: 60_000, processed: false }, gone.clone()),
        named("HTML 200", Fault::Html { code: 200, processed: false }, gone.clone()),
        named("HTML 403", Fault::Html { code: 403, processed: false }, gone.clone()),
        named("redirect 302", redirect(302), gone.clone()),
        named("redirect 308", redirect(308), gone.clone()),
        named("a list that lags", Fault::LagLists { ms: 60_000 }, Nature::Harmless),
    ];
    all.extend([408, 500, 503, 504].map(|code| named(code.to_string(), spoilt(code, false), gone.clone())));
    all.extend(
        [400, 401, 402, 403, 404, 409, 422, 429].map(|code| named(code.to_string(), status(code), Nature::Says(code))),
    );
    all
}

/// What a submission leaves behind.
fn lasting() -> Vec<Named> {
    let done = || Nature::Lost { processed: true };
    let fail = |code: &str, message: &str| Outcome::Fail { code: code.to_owned(), message: message.to_owned() };
    let retry =
        |code: &str, message: &str| Outcome::Retry { ms: 4_000, code: code.to_owned(), message: message.to_owned() };
    let outcomes = [
        Outcome::Lose,
        fail("400", "Il campo Partita IVA non è valido"),
        fail("400", "BAD_REQUEST"),
        fail("400", "Receipt could not be confirmed the same day it was requested"),
        fail("403", "CANNOT_SEND_DATA_FOR_THIS_LEGAL_ENTITY"),
        fail("422", "INVALID_CREDENTIALS"),
        fail("500", "SERVICE_UNAVAILABLE"),
        retry("500", "SERVICE_UNAVAILABLE"),
        retry("422", "INVALID_CREDENTIALS"),
    ];
    let mut all = vec![
        named("silence, processed", Fault::Hang { ms: 60_000, processed: true }, done()),
        named("HTML 502, processed", Fault::Html { code: 502, processed: true }, done()),
        named("redirect 307, processed", Fault::Redirect { code: 307, location: None, processed: true }, done()),
    ];
    all.extend([425, 500, 520].map(|code| named(format!("{code}, processed"), spoilt(code, true), done())));
    all.extend(
        outcomes.map(|outcome| named(format!("{outcome:?}"), Fault::Authority(outcome.clone()), Nature::Then(outcome))),
    );
    all
}
