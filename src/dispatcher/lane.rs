//! Lanes: of calls that a provider cannot tell apart when an answer is lost, only one may be open at a time
//! (PROVIDERS.md 4.3).

use crate::domain::document::Kind;
use crate::domain::event::ParentRef;
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::state::Progress;

/// What a call must be alone on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Sales of one VAT number.
    Sales(AccountName, Option<FiscalId>),
    /// Corrections of one document of this journal.
    Parent(DocId),
    /// Corrections of one document issued elsewhere.
    RemoteParent(AccountName, String),
    /// A draft is alone: it has no fiscal effect, and only the newest link is shown.
    Alone(DocId),
}

impl Lane {
    /// The lane of a document; `None` while it has no account.
    pub fn of(progress: &Progress) -> Option<Lane> {
        let account = progress.account.clone()?;
        Some(match (&progress.parent, progress.kind) {
            (Some(ParentRef::Local(parent)), _) => Lane::Parent(*parent),
            (Some(ParentRef::Remote(id)), _) => Lane::RemoteParent(account, id.clone()),
            (None, Kind::Receipt) => Lane::Sales(account, progress.fiscal_id.clone()),
            (None, _) => Lane::Alone(progress.id),
        })
    }
}
