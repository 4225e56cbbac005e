//! A checked document on the journal's writer: whether its key is free, and what its parent allows.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::invalid;
use crate::domain::account::Account;
use crate::domain::calendar;
use crate::domain::check::{self, Violation};
use crate::domain::document::{Body, Kind, Parent};
use crate::domain::event::{DocEvent, Enqueued, ParentRef};
use crate::domain::fingerprint;
use crate::domain::id::{AccountName, DocId, FiscalId, Key};
use crate::domain::input::BodyInput;
use crate::domain::state::State;
use crate::domain::totals::{self, Kept, Totals};
use crate::error::{Error, Rejection};
use crate::journal::{JournalError, Ready, Transaction, View};
use crate::queue::Accounts;
use crate::queue::parents::{self, Bound};
use crate::view::Ticket;

/// A document that has passed every check that needs no journal.
pub(super) struct Candidate {
    pub key: Key,
    pub named_account: Option<AccountName>,
    pub parent: Option<Parent>,
    pub issued_at: Option<DateTime<Utc>>,
    pub taken_at: DateTime<Utc>,
    pub body: Result<Body, Box<Refused>>,
    pub body_json: String,
    pub totals: Kept,
    /// Of a document without a parent; the parent's own number goes into the others'.
    pub fingerprint: Option<[u8; 32]>,
    /// Of a document without a parent, as the fingerprint.
    pub warnings: Option<Vec<String>>,
    /// A draft whose date we filled in: the date is not part of what the till said.
    pub dated_by_us: bool,
    pub account: Option<Arc<Account>>,
    pub accounts: Accounts,
    /// The record of a sale, which depends on nothing in the journal but whether its key is free.
    pub ready: Option<Ready>,
}

/// A document that cannot be taken now. Where it was taken before, under other rules or another configuration, what it says
/// is still what counts.
pub(super) struct Refused {
    pub rejection: Rejection,
    /// Its values, if all of them mean something.
    pub body: Option<Body>,
    /// As it was given, where more rules can be judged on the journal's writer.
    pub input: Option<BodyInput>,
    /// What is wrong around the body, if anything: whether it was taken before cannot be said then.
    pub flaws: Vec<Violation>,
}

/// What a document became, and all that was made of it: whoever waits frees it, not the one thread that writes.
pub(super) struct Entered {
    taken: Taken,
    candidate: Box<Candidate>,
}

struct Taken {
    id: DocId,
    state: State,
    duplicate: bool,
}

impl Entered {
    pub fn ticket(self) -> Ticket {
        let Taken { id, state, duplicate } = self.taken;
        Ticket { key: String::from(self.candidate.key), id: id.to_string(), state, duplicate }
    }
}

impl Candidate {
    pub fn fingerprint_of(&self, body: &Body, parent: Option<&ParentRef>) -> [u8; 32] {
        match body {
            Body::Draft(draft) if self.dated_by_us => {
                let mut undated = draft.clone();
                undated.created_on = DateTime::<Utc>::UNIX_EPOCH.naive_utc();
                fingerprint::of(&Body::Draft(undated), None, parent, self.issued_at)
            }
            _ => fingerprint::of(body, None, parent, self.issued_at),
        }
    }

    /// Makes all that needs no journal: of a sale the whole record.
    pub fn prepare(&mut self) -> Result<(), Error> {
        let Some(body) = self.values() else { return Ok(()) };
        let fingerprint = self.parent.is_none().then(|| self.fingerprint_of(body, None));
        if let Ok(body) = &self.body {
            let malformed = |error: serde_json::Error| Error::Rejected(Rejection::new("malformed", error.to_string()));
            let body_json = body.to_short_json().map_err(malformed)?;
            let totals = totals_of(body).map_err(Error::Rejected)?;
            let warnings = fingerprint.map(|_| warnings_of(body, self.account.as_deref()));
            (self.body_json, self.totals, self.warnings) = (body_json, totals, warnings);
        }
        self.fingerprint = fingerprint;
        Ok(self.make_ready()?)
    }

    /// What the till said, if it means something.
    fn values(&self) -> Option<&Body> {
        self.body.as_ref().map_or_else(|refused| refused.body.as_ref(), Some)
    }

    fn make_ready(&mut self) -> Result<(), JournalError> {
        let (Ok(Body::Receipt(receipt)), None, Some(fingerprint)) = (&self.body, &self.parent, self.fingerprint) else {
            return Ok(());
        };
        self.ready = Some(Ready::new(Enqueued {
            key: self.key.clone(),
            kind: Kind::Receipt,
            account: self.account_name(None),
            fiscal_id: Some(receipt.fiscal_id.clone()),
            parent: None,
            issued_at: self.issued_at.unwrap_or(self.taken_at),
            body: std::mem::take(&mut self.body_json),
            totals: std::mem::take(&mut self.totals),
            fingerprint,
            deadline: None,
            invoice_name: None,
            warnings: self.warnings.take().unwrap_or_default(),
        })?);
        Ok(())
    }

    /// Runs on the journal's writer, one candidate after the other: here uniqueness and the parent's rules are decided.
    pub fn enter(mut self: Box<Self>, txn: &mut Transaction<'_>) -> Result<Entered, Error> {
        let taken = match (&mut self.ready, self.fingerprint) {
            (Some(ready), Some(fingerprint)) => match txn.enqueue_ready(ready) {
                Err(JournalError::KeyTaken(id)) => self.repeated(txn, id, fingerprint)?,
                taken => Taken { id: taken?, state: State::Queued, duplicate: false },
            },
            _ => self.decide(txn)?,
        };
        Ok(Entered { taken, candidate: self })
    }

    fn decide(&mut self, txn: &mut Transaction<'_>) -> Result<Taken, Error> {
        let flawed = self.body.as_ref().is_err_and(|refused| !refused.flaws.is_empty());
        if let (false, Some(id)) = (flawed, txn.find(&self.key)?) {
            let Some(body) = self.values() else { return Err(Error::Rejected(key_reused(&self.key))) };
            return self.repeated(txn, id, self.said(txn, body)?);
        }
        let body = match &self.body {
            Ok(body) => body,
            Err(refused) => return Err(Error::Rejected(self.all_violations(txn, refused)?)),
        };
        let bound = match &self.parent {
            None => None,
            Some(parent) => Some(parents::find(txn, parent, &self.company(txn, self.account.as_deref())?)?),
        };
        let parent_ref = bound.as_ref().map(Bound::reference);
        let fingerprint = self.said(txn, body)?;
        let account = self.account_with(bound.as_ref())?;
        let account_name =
            account.as_ref().map(|account| account.name.clone()).or_else(|| self.account_name(bound.as_ref()));
        let verdict = match &bound {
            Some(bound) => {
                let account = account.as_deref();
                parents::judge(txn, bound, body, (account, &self.company(txn, account)?), self.taken_at)?
            }
            None => parents::Verdict::default(),
        };
        if let Body::Draft(draft) = body {
            unused_invoice_name(txn, account_name.as_ref(), &draft.merchant_invoice_id)?;
        }
        let fiscal_id = match body {
            Body::Receipt(receipt) => Some(receipt.fiscal_id.clone()),
            _ => bound.as_ref().and_then(Bound::fiscal_id).or_else(|| only_fiscal_id(body, account.as_deref())),
        };
        let warnings = self.warnings.take().unwrap_or_else(|| warnings_of(body, account.as_deref()));
        let enqueued = Enqueued {
            key: self.key.clone(),
            kind: body.kind(),
            account: account_name,
            fiscal_id,
            parent: parent_ref,
            issued_at: self.issued_at.unwrap_or(self.taken_at),
            body: std::mem::take(&mut self.body_json),
            totals: verdict.totals.unwrap_or_else(|| std::mem::take(&mut self.totals)),
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
        Ok(Taken { id, state, duplicate: false })
    }

    /// Every rule that a refused document breaks: also those of the journal, of its parent and of its number.
    fn all_violations(&self, txn: &Transaction<'_>, refused: &Refused) -> Result<Rejection, Error> {
        let mut rejection = refused.rejection.clone();
        match (&refused.input, &self.parent) {
            (Some(BodyInput::Return(goods)), Some(parent)) => {
                let account = self.account.as_deref();
                match parents::find(txn, parent, &self.company(txn, account)?) {
                    Ok(bound) => {
                        let account = self.account_with(Some(&bound)).ok().flatten();
                        let company = self.company(txn, account.as_deref())?;
                        if let Some(mut all) = parents::all_violations(txn, &bound, goods, &company)? {
                            all.splice(0..0, refused.flaws.iter().cloned());
                            rejection = invalid(Kind::Return, all);
                        }
                    }
                    Err(Error::Rejected(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            (Some(BodyInput::Draft(draft)), _) => {
                match unused_invoice_name(txn, self.account_name(None).as_ref(), &draft.merchant_invoice_id) {
                    Err(Error::Rejected(used)) => {
                        rejection.violations.extend(used.violations);
                        rejection = invalid(Kind::Draft, rejection.violations);
                    }
                    other => other?,
                }
            }
            _ => {}
        }
        Ok(rejection)
    }

    /// The fingerprint of what the till said, of the parent as it was given: a line is the same line after its parent became
    /// known here. A key that nobody has is no parent that any document was taken with.
    fn said(&self, txn: &Transaction<'_>, body: &Body) -> Result<[u8; 32], Error> {
        if let Some(fingerprint) = self.fingerprint {
            return Ok(fingerprint);
        }
        let parent = match &self.parent {
            None => None,
            Some(Parent::Remote(id)) => Some(ParentRef::Remote(id.clone())),
            Some(Parent::Key(key)) => txn.find(key)?.map(ParentRef::Local),
        };
        Ok(self.fingerprint_of(body, parent.as_ref()))
    }

    fn repeated(&self, txn: &mut Transaction<'_>, id: DocId, fingerprint: [u8; 32]) -> Result<Taken, Error> {
        let (Some(progress), Some(taken)) = (txn.progress(id)?, txn.document(id)?) else {
            return Err(Error::UnknownKey(self.key.to_string()));
        };
        // The child of a parent here has its parent's account, and was taken when that had none under any name.
        let kept = !matches!(progress.parent, Some(ParentRef::Local(_)));
        let other_account = kept && self.named_account.is_some() && self.named_account != progress.account;
        if taken.fingerprint != fingerprint || other_account {
            return Err(Error::Rejected(key_reused(&self.key)));
        }
        Ok(Taken { id, state: progress.state, duplicate: true })
    }

    fn company(&self, txn: &Transaction<'_>, account: Option<&Account>) -> Result<Arc<[AccountName]>, Error> {
        account.map_or_else(|| Ok(Arc::from([])), |account| self.accounts.company(txn, &account.name))
    }

    /// The name of its account, also while no account is known yet: what was named, or the account of its parent here.
    fn account_name(&self, bound: Option<&Bound>) -> Option<AccountName> {
        let unknown_yet = || match bound {
            Some(Bound::Local(parent)) => parent.account.clone(),
            _ => self.named_account.clone(),
        };
        self.account.as_ref().map(|account| account.name.clone()).or_else(unknown_yet)
    }

    fn account_with(&self, bound: Option<&Bound>) -> Result<Option<Arc<Account>>, Error> {
        let Some(Bound::Local(parent)) = bound else { return Ok(self.account.clone()) };
        let Some(name) = &parent.account else { return Ok(None) };
        let gone = !self.accounts.is_empty() && self.accounts.iter().all(|account| account.name != *name);
        if self.named_account.as_ref().is_some_and(|named| named != name) && !gone {
            let message = format!("its parent {} belongs to the account {name}: name that one", parent.key);
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

fn totals_of(body: &Body) -> Result<Kept, Rejection> {
    let too_large = || Rejection::new("invalid", "its totals do not fit");
    let totals = match body {
        Body::Receipt(receipt) => Totals::Sale(totals::sale(receipt).ok_or_else(too_large)?),
        Body::Draft(draft) => Totals::Draft(totals::draft(draft).ok_or_else(too_large)?),
        Body::Return(_) | Body::Void(_) | Body::NoteNumber(_) => return Ok(Kept::default()),
    };
    Ok(Kept::from(&totals))
}

fn warnings_of(body: &Body, account: Option<&Account>) -> Vec<String> {
    check::warnings(body, account.map(|account| account.provider))
}

fn key_reused(key: &Key) -> Rejection {
    let message = format!(
        "the key {key} belongs to a document with other content: see `staffetta show {key}`, or choose a new key"
    );
    Rejection::new("key_reused", message)
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

fn unused_invoice_name(txn: &Transaction<'_>, account: Option<&AccountName>, name: &str) -> Result<(), Error> {
    let Some(other) = txn.by_invoice_name(account, name)? else { return Ok(()) };
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
