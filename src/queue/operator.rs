//! What a person decides. Each decision is an event with who and why, and none can cause a double.

use super::Queue;
use crate::domain::event::DocEvent;
use crate::domain::id::{AccountName, FiscalId};
use crate::domain::limits::{MAX_REASON, MAX_REMOTE_ID};
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::{Transaction, View};
use crate::view::{Decision, ReleaseDecision};

impl Queue {
    /// Calls a document off. Possible while it certainly never left.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], or the journal's own trouble. "Not possible" is a [`Decision`] that says why.
    pub fn cancel(&self, key: &str, who: &str, why: &str) -> Result<Decision, Error> {
        let (who, why) = (clip(who), clip(why));
        self.decide(key, move |txn, progress| {
            match (progress.state, progress.may_have_left()) {
                (State::Queued | State::Held, false) => {}
                (State::Queued | State::Held | State::InDoubt | State::Sending, _) => {
                    return Ok(Err(
                        "it may have reached the provider: find out there, then `staffetta resolve`".to_owned()
                    ));
                }
                (State::Accepted, _) => return Ok(Err("the provider has it already: enqueue a void".to_owned())),
                (state, _) => return Ok(Err(format!("it is {state}, which is final"))),
            }
            txn.record(progress.id, DocEvent::Cancelled { who, why })?;
            Ok(Ok("called off".to_owned()))
        })
    }

    /// Tries a queued or held document now; a document in doubt is looked up now, never sent by this.
    ///
    /// # Errors
    /// As [`Queue::cancel`].
    pub fn retry(&self, key: &str, who: &str, why: &str) -> Result<Decision, Error> {
        let (who, why) = (clip(who), clip(why));
        self.decide(key, move |txn, progress| {
            if progress.state.is_final() {
                return Ok(Err(format!("it is {}, which is final", progress.state)));
            }
            if progress.state == State::Sending {
                return Ok(Err("it is on the wire at this moment".to_owned()));
            }
            if !progress.may_have_left()
                && let Some(why) = too_late(txn, progress)
            {
                return Ok(Err(why.to_owned()));
            }
            let next = txn.record(progress.id, DocEvent::Retried { who, why })?;
            Ok(Ok(match next.state {
                State::InDoubt => "looked up as soon as the provider answers; nothing is sent on hope".to_owned(),
                State::Accepted => "asked about as soon as the provider answers".to_owned(),
                _ => "tried as soon as possible".to_owned(),
            }))
        })
    }

    /// Records a person's finding about a document in doubt or held: the provider has it under `accepted`, or not.
    ///
    /// # Errors
    /// As [`Queue::cancel`].
    pub fn resolve(&self, key: &str, accepted: Option<&str>, who: &str, why: &str) -> Result<Decision, Error> {
        let (who, why) = (clip(who), clip(why));
        let accepted = accepted.map(str::trim).map(str::to_owned);
        let accounts = self.accounts();
        self.decide(key, move |txn, progress| {
            if !matches!(progress.state, State::InDoubt | State::Held) {
                return Ok(Err(format!("it is {}; only a document in doubt or held can be resolved", progress.state)));
            }
            if let Some(id) = &accepted {
                if id.is_empty() || id.len() > MAX_REMOTE_ID || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Ok(Err("that is not a provider's id".to_owned()));
                }
                if let Some(name) = &progress.account {
                    let owners = txn.owners(&accounts.company(txn, name)?, id)?;
                    if let Some(owner) = owners.into_iter().find(|owner| *owner != progress.id) {
                        let owner =
                            txn.progress(owner)?.map_or_else(|| owner.to_string(), |owner| owner.key.to_string());
                        return Ok(Err(format!("the id {id} belongs to {owner}")));
                    }
                }
            }
            let done = match &accepted {
                Some(id) => format!("the provider has it as {id}; its verdict is asked for"),
                None => match too_late(txn, progress) {
                    Some(why) => format!("the provider does not have it; it is not sent again: {why}"),
                    None => "the provider does not have it; it is sent again".to_owned(),
                },
            };
            txn.record(progress.id, DocEvent::Resolved { accepted, who, why, due_at: None })?;
            Ok(Ok(done))
        })
    }

    /// Lifts the holds of an account, or of one VAT number of it.
    ///
    /// # Errors
    /// The journal's own trouble. Nothing held is a [`ReleaseDecision`] with `done: false`.
    pub fn release(
        &self,
        account: &str,
        fiscal_id: Option<&str>,
        who: &str,
        why: &str,
    ) -> Result<ReleaseDecision, Error> {
        let mut decision = ReleaseDecision {
            account: account.to_owned(),
            fiscal_id: fiscal_id.map(str::to_owned),
            state: "not_held".to_owned(),
            done: false,
            why: "nothing of it is held: see `staffetta status`".to_owned(),
        };
        let (Ok(name), Ok(only)) = (account.parse::<AccountName>(), fiscal_id.map(str::parse::<FiscalId>).transpose())
        else {
            return Ok(decision);
        };
        let (who, why) = (clip(who), clip(why));
        let released = self.journal().transact(move |txn| -> Result<usize, Error> {
            let held: Vec<_> = txn
                .holds()?
                .into_iter()
                .filter(|hold| hold.account == name && (only.is_none() || hold.fiscal_id == only))
                .collect();
            for hold in &held {
                txn.release(&hold.account, hold.fiscal_id.as_ref(), &who, &why)?;
            }
            Ok(held.len())
        })??;
        if released > 0 {
            decision.done = true;
            decision.state = "released".to_owned();
            decision.why = "its documents go on".to_owned();
        }
        Ok(decision)
    }

    fn decide(
        &self,
        key: &str,
        act: impl FnOnce(&mut Transaction<'_>, &Progress) -> Result<Result<String, String>, Error> + Send + 'static,
    ) -> Result<Decision, Error> {
        let id = self.id_of(key)?;
        let name = key.to_owned();
        let (progress, outcome) = self.journal().transact(move |txn| -> Result<_, Error> {
            let progress = txn.progress(id)?.ok_or(Error::UnknownKey(name))?;
            let outcome = act(txn, &progress)?;
            Ok((txn.progress(id)?, outcome))
        })??;
        let (done, why) = match outcome {
            Ok(why) => (true, why),
            Err(why) => (false, why),
        };
        Ok(Decision { key: key.to_owned(), state: progress.map(|progress| progress.state), done, why })
    }
}

/// Why a document can be sent no more, if its deadline passed.
fn too_late(txn: &Transaction<'_>, progress: &Progress) -> Option<&'static str> {
    progress.deadline.filter(|deadline| *deadline <= txn.now()).map(|_| progress.kind.too_late())
}

/// A person's words, as long as the journal keeps them.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}
