//! Looking at the queue: which documents could be worked on now, and when to look again.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::engine::Engine;
use super::lane::{Lane, Lanes};
use super::office::Office;
use super::plan::{self, Board, Candidate, Step};
use super::submit;
use crate::domain::event::{DocEvent, Hold};
use crate::domain::id::{AccountName, DocId};
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::{Group, View};
use crate::provider::SLACK;

/// Ready documents of a group that are looked at, per round, before giving up on finding one whose lane is free.
const MOST_PER_GROUP: usize = 256;
/// Due documents looked at per round.
const MOST_TIMERS: usize = 2_048;
/// Documents with a deadline looked at per round.
const MOST_DEADLINES: usize = 256;
/// How long before its deadline a document asks for attention (a void), and a tax-free one.
const DEADLINE_NEAR: TimeDelta = TimeDelta::minutes(30);

/// What gathering found.
pub(super) struct Gathered {
    pub(super) board: Board,
    pub(super) candidates: Vec<Candidate>,
    /// Documents whose fate is decided without asking anybody: past their deadline, or near it.
    pub(super) decided: Vec<(DocId, Vec<DocEvent>)>,
    /// When to look again at the latest, from now.
    pub(super) wake: Option<Duration>,
    /// Whether all that could be sent now, were there places for it, is among the candidates.
    pub(super) whole: bool,
}

impl Engine {
    pub(super) fn gather(&mut self, now: DateTime<Utc>, ticks: Duration) -> Result<Gathered, Error> {
        let holds = self.shared.queue.journal().holds()?;
        let lost = self.check_lanes(now)?;
        self.shut_lanes_in_doubt()?;
        self.shut = holds.iter().filter(|hold| hold.stops_reading()).map(|hold| hold.account.clone()).collect();
        let board = Board { busy: self.busy.keys().cloned().collect(), ..self.board(ticks) };
        let rests = self.resting.values().chain(self.set_back.values()).filter(|rest| rest.until > ticks);
        let rests = rests.map(|rest| rest.until - ticks);
        let wake = rests.chain(self.served().filter_map(|(_, office)| office.gate.hears_in(ticks))).min();
        let mut gathered = Gathered { board, candidates: Vec::new(), decided: Vec::new(), wake, whole: true };
        let mut seen = HashSet::new();
        self.deadlines(now, &mut gathered)?;
        self.due((now, ticks), &holds, lost, &mut gathered, &mut seen)?;
        self.ready((now, ticks), &holds, &mut gathered, &mut seen)?;
        gathered.candidates.retain(|one| self.set_back.get(&one.id).is_none_or(|rest| rest.until <= ticks));
        Ok(gathered)
    }

    /// What may start now; without the lanes that are not free.
    pub(super) fn board(&self, ticks: Duration) -> Board {
        let (settings, wire) = (&self.shared.settings, &self.shared.wire);
        let free = settings.in_flight.saturating_add(wire.ahead()).saturating_sub(self.under_way_requests());
        Board {
            // One alone finds out whether the journal has room again.
            free: if self.full.times > 0 { usize::from(self.tasks.is_empty()).min(free) } else { free },
            on_the_wire: settings.on_the_wire(),
            desks: self.served().map(|(name, office)| (name.clone(), office.desk(&self.shared, ticks))).collect(),
            busy: HashSet::new(),
        }
    }

    /// In how long an account that is served may be asked again, the first of those that may not now.
    pub(super) fn gate_opens(&self, ticks: Duration) -> Option<Duration> {
        self.served().filter_map(|(_, office)| office.gate.opens_in(ticks)).min()
    }

    /// The accounts that may be asked.
    pub(super) fn served(&self) -> impl Iterator<Item = (&AccountName, &Office)> {
        self.offices.iter().filter(|(name, office)| office.provider.is_some() && !self.shut.contains(*name))
    }

    /// Whether nothing can be sent on the candidate's lane at the moment.
    fn rests(&self, candidate: &Candidate, ticks: Duration) -> bool {
        candidate.step == Step::Submit && self.lane_rests(&candidate.lane, ticks)
    }

    fn lane_rests(&self, lane: &Lane, ticks: Duration) -> bool {
        self.resting.get(lane).is_some_and(|rest| rest.until > ticks)
    }

    fn under_way_requests(&self) -> usize {
        self.offices.values().map(|office| office.gate.under_way).sum()
    }

    /// A lane whose document was decided by a person meanwhile is free again. One whose outcome could not be recorded is
    /// in doubt as soon as that can be: it is looked up, and its lane goes on. Returns those that are to be looked up now,
    /// whatever else is due; also those sent by a clock that was ahead: their timers are by what it said then.
    fn check_lanes(&mut self, now: DateTime<Utc>) -> Result<Vec<DocId>, Error> {
        let (mut free, mut lost, mut to_look_up) = (Vec::new(), false, Vec::new());
        for (lane, id) in self.busy.iter().filter(|(_, id)| !self.under_way.contains(id)) {
            let open = self.shared.queue.journal().progress(*id)?;
            match open.as_ref().map(|progress| progress.state) {
                Some(State::Sending) => lost = true,
                Some(State::InDoubt) => {
                    let by_the_clock = |progress: &Progress| progress.due_at.is_some_and(|due| due <= now);
                    let was_ahead = |progress: &Progress| {
                        let sent_at = progress.attempt.as_ref().map(|attempt| attempt.sent_at);
                        progress.asked == 0 && sent_at.is_some_and(|sent_at| sent_at - now > SLACK)
                    };
                    to_look_up.extend(open.filter(|one| by_the_clock(one) || was_ahead(one)).map(|_| *id));
                }
                _ => free.push(lane.clone()),
            }
        }
        for lane in free {
            self.busy.remove(&lane);
        }
        if lost {
            self.find_lost()?;
        }
        Ok(to_look_up)
    }

    /// Whatever is in doubt keeps its lane shut, and one after the other where there are several.
    fn shut_lanes_in_doubt(&mut self) -> Result<(), Error> {
        self.next_open.clear();
        let journal = self.shared.queue.journal();
        for id in journal.in_state(State::InDoubt, None, usize::MAX)? {
            let Some(progress) = journal.progress(id)? else { continue };
            let Some(lane) = self.shared.lanes.of(&progress) else { continue };
            if *self.busy.entry(lane.clone()).or_insert(id) != id {
                self.next_open.insert(lane, id);
            }
        }
        Ok(())
    }

    fn deadlines(&self, now: DateTime<Utc>, gathered: &mut Gathered) -> Result<(), Error> {
        let journal = self.shared.queue.journal();
        let mut queued = 0;
        for (deadline, id) in journal.deadlines(now + DEADLINE_NEAR, MOST_DEADLINES)? {
            let Some(progress) = journal.progress(id)?.filter(|progress| progress.state == State::Queued) else {
                continue;
            };
            queued += 1;
            if deadline <= now {
                let why = progress.kind.too_late().to_owned();
                gathered.decided.push((id, vec![DocEvent::Held { code: "deadline_passed".to_owned(), why }]));
            } else {
                earlier(&mut gathered.wake, until(now, deadline));
                if !progress.attention.iter().any(|(code, _)| code == "deadline_near") {
                    let why = format!("it must be delivered before {}", deadline.to_rfc3339());
                    let raised = DocEvent::Attention { code: "deadline_near".to_owned(), why, raised: true };
                    gathered.decided.push((id, vec![raised]));
                }
            }
        }
        if queued > 0 {
            tracing::debug!(queued, "documents near their deadline");
        }
        Ok(())
    }

    /// What a timer makes due: look-ups, questions about verdicts, documents after a backoff; and these.
    fn due(
        &mut self,
        (now, ticks): (DateTime<Utc>, Duration),
        holds: &[Hold],
        mut ids: Vec<DocId>,
        gathered: &mut Gathered,
        seen: &mut HashSet<DocId>,
    ) -> Result<(), Error> {
        let journal = self.shared.queue.journal().clone();
        let mut due: Vec<Progress> = Vec::new();
        let mut after = None;
        // Due documents of held accounts must not hide the others behind them: go on until enough useful ones are found.
        'pages: loop {
            let page = journal.timers_after(after, now, MOST_TIMERS)?;
            let Some(last) = page.last().copied() else { break };
            after = Some(last);
            for (_, id) in page {
                if self.under_way.contains(&id) {
                    continue;
                }
                let Some(progress) = journal.progress(id)? else { continue };
                if keeps(holds, &progress)
                    || !progress.account.as_ref().is_some_and(|account| gathered.board.desks.contains_key(account))
                {
                    continue;
                }
                due.push(progress);
                if due.len() >= MOST_TIMERS {
                    break 'pages;
                }
            }
        }
        if let Some((next, _)) =
            journal.timers_after(Some((now, DocId(u64::MAX))), DateTime::<Utc>::MAX_UTC, 1)?.first()
        {
            earlier(&mut gathered.wake, until(now, *next));
        }
        // The clock was ahead when these were written.
        if let Some(beyond) = submit::after(now, self.shared.settings.longest_pause()) {
            let wrong = journal.timers_after(Some((beyond, DocId(u64::MAX))), DateTime::<Utc>::MAX_UTC, 64)?;
            ids.extend(wrong.into_iter().map(|(_, id)| id));
        }
        // The line is up again: what only waited for it is due.
        for office in self.offices.values_mut().filter(|office| !office.gate.is_down()) {
            let queued = |progress: Progress| progress.state == State::Queued;
            office
                .gate
                .backed_off
                .retain(|id| journal.progress(*id).is_ok_and(|progress| progress.is_some_and(queued)));
            ids.extend(&office.gate.backed_off);
        }
        for id in ids.into_iter().filter(|id| !self.under_way.contains(id)) {
            due.extend(journal.progress(id)?.filter(|progress| !keeps(holds, progress)));
        }
        due.retain(|progress| seen.insert(progress.id));
        let candidates = due
            .iter()
            .filter_map(|one| candidate(&self.shared.lanes, one))
            .filter(|candidate| !self.rests(candidate, ticks));
        gathered.candidates.extend(candidates);
        Ok(())
    }

    /// Documents that wait for nothing, oldest first, from each group that may be served.
    fn ready(
        &mut self,
        (now, ticks): (DateTime<Utc>, Duration),
        holds: &[Hold],
        gathered: &mut Gathered,
        seen: &mut HashSet<DocId>,
    ) -> Result<(), Error> {
        let journal = self.shared.queue.journal().clone();
        let wire = gathered.board.on_the_wire;
        // The calendar is asked once an account, not once a VAT number.
        let mut starts: Vec<(AccountName, Option<DateTime<Utc>>)> = Vec::new();
        for group in journal.groups()? {
            let Some(desk) = group.account.as_ref().and_then(|account| gathered.board.desks.get(account)) else {
                continue;
            };
            if is_group_held(holds, &group) {
                continue;
            }
            let account = group.account.as_ref();
            let start = match starts.iter().find(|(known, _)| Some(known) == account) {
                Some((_, start)) => *start,
                None => {
                    let start = plan::next_start(now, desk, wire);
                    starts.extend(account.map(|account| (account.clone(), start)));
                    start
                }
            };
            if let Some(start) = start {
                earlier(&mut gathered.wake, until(now, start));
                continue;
            }
            // Sales are all on one lane: one of them, or none while the lane is open. A shop's whole backlog may be here.
            if group.sales {
                let Some(lane) = account.and_then(|account| self.shared.lanes.sales(account, group.fiscal_id.as_ref()))
                else {
                    continue;
                };
                if !self.lane_rests(&lane, ticks)
                    && !gathered.board.busy.contains(&lane)
                    && let Some(candidate) = self.first_sale(&group, seen)?
                {
                    seen.insert(candidate.id);
                    gathered.candidates.push(candidate);
                }
                continue;
            }
            let wanted = desk.free.min(gathered.board.free);
            let (mut found, mut looked_at, mut after) = (0, 0, None);
            let mut lanes: HashSet<Lane> = gathered.board.busy.clone();
            let ended = loop {
                if found >= wanted || looked_at >= MOST_PER_GROUP {
                    break false;
                }
                let page = journal.ready(&group, after, 32)?;
                let Some(last) = page.last() else { break true };
                after = Some(*last);
                for id in page {
                    if self.under_way.contains(&id) || !seen.insert(id) {
                        continue;
                    }
                    let Some(candidate) = self.candidate(id)? else { continue };
                    // Those that rest must not hide the others behind them.
                    if self.rests(&candidate, ticks) {
                        continue;
                    }
                    looked_at += 1;
                    if lanes.insert(candidate.lane.clone()) {
                        found += 1;
                        gathered.candidates.push(candidate);
                    }
                }
            };
            gathered.whole &= ended;
        }
        Ok(())
    }

    /// The first of a group of sales that could be sent.
    fn first_sale(&self, group: &Group, seen: &HashSet<DocId>) -> Result<Option<Candidate>, Error> {
        let mut after = None;
        loop {
            let page = self.shared.queue.journal().ready(group, after, 8)?;
            let Some(last) = page.last() else { return Ok(None) };
            after = Some(*last);
            for id in page.into_iter().filter(|id| !self.under_way.contains(id) && !seen.contains(id)) {
                if let Some(candidate) = self.candidate(id)? {
                    return Ok(Some(candidate));
                }
            }
        }
    }

    /// What a document needs now.
    pub(super) fn candidate(&self, id: DocId) -> Result<Option<Candidate>, Error> {
        let progress = self.shared.queue.journal().progress(id)?;
        Ok(progress.as_ref().and_then(|progress| candidate(&self.shared.lanes, progress)))
    }
}

fn candidate(lanes: &Lanes, progress: &Progress) -> Option<Candidate> {
    let step = match progress.state {
        State::Queued => Step::Submit,
        State::InDoubt => Step::LookUp,
        State::Accepted | State::Registered => Step::Track,
        _ => return None,
    };
    Some(Candidate {
        id: progress.id,
        account: progress.account.clone()?,
        lane: lanes.of(progress)?,
        step,
        deadline: progress.deadline,
    })
}

/// Whether a hold keeps this document where it is. A hold is for new submissions: what the provider has, or may have, is
/// asked about all the same, unless the account cannot be used at all (PROVIDERS.md 5).
pub(super) fn keeps(holds: &[Hold], progress: &Progress) -> bool {
    match progress.state {
        State::Queued => is_held(holds, progress),
        _ => holds.iter().any(|hold| hold.is_of(progress.account.as_ref()) && hold.stops_reading()),
    }
}

pub(super) fn is_held(holds: &[Hold], progress: &Progress) -> bool {
    holds.iter().any(|hold| hold.covers(progress.account.as_ref(), progress.fiscal_id.as_ref()))
}

pub(super) fn is_group_held(holds: &[Hold], group: &Group) -> bool {
    holds.iter().any(|hold| hold.covers(group.account.as_ref(), group.fiscal_id.as_ref()))
}

fn earlier(wake: &mut Option<Duration>, wait: Duration) {
    *wake = Some(wake.map_or(wait, |wake| wake.min(wait)));
}

/// From now to a moment; nothing if it is past.
fn until(now: DateTime<Utc>, at: DateTime<Utc>) -> Duration {
    (at - now).to_std().unwrap_or_default()
}
