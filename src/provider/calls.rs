//! The calls beside the documents: files and details of a delivered one, a receipt provider's company configurations,
//! its own list of receipts. Nothing here is queued or journaled. All of them may be repeated: those that only read
//! without any thought, those that change a company because its VAT number (or id) names it once and for all.

use async_trait::async_trait;
use serde_json::Value;

use super::classify;
use super::classify::NoRead;
use super::session::Trouble;
use crate::domain::outcome::{HoldAnswer, Refusal};

/// What can be fetched of a delivered document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fetch {
    /// The document as PDF.
    Pdf,
    /// Tax-free: the note as PDF.
    NotePdf,
    /// Tax-free: the customer's data. Personal: never logged.
    Customer,
    /// The provider's word for its state.
    Status,
    /// Tax-free: the communication id at OTELLO.
    Crf0,
    /// Everything that the provider has of it, lines included.
    Details,
}

impl Fetch {
    /// All of them.
    pub const ALL: [Fetch; 6] =
        [Fetch::Pdf, Fetch::NotePdf, Fetch::Customer, Fetch::Status, Fetch::Crf0, Fetch::Details];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fetch::Pdf => "pdf",
            Fetch::NotePdf => "note-pdf",
            Fetch::Customer => "customer",
            Fetch::Status => "status",
            Fetch::Crf0 => "crf0",
            Fetch::Details => "details",
        }
    }
}

/// What was fetched.
#[derive(Clone, PartialEq)]
pub enum Fetched {
    /// A PDF.
    Pdf(Vec<u8>),
    /// JSON, digits as they came.
    Json(Value),
}

/// Filters of a provider's list of receipts; empty ones do not filter. What a provider does not offer is an error, so
/// that nobody takes a longer list for a filtered one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiptFilter {
    /// VAT numbers.
    pub fiscal_ids: Vec<String>,
    /// The authority's number.
    pub document_number: Option<String>,
    /// `new`, `retry`, `submitted`, `ready`, `failed`, `voided`.
    pub statuses: Vec<String>,
    /// `sale`, `return`, `void`.
    pub types: Vec<String>,
    /// The day it was created, `YYYY-MM-DD`.
    pub created_at: Option<String>,
    /// Created after this day.
    pub created_after: Option<String>,
    /// Created before this day.
    pub created_before: Option<String>,
    /// The day of the document.
    pub document_date: Option<String>,
    /// Documents after this day.
    pub document_after: Option<String>,
    /// Documents before this day.
    pub document_before: Option<String>,
    /// Children of this receipt.
    pub parent_receipt_id: Option<String>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Leave out so many rows first.
    pub skip: u64,
}

/// Why a call gave nothing. Holds neither secrets nor a customer's data.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// This provider has no such call.
    #[error("{0}")]
    NotOffered(String),
    /// The provider will have it later (a draft that the merchant has not completed, a PDF not made yet).
    #[error("not yet: {0}")]
    NotYet(String),
    /// The provider does not know it.
    #[error("not found: {0}")]
    NotFound(String),
    /// The provider refuses it.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// The provider has it already, with other values.
    #[error("it is there already, with other values: {0}")]
    Conflict(String),
    /// The provider refuses the account.
    #[error("the provider refuses the account: {}", .0.detail)]
    Hold(HoldAnswer),
    /// No trustworthy answer. It may be repeated.
    #[error("no answer: {0}")]
    Unanswered(String),
    /// What was given cannot be asked for.
    #[error("{0}")]
    Invalid(String),
}

/// The other calls of an account's provider.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Fetches something of the document with this id (for Stamp the `InvoiceId`).
    async fn fetch(&self, what: Fetch, id: &str) -> Result<Fetched, CallError>;

    /// The company configurations.
    async fn companies(&self) -> Result<Vec<Value>, CallError> {
        Err(not_offered("company list"))
    }

    /// One company configuration.
    async fn company(&self, id: &str) -> Result<Value, CallError> {
        let _ = id;
        Err(not_offered("company show"))
    }

    /// Makes a company configuration. When the provider says that it is there already, it is read and compared: the
    /// same values are a success, so that a repeat after a lost answer is one too.
    async fn add_company(&self, body: &Value) -> Result<Value, CallError> {
        let _ = body;
        Err(not_offered("company add"))
    }

    /// Changes a company configuration.
    async fn update_company(&self, id: &str, body: &Value) -> Result<Value, CallError> {
        let _ = (id, body);
        Err(not_offered("company update"))
    }

    /// Changes the credentials that the authority asks for (`taxCode`, `password`, `pin`): due every 90 days.
    async fn update_credentials(&self, id: &str, body: &Value) -> Result<Value, CallError> {
        let _ = (id, body);
        Err(not_offered("company update of credentials"))
    }

    /// Removes a company configuration.
    async fn remove_company(&self, id: &str) -> Result<(), CallError> {
        let _ = id;
        Err(not_offered("company remove"))
    }

    /// The provider's own list, all pages; `row` gets each row, digits as they came. Returns how many there were.
    async fn receipts(&self, filter: &ReceiptFilter, row: &mut (dyn FnMut(Value) + Send)) -> Result<u64, CallError> {
        let _ = (filter, row);
        Err(not_offered("receipts"))
    }
}

pub(crate) fn not_offered(what: &str) -> CallError {
    CallError::NotOffered(format!("this provider does not offer: {what}"))
}

/// An answer to a call: its JSON, or why not.
pub(crate) fn judge(reply: &super::http::Reply) -> Result<Value, CallError> {
    match classify::read(reply) {
        Ok(json) => Ok(json),
        Err(NoRead::Failed { .. }) if (400..429).contains(&reply.status) && reply.status != 408 => {
            let error = super::json::parse(&reply.body).filter(Value::is_object);
            let error = error.ok_or_else(|| CallError::Unanswered(classify::words(reply)))?;
            Err(CallError::Refused(classify::refusal(&error, reply)))
        }
        Err(other) => Err(other.into()),
    }
}

/// The rows of a list's page, or why not: a filter that the provider refuses is refused again, whoever asks again.
pub(crate) fn listed(reply: &super::http::Reply, rows: Result<Vec<Value>, NoRead>) -> Result<Vec<Value>, CallError> {
    rows.map_err(|no| match (no, judge(reply)) {
        (NoRead::Failed { .. }, Err(refused @ CallError::Refused(_))) => refused,
        (no, _) => no.into(),
    })
}

/// Whether everything in `wanted` is in `there`; members that providers never give back are not compared.
pub(crate) fn contains(there: &Value, wanted: &Value) -> bool {
    const SECRET: [&str; 2] = ["password", "pin"];
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted
            .iter()
            .filter(|(name, _)| !SECRET.contains(&name.as_str()))
            .all(|(name, wanted)| there.get(name).is_some_and(|there| contains(there, wanted))),
        (Value::Array(there), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| there.iter().any(|there| contains(there, wanted)))
        }
        (there, wanted) => there == wanted,
    }
}

/// A PDF, or why it is none.
pub(crate) fn pdf(reply: super::http::Reply) -> Result<Fetched, CallError> {
    if reply.is_success() && reply.body.starts_with(b"%PDF-") {
        return Ok(Fetched::Pdf(reply.body));
    }
    match reply.is_success() {
        true => Err(CallError::Unanswered(format!("HTTP {}, but not a PDF", reply.status))),
        false => Err(judge(&reply).err().unwrap_or_else(|| CallError::Unanswered(classify::words(&reply)))),
    }
}

impl From<NoRead> for CallError {
    fn from(why: NoRead) -> CallError {
        match why {
            NoRead::Failed { why, .. } | NoRead::Endless(why) => CallError::Unanswered(why),
            NoRead::Hold(hold) => CallError::Hold(hold),
            NoRead::Gone(why) => CallError::NotFound(why),
        }
    }
}

impl From<Trouble> for CallError {
    fn from(trouble: Trouble) -> CallError {
        CallError::from(NoRead::from(trouble))
    }
}
