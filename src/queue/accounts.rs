//! The accounts of the configuration, and which of them are one company's.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::domain::account::Account;
use crate::domain::id::AccountName;
use crate::error::Error;
use crate::journal::View;

/// An account, and those of the same provider that may have a VAT number of it: their ids are one another's. And those
/// that have left the configuration: any of them may be this one's name of before. One that has left it itself is alone.
pub(crate) struct Companies(HashMap<AccountName, Arc<[AccountName]>>);

impl Companies {
    /// Of this account.
    pub(crate) fn of(&self, account: &AccountName) -> Arc<[AccountName]> {
        self.0.get(account).cloned().unwrap_or_else(|| Arc::from([account.clone()]))
    }
}

/// The accounts, shared: each document taken keeps its own.
#[derive(Clone, Default)]
pub(crate) struct Accounts(Arc<Inner>);

#[derive(Default)]
struct Inner {
    list: Vec<Arc<Account>>,
    /// By each of its accounts; found out when it is first asked for.
    companies: OnceLock<Arc<Companies>>,
}

impl Deref for Accounts {
    type Target = [Arc<Account>];

    fn deref(&self) -> &[Arc<Account>] {
        &self.0.list
    }
}

impl From<Vec<Account>> for Accounts {
    fn from(accounts: Vec<Account>) -> Accounts {
        let list = accounts.into_iter().map(Arc::new).collect();
        Accounts(Arc::new(Inner { list, companies: OnceLock::new() }))
    }
}

impl Accounts {
    /// Who is one company with this account.
    pub(crate) fn company(&self, view: &(impl View + ?Sized), name: &AccountName) -> Result<Arc<[AccountName]>, Error> {
        Ok(self.companies(view)?.of(name))
    }

    /// Who is one company.
    pub(crate) fn companies(&self, view: &(impl View + ?Sized)) -> Result<&Arc<Companies>, Error> {
        if let Some(known) = self.0.companies.get() {
            return Ok(known);
        }
        // What is taken under this configuration is for accounts that it has, so nobody else leaves it meanwhile.
        let found = Arc::new(self.find_companies(view)?);
        Ok(self.0.companies.get_or_init(|| found))
    }

    fn find_companies(&self, view: &(impl View + ?Sized)) -> Result<Companies, Error> {
        let mut gone: Vec<AccountName> = view.counts()?.into_keys().filter_map(|(name, _)| name).collect();
        gone.retain(|name| self.iter().all(|account| account.name != *name));
        gone.dedup();
        let company = |account: &Arc<Account>| {
            let others = self.iter().filter(|other| other.name != account.name && are_one_company(account, other));
            let names = others.map(|other| &other.name).chain(&gone);
            (account.name.clone(), std::iter::once(&account.name).chain(names).cloned().collect())
        };
        Ok(Companies(self.iter().map(company).collect()))
    }
}

fn are_one_company(one: &Account, other: &Account) -> bool {
    let (ours, theirs) = (&one.fiscal_ids, &other.fiscal_ids);
    one.provider == other.provider
        && (ours.is_empty() || theirs.is_empty() || theirs.iter().any(|fiscal_id| ours.contains(fiscal_id)))
}
