//! What can be sent as soon as there is a place for it, in the order of its turn.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::lane::Lane;
use super::plan::{self, Action, Board, Candidate, Step, Urgency};
use crate::domain::id::DocId;

/// Candidates kept: a sale of each of so many VAT numbers.
const MOST: usize = 1_024;

/// The stock.
pub(super) struct Stock {
    by_turn: BTreeMap<Urgency, Candidate>,
    /// All that could be sent and is more urgent than this is here.
    horizon: Urgency,
}

impl Stock {
    /// Knows of nothing.
    pub(super) fn new() -> Stock {
        Stock { by_turn: BTreeMap::new(), horizon: plan::FIRST }
    }

    /// What is left of what was gathered; `whole`: of all that could be sent.
    pub(super) fn of(left: Vec<Candidate>, whole: bool) -> Stock {
        // Questions are asked in batches: of those the next look makes the most.
        if !left.iter().all(|candidate| candidate.step == Step::Submit) {
            return Stock::new();
        }
        let mut by_turn: BTreeMap<_, _> = left.into_iter().map(|candidate| (candidate.urgency(), candidate)).collect();
        let beyond = by_turn.keys().nth(MOST).copied().unwrap_or(plan::LAST);
        by_turn.split_off(&beyond);
        Stock { by_turn, horizon: if whole { beyond } else { plan::FIRST } }
    }

    /// Whether there is nothing here, and nothing elsewhere.
    pub(super) fn is_all_gone(&self) -> bool {
        self.by_turn.is_empty() && self.horizon == plan::LAST
    }

    /// Whether all that is here or elsewhere waits for a lane with an open call.
    pub(super) fn waits_for(&self, busy: &HashMap<Lane, DocId>) -> bool {
        self.horizon == plan::LAST && self.by_turn.values().all(|candidate| busy.contains_key(&candidate.lane))
    }

    /// One more that can be sent, unless that is for those that the next look finds.
    pub(super) fn put(&mut self, candidate: Candidate) {
        if candidate.urgency() < self.horizon {
            self.by_turn.insert(candidate.urgency(), candidate);
        }
    }

    /// What to start of it. `busy`: the lanes with an open call.
    pub(super) fn plan(&mut self, now: DateTime<Utc>, mut board: Board, busy: &HashMap<Lane, DocId>) -> Vec<Action> {
        let mut candidates = self.first(&board, busy);
        let mut actions = plan::plan(now, board.clone(), candidates.clone());
        if actions.len() < candidates.len() {
            // One of them must not be sent at this moment: it is another's turn.
            board.busy = busy.keys().cloned().collect();
            candidates = self.by_turn.values().cloned().collect();
            actions = plan::plan(now, board, candidates.clone());
        }
        candidates.retain(|candidate| actions.iter().any(|action| action.ids().contains(&candidate.id)));
        for started in candidates {
            self.by_turn.remove(&started.urgency());
        }
        actions
    }

    /// The most urgent on lanes that are free, one of each, as many as there are places.
    fn first(&self, board: &Board, busy: &HashMap<Lane, DocId>) -> Vec<Candidate> {
        let mut left: HashMap<_, _> = board.desks.iter().map(|(account, desk)| (account, desk.free)).collect();
        let (mut lanes, mut first) = (HashSet::new(), Vec::new());
        for candidate in self.by_turn.values() {
            if first.len() >= board.places() {
                break;
            }
            if let Some(left) = left.get_mut(&candidate.account).filter(|left| **left > 0)
                && !busy.contains_key(&candidate.lane)
                && lanes.insert(&candidate.lane)
            {
                *left -= 1;
                first.push(candidate.clone());
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::plan::Desk;
    use super::*;
    use crate::domain::calendar::Window;
    use crate::domain::id::AccountName;

    /// In the blackout of accounts that have one.
    const NIGHT: &str = "2026-11-22T22:57:00Z";

    fn account(number: u8) -> AccountName {
        format!("shop-{number}").parse().unwrap()
    }

    fn lane(of: u8, number: u8) -> Lane {
        Lane::RemoteParent(account(of), number.to_string())
    }

    fn candidate(id: u64, of: u8, lane_number: u8, deadline: Option<i64>) -> Candidate {
        let now: DateTime<Utc> = NIGHT.parse().unwrap();
        let deadline = deadline.map(|minutes| now + chrono::TimeDelta::minutes(minutes));
        Candidate { id: DocId(id), account: account(of), lane: lane(of, lane_number), step: Step::Submit, deadline }
    }

    fn some() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (0..4_u8, 0..6_u8, prop::option::of(-3..9_i64));
        let number = |(id, (of, lane, deadline))| candidate(id, of, lane, deadline);
        prop::collection::vec(one, 0..40).prop_map(move |all| (1..).zip(all).map(number).collect())
    }

    proptest! {
        /// It starts what planning with all of them would, and keeps the rest.
        #[test]
        fn what_is_started_is_what_all_together_would_give(
            all in some(),
            free in prop::collection::vec((0..5_usize, any::<bool>()), 3),
            places in 0..9_usize,
            busy in prop::collection::vec((0..3_u8, 0..6_u8), 0..8),
        ) {
            let now: DateTime<Utc> = NIGHT.parse().unwrap();
            let desk = |(free, night): (usize, bool)| {
                let blackout = if night { Window::AUTHORITY } else { Window::NONE };
                Desk::of(free, blackout)
            };
            let desks = free.into_iter().enumerate().map(|(of, free)| (account(of as u8), desk(free))).collect();
            let board = Board { free: places, on_the_wire: Duration::from_secs(35), desks, ..Board::default() };
            let busy: HashMap<Lane, DocId> = busy.into_iter().map(|(of, number)| (lane(of, number), DocId(0))).collect();
            let whole = Board { busy: busy.keys().cloned().collect(), ..board.clone() };
            let expected = plan::plan(now, whole, all.clone());
            let mut stock = Stock::of(all.clone(), true);
            prop_assert_eq!(&stock.plan(now, board, &busy), &expected);
            let left = all.iter().filter(|one| !expected.iter().any(|action| action.ids().contains(&one.id)));
            prop_assert_eq!(stock.by_turn.len(), left.clone().count());
            prop_assert!(left.clone().all(|one| stock.by_turn.contains_key(&one.urgency())));
            prop_assert_eq!(stock.is_all_gone(), left.count() == 0);
        }
    }

    #[test]
    fn what_is_less_urgent_than_what_had_no_room_is_not_put_before_it() {
        let many: Vec<_> = (0..=MOST as u64).map(|id| candidate(2 * id, 0, 0, None)).collect();
        let mut stock = Stock::of(many, true);
        for (id, kept) in [(2 * MOST as u64 - 1, true), (2 * MOST as u64 + 1, false)] {
            stock.put(candidate(id, 0, 0, None));
            assert_eq!(stock.by_turn.values().any(|one| one.id == DocId(id)), kept, "{id}");
        }
        stock.by_turn.clear();
        assert!(!stock.is_all_gone(), "there is one more");
    }

    #[test]
    fn of_what_is_not_whole_nothing_is_known_but_itself() {
        for (whole, step) in [(false, Step::Submit), (true, Step::Track)] {
            let mut stock = Stock::of(vec![Candidate { step, ..candidate(1, 0, 0, None) }], whole);
            assert_eq!(stock.by_turn.len(), usize::from(step == Step::Submit));
            stock.put(candidate(0, 0, 0, None));
            assert_eq!(stock.by_turn.len(), usize::from(step == Step::Submit));
            stock.by_turn.clear();
            assert!(!stock.is_all_gone());
        }
    }
}
