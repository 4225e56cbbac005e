//! Looking: list, show, status, export. Nothing here changes anything, and nothing needs a secret.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, SubsecRound, Utc};

use super::Queue;
use super::attention;
use super::reason::Surroundings;
use super::story::Story;
use super::telling;
use crate::domain::calendar;
use crate::domain::event::ParentRef;
use crate::domain::id::DocId;
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::{JournalError, View};
use crate::view::{
    AccountView, BlackoutView, DocumentView, HoldView, ListFilter, OldestUnsent, ParentView, StatusView, Summary,
};

/// Documents read at a time where all are walked.
const PAGE: usize = 500;

impl Queue {
    /// One document whole.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], or the journal's own trouble.
    pub fn get(&self, key: &str) -> Result<DocumentView, Error> {
        self.show(key)?.ok_or_else(|| Error::UnknownKey(key.to_owned()))
    }

    /// One document whole, if there is one with this key.
    ///
    /// # Errors
    /// The journal's own trouble.
    pub fn show(&self, key: &str) -> Result<Option<DocumentView>, Error> {
        match self.id_of(key) {
            Ok(id) => self.view_of(id, &self.surroundings()?),
            Err(Error::UnknownKey(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Documents in short, in order of intake.
    ///
    /// # Errors
    /// The journal's own trouble.
    pub fn list(&self, filter: &ListFilter) -> Result<Vec<Summary>, Error> {
        let surroundings = self.surroundings()?;
        let mut found = Vec::new();
        self.walk(filter, &mut |progress| {
            found.push(self.summary(progress, &surroundings)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Hands every document that the filter selects to `f`, whole, in order of intake.
    ///
    /// # Errors
    /// The journal's own trouble. What cannot be read is left out and named in the log; the first such error comes at the
    /// end, when all others were handed out.
    pub fn export(&self, filter: &ListFilter, f: &mut dyn FnMut(DocumentView) -> ControlFlow<()>) -> Result<(), Error> {
        let surroundings = Surroundings::timeless(self.journal().holds()?);
        let mut first = None;
        self.walk(filter, &mut |progress| match self.view_of(progress.id, &surroundings) {
            Ok(Some(view)) => Ok(f(view)),
            Ok(None) => Ok(ControlFlow::Continue(())),
            Err(error @ Error::Journal(JournalError::Damaged { .. } | JournalError::Unreadable { .. })) => {
                tracing::warn!(key = %progress.key, %error, "left out");
                first.get_or_insert(error);
                Ok(ControlFlow::Continue(()))
            }
            Err(error) => Err(error),
        })?;
        first.map_or(Ok(()), Err)
    }

    /// The whole queue in one object.
    ///
    /// # Errors
    /// The journal's own trouble.
    pub fn status(&self) -> Result<StatusView, Error> {
        // As exact as what the journal keeps.
        let now = self.clock().now().trunc_subsecs(6);
        let surroundings = self.surroundings()?;
        let journal = self.journal();
        let mut counts: BTreeMap<State, u64> = State::ALL.into_iter().map(|state| (state, 0)).collect();
        let mut by_account: BTreeMap<String, BTreeMap<State, u64>> = BTreeMap::new();
        for ((account, state), count) in journal.counts()? {
            *counts.entry(state).or_default() += count;
            let name = account.map(String::from).unwrap_or_default();
            *by_account.entry(name).or_default().entry(state).or_default() += count;
        }
        let oldest_unsent = match journal.oldest_unsent()? {
            Some(id) => journal.progress(id)?.map(|progress| OldestUnsent {
                age_s: (now - progress.enqueued_at).num_seconds().max(0),
                key: progress.key.into(),
            }),
            None => None,
        };
        let mut attention = attention::missing_accounts(&by_account, &surroundings, now);
        attention.extend(self.attention(&surroundings, now)?);
        let accounts = self.account_views(by_account, &surroundings, now);
        let needs_person = attention.iter().any(|line| !attention::informs_only(line))
            || counts.iter().any(|(state, count)| state.needs_person() && *count > 0);
        let next_due = self.next_due(now, &surroundings)?;
        Ok(StatusView { counts, needs_person, oldest_unsent, next_due, attention, accounts })
    }

    fn account_views(
        &self,
        mut counts: BTreeMap<String, BTreeMap<State, u64>>,
        surroundings: &Surroundings,
        now: DateTime<Utc>,
    ) -> Vec<AccountView> {
        let mut views = Vec::new();
        for account in surroundings.accounts.iter() {
            let active = account.blackout.contains(now);
            views.push(AccountView {
                name: account.name.to_string(),
                provider: Some(account.provider.name().to_owned()),
                counts: counts.remove(account.name.as_str()).unwrap_or_default(),
                blackout: BlackoutView { active, until: account.blackout.end_of(now) },
                holds: surroundings
                    .holds
                    .iter()
                    .filter(|hold| hold.account == account.name)
                    .map(|hold| HoldView {
                        fiscal_id: hold.fiscal_id.as_ref().map(ToString::to_string),
                        reason: format!("{}: {}", hold.reason.name(), hold.detail),
                        cure: hold.cure.clone(),
                        since: hold.since,
                    })
                    .collect(),
                clock_skew_ms: self.last_skew_ms(&account.name),
                credentials_age_days: self
                    .credentials_changed(&account.name)
                    .map(|changed| (calendar::fiscal_day(now) - changed).num_days()),
            });
        }
        // What the journal has of accounts that the configuration no longer knows is shown, not hidden.
        for (name, counts) in counts {
            let blackout = BlackoutView { active: false, until: None };
            let (clock_skew_ms, credentials_age_days) = (None, None);
            views.push(AccountView {
                name,
                provider: None,
                counts,
                blackout,
                holds: Vec::new(),
                clock_skew_ms,
                credentials_age_days,
            });
        }
        views
    }

    /// Everything around a document that its `reason` may speak of.
    pub(crate) fn surroundings(&self) -> Result<Surroundings, Error> {
        let holds = self.journal().holds()?;
        Ok(Surroundings::new(self.clock().now(), self.accounts(), holds, self.guard()))
    }

    pub(crate) fn summary(&self, progress: &Progress, surroundings: &Surroundings) -> Result<Summary, Error> {
        let parent = match &progress.parent {
            Some(ParentRef::Local(id)) if progress.state == State::Queued => self.journal().progress(*id)?,
            _ => None,
        };
        Ok(telling::short(progress, parent.as_ref(), surroundings))
    }

    fn walk(
        &self,
        filter: &ListFilter,
        f: &mut dyn FnMut(&Progress) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let Some(inner) = telling::filter(filter) else { return Ok(()) };
        let mut after = filter.after.map(DocId);
        let mut left = filter.limit.unwrap_or(usize::MAX);
        while left > 0 {
            let page = self.journal().list(&inner, after, PAGE.min(left))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for progress in &page {
                if filter.until.is_some_and(|until| progress.issued_at >= until) {
                    continue;
                }
                left -= 1;
                if f(progress)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn view_of(&self, id: DocId, surroundings: &Surroundings) -> Result<Option<DocumentView>, Error> {
        let journal = self.journal();
        let (Some(progress), Some(story)) = (journal.progress(id)?, Story::read(journal, id)?) else {
            return Ok(None);
        };
        let short = self.summary(&progress, surroundings)?;
        let mut children = Vec::new();
        for child in journal.children(id)? {
            children.extend(journal.progress(child)?.map(|child| child.key.to_string()));
        }
        let parent = match &progress.parent {
            Some(ParentRef::Local(parent)) => {
                journal.progress(*parent)?.map(|parent| ParentView::Key(parent.key.to_string()))
            }
            Some(ParentRef::Remote(id)) => Some(ParentView::Remote(id.clone())),
            None => None,
        };
        telling::document(&progress, story, short, parent, children, surroundings).map(Some)
    }
}
