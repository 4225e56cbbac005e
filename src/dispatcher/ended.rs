//! What ended: lanes and places are given back, and what was learnt of the provider is kept.

use std::sync::Arc;

use super::engine::{Engine, Work};
use super::gather::is_group_held;
use super::holds;
use super::lane::Lane;
use super::office::{Done, Health};
use super::plan::Candidate;
use super::shared::Taken;
use crate::domain::account::Account;
use crate::domain::event::Hold;
use crate::domain::id::{AccountName, DocId, FiscalId};
use crate::domain::outcome::{HoldAnswer, HoldReason, HoldScope};
use crate::error::Error;
use crate::journal::{Group, JournalError, View};

/// Sales of a lane that are looked for at a time.
const AHEAD: usize = 64;

impl Engine {
    /// A provider took a document: its place and its lane are given back, while its outcome is written.
    pub(super) fn give_back(&mut self, taken: Taken) {
        let Some(work) = self.work.values_mut().find(|work| work.ids == [taken.id] && !work.taken) else { return };
        (work.taken, work.due_at) = (true, taken.due_at);
        let (account, lane) = (work.account.clone(), work.lane.clone());
        if let Some(lane) = &lane {
            self.unwritten.insert(lane.clone(), taken.id);
            self.free(lane, taken.id);
        }
        let ticks = self.shared.ticks();
        if let Some(office) = self.offices.get_mut(&account) {
            // What waited because the line was down is due now.
            self.stale |= office.gate.is_down();
            office.heard(&Health::Answered, ticks, &self.shared.settings);
        }
        self.hear_clock(&account, taken.clock_skew_ms);
        self.look_for_next(&account, lane.as_ref());
        self.moved = true;
    }

    /// The stock is kept whole: the next sale of a lane that became free comes into it, of each account that sells on it.
    fn look_for_next(&mut self, account: &AccountName, lane: Option<&Lane>) {
        let Some(lane) = lane.filter(|_| !self.stale) else { return };
        match self.next_sales(account, lane) {
            Ok(next) => next.into_iter().for_each(|next| self.stock.put(next)),
            Err(_) => self.stale = true, // met again, and told, where all is looked through
        }
    }

    fn next_sales(&mut self, account: &AccountName, lane: &Lane) -> Result<Vec<Candidate>, Error> {
        let Lane::Sales(provider, fiscal_id) = lane else { return Ok(Vec::new()) };
        if self.resting.contains_key(lane) {
            return Ok(Vec::new());
        }
        let sells = |other: &Account| {
            let any = other.fiscal_ids.is_empty();
            other.provider == *provider && (any || fiscal_id.as_ref().is_some_and(|one| other.fiscal_ids.contains(one)))
        };
        let of = |account| Group { account: Some(account), fiscal_id: fiscal_id.clone(), sales: true };
        let others = self.served().filter(|(name, office)| *name != account && sells(&office.account));
        let mut groups: Vec<_> = others.map(|(name, _)| of(name.clone())).collect();
        if !groups.is_empty() {
            let holds = self.shared.queue.journal().holds()?;
            groups.retain(|group| !is_group_held(&holds, group));
        }
        groups.push(of(account.clone()));
        let mut next = Vec::with_capacity(groups.len());
        for group in groups {
            next.extend(self.next_sale(group)?);
        }
        Ok(next)
    }

    /// The first that is not under way. It stays in front until it is: another account's sale may go before it.
    fn next_sale(&mut self, group: Group) -> Result<Option<Candidate>, Error> {
        let mut ahead = self.ahead.remove(&group).unwrap_or_default();
        while ahead.front().is_some_and(|id| self.under_way.contains(id)) {
            ahead.pop_front();
        }
        if ahead.is_empty() {
            // From the first: one that is older than what was taken may have been made ready again while the lane was busy.
            let ready = self.shared.queue.journal().ready(&group, None, AHEAD)?;
            ahead.extend(ready.into_iter().filter(|id| !self.under_way.contains(id)));
        }
        let Some(next) = ahead.front().copied() else { return Ok(None) };
        self.ahead.insert(group, ahead);
        let candidate = self.candidate(next)?;
        self.stale |= candidate.is_none();
        Ok(candidate)
    }

    pub(super) fn give_back_all(&mut self) {
        while let Ok(taken) = self.taken.try_recv() {
            self.give_back(taken);
        }
    }

    pub(super) async fn take_in(&mut self, joined: Result<(tokio::task::Id, Done), tokio::task::JoinError>) {
        let (task, done) = match joined {
            Ok(joined) => joined,
            Err(error) => {
                // A defect of ours. What was on the wire may have arrived: it is looked up.
                tracing::error!(%error, "a dispatcher task ended abnormally");
                (error.id(), Done { broken: true, ..Done::of(Health::Failed) })
            }
        };
        self.give_back_all(); // told before the task ended
        let Some(work) = self.work.remove(&task) else { return };
        if work.taken {
            self.written(&work, done.error.is_some() || done.broken);
        }
        // After anything but a success all may be different; and what is about a document may have waited for it.
        self.stale |= !work.taken || done.error.is_some() || done.broken || self.has_children(&work.ids);
        // The place of a document that was taken was given back before. With the last one it is seen whether all is done.
        self.moved |= !work.taken || self.tasks.is_empty();
        let now = self.shared.ticks();
        // Not before: until now it was under way, and its timer not in the journal.
        if let Some(due) = work.due_at {
            self.look_at = self.look_at.min(now.saturating_add((due - self.shared.now()).to_std().unwrap_or_default()));
        }
        let settings = Arc::clone(&self.shared.settings);
        for id in &work.ids {
            self.under_way.remove(id);
        }
        self.wake_lanes(&work.ids, done.rests.as_ref());
        if let Some(lane) = done.rests {
            self.resting.entry(lane).or_default().begin(now);
        }
        if let Some(lane) = done.frees.filter(|_| !work.taken) {
            work.ids.first().iter().for_each(|id| self.free(&lane, **id));
        }
        if let Some((lane, open)) = work.lane.clone().zip(done.behind) {
            self.busy.insert(lane, open);
        }
        // Of a document that was taken it was heard before.
        self.hear_clock(&work.account, done.clock_skew_ms.filter(|_| !work.taken));
        let mut hold = done.hold;
        if let Some(office) = self.offices.get_mut(&work.account) {
            if !work.taken {
                office.heard(&done.health, now, &settings);
            }
            office.gate.backed_off.extend(done.backed_off);
            if work.tracking {
                office.tracking = false;
            }
            if let Some((fiscal_id, message)) = done.refusal {
                hold = hold.or(office.count_refusal(fiscal_id, message));
            }
        }
        if let Some((fiscal_id, answer)) = hold
            && let Err(error) = self.place_hold(&work.account, fiscal_id, answer).await
        {
            self.trouble(&error);
        }
        if let Some(error) = done.error {
            self.set_back(&work.ids, &error);
            self.trouble(&error);
        } else {
            self.set_back.retain(|id, _| !work.ids.contains(id));
        }
        if done.broken
            && let Err(error) = self.find_lost()
        {
            self.trouble(&error);
        }
    }

    /// What the journal could not be told for a reason that may be these documents' own is not tried again at once: their
    /// provider would be asked each time.
    fn set_back(&mut self, ids: &[DocId], error: &Error) {
        if matches!(error, Error::Journal(JournalError::Full { .. })) {
            return; // all wait
        }
        let now = self.shared.ticks();
        for id in ids {
            self.set_back.entry(*id).or_default().begin(now);
        }
    }

    /// What an answer said of the provider's clock, if it did.
    pub(super) fn hear_clock(&mut self, account: &AccountName, skew_ms: Option<i64>) {
        let Some((skew, office)) = skew_ms.zip(self.offices.get_mut(account)) else { return };
        office.skew_ms = Some(skew);
        self.shared.queue.set_skew(account, skew);
    }

    /// A lane is free again, if this is the document whose call was open on it.
    fn free(&mut self, lane: &Lane, id: DocId) {
        if self.busy.get(lane) == Some(&id) {
            self.busy.remove(lane);
            if let Some(other) = self.next_open.remove(lane) {
                self.busy.insert(lane.clone(), other);
                self.stale = true;
            }
        }
    }

    /// The outcome of a document that was taken is durable, or could not be recorded: then its call is still open.
    fn written(&mut self, work: &Work, failed: bool) {
        for (lane, id) in work.lane.iter().zip(&work.ids) {
            if self.unwritten.get(lane) == Some(id) {
                self.unwritten.remove(lane);
            }
            // Also where the next one has begun: its intent is refused, and it must not free this one's lane.
            if failed {
                self.busy.insert(lane.clone(), *id);
            }
        }
    }

    /// Something happened to these documents: what waited for it, on their own lanes or on those of their children, is
    /// looked at again; but not the lane that goes on resting.
    fn wake_lanes(&mut self, ids: &[DocId], but: Option<&Lane>) {
        if self.resting.is_empty() {
            return;
        }
        for id in ids {
            self.resting.remove(&Lane::Parent(*id));
            if let Ok(Some(progress)) = self.shared.queue.journal().progress(*id)
                && let Some(lane) = self.shared.lanes.of(&progress).filter(|lane| Some(lane) != but)
            {
                self.resting.remove(&lane);
            }
        }
    }

    /// Whether there are documents about these; where that cannot be read, there may be.
    fn has_children(&self, ids: &[DocId]) -> bool {
        let journal = self.shared.queue.journal();
        ids.iter().any(|id| journal.children(*id).map_or(true, |children| !children.is_empty()))
    }

    async fn place_hold(
        &self,
        account: &AccountName,
        fiscal_id: Option<FiscalId>,
        answer: HoldAnswer,
    ) -> Result<(), Error> {
        let secret = self.offices.get(account).and_then(|office| office.secret);
        let fiscal_id = fiscal_id.filter(|_| answer.scope == HoldScope::FiscalId);
        let hold = Hold {
            account: account.clone(),
            cure: holds::cure(answer.reason, account, fiscal_id.as_ref()),
            fiscal_id,
            reason: answer.reason,
            detail: answer.detail,
            since: self.shared.now(),
            secret: secret.filter(|_| answer.reason == HoldReason::Credentials),
        };
        tracing::warn!(account = %hold.account, reason = hold.reason.name(), "held");
        self.shared.hand_over(move |txn| holds::place(txn, hold)).await
    }
}
