//! Intake: a document is checked whole before anything is written, and safe on disk before anything is said.

mod account;
mod candidate;

use uuid::Uuid;

use self::account::choose_account;
use self::candidate::{Candidate, Entered, Refused};
use super::Queue;
use crate::domain::check::{self, Checked, Context, Violation, codes, explain};
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
        match key.parse() {
            Ok(key) => document.key = Some(key),
            Err(_) => {
                let flaws = document.flaws.get_or_insert_default();
                flaws.key = Some(key.to_owned());
                flaws.violations.push(Violation::new("key", codes::KEY));
            }
        }
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
        let (Checked { value, violations }, input) = check::body_of(document.body, &context);
        let flaws = document.flaws.map(|flaws| flaws.violations).unwrap_or_default();
        let body = match (value, no_account) {
            (Some(body), None) if violations.is_empty() && flaws.is_empty() => Ok(body),
            (body, no_account) => {
                let rejection = refusal(kind, issued, &flaws, violations, no_account);
                Err(Box::new(Refused { rejection, body, input, flaws }))
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

/// What refuses a document by itself: what is wrong around its body, in it, and that no account takes it.
fn refusal(
    kind: Kind,
    issued: bool,
    flaws: &[Violation],
    mut violations: Vec<Violation>,
    no_account: Option<Rejection>,
) -> Rejection {
    match no_account {
        None => {}
        // Where no account has this VAT number, what else is wrong is said besides.
        Some(rejection) if rejection.code == "invalid" && (issued || !flaws.is_empty()) => {
            violations.retain(|violation| !issued || violation.property_path != "fiscal_id");
            if violations.is_empty() && flaws.is_empty() {
                return rejection;
            }
            violations.splice(0..0, rejection.violations);
        }
        // Which account it is for may depend on what could not be read.
        Some(rejection) if flaws.is_empty() => return rejection,
        Some(_) => {}
    }
    if violations.is_empty() {
        return Rejection { code: "invalid", message: explain(flaws), violations: flaws.to_vec() };
    }
    violations.splice(0..0, flaws.iter().cloned());
    invalid(kind, violations)
}

fn invalid(kind: Kind, violations: Vec<Violation>) -> Rejection {
    let message = match violations.len() {
        1 => format!("the {kind} breaks a rule"),
        n => format!("the {kind} breaks {n} rules"),
    };
    Rejection { code: "invalid", message, violations }
}
