//! The five kinds of documents, as values that have passed the checks. A till makes them with the builders here or
//! hands over JSON ([`super::input`]); both ways lead through [`super::check`], so that there is one set of rules.

mod correction;
mod kind;
mod receipt;
mod tax_free;

use chrono::{DateTime, Utc};

pub use self::correction::{Return, ReturnBuilder, ReturnItem, Void};
pub use self::kind::{Kind, UnknownKind};
pub use self::receipt::{Item, Receipt, ReceiptBuilder};
pub use self::tax_free::{Draft, DraftItem, Note, NoteNumber};
pub use super::body::Body;
use super::check::Violation;
use super::id::{AccountName, Key};
use super::input::BodyInput;

/// The document that a return, a void or a note number is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// A document of this journal, by its key.
    Key(Key),
    /// A document issued elsewhere, by the provider's id.
    Remote(String),
}

/// A document on its way into the journal: what the till said, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// The till's idempotency key; a random one is made when there is none.
    pub key: Option<Key>,
    /// The account; may be left out when exactly one account can take the document.
    pub account: Option<AccountName>,
    /// What it is about, for a return, a void or a note number.
    pub parent: Option<Parent>,
    /// The time of the sale; by default the time of enqueueing.
    pub issued_at: Option<DateTime<Utc>>,
    /// The document itself.
    pub body: BodyInput,
    /// What is wrong around the body; such a document is refused, with all that is wrong with it besides.
    pub flaws: Option<Box<Flaws>>,
}

/// What of a document's members could be read, but means nothing: they are absent from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flaws {
    /// The key as it was given.
    pub key: Option<String>,
    /// The rules broken, one at least.
    pub violations: Vec<Violation>,
}

impl NewDocument {
    fn of(body: BodyInput, parent: Option<Parent>) -> NewDocument {
        NewDocument { key: None, account: None, parent, issued_at: None, body, flaws: None }
    }

    /// Names the account.
    pub fn account(mut self, account: AccountName) -> NewDocument {
        self.account = Some(account);
        self
    }

    /// Says when the sale was made.
    pub fn issued_at(mut self, at: DateTime<Utc>) -> NewDocument {
        self.issued_at = Some(at);
        self
    }

    /// The key as it was given, sound or not.
    pub fn said_key(&self) -> Option<String> {
        let flawed = self.flaws.as_ref().and_then(|flaws| flaws.key.clone());
        flawed.or_else(|| self.key.as_ref().map(ToString::to_string))
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.body.kind()
    }
}
