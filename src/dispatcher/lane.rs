//! Lanes: of calls that a provider cannot tell apart when an answer is lost, only one may be open at a time
//! (PROVIDERS.md 4.3).

use std::collections::HashMap;

use crate::domain::account::{Account, ProviderKind};
use crate::domain::document::Kind;
use crate::domain::event::ParentRef;
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::state::Progress;

/// What a call must be alone on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Sales of one VAT number at one provider, of whichever account: each account sees the others' in its lists.
    Sales(ProviderKind, Option<FiscalId>),
    /// Corrections of one document of this journal.
    Parent(DocId),
    /// Corrections of one document issued elsewhere.
    RemoteParent(AccountName, String),
    /// A draft is alone: it has no fiscal effect, and only the newest link is shown.
    Alone(DocId),
}

/// Which documents are on which lane.
#[derive(Debug, Clone)]
pub struct Lanes(HashMap<AccountName, ProviderKind>);

impl Lanes {
    /// Of these accounts.
    pub fn new<'a>(accounts: impl IntoIterator<Item = &'a Account>) -> Lanes {
        Lanes(accounts.into_iter().map(|account| (account.name.clone(), account.provider)).collect())
    }

    /// The lane of a document; `None` while it has no account, or one that is not configured any more.
    pub fn of(&self, progress: &Progress) -> Option<Lane> {
        let account = progress.account.as_ref()?;
        Some(match (&progress.parent, progress.kind) {
            (Some(ParentRef::Local(parent)), _) => Lane::Parent(*parent),
            (Some(ParentRef::Remote(id)), _) => Lane::RemoteParent(account.clone(), id.clone()),
            (None, Kind::Receipt) => self.sales(account, progress.fiscal_id.as_ref())?,
            (None, _) => Lane::Alone(progress.id),
        })
    }

    /// That of an account's sales of a VAT number.
    pub fn sales(&self, account: &AccountName, fiscal_id: Option<&FiscalId>) -> Option<Lane> {
        Some(Lane::Sales(*self.0.get(account)?, fiscal_id.cloned()))
    }
}
