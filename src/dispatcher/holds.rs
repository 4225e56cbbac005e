//! Holds: placed when a provider refuses the account, ended by a person, or by a configuration that has changed.

use super::settings::{Managed, Unreachable};
use crate::domain::event::Hold;
use crate::domain::id::{AccountName, FiscalId};
use crate::domain::outcome::HoldReason;
use crate::error::Error;
use crate::journal::{Transaction, View};
use crate::queue::Queue;

/// A hold that is there already is not written again.
pub(super) fn place(txn: &mut Transaction<'_>, hold: Hold) -> Result<(), Error> {
    let known = txn
        .holds()?
        .into_iter()
        .any(|known| known.account == hold.account && known.fiscal_id == hold.fiscal_id && known.reason == hold.reason);
    if !known {
        txn.hold(hold)?;
    }
    Ok(())
}

/// At a start: an account without its secret is held, one whose secret changed is released.
pub(super) fn renew(queue: &Queue, managed: &Managed, secret: Option<[u8; 16]>) -> Result<(), Error> {
    let name = managed.account.name.clone();
    let missing = managed.provider.as_ref().err().cloned();
    let now = queue.clock().now();
    queue.journal().transact(move |txn| -> Result<(), Error> {
        for hold in txn.holds()?.into_iter().filter(|hold| hold.account == name) {
            let ended = match hold.reason {
                HoldReason::Credentials => secret.is_some() && hold.secret != secret,
                HoldReason::SecretMissing | HoldReason::Misconfigured => missing.is_none(),
                _ => false,
            };
            if ended {
                txn.release(&hold.account, hold.fiscal_id.as_ref(), "staffetta", "the configuration has changed")?;
            }
        }
        let Some(Unreachable { reason, detail, cure }) = missing else { return Ok(()) };
        let mut wanted = Hold { account: name, fiscal_id: None, reason, detail, cure, since: now, secret: None };
        let there = txn.holds()?.into_iter().find(|hold| hold.account == wanted.account && hold.fiscal_id.is_none());
        if let Some(there) = there.filter(|there| there.reason == reason) {
            // The same trouble for another reason is told by that one: an earlier start's words may be wrong by now.
            wanted.since = there.since;
            if wanted == there {
                return Ok(());
            }
        }
        Ok(txn.hold(wanted)?)
    })?
}

/// What ends a hold, for a person.
pub(super) fn cure(reason: HoldReason, account: &AccountName, fiscal_id: Option<&FiscalId>) -> String {
    let release = match fiscal_id {
        Some(fiscal_id) => format!("`staffetta release {account} {fiscal_id}`"),
        None => format!("`staffetta release {account}`"),
    };
    match reason {
        HoldReason::Credentials => {
            format!("correct the credentials (a changed secret lifts this at the next start), or {release}")
        }
        HoldReason::SecretMissing => "set it and start again".to_owned(),
        HoldReason::UnknownFiscalId => {
            // Named, or the command would ask another account's provider.
            let whom = fiscal_id.map(|fiscal_id| format!(" {fiscal_id}")).unwrap_or_default();
            format!(
                "make the VAT number known to the provider (`staffetta company add{whom} --account {account}`, with its name and \
                 e-mail) or, if it is, correct its credentials at the authority, then {release}"
            )
        }
        HoldReason::Unpaid => format!("top up the account at the provider, then {release}"),
        HoldReason::Forbidden => format!("give the token the missing scope, then {release}"),
        HoldReason::RepeatedRefusals => {
            format!("find out what is wrong with the shop's data at the provider, then {release}")
        }
        HoldReason::Misconfigured => format!("correct the address in the configuration, then {release}"),
    }
}
