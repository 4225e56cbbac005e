//! Looking: list, show, status, export. Nothing here changes anything, and nothing needs a secret.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::reason::Surroundings;
use super::story::Story;
use super::{Queue, reason};
use crate::domain::calendar;
use crate::domain::event::{DocEvent, Entry, How, ParentRef};
use crate::domain::id::DocId;
use crate::domain::outcome::Customs;
use crate::domain::state::{INFORMS_ONLY, Progress, State};
use crate::domain::trust;
use crate::error::Error;
use crate::journal::{Filter, JournalError, Recorded, View};
use crate::view::{
    AccountView, AttentionLine, AttentionView, BlackoutView, DocumentView, EventView, HoldView, ListFilter,
    OldestUnsent, ParentView, RemoteItemView, RemoteView, StatusView, Summary,
};

/// Documents read at a time where all are walked.
const PAGE: usize = 500;
/// Lines of attention that `status` shows; a shop with more has one problem, not five hundred.
const MAX_ATTENTION: usize = 500;
/// Days after which the authority's password expires (S1), and when `status` begins to say so.
const PASSWORD_DAYS: i64 = 90;
const PASSWORD_WARNING_DAYS: i64 = 14;

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
    /// The journal's own trouble.
    pub fn export(&self, filter: &ListFilter, f: &mut dyn FnMut(DocumentView) -> ControlFlow<()>) -> Result<(), Error> {
        let surroundings = self.surroundings()?;
        self.walk(filter, &mut |progress| match self.view_of(progress.id, &surroundings)? {
            Some(view) => Ok(f(view)),
            None => Ok(ControlFlow::Continue(())),
        })
    }

    /// The whole queue in one object.
    ///
    /// # Errors
    /// The journal's own trouble.
    pub fn status(&self) -> Result<StatusView, Error> {
        let now = self.clock().now();
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
        let accounts = self.account_views(by_account, &surroundings, now);
        let attention = self.attention(&surroundings, now)?;
        let needs_person = attention.iter().any(|line| !informs_only(line))
            || counts.iter().any(|(state, count)| state.needs_person() && *count > 0);
        let next_due = self.next_due(now)?;
        Ok(StatusView { counts, needs_person, oldest_unsent, next_due, attention, accounts })
    }

    fn account_views(
        &self,
        mut counts: BTreeMap<String, BTreeMap<State, u64>>,
        surroundings: &Surroundings,
        now: DateTime<Utc>,
    ) -> Vec<AccountView> {
        let mut views = Vec::new();
        for account in &surroundings.accounts {
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
                clock_skew_ms: self.skew(&account.name),
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

    fn attention(&self, surroundings: &Surroundings, now: DateTime<Utc>) -> Result<Vec<AttentionLine>, Error> {
        let mut lines = Vec::new();
        for hold in &surroundings.holds {
            let whom = hold.fiscal_id.as_ref().map(|id| format!(" for {id}")).unwrap_or_default();
            lines.push(AttentionLine {
                key: None,
                account: Some(hold.account.to_string()),
                what: format!("held{whom}: {} ({}). {}", hold.reason.name(), hold.detail, hold.cure),
                since: hold.since,
            });
        }
        for account in &surroundings.accounts {
            if let Some(what) = trust::doubt(now, self.skew(&account.name)) {
                lines.push(AttentionLine { key: None, account: Some(account.name.to_string()), what, since: now });
            }
            let Some(changed) = self.credentials_changed(&account.name) else { continue };
            let left = PASSWORD_DAYS - (calendar::fiscal_day(now) - changed).num_days();
            if left <= PASSWORD_WARNING_DAYS {
                let what = match left {
                    ..=0 => {
                        "the authority's password is over 90 days old: change it there, then `staffetta company update`"
                            .to_owned()
                    }
                    left => format!(
                        "the authority's password expires in {left} days: change it there, then `staffetta company update`"
                    ),
                };
                lines.push(AttentionLine { key: None, account: Some(account.name.to_string()), what, since: now });
            }
        }
        for id in self.journal().needing_attention(MAX_ATTENTION)? {
            let Some(progress) = self.journal().progress(id)? else { continue };
            let account = progress.account.as_ref().map(ToString::to_string);
            if progress.state.needs_person() {
                lines.push(AttentionLine {
                    key: Some(progress.key.to_string()),
                    account: account.clone(),
                    what: format!("{}: {}", progress.state, progress.reason),
                    since: progress.changed_at,
                });
            }
            for (code, why) in &progress.attention {
                lines.push(AttentionLine {
                    key: Some(progress.key.to_string()),
                    account: account.clone(),
                    what: format!("{code}: {why}"),
                    since: progress.changed_at,
                });
            }
        }
        Ok(lines)
    }

    fn next_due(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        let journal = self.journal();
        if !journal.groups()?.is_empty() {
            return Ok(Some(now));
        }
        let first = journal.timers_after(None, DateTime::<Utc>::MAX_UTC, 1)?;
        Ok(first.first().map(|(at, _)| (*at).max(now)))
    }

    /// Everything around a document that its `reason` may speak of.
    pub(crate) fn surroundings(&self) -> Result<Surroundings, Error> {
        Ok(Surroundings { now: self.clock().now(), accounts: self.accounts(), holds: self.journal().holds()? })
    }

    pub(crate) fn summary(&self, progress: &Progress, surroundings: &Surroundings) -> Result<Summary, Error> {
        let parent = match &progress.parent {
            Some(ParentRef::Local(id)) if progress.state == State::Queued => self.journal().progress(*id)?,
            _ => None,
        };
        Ok(Summary {
            key: progress.key.to_string(),
            id: progress.id.to_string(),
            kind: progress.kind,
            account: progress.account.as_ref().map(ToString::to_string),
            fiscal_id: progress.fiscal_id.as_ref().map(ToString::to_string),
            state: progress.state,
            reason: reason::sentence(progress, parent.as_ref(), surroundings),
            issued_at: progress.issued_at,
            enqueued_at: progress.enqueued_at,
            due_at: progress.due_at,
            attempts: progress.attempts,
        })
    }

    fn walk(
        &self,
        filter: &ListFilter,
        f: &mut dyn FnMut(&Progress) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let inner = Filter {
            state: filter.state,
            account: match filter.account.as_deref().map(str::parse) {
                Some(Ok(account)) => Some(account),
                Some(Err(_)) => return Ok(()),
                None => None,
            },
            kind: filter.kind,
            since: filter.since,
        };
        let mut after = filter.after.map(DocId);
        let mut left = filter.limit.unwrap_or(usize::MAX);
        while left > 0 {
            let page = self.journal().list(&inner, after, PAGE.min(left))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for progress in &page {
                if filter.until.is_some_and(|until| progress.enqueued_at >= until) {
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
        let raw = |text: String| {
            RawValue::from_string(text).map_err(|error| JournalError::unreadable(id, format!("its JSON: {error}")))
        };
        let totals = match story.taken.totals.as_str() {
            "" => None,
            totals => Some(raw(totals.to_owned())?),
        };
        let remote = remote_view(&story);
        Ok(Some(DocumentView {
            key: short.key,
            id: short.id,
            kind: short.kind,
            account: short.account,
            fiscal_id: short.fiscal_id,
            state: short.state,
            reason: short.reason,
            issued_at: short.issued_at,
            enqueued_at: short.enqueued_at,
            due_at: short.due_at,
            attempts: short.attempts,
            deadline: progress.deadline,
            totals,
            body: raw(story.taken.body)?,
            parent,
            children,
            attention: progress.attention.into_iter().map(|(what, why)| AttentionView { what, why }).collect(),
            warnings: story.taken.warnings,
            remote,
            events: story.events.iter().map(event_view).collect(),
        }))
    }
}

/// Whether a line of attention needs nobody.
fn informs_only(line: &AttentionLine) -> bool {
    INFORMS_ONLY.iter().any(|code| line.what.split(':').next() == Some(code))
}

fn remote_view(story: &Story) -> RemoteView {
    let remote = &story.remote;
    let lines = match &story.body {
        crate::domain::document::Body::Receipt(receipt) => receipt.items.len(),
        _ => 0,
    };
    let items = remote.items.iter().enumerate().map(|(index, item)| RemoteItemView {
        line: u32::try_from(index).ok().filter(|_| remote.items.len() == lines),
        id: item.id.clone(),
        description: item.description.clone(),
        quantity: item.quantity.clone(),
    });
    RemoteView {
        remote_id: remote.remote_id.clone(),
        status: remote.status.clone(),
        document_number: remote.document_number.clone(),
        document_date: remote.document_date.clone(),
        transaction_id: remote.transaction_id.clone(),
        draft_id: remote.draft_id.clone(),
        invoice_id: remote.invoice_id.clone(),
        portal_url: remote.portal_url.clone(),
        otello_id: remote.otello_id.clone(),
        customs: remote.customs.map(|customs| match customs {
            Customs::Unknown(number) => format!("unknown ({number})"),
            known => known.name().to_owned(),
        }),
        created_at: remote.created_at,
        items: items.collect(),
    }
}

/// One recorded event as the outside sees it.
pub(crate) fn event_view(recorded: &Recorded) -> EventView {
    let mut view = EventView {
        seq: recorded.seq,
        at: recorded.at,
        event: String::new(),
        attempt: None,
        status: None,
        why: None,
        who: None,
        code: None,
        remote_id: None,
        document_number: None,
        how: None,
        counts: None,
        due_at: None,
        violations: Vec::new(),
    };
    let event = match &recorded.entry {
        Entry::Document { event, .. } => event,
        Entry::Enqueued(_) => return EventView { event: "enqueued".to_owned(), ..view },
        Entry::Opened { .. } => return EventView { event: "opened".to_owned(), ..view },
        Entry::Closed => return EventView { event: "closed".to_owned(), ..view },
        Entry::Hold(_) => return EventView { event: "account_held".to_owned(), ..view },
        Entry::Released { .. } => return EventView { event: "account_released".to_owned(), ..view },
    };
    view.event = event.name().to_owned();
    let words = |text: &String| (!text.is_empty()).then(|| text.clone());
    match event {
        DocEvent::Routed { account } => view.why = Some(format!("goes to the account {account}")),
        DocEvent::Sending { attempt } => view.attempt = Some(*attempt),
        DocEvent::NotSent { why, status, counts, due_at } => {
            (view.why, view.status, view.counts, view.due_at) = (words(why), *status, Some(*counts), *due_at);
        }
        DocEvent::Unknown { why, status, due_at } => {
            (view.why, view.status, view.due_at) = (words(why), *status, *due_at);
        }
        DocEvent::LookedUp { counts, why, due_at } => {
            (view.why, view.counts, view.due_at) = (words(why), Some(*counts), *due_at);
        }
        DocEvent::NotThere { why, due_at } => (view.why, view.due_at) = (words(why), *due_at),
        DocEvent::Accepted { remote, how, due_at } | DocEvent::Registered { remote, how, due_at } => {
            view.remote_id.clone_from(&remote.remote_id);
            view.document_number.clone_from(&remote.document_number);
            view.code.clone_from(&remote.status);
            view.how = Some(how_name(*how).to_owned());
            view.due_at = *due_at;
        }
        DocEvent::Tracked { remote, why, due_at } => {
            view.document_number.clone_from(&remote.document_number);
            (view.code, view.why, view.due_at) = (remote.status.clone(), words(why), *due_at);
        }
        DocEvent::Refused { status, refusal } => {
            view.status = *status;
            view.code.clone_from(&refusal.code);
            view.why = words(&refusal.message);
            view.violations.clone_from(&refusal.violations);
        }
        DocEvent::Failed { code, message, .. } => (view.code, view.why) = (code.clone(), words(message)),
        DocEvent::Held { code, why } => (view.code, view.why) = (words(code), words(why)),
        DocEvent::Cancelled { who, why } | DocEvent::Retried { who, why } => {
            (view.who, view.why) = (words(who), words(why));
        }
        DocEvent::Resolved { accepted, who, why, due_at } => {
            view.remote_id.clone_from(accepted);
            view.code = Some(if accepted.is_some() { "accepted" } else { "not_accepted" }.to_owned());
            (view.who, view.why, view.due_at) = (words(who), words(why), *due_at);
        }
        DocEvent::Attention { code, why, raised } => {
            view.code = words(code);
            view.why = words(why);
            view.counts = Some(*raised);
        }
    }
    view
}

fn how_name(how: How) -> &'static str {
    match how {
        How::Answer => "answer",
        How::LookUp => "look_up",
        How::Tracking => "tracking",
        How::Person => "person",
    }
}
