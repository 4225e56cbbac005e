//! Intake: a document is checked whole before anything is written, and safe on disk before anything is said.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::parents::{self, Bound};
use super::{Accounts, Queue};
use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar;
use crate::domain::check::{self, Context, Violation};
use crate::domain::document::{Body, Kind, NewDocument, Parent};
use crate::domain::event::{DocEvent, Enqueued};
use crate::domain::fingerprint;
use crate::domain::id::{AccountName, FiscalId, Key};
use crate::domain::input::BodyInput;
use crate::domain::limits::MAX_GROUP;
use crate::domain::state::State;
use crate::domain::totals::{self, Kept, Totals};
use crate::error::{Error, Rejection};
use crate::journal::{Pending, Transaction, View};
use crate::view::Ticket;

/// A document that has passed every check that needs no journal.
struct Candidate {
    key: Key,
    named_account: Option<AccountName>,
    parent: Option<Parent>,
    issued_at: Option<DateTime<Utc>>,
    taken_at: DateTime<Utc>,
    body: Result<Body, Rejection>,
    body_json: String,
    totals: Kept,
    /// Of a document without a parent; the parent's own number goes into the others'.
    fingerprint: Option<[u8; 32]>,
    /// Of a document without a parent, as the fingerprint.
    warnings: Option<Vec<String>>,
    /// A draft whose date we filled in: the date is not part of what the till said.
    dated_by_us: bool,
    account: Option<Arc<Account>>,
    accounts: Accounts,
}

/// Documents that were handed to the journal, in order.
pub(crate) struct Begun(Vec<Result<Pending<Entered, Error>, Error>>);

/// What a document became, and its body: whoever waits frees it, not the one thread that writes.
type Entered = (Ticket, Result<Body, Rejection>);

impl Begun {
    /// What became of each, once it is on disk.
    pub fn wait(self) -> Vec<Result<Ticket, Error>> {
        self.0.into_iter().map(|pending| pending?.wait()?.map(|(ticket, _)| ticket)).collect()
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
        self.begin(document)?.wait()?.map(|(ticket, _)| ticket)
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
            let enter = |candidate: Candidate| move |txn: &mut Transaction<'_>| candidate.enter(txn);
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
                move |answer| then(answer.map_err(Error::from).flatten().map(|(ticket, _)| ticket)),
            ),
        }
    }

    fn examine(&self, document: NewDocument) -> Result<Candidate, Error> {
        let taken_at = self.clock().now();
        let accounts = self.accounts();
        let key = document.key.unwrap_or_else(|| Key::random(Uuid::new_v4()));
        let kind = document.body.kind();
        let issuer = match &document.body {
            BodyInput::Receipt(receipt) => Some(receipt.fiscal_id.as_str()),
            _ => None,
        };
        // A child of a document here goes where its parent went: that is settled once the parent is found.
        let account = match document.parent {
            Some(Parent::Key(_)) => None,
            _ => {
                let stamp = match &document.body {
                    BodyInput::Void(void) => Some(void.credit_note_number.is_some()),
                    _ => None,
                };
                choose_account(&accounts, document.account.as_ref(), kind, issuer, stamp).map_err(Error::Rejected)?
            }
        };
        let dated_by_us = matches!(&document.body, BodyInput::Draft(draft) if draft.created_on.is_none());
        let context = Context {
            provider: account.as_ref().map(|account| account.provider),
            fiscal_ids: account.as_ref().map(|account| account.fiscal_ids.as_slice()).filter(|ids| !ids.is_empty()),
            now: Some(document.issued_at.unwrap_or(taken_at)),
        };
        let body = check::body(&document.body, &context).map_err(|violations| invalid(kind, violations));
        let mut candidate = Candidate {
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
            body: Err(Rejection::new("invalid", "")),
        };
        if let Ok(body) = &body {
            candidate.body_json = body
                .to_short_json()
                .map_err(|error| Error::Rejected(Rejection::new("malformed", error.to_string())))?;
            candidate.totals = totals_of(body).map_err(Error::Rejected)?;
            if candidate.parent.is_none() {
                candidate.fingerprint = Some(candidate.fingerprint_of(body, None));
                candidate.warnings = Some(warnings_of(body, candidate.account.as_deref()));
            }
        }
        candidate.body = body;
        Ok(candidate)
    }

    /// Assigns documents that were taken before any account was known.
    pub(super) fn route_unrouted(&self) -> Result<(), Error> {
        const BATCH: usize = 1_000;
        let accounts = self.accounts();
        let journal = self.journal();
        if accounts.is_empty() || !journal.counts()?.contains_key(&(None, State::Queued)) {
            return Ok(());
        }
        let mut after = None;
        loop {
            let ids = journal.in_state(State::Queued, after, BATCH)?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = Some(*last);
            let mut routed = Vec::new();
            for id in ids {
                let Some(progress) = journal.progress(id)?.filter(|progress| progress.account.is_none()) else {
                    continue;
                };
                let issuer = progress.fiscal_id.as_ref().map(FiscalId::as_str);
                if let Ok(Some(account)) = choose_account(&accounts, None, progress.kind, issuer, None) {
                    routed.push((progress.id, account.name.clone()));
                }
            }
            journal.transact(move |txn| -> Result<(), Error> {
                for (id, account) in routed {
                    txn.record(id, DocEvent::Routed { account })?;
                }
                Ok(())
            })??;
        }
    }
}

impl Candidate {
    fn fingerprint_of(&self, body: &Body, parent: Option<&crate::domain::event::ParentRef>) -> [u8; 32] {
        match body {
            Body::Draft(draft) if self.dated_by_us => {
                let mut undated = draft.clone();
                undated.created_on = DateTime::<Utc>::UNIX_EPOCH.naive_utc();
                fingerprint::of(&Body::Draft(undated), None, parent, self.issued_at)
            }
            _ => fingerprint::of(body, None, parent, self.issued_at),
        }
    }

    /// Runs on the journal's writer, one candidate after the other: here uniqueness and the parent's rules are decided.
    fn enter(self, txn: &mut Transaction<'_>) -> Result<Entered, Error> {
        let known = txn.find(&self.key)?;
        let body = match (&self.body, known) {
            (Ok(body), _) => body,
            (Err(_), Some(_)) => return Err(Error::Rejected(key_reused(&self.key))),
            (Err(rejection), None) => return Err(Error::Rejected(rejection.clone())),
        };
        let bound = match &self.parent {
            None => None,
            Some(parent) => Some(parents::find(txn, parent)?),
        };
        let parent_ref = bound.as_ref().map(Bound::reference);
        let fingerprint = self.fingerprint.unwrap_or_else(|| self.fingerprint_of(body, parent_ref.as_ref()));
        if let Some(id) = known {
            return Ok((self.repeated(txn, id, fingerprint)?, self.body));
        }

        let account = self.account_with(bound.as_ref())?;
        let verdict = match &bound {
            Some(bound) => parents::judge(txn, bound, body, account.as_deref(), self.taken_at)?,
            None => parents::Verdict::default(),
        };
        if let Body::Draft(draft) = body {
            unused_invoice_name(txn, account.as_deref(), &draft.merchant_invoice_id)?;
        }
        let fiscal_id = match body {
            Body::Receipt(receipt) => Some(receipt.fiscal_id.clone()),
            _ => bound.as_ref().and_then(Bound::fiscal_id).or_else(|| only_fiscal_id(body, account.as_deref())),
        };
        let warnings = self.warnings.unwrap_or_else(|| warnings_of(body, account.as_deref()));
        let enqueued = Enqueued {
            key: self.key.clone(),
            kind: body.kind(),
            account: account.as_ref().map(|account| account.name.clone()),
            fiscal_id,
            parent: parent_ref,
            issued_at: self.issued_at.unwrap_or(self.taken_at),
            body: self.body_json,
            totals: verdict.totals.unwrap_or(self.totals),
            fingerprint,
            deadline: verdict.deadline.or_else(|| draft_deadline(body, self.taken_at)),
            invoice_name: match body {
                Body::Draft(draft) => Some(draft.merchant_invoice_id.clone()),
                _ => None,
            },
            warnings,
        };
        let id = txn.enqueue(enqueued)?;
        let mut state = State::Queued;
        if let Some(parent) = verdict.cancels {
            let why = format!("voided by {} before it left", self.key);
            txn.record(parent, DocEvent::Cancelled { who: "void".to_owned(), why })?;
            let why = "its parent never left: both are called off here, nothing is sent".to_owned();
            state = txn.record(id, DocEvent::Cancelled { who: "void".to_owned(), why })?.state;
        }
        Ok((Ticket { key: self.key.to_string(), id: id.to_string(), state, duplicate: false }, self.body))
    }

    fn repeated(
        &self,
        txn: &mut Transaction<'_>,
        id: crate::domain::id::DocId,
        fingerprint: [u8; 32],
    ) -> Result<Ticket, Error> {
        let (Some(progress), Some(taken)) = (txn.progress(id)?, txn.document(id)?) else {
            return Err(Error::UnknownKey(self.key.to_string()));
        };
        let other_account = self.named_account.is_some() && self.named_account != progress.account;
        if taken.fingerprint != fingerprint || other_account {
            return Err(Error::Rejected(key_reused(&self.key)));
        }
        Ok(Ticket { key: self.key.to_string(), id: id.to_string(), state: progress.state, duplicate: true })
    }

    fn account_with(&self, bound: Option<&Bound>) -> Result<Option<Arc<Account>>, Error> {
        let Some(Bound::Local(parent)) = bound else { return Ok(self.account.clone()) };
        let Some(name) = &parent.account else { return Ok(None) };
        if self.named_account.as_ref().is_some_and(|named| named != name) {
            let message = format!("its parent {} belongs to the account {name}: leave `account` out", parent.key);
            return Err(Error::Rejected(Rejection::new("parent_conflict", message)));
        }
        match self.accounts.iter().find(|account| account.name == *name) {
            Some(account) => Ok(Some(account.clone())),
            None if self.accounts.is_empty() => Ok(None),
            None => Err(Error::Rejected(Rejection::new(
                "unknown_account",
                format!("the account {name} of its parent is not in the configuration: add it again"),
            ))),
        }
    }
}

fn warnings_of(body: &Body, account: Option<&Account>) -> Vec<String> {
    check::warnings(body, account.map(|account| account.provider))
}

fn invalid(kind: Kind, violations: Vec<Violation>) -> Rejection {
    let message = match violations.len() {
        1 => format!("the {kind} breaks a rule"),
        n => format!("the {kind} breaks {n} rules"),
    };
    Rejection { code: "invalid", message, violations }
}

fn key_reused(key: &Key) -> Rejection {
    let message = format!(
        "the key {key} belongs to a document with other content: see `staffetta show {key}`, or choose a new key"
    );
    Rejection::new("key_reused", message)
}

fn totals_of(body: &Body) -> Result<Kept, Rejection> {
    let too_large = || Rejection::new("invalid", "its totals do not fit");
    let totals = match body {
        Body::Receipt(receipt) => Totals::Sale(totals::sale(receipt).ok_or_else(too_large)?),
        Body::Draft(draft) => Totals::Draft(totals::draft(draft).ok_or_else(too_large)?),
        Body::Return(_) | Body::Void(_) | Body::NoteNumber(_) => return Ok(Kept::default()),
    };
    Ok(Kept::from(&totals))
}

/// A draft is of no use once its goods can no longer leave the EU in time. One that is dated back is as old as its intake:
/// whether the date is right is not for the queue to say.
fn draft_deadline(body: &Body, taken_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match body {
        Body::Draft(draft) => {
            Some(calendar::tax_free_horizon(draft.created_on.date().max(calendar::fiscal_day(taken_at))))
        }
        _ => None,
    }
}

/// For a child of a document issued elsewhere, the VAT number is known when the account has only one.
fn only_fiscal_id(body: &Body, account: Option<&Account>) -> Option<FiscalId> {
    match (body.kind(), account?.fiscal_ids.as_slice()) {
        (Kind::Return | Kind::Void, [only]) => Some(only.clone()),
        _ => None,
    }
}

fn unused_invoice_name(txn: &Transaction<'_>, account: Option<&Account>, name: &str) -> Result<(), Error> {
    let Some(other) = txn.by_invoice_name(account.map(|account| &account.name), name)? else { return Ok(()) };
    let alive = txn.progress(other)?.filter(|other| !matches!(other.state, State::Refused | State::Cancelled));
    match alive {
        None => Ok(()),
        Some(other) => Err(Error::Rejected(Rejection {
            code: "invalid",
            message: format!("the invoice number {name} is already used by {}", other.key),
            violations: vec![Violation {
                property_path: "MerchantInvoiceId".to_owned(),
                message: "X:merchant_invoice_id_used".to_owned(),
            }],
        })),
    }
}

/// The account that a document without a parent here goes to; `None` when no account is known yet at all. `stamp` tells a
/// void of a tax-free invoice (it has a credit note) from one of a receipt.
fn choose_account(
    accounts: &[Arc<Account>],
    named: Option<&AccountName>,
    kind: Kind,
    issuer: Option<&str>,
    stamp: Option<bool>,
) -> Result<Option<Arc<Account>>, Rejection> {
    if accounts.is_empty() {
        return Ok(None);
    }
    if let Some(name) = named {
        let account = accounts.iter().find(|account| account.name == *name).ok_or_else(|| {
            let known: Vec<_> = accounts.iter().map(|account| account.name.as_str()).collect();
            Rejection::new(
                "unknown_account",
                format!("there is no account {name}; the configuration has: {}", known.join(", ")),
            )
        })?;
        if !account.provider.takes(kind) {
            let message = format!("the account {name} is at {}, which takes no {kind}", account.provider);
            let violation = Violation { property_path: "account".to_owned(), message: message.clone() };
            return Err(Rejection { code: "invalid", message, violations: vec![violation] });
        }
        return Ok(Some(account.clone()));
    }
    let takers: Vec<&Arc<Account>> = accounts
        .iter()
        .filter(|account| account.provider.takes(kind))
        .filter(|account| stamp.is_none_or(|stamp| stamp == (account.provider == ProviderKind::Stamp)))
        .collect();
    let issuers: Vec<&Arc<Account>> = takers
        .iter()
        .copied()
        .filter(|account| match issuer {
            Some(issuer) => account.fiscal_ids.is_empty() || account.fiscal_ids.iter().any(|id| id.as_str() == issuer),
            None => true,
        })
        .collect();
    match (issuers.as_slice(), takers.as_slice()) {
        ([only], _) => Ok(Some(Arc::clone(only))),
        // The one account that takes receipts does not have this VAT number: the check says so in the provider's words.
        ([], [only]) => Ok(Some(Arc::clone(only))),
        (_, []) => Err(Rejection::new("unknown_account", format!("no account of the configuration takes a {kind}"))),
        ([], _) => Err(Rejection {
            code: "invalid",
            message: "no account of the configuration has this VAT number".to_owned(),
            violations: vec![Violation {
                property_path: "fiscal_id".to_owned(),
                message: check::codes::FISCAL_ID.to_owned(),
            }],
        }),
        (several, _) => {
            let names: Vec<_> = several.iter().map(|account| account.name.as_str()).collect();
            Err(Rejection::new(
                "unknown_account",
                format!("several accounts can take it, name one: {}", names.join(", ")),
            ))
        }
    }
}
