//! Which account a document goes to.

use std::sync::Arc;

use crate::domain::account::{Account, ProviderKind};
use crate::domain::check::{self, Violation};
use crate::domain::document::Kind;
use crate::domain::event::{DocEvent, ParentRef};
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::state::State;
use crate::error::{Error, Rejection};
use crate::journal::View;
use crate::queue::Queue;

impl Queue {
    /// Assigns documents that were taken before any account was known: a child to its parent's account, any other to the
    /// only one that can take it. What no account can be found for stays, and `status` shows it.
    pub(in crate::queue) fn route_unrouted(&self) -> Result<(), Error> {
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
            let mut routed: Vec<(DocId, AccountName)> = Vec::new();
            for id in ids {
                let Some(progress) = journal.progress(id)?.filter(|progress| progress.account.is_none()) else {
                    continue;
                };
                let issuer = progress.fiscal_id.as_ref().map(FiscalId::as_str);
                let parent = match progress.parent {
                    Some(ParentRef::Local(parent)) => match routed.iter().rfind(|(id, _)| *id == parent) {
                        Some((_, account)) => Some(account.clone()),
                        None => journal.progress(parent)?.and_then(|parent| parent.account),
                    },
                    _ => None,
                };
                // Another account cannot know the parent, whatever the configuration has.
                if let Some(account) = parent {
                    routed.push((progress.id, account));
                    continue;
                }
                match choose_account(&accounts, None, progress.kind, issuer, None) {
                    Ok(Some(account)) => routed.push((progress.id, account.name.clone())),
                    Ok(None) => {}
                    Err(rejection) => tracing::warn!(key = %progress.key, why = %rejection, "goes to no account"),
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

/// The account that a document without a parent here goes to; `None` when no account is known yet at all. `stamp` tells a
/// void of a tax-free invoice (it has a credit note) from one of a receipt.
pub(super) fn choose_account(
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
    let takers = accounts
        .iter()
        .filter(|account| account.provider.takes(kind))
        .filter(|account| stamp.is_none_or(|stamp| stamp == (account.provider == ProviderKind::Stamp)));
    let mut first = takers.clone();
    if let (Some(only), None) = (first.next(), first.next()) {
        // Should it not have this VAT number, the check says so in the provider's words.
        return Ok(Some(Arc::clone(only)));
    }
    let takers: Vec<&Arc<Account>> = takers.collect();
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
