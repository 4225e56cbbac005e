//! What to do next: a pure function of the moment and of what is known. It starts nothing that could still be on the
//! wire in the blackout, opens no lane twice, and asks a provider that is down with one request at a time.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::lane::Lane;
use crate::domain::calendar::Window;
use crate::domain::id::{AccountName, DocId};
use crate::domain::trust;

/// Added to the time a request may be on the wire: the clock's own error, and the moment between decision and first byte.
pub const GUARD: Duration = Duration::from_secs(2);

/// Documents asked about in one go.
pub const TRACK_BATCH: usize = 50;

/// What a document needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Find out what became of a lost submission. Never waits for the blackout: it changes nothing.
    LookUp,
    /// Ask for the authority's verdict. Never waits for the blackout.
    Track,
    /// Submit it.
    Submit,
}

/// In which order candidates have their turn: the smallest first.
pub(super) type Urgency = (Step, DateTime<Utc>, DocId);
/// Nothing is more urgent.
pub(super) const FIRST: Urgency = (Step::LookUp, DateTime::<Utc>::MIN_UTC, DocId(0));
/// Nothing is less urgent.
pub(super) const LAST: Urgency = (Step::Submit, DateTime::<Utc>::MAX_UTC, DocId(u64::MAX));

/// A document that could be worked on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub id: DocId,
    /// Its account.
    pub account: AccountName,
    /// What must not be open twice.
    pub lane: Lane,
    /// What it needs.
    pub step: Step,
    /// After this moment it must not be submitted.
    pub deadline: Option<DateTime<Utc>>,
}

impl Candidate {
    /// Look-ups first: each one keeps a lane closed. Then the nearest deadline, then the oldest.
    pub(super) fn urgency(&self) -> Urgency {
        let deadline = self.deadline.filter(|_| self.step == Step::Submit).unwrap_or(DateTime::<Utc>::MAX_UTC);
        (self.step, deadline, self.id)
    }
}

/// An account as planning sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// Requests that may start now.
    pub free: usize,
    /// When nothing is submitted.
    pub blackout: Window,
    /// The provider's clock minus ours, in milliseconds.
    pub clock_skew_ms: i64,
    /// After the blackout this account starts so much later.
    pub spread: Duration,
    /// Whether it may be asked questions: not for a while after one that brought nothing.
    pub hears: bool,
    /// Whether a question about verdicts is already under way.
    pub tracking: bool,
    /// Whether the last request begun was one: then the only place that there is, is a submission's.
    pub asked_last: bool,
}

impl Desk {
    /// One with so many places and such a blackout, and nothing else to mind.
    pub fn of(free: usize, blackout: Window) -> Desk {
        let spread = Duration::ZERO;
        Desk { free, blackout, clock_skew_ms: 0, spread, hears: true, tracking: false, asked_last: false }
    }
}

/// Everything that planning looks at.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// Requests that may start now, over all accounts.
    pub free: usize,
    /// How long a request may be on the wire.
    pub on_the_wire: Duration,
    /// The accounts that may be asked now (not held).
    pub desks: HashMap<AccountName, Desk>,
    /// Lanes with an open call.
    pub busy: HashSet<Lane>,
}

/// Something to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Submit this document.
    Submit(DocId, AccountName, Lane),
    /// Look this one up.
    LookUp(DocId, AccountName, Lane),
    /// Ask about these, all of one account.
    Track(AccountName, Vec<DocId>),
}

impl Board {
    /// How many requests may start now at most.
    pub fn places(&self) -> usize {
        self.desks.values().fold(0, |all: usize, desk| all.saturating_add(desk.free)).min(self.free)
    }
}

impl Action {
    /// The documents it is about.
    pub fn ids(&self) -> &[DocId] {
        match self {
            Action::Submit(id, ..) | Action::LookUp(id, ..) => std::slice::from_ref(id),
            Action::Track(_, ids) => ids,
        }
    }
}

/// What to start now, most urgent first.
pub fn plan(now: DateTime<Utc>, mut board: Board, mut candidates: Vec<Candidate>) -> Vec<Action> {
    candidates.sort_by_key(Candidate::urgency);
    let mut actions = Vec::new();
    let mut batches: Vec<(AccountName, Vec<DocId>)> = Vec::new();
    let (late, early): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|one| comes_last(&board, one));
    for candidate in early.into_iter().chain(late) {
        let Some(desk) = board.desks.get_mut(&candidate.account) else { continue };
        match candidate.step {
            Step::Track => {
                if let Some((_, batch)) = batches.iter_mut().find(|(account, _)| *account == candidate.account) {
                    if batch.len() < TRACK_BATCH {
                        batch.push(candidate.id);
                    }
                } else if desk.hears && !desk.tracking && desk.free > 0 && board.free > 0 {
                    desk.free -= 1;
                    board.free -= 1;
                    batches.push((candidate.account, vec![candidate.id]));
                }
            }
            Step::LookUp => {
                if desk.hears && desk.free > 0 && board.free > 0 {
                    desk.free -= 1;
                    board.free -= 1;
                    // One that a person had looked up again is open again: nothing passes it on its lane.
                    board.busy.insert(candidate.lane.clone());
                    actions.push(Action::LookUp(candidate.id, candidate.account, candidate.lane));
                }
            }
            Step::Submit => {
                let expired = candidate.deadline.is_some_and(|deadline| deadline <= now);
                if desk.free == 0 || board.free == 0 || expired || !may_start(now, desk, board.on_the_wire) {
                    continue;
                }
                if board.busy.insert(candidate.lane.clone()) {
                    desk.free -= 1;
                    board.free -= 1;
                    actions.push(Action::Submit(candidate.id, candidate.account, candidate.lane));
                }
            }
        }
    }
    actions.extend(batches.into_iter().map(|(account, ids)| Action::Track(account, ids)));
    actions
}

/// Whether it is a question about a verdict that would take an account's only place again, before any sale.
fn comes_last(board: &Board, candidate: &Candidate) -> bool {
    let only = |desk: &Desk| desk.asked_last && desk.free.min(board.free) <= 1;
    candidate.step == Step::Track && board.desks.get(&candidate.account).is_some_and(only)
}

/// Whether a submission may start now: by our clock and by the provider's it must be over before the blackout begins,
/// and the blackout's end must be past by the account's share of the spread.
pub fn may_start(now: DateTime<Utc>, desk: &Desk, on_the_wire: Duration) -> bool {
    let span = on_the_wire.saturating_add(GUARD);
    let theirs = trust::ahead(now, desk.clock_skew_ms);
    desk.blackout.allows(now, span) && desk.blackout.allows(theirs, span) && spread_end(now, desk).is_none()
}

/// When the account's turn comes after a blackout that has just ended, if it has not come yet.
pub fn spread_end(now: DateTime<Utc>, desk: &Desk) -> Option<DateTime<Utc>> {
    let spread = TimeDelta::from_std(desk.spread).ok()?;
    let before = now.checked_sub_signed(spread)?;
    let end = match desk.blackout.end_of(before) {
        Some(end) => end,
        None => desk.blackout.end_of(desk.blackout.next_start(before).filter(|start| *start <= now)?)?,
    };
    end.checked_add_signed(spread).filter(|turn| end <= now && now < *turn)
}

/// The next moment at which a submission of this account may start, if not now: for the wake-up.
pub fn next_start(now: DateTime<Utc>, desk: &Desk, on_the_wire: Duration) -> Option<DateTime<Utc>> {
    if may_start(now, desk, on_the_wire) {
        return None;
    }
    if let Some(turn) = spread_end(now, desk) {
        return Some(turn);
    }
    let end = desk.blackout.silent_until(now, on_the_wire.saturating_add(GUARD));
    end.and_then(|end| end.checked_add_signed(TimeDelta::from_std(desk.spread).ok()?))
        .map(|at| at.max(now + TimeDelta::seconds(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::ProviderKind;
    use crate::domain::id::FiscalId;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn desk() -> Desk {
        Desk::of(8, Window::AUTHORITY)
    }

    fn board(desk: Desk) -> Board {
        Board {
            free: 8,
            on_the_wire: Duration::from_secs(35),
            desks: HashMap::from([("shop".parse().unwrap(), desk)]),
            busy: HashSet::new(),
        }
    }

    fn sale(id: u64, issuer: &str) -> Candidate {
        let account: AccountName = "shop".parse().unwrap();
        let issuer: FiscalId = issuer.parse().unwrap();
        let lane = Lane::Sales(ProviderKind::SmartReceipt, Some(issuer));
        Candidate { id: DocId(id), account, lane, step: Step::Submit, deadline: None }
    }

    const NOON: &str = "2026-11-22T11:00:00Z";

    #[test]
    fn plan_opens_each_lane_once_and_the_oldest_first() {
        let actions = plan(at(NOON), board(desk()), vec![sale(3, "A"), sale(1, "A"), sale(2, "B")]);
        let ids: Vec<_> = actions.iter().map(|action| matches!(action, Action::Submit(..)).then_some(action)).collect();
        assert_eq!(ids.len(), 2);
        assert!(matches!(&actions[0], Action::Submit(DocId(1), ..)));
        assert!(matches!(&actions[1], Action::Submit(DocId(2), ..)));
    }

    #[test]
    fn plan_leaves_a_lane_with_an_open_call_alone() {
        let mut board = board(desk());
        board.busy.insert(sale(0, "A").lane);
        assert!(matches!(plan(at(NOON), board, vec![sale(1, "A"), sale(2, "B")])[..], [Action::Submit(DocId(2), ..)]));
    }

    #[test]
    fn plan_takes_the_nearest_deadline_first() {
        let mut void = sale(9, "A");
        void.deadline = Some(at("2026-11-22T12:00:00Z"));
        let actions = plan(at(NOON), board(desk()), vec![sale(1, "A"), void]);
        assert!(matches!(actions[..], [Action::Submit(DocId(9), ..)]));
    }

    #[test]
    fn plan_starts_nothing_that_could_be_on_the_wire_in_the_blackout() {
        // 23:55:00 less 35 s and the guard: the last start is 23:54:22 and a fraction.
        for (now, allowed) in [
            ("2026-11-22T22:54:22Z", true),
            ("2026-11-22T22:54:24Z", false),
            ("2026-11-22T22:59:59Z", false),
            ("2026-11-22T23:00:00Z", true),
        ] {
            assert_eq!(plan(at(now), board(desk()), vec![sale(1, "A")]).len(), usize::from(allowed), "{now}");
        }
    }

    #[test]
    fn plan_keeps_the_blackout_by_the_providers_clock_too() {
        let behind = Desk { clock_skew_ms: -300_000, ..desk() };
        assert!(plan(at("2026-11-22T23:02:00Z"), board(behind), vec![sale(1, "A")]).is_empty());
        let ahead = Desk { clock_skew_ms: 300_000, ..desk() };
        assert!(plan(at("2026-11-22T22:52:00Z"), board(ahead), vec![sale(1, "A")]).is_empty());
    }

    #[test]
    fn plan_looks_up_inside_the_blackout() {
        let look_up = Candidate { step: Step::LookUp, ..sale(1, "A") };
        assert_eq!(plan(at("2026-11-22T22:57:00Z"), board(desk()), vec![look_up]).len(), 1);
    }

    #[test]
    fn plan_spreads_the_starts_after_the_blackout() {
        let spread = Desk { spread: Duration::from_secs(40), ..desk() };
        let start = |now: &str| plan(at(now), board(spread.clone()), vec![sale(1, "A")]).len();
        assert_eq!(
            (start("2026-11-22T23:00:00Z"), start("2026-11-22T23:00:39Z"), start("2026-11-22T23:00:40Z")),
            (0, 0, 1)
        );
        assert_eq!(
            next_start(at("2026-11-22T23:00:10Z"), &spread, Duration::from_secs(35)),
            Some(at("2026-11-22T23:00:40Z"))
        );
    }

    #[test]
    fn any_number_of_places_may_be_free_at_each_account() {
        let mut board = board(Desk { free: usize::MAX, ..desk() });
        board.desks.insert("other".parse().unwrap(), Desk { free: usize::MAX, ..desk() });
        assert_eq!(board.places(), 8);
        board.free = usize::MAX;
        assert_eq!(board.places(), usize::MAX);
    }

    #[test]
    fn plan_batches_questions_about_verdicts() {
        let ask = |id| Candidate { step: Step::Track, ..sale(id, "A") };
        let actions = plan(at(NOON), board(desk()), (1..=60).map(ask).collect());
        assert!(matches!(&actions[..], [Action::Track(_, ids)] if ids.len() == TRACK_BATCH));
    }

    #[test]
    fn the_only_place_is_not_twice_in_a_row_for_a_verdict() {
        let ask = Candidate { step: Step::Track, ..sale(1, "A") };
        for (free, asked_last, first) in [(1, false, "ask"), (1, true, "sell"), (2, true, "both")] {
            let board = board(Desk { free, asked_last, ..desk() });
            let asks = match &plan(at(NOON), board, vec![ask.clone(), sale(2, "B")])[..] {
                [Action::Track(..)] => "ask",
                [Action::Submit(..)] => "sell",
                [_, _] => "both",
                _ => "neither",
            };
            assert_eq!(asks, first);
        }
        let board = board(Desk { free: 1, asked_last: true, ..desk() });
        assert_eq!(plan(at(NOON), board, vec![ask]).len(), 1, "where there is nothing to sell, it goes on asking");
    }

    #[test]
    fn plan_asks_nothing_of_an_account_that_is_not_to_be_asked() {
        let ask = |id, step| Candidate { step, ..sale(id, &format!("{id}")) };
        let all = vec![ask(1, Step::LookUp), ask(2, Step::Track), ask(3, Step::Submit)];
        let actions = plan(at(NOON), board(Desk { hears: false, ..desk() }), all);
        assert!(matches!(actions[..], [Action::Submit(DocId(3), ..)]));
    }
}
