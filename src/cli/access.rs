//! The journal, wherever it is: open here, or held by an agent that is asked instead. A command does not know which, nor
//! that it may change while it works.

mod answer;
mod line;
mod place;

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use tokio::runtime::Runtime;

use self::answer::{known, rejected, ticket, trouble_of_agent};
pub use self::line::Line;
pub use self::place::verify;
use self::place::{At, STEP, locate};
use super::config::Config;
use super::trouble::Trouble;
use super::{connect, trouble_of};
use crate::agent::client::{Client, Failed};
use crate::error::Error;
use crate::queue::{Begun, Queue, clip};
use crate::view::{ArchivedView, Decision, DocumentView, ListFilter, ReleaseDecision, StatusView, Summary, Ticket};

/// How often one call is made again because the agent went away.
const AGAIN: u32 = 20;

/// The journal.
pub struct Access<'a> {
    config: &'a Config,
    at: At,
    runtime: Runtime,
}

/// Documents being taken.
pub enum Taking {
    /// Handed to the journal that is open here.
    Begun(Begun),
    /// Answered by the agent.
    Done(Vec<Result<Ticket, Error>>),
}

impl Taking {
    /// What became of each.
    pub fn wait(self) -> Vec<Result<Ticket, Error>> {
        match self {
            Taking::Begun(begun) => begun.wait(),
            Taking::Done(taken) => taken,
        }
    }
}

impl<'a> Access<'a> {
    /// Finds the journal.
    ///
    /// # Errors
    /// What the journal says; that it is held by somebody who serves no agent.
    pub fn open(config: &'a Config) -> Result<Access<'a>, Trouble> {
        let runtime = super::runtime()?;
        Ok(Access { config, at: locate(config, &runtime)?, runtime })
    }

    /// The queue, if it is open here; gives it away.
    pub fn into_queue(self) -> Result<Queue, Box<Access<'a>>> {
        match self.at {
            At::Here(queue) => Ok(queue),
            At::There(_) => Err(Box::new(self)),
        }
    }

    /// Closes the journal, if it is open here.
    ///
    /// # Errors
    /// When that fails.
    pub fn close(self) -> Result<(), Trouble> {
        match self.at {
            At::Here(queue) => queue.close().map_err(trouble_of),
            At::There(_) => Ok(()),
        }
    }

    /// Asks here or there. An agent that went away is looked for again, or its journal opened.
    fn ask<T>(
        &mut self,
        here: impl Fn(&Queue) -> Result<T, Error>,
        there: impl AsyncFn(&Client) -> Result<T, Failed>,
    ) -> Result<T, Trouble> {
        self.ask_counting(here, there).map(|(answer, _)| answer)
    }

    /// As [`ask`](Access::ask), and how often it was asked before without an answer.
    fn ask_counting<T>(
        &mut self,
        here: impl Fn(&Queue) -> Result<T, Error>,
        there: impl AsyncFn(&Client) -> Result<T, Failed>,
    ) -> Result<(T, u32), Trouble> {
        let mut times = 0;
        loop {
            let failed = match &self.at {
                At::Here(queue) => return here(queue).map(|answer| (answer, times)).map_err(trouble_of),
                At::There(client) => match self.runtime.block_on(there(client)) {
                    Ok(answer) => return Ok((answer, times)),
                    Err(failed) => failed,
                },
            };
            times += 1;
            self.look_again(failed, times)?;
        }
    }

    /// After a failure: looks where the journal is now, unless that would help nothing.
    fn look_again(&mut self, failed: Failed, times: u32) -> Result<(), Trouble> {
        match failed {
            Failed::Gone(_) if times < AGAIN => {
                self.at = locate(self.config, &self.runtime)?;
                Ok(())
            }
            Failed::Said(_, error) if error.code == "journal" && times < 2 => {
                self.at = locate(self.config, &self.runtime)?;
                Ok(())
            }
            failed => Err(trouble_of_agent(&failed)),
        }
    }

    /// As [`Queue::status`].
    pub fn status(&mut self) -> Result<StatusView, Trouble> {
        self.ask(Queue::status, Client::status)
    }

    /// As [`Queue::list`].
    pub fn list(&mut self, filter: &ListFilter) -> Result<Vec<Summary>, Trouble> {
        self.ask(|queue| queue.list(filter), async |client| client.list(filter).await)
    }

    /// As [`Queue::show`].
    pub fn show(&mut self, key: &str) -> Result<Option<DocumentView>, Trouble> {
        self.ask(|queue| queue.show(key), async |client| client.show(key).await)
    }

    /// As [`Queue::retry`]; an unknown key is a decision not taken.
    pub fn retry(&mut self, key: &str, who: &str, why: &str) -> Result<Decision, Trouble> {
        self.ask(|queue| known(key, queue.retry(key, who, why)), async |client| client.retry(key, who, why).await)
    }

    /// As [`Queue::cancel`]; an unknown key is a decision not taken.
    pub fn cancel(&mut self, key: &str, who: &str, why: &str) -> Result<Decision, Trouble> {
        let began = now();
        let asked = self.ask_counting(
            |queue| known(key, queue.cancel(key, who, why)),
            async |client| client.cancel(key, who, why).await,
        )?;
        self.or_done_before(asked, ("cancelled", "called off"), key, (who, why), began)
    }

    /// As [`Queue::resolve`]; an unknown key is a decision not taken.
    pub fn resolve(&mut self, key: &str, accepted: Option<&str>, who: &str, why: &str) -> Result<Decision, Trouble> {
        let began = now();
        let asked = self.ask_counting(
            |queue| known(key, queue.resolve(key, accepted, who, why)),
            async |client| client.resolve(key, accepted, who, why).await,
        )?;
        self.or_done_before(asked, ("resolved", "recorded"), key, (who, why), began)
    }

    /// The decision, or that it was taken before: a call whose answer was lost finds its work done when it is made again, and
    /// must not say that it is impossible. Told by the document's history: who and why, since the call began.
    fn or_done_before(
        &mut self,
        (decision, before): (Decision, u32),
        (event, done): (&str, &str),
        key: &str,
        (who, why): (&str, &str),
        began: DateTime<Utc>,
    ) -> Result<Decision, Trouble> {
        if before == 0 || decision.done {
            return Ok(decision);
        }
        let same = |said: &Option<String>, asked: &str| said.as_deref().is_some_and(|said| said == clip(asked.trim()));
        let events = self.show(key)?.map_or_else(Vec::new, |document| document.events);
        let was_done = events
            .iter()
            .any(|one| one.event == event && one.at >= began && same(&one.who, who) && same(&one.why, why));
        Ok(if was_done { Decision { done: true, why: done.to_owned(), ..decision } } else { decision })
    }

    /// As [`Queue::archive`].
    pub fn archive(&mut self, older_than: Duration) -> Result<ArchivedView, Trouble> {
        self.ask(|queue| Ok(queue.archive(older_than)?.into()), async |client| client.archive(older_than).await)
    }

    /// As [`Queue::release`].
    pub fn release(
        &mut self,
        account: &str,
        fiscal_id: Option<&str>,
        who: &str,
        why: &str,
    ) -> Result<ReleaseDecision, Trouble> {
        self.ask(
            |queue| queue.release(account, fiscal_id, who, why),
            async |client| client.release(account, fiscal_id, who, why).await,
        )
    }

    /// As [`Queue::export`]. Goes on after the last document it had when the agent goes away in the middle.
    pub fn export(
        &mut self,
        filter: &ListFilter,
        each: &mut dyn FnMut(DocumentView) -> ControlFlow<()>,
    ) -> Result<(), Trouble> {
        let mut filter = filter.clone();
        let mut times = 0;
        loop {
            let mut after = filter.after;
            let failed = match &self.at {
                At::Here(queue) => return queue.export(&filter, each).map_err(trouble_of),
                At::There(client) => {
                    let mut each = |document: DocumentView| {
                        after = document.id.parse().ok();
                        each(document).is_continue()
                    };
                    match self.runtime.block_on(client.export(&filter, &mut each)) {
                        Ok(()) => return Ok(()),
                        Err(failed) => failed,
                    }
                }
            };
            filter.after = after;
            times += 1;
            self.look_again(failed, times)?;
        }
    }

    /// Begins to take documents, in order, after all that were begun before: each is safe on disk when its ticket is here.
    pub fn take_all(&mut self, lines: Vec<Line>) -> Result<Taking, Trouble> {
        let mut times = 0;
        loop {
            let failed = match &self.at {
                At::Here(queue) => {
                    let documents = lines.into_iter().map(|line| line.document).collect();
                    return Ok(Taking::Begun(queue.begin_all(documents)));
                }
                At::There(client) => {
                    let text = lines.iter().flat_map(|line| [line.text.as_slice(), b"\n"]).collect::<Vec<_>>().concat();
                    match self.runtime.block_on(client.take(&text)) {
                        Ok(taken) if taken.len() == lines.len() => {
                            let taken = taken.into_iter().map(|taken| taken.map_err(rejected).map(ticket));
                            return Ok(Taking::Done(taken.collect()));
                        }
                        Ok(_) => Failed::Strange("it did not answer every line".to_owned()),
                        Err(failed) => failed,
                    }
                }
            };
            times += 1;
            self.look_again(failed, times)?;
        }
    }

    /// Does something that waits, beside the agent.
    pub fn wait_beside<T>(&self, wait: impl AsyncFnOnce(Waiting<'_>) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let client = match &self.at {
            At::Here(_) => None,
            At::There(client) => Some(client),
        };
        self.runtime.block_on(wait(Waiting(client)))
    }

    /// Looks anew where the journal is.
    ///
    /// # Errors
    /// As [`Access::open`].
    pub fn again(mut self) -> Result<Access<'a>, Trouble> {
        self.at = locate(self.config, &self.runtime)?;
        Ok(self)
    }
}

/// An agent that is waited for.
pub struct Waiting<'a>(Option<&'a Client>);

impl Waiting<'_> {
    /// Waits until the agent has nothing left that it can do alone; `false` if it went away before.
    pub async fn settled(&self) -> bool {
        let Some(client) = self.0 else { return false };
        loop {
            match client.drained().await {
                Ok(true) => return true,
                // It waits a while before it says so; one that stops says so at once.
                Ok(false) => tokio::time::sleep(STEP).await,
                Err(_) => return false,
            }
        }
    }
}

/// The moment, as exactly as the journal keeps it.
fn now() -> DateTime<Utc> {
    connect::clock().now().trunc_subsecs(6)
}
