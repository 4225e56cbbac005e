//! Whether there is nothing left that can be done without a person, a merchant or a released hold.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::bind;
use super::engine::Engine;
use super::gather::{is_group_held, is_held, keeps};
use super::lane::Lane;
use super::unreadable;
use crate::domain::document::Kind;
use crate::domain::event::{Hold, ParentRef};
use crate::domain::id::AccountName;
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::{Group, View};
use crate::queue::parents;

impl Engine {
    /// Whether nothing more can be done without a person, a merchant or a released hold.
    pub(super) fn nothing_left(&self) -> Result<bool, Error> {
        let journal = self.shared.queue.journal();
        let holds = journal.holds()?;
        let shut = self.shut_lanes()?;
        let is_shut = |progress: &Progress| self.shared.lanes.of(progress).is_some_and(|lane| shut.contains(&lane));
        for group in journal.groups()? {
            let served = self.is_served(group.account.as_ref());
            if served && !is_group_held(&holds, &group) && !self.only_wait_for_persons(&group, &shut, &holds)? {
                return Ok(false);
            }
        }
        let mut after = None;
        loop {
            let page = journal.timers_after(after, DateTime::<Utc>::MAX_UTC, 512)?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            for (_, id) in page {
                let Some(progress) = journal.progress(id)? else { continue };
                let waits = match progress.state {
                    State::Registered => true,
                    State::Queued => is_shut(&progress) || self.family_waits_for_a_person(&progress, &holds)?,
                    State::Accepted if progress.kind == Kind::Draft => true,
                    _ => unreadable::is_set_aside(&progress),
                };
                if !waits && self.is_served(progress.account.as_ref()) && !keeps(&holds, &progress) {
                    return Ok(false);
                }
            }
        }
        for id in journal.waiting(usize::MAX)? {
            let Some(progress) = journal.progress(id)? else { continue };
            let parent = match progress.parent {
                Some(ParentRef::Local(parent)) => journal.progress(parent)?,
                _ => None,
            };
            let person = parent.as_ref().is_none_or(|parent| {
                parent.state == State::Held
                    || is_held(&holds, parent)
                    || unreadable::is_set_aside(parent)
                    || (parent.state == State::Queued && is_shut(parent))
            });
            if !person && self.is_served(progress.account.as_ref()) && !is_held(&holds, &progress) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an account has a provider to send to.
    fn is_served(&self, account: Option<&AccountName>) -> bool {
        account.and_then(|account| self.offices.get(account)).is_some_and(|office| office.provider.is_some())
    }

    /// The lanes that only a person can open: what is on them is in doubt and cannot be read.
    fn shut_lanes(&self) -> Result<HashSet<Lane>, Error> {
        let mut shut = HashSet::new();
        for (lane, id) in &self.busy {
            if self.shared.queue.journal().progress(*id)?.is_some_and(|progress| unreadable::is_set_aside(&progress)) {
                shut.insert(lane.clone());
            }
        }
        Ok(shut)
    }

    /// Whether all that is ready in a group waits for a person's decision about its parent, its lane or another document
    /// about the same parent.
    fn only_wait_for_persons(&self, group: &Group, shut: &HashSet<Lane>, holds: &[Hold]) -> Result<bool, Error> {
        let journal = self.shared.queue.journal();
        let mut after = None;
        loop {
            let page = journal.ready(group, after, 128)?;
            let Some(last) = page.last() else { return Ok(true) };
            after = Some(*last);
            for id in page {
                let Some(progress) = journal.progress(id)? else { return Ok(false) };
                let shut = self.shared.lanes.of(&progress).is_some_and(|lane| shut.contains(&lane));
                if !shut && !self.family_waits_for_a_person(&progress, holds)? {
                    return Ok(false);
                }
            }
        }
    }

    /// Whether a correction waits for its parent, or for another one about it, and that one for a person.
    fn family_waits_for_a_person(&self, progress: &Progress, holds: &[Hold]) -> Result<bool, Error> {
        let journal = self.shared.queue.journal();
        let Some(parent) = &progress.parent else { return Ok(false) };
        if let ParentRef::Local(parent) = parent
            && journal.progress(*parent)?.is_some_and(|parent| {
                // A draft waits for its merchant, and so does what is about it.
                parent.state == State::Held || (parent.kind == Kind::Draft && parent.state == State::Accepted)
            })
        {
            return Ok(true);
        }
        let siblings = parents::living_children(journal, parent, &self.shared.company_of(progress))?;
        let stuck = |sibling: &Progress| {
            !self.is_served(sibling.account.as_ref()) || unreadable::is_set_aside(sibling) || keeps(holds, sibling)
        };
        Ok(siblings.iter().any(|sibling| bind::is_open(progress, sibling) && stuck(sibling)))
    }
}
