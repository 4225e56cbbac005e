//! What became of a question put to a provider. An answer is not an error: refusals, time-outs and no line at all are
//! outcomes like any other, and each says exactly what it proves (PROVIDERS.md 4.2, 5).

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::check::Violation;

/// What a provider or the authority has told us about a document. Absent is unknown, not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// The provider's id: Openapi `id`, Smart Receipt `uuid`, Stamp `InvoiceId`.
    pub remote_id: Option<String>,
    /// The authority's number, e.g. `DCW2026/2610-5298`.
    pub document_number: Option<String>,
    /// The authority's date, as the provider wrote it.
    pub document_date: Option<String>,
    /// The authority's transaction id.
    pub transaction_id: Option<String>,
    /// Stamp: the id in the portal's link.
    pub draft_id: Option<String>,
    /// Stamp: the id of the invoice to be.
    pub invoice_id: Option<String>,
    /// Stamp: where the merchant completes the draft.
    pub portal_url: Option<String>,
    /// Stamp: the communication id at OTELLO (CRF0).
    pub otello_id: Option<String>,
    /// Stamp: what customs said.
    pub customs: Option<Customs>,
    /// The provider's own word for the state: `new`, `retry`, `submitted`, `ready`, `failed`, `voided`.
    pub status: Option<String>,
    /// When the provider says it took it; the 24 hours for a void begin here.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub created_at: Option<DateTime<Utc>>,
    /// Its lines with the authority's ids, in the provider's order; empty until known.
    pub items: Vec<RemoteItem>,
    /// The totals the provider gave, field name and digits, for comparison with ours; empty until known.
    pub totals: Vec<(String, String)>,
}

impl Remote {
    /// Takes over everything that `newer` knows.
    pub fn absorb(&mut self, newer: Remote) {
        fn take<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        take(&mut self.remote_id, newer.remote_id);
        take(&mut self.document_number, newer.document_number);
        take(&mut self.document_date, newer.document_date);
        take(&mut self.transaction_id, newer.transaction_id);
        take(&mut self.draft_id, newer.draft_id);
        take(&mut self.invoice_id, newer.invoice_id);
        take(&mut self.portal_url, newer.portal_url);
        take(&mut self.otello_id, newer.otello_id);
        take(&mut self.customs, newer.customs);
        take(&mut self.status, newer.status);
        take(&mut self.created_at, newer.created_at);
        if !newer.items.is_empty() {
            self.items = newer.items;
        }
        if !newer.totals.is_empty() {
            self.totals = newer.totals;
        }
    }
}

/// A line as the authority has it (the "fiscal shape", PROVIDERS.md 1.1). Numbers are kept as the digits that came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteItem {
    /// The authority's item id, needed for a return.
    pub id: String,
    /// The line's text.
    pub description: String,
    /// How many were sold.
    pub quantity: String,
    /// Price of one, VAT included.
    pub gross_price: String,
    /// VAT rate code.
    pub vat_rate: String,
    /// Price of one without VAT, 8 decimals.
    pub unit_price: String,
    /// Discount of the line without VAT, 8 decimals.
    pub unit_discount: String,
    /// How many were returned so far.
    pub returned: String,
    /// Whether it is a free gift.
    pub complimentary: bool,
}

/// What customs said of a tax-free invoice (S0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Customs {
    /// The customer has not left yet.
    Pending,
    /// The goods left the EU.
    Approved,
    /// Customs refused: a debit note for the VAT is needed.
    Rejected,
    /// The invoice was cancelled.
    Cancelled,
    /// A number that no source explains.
    Unknown(u32),
}

impl Customs {
    /// Whether nothing more will come.
    pub fn is_final(self) -> bool {
        matches!(self, Customs::Approved | Customs::Rejected | Customs::Cancelled)
    }

    /// The name in output.
    pub fn name(self) -> &'static str {
        match self {
            Customs::Pending => "pending",
            Customs::Approved => "approved",
            Customs::Rejected => "rejected",
            Customs::Cancelled => "cancelled",
            Customs::Unknown(_) => "unknown",
        }
    }
}

/// Whom a refusal of the account itself concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HoldScope {
    /// Everything of the account.
    Account,
    /// One VAT number of it.
    FiscalId,
}

/// Why an account or a VAT number is held (CONTRACT.md 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The provider or the authority refuses the credentials.
    Credentials,
    /// The secret is not in the environment or the file named.
    SecretMissing,
    /// The provider does not know the VAT number, or may not send for it.
    UnknownFiscalId,
    /// The provider wants money.
    Unpaid,
    /// The token lacks a scope.
    Forbidden,
    /// The same permanent refusal three times in a row.
    RepeatedRefusals,
    /// The provider answers with a redirect, or its certificate is not trusted.
    Misconfigured,
}

impl HoldReason {
    /// The name in output.
    pub fn name(self) -> &'static str {
        match self {
            HoldReason::Credentials => "credentials",
            HoldReason::SecretMissing => "secret_missing",
            HoldReason::UnknownFiscalId => "unknown_fiscal_id",
            HoldReason::Unpaid => "unpaid",
            HoldReason::Forbidden => "forbidden",
            HoldReason::RepeatedRefusals => "repeated_refusals",
            HoldReason::Misconfigured => "misconfigured",
        }
    }
}

/// The provider refuses the account, not the document: the document stays queued and spends no attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldAnswer {
    /// Whom it concerns.
    pub scope: HoldScope,
    /// Why.
    pub reason: HoldReason,
    /// The provider's words.
    pub detail: String,
}

/// What became of one submission.
#[derive(Debug, Clone, PartialEq)]
pub enum SubmitOutcome {
    /// No byte of the request left: it may be sent again.
    NotSent {
        /// What went wrong.
        why: String,
    },
    /// The provider certainly did not process it and says "not now" (429, not completed yet, parent not ready).
    Deferred {
        /// Its words.
        why: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
        /// Whether the whole account should pause (429), or only this document wait.
        account: bool,
    },
    /// The account or VAT number is refused, the document was not processed.
    Hold(HoldAnswer),
    /// The document is refused for good.
    Refused(Refusal),
    /// The provider may or may not have it.
    Unknown {
        /// What was seen instead of an answer.
        why: String,
    },
    /// The provider has it and owes the authority's verdict.
    Accepted(Box<Remote>),
    /// The provider said yes and that is all there is (note numbers, cancels).
    Registered(Box<Remote>),
}

/// A refusal of the document itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The provider's error code, if it gave one.
    pub code: Option<String>,
    /// Its message.
    pub message: String,
    /// Its violations, with the provider's own paths.
    pub violations: Vec<Violation>,
}

/// What a look-up of an earlier submission found.
#[derive(Debug, Clone, PartialEq)]
pub enum LookUpOutcome {
    /// Exactly one unclaimed document matches: it is ours.
    Found(Box<Remote>),
    /// Nothing matches. Counts only after the settle time, and twice.
    NotFound,
    /// Several match; their ids. A person must decide.
    Ambiguous(Vec<String>),
    /// The provider has no way to tell (Stamp drafts): the rule for that kind applies.
    CannotTell(String),
    /// The look-up itself got no trustworthy answer; nothing is known.
    Failed {
        /// What was seen.
        why: String,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The account or VAT number is refused.
    Hold(HoldAnswer),
}

/// What a provider has about a sale that a return or void is about to correct.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// It is voided, or a void of it is on its way.
    pub voided: bool,
    /// The provider's ids of its returns; those that failed are none.
    pub returns: Vec<String>,
    /// Its lines with what was given back of each; empty where the provider does not tell.
    pub items: Vec<RemoteItem>,
}

/// Whether a sale may still be corrected, as its provider tells.
#[derive(Debug, Clone, PartialEq)]
pub enum StandingOutcome {
    /// What there is.
    Known(Standing),
    /// The provider does not tell: what it answers to the correction itself must do.
    Untold,
    /// No trustworthy answer; nothing is known.
    Failed {
        /// What was seen.
        why: String,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The account or VAT number is refused.
    Hold(HoldAnswer),
}

/// What the provider says now of a document it has.
#[derive(Debug, Clone, PartialEq)]
pub enum TrackOutcome {
    /// No verdict yet; what is known so far.
    Pending(Box<Remote>),
    /// No verdict yet, and the provider says why: the authority refuses the credentials. The document is the provider's
    /// to deliver; new ones of the VAT number must wait (PROVIDERS.md 5).
    PendingHeld {
        /// What is known so far.
        remote: Box<Remote>,
        /// Whom it concerns, and the provider's words.
        hold: HoldAnswer,
    },
    /// The authority has it. Item ids are there if the kind has them.
    Registered(Box<Remote>),
    /// It failed at the authority.
    Failed {
        /// Whether the authority certainly does not have it; if not, a person must look (PROVIDERS.md 4.3).
        certain: bool,
        /// The authority's or the provider's code.
        code: Option<String>,
        /// Its message.
        message: String,
        /// What is known.
        remote: Box<Remote>,
    },
    /// No trustworthy answer; nothing is known.
    Unreadable {
        /// What was seen.
        why: String,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider no longer knows the id.
    Gone {
        /// Its words.
        why: String,
    },
    /// The account or VAT number is refused.
    Hold(HoldAnswer),
}

impl TrackOutcome {
    /// Whether asking brought nothing.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, TrackOutcome::Unreadable { .. })
    }
}

/// An outcome with what every HTTP answer also tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// What became of it.
    pub outcome: T,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The provider's clock minus ours, in milliseconds, from the `Date` header.
    pub clock_skew_ms: Option<i64>,
}

impl<T> Answer<T> {
    /// An outcome without an HTTP answer.
    pub fn without_http(outcome: T) -> Answer<T> {
        Answer { outcome, status: None, clock_skew_ms: None }
    }

    /// The same answer with another outcome.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { outcome: f(self.outcome), status: self.status, clock_skew_ms: self.clock_skew_ms }
    }
}
