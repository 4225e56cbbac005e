//! Intake: a document is checked whole before anything is written, and safe on disk before anything is said.

mod account;
mod candidate;

use uuid::Uuid;

use self::account::choose_account;
use self::candidate::{Candidate, Entered, Refused};
use super::Queue;
use crate::domain::check::{self, Checked, Context, Violation};
use crate::domain::document::{Kind, NewDocument, Parent};
use crate::domain::id::Key;
use crate::domain::input::BodyInput;
use crate::domain::limits::MAX_GROUP;
use crate::domain::totals::Kept;
use crate::error::{Error, Rejection};
use crate::journal::{Pending, Transaction};
use crate::view::Ticket;

/// Documents that were handed to the journal, in order.
pub(crate) struct Begun(Vec<Result<Pending<Entered, Error>, Error>>);

impl Begun {
    /// What became of each, once it is on disk.
    pub fn wait(self) -> Vec<Result<Ticket, Error>> {
        self.0.into_iter().map(|pending| pending?.wait()?.map(Entered::ticket)).collect()
    }
}

impl Queue {
    /// Takes a document under the till's key. When this returns, the document survives a crash and a power cut. The same
    /// key with the same content again gives the same ticket.
    ///
    /// # Errors
    /// [`Error::Rejected`] with every rule the document breaks; [`Error::Journal`] when it could not be written: nothing
    /// was taken then, and it may be tried again.
    pub fn enqueue(&self, key: &str, document: impl Into<NewDocument>) -> Result<Ticket, Error> {
        let mut document = document.into();
        document.key = Some(key.parse().map_err(|error: crate::domain::id::BadId| {
            Error::Rejected(Rejection {
                code: "invalid",
                message: error.to_string(),
                violations: vec![Violation { property_path: "key".to_owned(), message: error.to_string() }],
            })
        })?);
        self.take(document)
    }

    /// Takes a document; one without a key gets a random one, which is in the ticket.
    ///
    /// # Errors
    /// As [`Queue::enqueue`].
    pub fn take(&self, document: NewDocument) -> Result<Ticket, Error> {
        self.begin(document)?.wait()?.map(Entered::ticket)
    }

    /// Takes many; they share the journal's flushes. One that is refused does not stop the others.
    pub fn take_all(&self, documents: Vec<NewDocument>) -> Vec<Result<Ticket, Error>> {
        self.begin_all(documents).wait()
    }

    /// Checks many and hands them to the journal without waiting for the disk, so that the next ones can be read and
    /// checked meanwhile.
    pub(crate) fn begin_all(&self, documents: Vec<NewDocument>) -> Begun {
        let mut begun = Vec::with_capacity(documents.len());
        let mut documents = documents.into_iter().peekable();
        while documents.peek().is_some() {
            let mut good = Vec::new();
            let examined: Vec<Result<(), Error>> = documents
                .by_ref()
                .take(MAX_GROUP)
                .map(|document| self.examine(document).map(|candidate| good.push(candidate)))
                .collect();
            let enter = |candidate: Box<Candidate>| move |txn: &mut Transaction<'_>| candidate.enter(txn);
            let mut pending = self.journal().begin_all(good.into_iter().map(enter)).into_iter();
            // One is pending for each that was not refused.
            begun.extend(examined.into_iter().filter_map(|one| one.map(|()| pending.next()).transpose()));
        }
        Begun(begun)
    }

    /// Checks a document and hands it to the journal without waiting for the disk.
    fn begin(&self, document: NewDocument) -> Result<Pending<Entered, Error>, Error> {
        let candidate = self.examine(document)?;
        Ok(self.journal().begin(move |txn| candidate.enter(txn)))
    }

    /// Takes a document, and hands to `then` what [`Queue::take`] would return, once it is known. `then` runs on the
    /// journal's writer or on this thread: it must be short. For a program that waits elsewhere than in a thread.
    pub fn take_then(&self, document: NewDocument, then: impl FnOnce(Result<Ticket, Error>) + Send + 'static) {
        match self.examine(document) {
            Err(error) => then(Err(error)),
            Ok(candidate) => self.journal().begin_then(
                move |txn| candidate.enter(txn),
                move |answer| then(answer.map_err(Error::from).flatten().map(Entered::ticket)),
            ),
        }
    }

    fn examine(&self, document: NewDocument) -> Result<Box<Candidate>, Error> {
        let taken_at = self.clock().now();
        let accounts = self.accounts();
        let key = document.key.unwrap_or_else(|| Key::random(Uuid::new_v4()));
        let kind = document.body.kind();
        let issuer = match &document.body {
            BodyInput::Receipt(receipt) => Some(receipt.fiscal_id.as_str()),
            _ => None,
        };
        let issued = issuer.is_some();
        // A child of a document here goes where its parent went: that is settled once the parent is found.
        let routed = match document.parent {
            Some(Parent::Key(_)) => Ok(None),
            _ => {
                let stamp = match &document.body {
                    BodyInput::Void(void) => Some(void.credit_note_number.is_some()),
                    _ => None,
                };
                choose_account(&accounts, document.account.as_ref(), kind, issuer, stamp)
            }
        };
        let (account, no_account) = match routed {
            Ok(account) => (account, None),
            Err(rejection) => (None, Some(rejection)),
        };
        let dated_by_us = matches!(&document.body, BodyInput::Draft(draft) if draft.created_on.is_none());
        let context = Context {
            provider: account.as_ref().map(|account| account.provider),
            fiscal_ids: account.as_ref().map(|account| account.fiscal_ids.as_slice()).filter(|ids| !ids.is_empty()),
            now: Some(document.issued_at.unwrap_or(taken_at)),
        };
        let more = matches!(kind, Kind::Return | Kind::Draft).then(|| document.body.clone());
        let Checked { value, mut violations } = check::body_of(document.body, &context);
        let body = match (value, no_account) {
            (Some(body), None) if violations.is_empty() => Ok(body),
            (body, None) => Err(Box::new(Refused { rejection: invalid(kind, violations), body, input: more })),
            (body, Some(mut rejection)) => {
                // Where no account has this VAT number, what else is wrong is said besides.
                if rejection.code == "invalid" && issued {
                    violations.retain(|violation| violation.property_path != "fiscal_id");
                    if !violations.is_empty() {
                        rejection.violations.extend(violations);
                        rejection = invalid(kind, rejection.violations);
                    }
                }
                Err(Box::new(Refused { rejection, body, input: None }))
            }
        };
        let mut candidate = Box::new(Candidate {
            key,
            named_account: document.account,
            parent: document.parent,
            issued_at: document.issued_at,
            taken_at,
            body_json: String::new(),
            totals: Kept::default(),
            fingerprint: None,
            warnings: None,
            dated_by_us,
            account,
            accounts,
            ready: None,
            body,
        });
        candidate.prepare()?;
        Ok(candidate)
    }
}

fn invalid(kind: Kind, violations: Vec<Violation>) -> Rejection {
    let message = match violations.len() {
        1 => format!("the {kind} breaks a rule"),
        n => format!("the {kind} breaks {n} rules"),
    };
    Rejection { code: "invalid", message, violations }
}
