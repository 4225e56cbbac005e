//! The facts that the journal keeps. Everything else can be rebuilt from them.
//!
//! These are stored with bincode in the order written here: a variant or field is never reordered, removed or inserted.
//! A new form gets a new record version (see `journal::record`), and journals of the old one stay readable for ever.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::document::Kind;
use super::id::{AccountName, DocId, FiscalId, Key};
use super::outcome::{HoldReason, Refusal, Remote};
use super::totals::Kept;

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// The journal was opened by a process.
    Opened {
        /// The version of the program.
        version: String,
        /// Bytes of a torn tail that were cut.
        cut: u64,
    },
    /// The journal was closed in good order.
    Closed,
    /// A document was taken; its id is this record's sequence number.
    Enqueued(Box<Enqueued>),
    /// Something happened to a document.
    Document {
        /// Which.
        id: DocId,
        /// What.
        event: DocEvent,
    },
    /// An account or a VAT number of it is held.
    Hold(Hold),
    /// A hold ended.
    Released {
        /// The account.
        account: AccountName,
        /// The VAT number, or the whole account.
        fiscal_id: Option<FiscalId>,
        /// Who ended it: a person, or the program (`new credentials`).
        who: String,
        /// Why.
        why: String,
    },
}

impl Entry {
    /// About how many bytes it takes in the journal: room to make at once.
    pub(crate) fn length_about(&self) -> usize {
        const REST: usize = 256; // names, fingerprint, lengths
        match self {
            Entry::Enqueued(taken) => REST + taken.body.len() + taken.totals.length(),
            _ => REST,
        }
    }
}

/// A hold of an account (CONTRACT.md 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The account.
    pub account: AccountName,
    /// The VAT number; none: everything of the account.
    pub fiscal_id: Option<FiscalId>,
    /// Why.
    pub reason: HoldReason,
    /// The provider's words.
    pub detail: String,
    /// What ends it, for a person.
    pub cure: String,
    /// Since when.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub since: DateTime<Utc>,
    /// A keyed hash of the secret that was refused, so that a changed one lifts the hold at the next start.
    pub secret: Option<[u8; 16]>,
}

impl Hold {
    /// Whether it is of this account, and of this VAT number or of the whole account.
    pub fn covers(&self, account: Option<&AccountName>, fiscal_id: Option<&FiscalId>) -> bool {
        self.is_of(account) && (self.fiscal_id.is_none() || self.fiscal_id.as_ref() == fiscal_id)
    }

    /// Whether it is of this account.
    pub fn is_of(&self, account: Option<&AccountName>) -> bool {
        Some(&self.account) == account
    }

    /// Whether the account cannot even be asked about what it has: a hold is for new submissions, unless nothing works
    /// with the account at all (PROVIDERS.md 5).
    pub fn stops_reading(&self) -> bool {
        let unusable =
            matches!(self.reason, HoldReason::Credentials | HoldReason::SecretMissing | HoldReason::Misconfigured);
        self.fiscal_id.is_none() && unusable
    }
}

/// What a document's parent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParentRef {
    /// A document of this journal.
    Local(DocId),
    /// A document issued elsewhere.
    Remote(String),
}

/// A document as it was taken. Totals are computed once, then, and never again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enqueued {
    /// The till's key.
    pub key: Key,
    /// What it is.
    pub kind: Kind,
    /// The account, unless the journal was not told of any yet.
    pub account: Option<AccountName>,
    /// The VAT number it is issued by, where there is one.
    pub fiscal_id: Option<FiscalId>,
    /// What it is about.
    pub parent: Option<ParentRef>,
    /// The time of the sale.
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub issued_at: DateTime<Utc>,
    /// The document's JSON, short where it can be ([`Body::to_short_json`](super::document::Body::to_short_json)).
    pub body: String,
    /// Its totals.
    pub totals: Kept,
    /// SHA-256 of what the till said, values not spelling: same key and same fingerprint is a repeat.
    pub fingerprint: [u8; 32],
    /// After this moment it must not be sent.
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    pub deadline: Option<DateTime<Utc>>,
    /// A draft's `merchant_invoice_id`: unused so far in its account.
    pub invoice_name: Option<String>,
    /// Things a person may want to look at, which did not stop it.
    pub warnings: Vec<String>,
}

#[cfg(test)]
impl Enqueued {
    /// A sale of which nothing matters but its key.
    pub(crate) fn plain(key: Key) -> Enqueued {
        Enqueued {
            key,
            kind: Kind::Receipt,
            account: None,
            fiscal_id: None,
            parent: None,
            issued_at: DateTime::UNIX_EPOCH,
            body: "{}".to_owned(),
            totals: Kept::default(),
            fingerprint: [0; 32],
            deadline: None,
            invoice_name: None,
            warnings: Vec::new(),
        }
    }
}

/// How an acceptance became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// By the answer to the submission.
    Answer,
    /// By a look-up after the answer was lost.
    LookUp,
    /// By tracking.
    Tracking,
    /// A person found out.
    Person,
}

/// Something that happened to a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DocEvent {
    /// Its account became known.
    Routed {
        /// The account.
        account: AccountName,
    },
    /// The intent to submit: durable before the first byte leaves.
    Sending {
        /// Number of this attempt, from 1.
        attempt: u32,
    },
    /// It certainly was not processed; back to the queue.
    NotSent {
        /// Why.
        why: String,
        /// HTTP status, if any.
        status: Option<u16>,
        /// Whether it counts as an attempt (waiting for a parent, the blackout or a hold does not).
        counts: bool,
        /// Not before this moment.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// The provider may or may not have it.
    Unknown {
        /// What was seen instead of an answer.
        why: String,
        /// HTTP status, if any.
        status: Option<u16>,
        /// First look-up at this moment.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// A look-up that decided nothing.
    LookedUp {
        /// Whether the provider answered and had nothing, after the settle time.
        counts: bool,
        /// What was seen.
        why: String,
        /// Next look-up.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// The look-ups agree that the provider does not have it: back to the queue.
    NotThere {
        /// What was seen.
        why: String,
        /// Not before this moment.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// The provider has it.
    Accepted {
        /// What it said.
        remote: Box<Remote>,
        /// How it became known.
        how: How,
        /// First question about the verdict.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// Tracking learned something, or nothing.
    Tracked {
        /// What the provider said.
        remote: Box<Remote>,
        /// In words.
        why: String,
        /// Next question.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// The authority has it.
    Registered {
        /// What is known.
        remote: Box<Remote>,
        /// How it became known.
        how: How,
        /// Tax-free invoices: next question about customs.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// The provider refused it for good.
    Refused {
        /// HTTP status, if any.
        status: Option<u16>,
        /// Its words.
        refusal: Refusal,
    },
    /// It failed at the authority.
    Failed {
        /// Code.
        code: Option<String>,
        /// Message.
        message: String,
        /// What is known.
        remote: Box<Remote>,
    },
    /// A person must decide.
    Held {
        /// A short name: `ambiguous`, `deadline_passed`, `parent_refused`, …
        code: String,
        /// What the person must know.
        why: String,
    },
    /// Called off before it left.
    Cancelled {
        /// Who.
        who: String,
        /// Why.
        why: String,
    },
    /// A person's finding about a document in doubt or held.
    Resolved {
        /// The provider's id, if the provider has it.
        accepted: Option<String>,
        /// Who.
        who: String,
        /// Why.
        why: String,
        /// Next step at this moment.
        #[serde(with = "chrono::serde::ts_microseconds_option")]
        due_at: Option<DateTime<Utc>>,
    },
    /// A person wants it tried now.
    Retried {
        /// Who.
        who: String,
        /// Why.
        why: String,
    },
    /// Something a person should see, or should no longer.
    Attention {
        /// A short name: `debit_note_needed`, `totals_differ`, `deadline_near`, …
        code: String,
        /// In words.
        why: String,
        /// Raised or cleared.
        raised: bool,
    },
}

impl DocEvent {
    /// The name in output.
    pub fn name(&self) -> &'static str {
        match self {
            DocEvent::Routed { .. } => "routed",
            DocEvent::Sending { .. } => "sending",
            DocEvent::NotSent { .. } => "not_sent",
            DocEvent::Unknown { .. } => "unknown",
            DocEvent::LookedUp { .. } => "looked_up",
            DocEvent::NotThere { .. } => "not_there",
            DocEvent::Accepted { .. } => "accepted",
            DocEvent::Tracked { .. } => "tracked",
            DocEvent::Registered { .. } => "registered",
            DocEvent::Refused { .. } => "refused",
            DocEvent::Failed { .. } => "failed",
            DocEvent::Held { .. } => "held",
            DocEvent::Cancelled { .. } => "cancelled",
            DocEvent::Resolved { .. } => "resolved",
            DocEvent::Retried { .. } => "retried",
            DocEvent::Attention { .. } => "attention",
        }
    }
}
