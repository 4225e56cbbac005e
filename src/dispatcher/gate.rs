//! What the dispatcher knows of an account at the moment: whether its provider answers, how fast it may be asked. Kept
//! in memory only: after a restart the first request finds out again. Times here are of the clock that only goes forward
//! ([`Clock::monotonic`](crate::clock::Clock::monotonic)): a wall clock that jumps closes no gate for a year.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::DocId;
use crate::domain::retry::Backoff;
use crate::provider::turns::Turns;

/// An account's gate.
pub(super) struct Gate {
    /// Requests allowed at once: one until the provider has answered, then twice as many with each answer (slow start).
    window: usize,
    /// Requests under way.
    pub(super) under_way: usize,
    /// Failures in a row that speak of the provider or the line, not of a document.
    failures: u32,
    /// Pauses wanted in a row.
    pauses: u32,
    /// Nothing before this moment: the provider is down.
    closed_until: Option<Duration>,
    /// Nothing before this moment: the provider asked for a pause.
    paused_until: Option<Duration>,
    /// Questions in a row that brought no answer that can be read.
    unread: u32,
    /// No question before this moment. Sales go on meanwhile: a provider that takes them may show no list of them.
    silent_until: Option<Duration>,
    /// No question before this moment: the provider was asked too much.
    spared_until: Option<Duration>,
    /// What `requests_per_minute` allows.
    pub(super) turns: Arc<Turns>,
    /// Documents that wait because the line was down: due at once when it is up again, until they are sent.
    pub(super) backed_off: HashSet<DocId>,
    /// The account's number, for jitter: the tills of one account do not come back together.
    pub(super) who: u64,
}

impl Gate {
    pub(super) fn new(turns: Arc<Turns>, who: u64) -> Gate {
        Gate {
            window: 1,
            under_way: 0,
            failures: 0,
            pauses: 0,
            closed_until: None,
            paused_until: None,
            unread: 0,
            silent_until: None,
            spared_until: None,
            turns,
            backed_off: HashSet::new(),
            who,
        }
    }

    /// How many requests may be begun now. Of a provider that keeps up with all that there may be at once, so many more
    /// as may be begun `ahead` of their turn.
    pub(super) fn free(&self, now: Duration, most: usize, ahead: usize) -> usize {
        let limited = self.turns.are_limited();
        let steady = self.failures == 0 && self.pauses == 0 && self.unread == 0 && self.window >= most && !limited;
        let free = self.window.saturating_add(if steady { ahead } else { 0 }).saturating_sub(self.under_way);
        match self.opens_in(now) {
            Some(_) => 0,
            None if limited => free.min(1),
            None => free,
        }
    }

    /// In how long it opens, if it is closed now.
    pub(super) fn opens_in(&self, now: Duration) -> Option<Duration> {
        left(self.closed_until.max(self.paused_until).max(Some(self.turns.next())), now)
    }

    /// In how long questions may be asked again, if they may not be now.
    pub(super) fn hears_in(&self, now: Duration) -> Option<Duration> {
        left(self.silent_until.max(self.spared_until), now)
    }

    /// A request starts.
    pub(super) fn started(&mut self, now: Duration) {
        self.under_way += 1;
        self.turns.take(now);
    }

    /// The provider answered: whatever it said, it is there.
    pub(super) fn answered(&mut self, most: usize) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.failures > 0 {
            self.failures = 0;
            self.closed_until = None;
            self.window = 1;
            self.hears();
        }
        self.pauses = 0;
        self.window = self.window.saturating_mul(2).min(most.max(1));
    }

    /// It answered a question.
    pub(super) fn read(&mut self, most: usize) {
        self.hears();
        self.answered(most);
    }

    fn hears(&mut self) {
        (self.unread, self.silent_until) = (0, None);
    }

    /// A question brought no answer that can be read: no other for a growing while. Submissions go on, one at a time for
    /// the beginning; where they had failed before, the question was to find out whether that is over, and they wait as
    /// long again.
    pub(super) fn unread(&mut self, now: Duration, backoff: &Backoff) {
        self.under_way = self.under_way.saturating_sub(1);
        self.unread = self.unread.saturating_add(1);
        self.window = 1;
        self.silent_until = self.silent_until.max(now.checked_add(backoff.delay(self.unread, self.who)));
        if self.failures > 0 {
            self.closed_until = self.closed_until.max(now.checked_add(backoff.delay(self.failures, self.who)));
        }
    }

    /// A submission without a trustworthy answer: from now on one request at a time, after a growing pause.
    pub(super) fn failed(&mut self, now: Duration, backoff: &Backoff) {
        self.under_way = self.under_way.saturating_sub(1);
        self.failures = self.failures.saturating_add(1);
        self.window = 1;
        self.closed_until = self.closed_until.max(now.checked_add(backoff.delay(self.failures, self.who)));
    }

    /// The provider wants a pause (429): as long as it says, and a share more that keeps many tills from coming back
    /// together; where it does not say, a growing one.
    pub(super) fn pause(&mut self, now: Duration, wanted: Option<Duration>, backoff: &Backoff) {
        self.under_way = self.under_way.saturating_sub(1);
        self.pauses = self.pauses.saturating_add(1);
        let pause = match wanted {
            Some(wanted) => {
                let spread = backoff.delay(1, self.who ^ now.as_nanos() as u64);
                wanted.saturating_add(spread.min(wanted / 2))
            }
            None => backoff.delay(self.pauses, self.who),
        };
        self.paused_until = self.paused_until.max(now.checked_add(pause));
        self.window = 1;
    }

    /// It wants a pause, and that was its answer to a question: the next one waits so long again after the pause, while
    /// sales are sent.
    pub(super) fn pause_questions(&mut self, now: Duration, wanted: Option<Duration>, backoff: &Backoff) {
        self.pause(now, wanted, backoff);
        self.unread = self.unread.saturating_add(1);
        let pause = self.paused_until.map_or(Duration::ZERO, |until| until.saturating_sub(now));
        let wait = pause.saturating_mul(2).max(backoff.delay(self.unread, self.who));
        self.spared_until = self.spared_until.max(now.checked_add(wait));
    }

    /// A request ended that says nothing of the provider (nothing left, a hold).
    pub(super) fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Whether the provider did not answer last time.
    pub(super) fn is_down(&self) -> bool {
        self.failures > 0
    }
}

/// The time until then, if it is still to come.
fn left(until: Option<Duration>, now: Duration) -> Option<Duration> {
    until?.checked_sub(now).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn gate() -> Gate {
        Gate::new(Arc::new(Turns::new(0, Arc::new(SystemClock))), 1)
    }

    #[test]
    fn any_number_of_requests_can_be_allowed_at_once() {
        let mut gate = gate();
        for _ in 0..=usize::BITS {
            gate.started(Duration::ZERO);
            gate.answered(usize::MAX);
        }
        assert_eq!(gate.free(Duration::ZERO, usize::MAX, 8), usize::MAX);
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff() -> Backoff {
        Backoff { initial: SECOND, factor: 2.0, max: 60 * SECOND, jitter: 0.0 }
    }

    #[test]
    fn a_question_in_vain_silences_questions_alone() {
        let mut gate = gate();
        gate.answered(8);
        gate.started(Duration::ZERO);
        gate.unread(Duration::ZERO, &backoff());
        assert_eq!((gate.hears_in(Duration::ZERO), gate.opens_in(Duration::ZERO)), (Some(SECOND), None));
        assert_eq!(gate.free(Duration::ZERO, 8, 0), 1, "one at a time, for the beginning");
        gate.unread(SECOND, &backoff());
        assert_eq!(gate.hears_in(SECOND), Some(2 * SECOND), "longer each time");
        gate.answered(8);
        assert_eq!(gate.hears_in(SECOND), Some(2 * SECOND), "that a sale was taken says nothing of a question");
        gate.read(8);
        assert_eq!(gate.hears_in(SECOND), None);
    }

    #[test]
    fn a_question_in_vain_after_a_failure_is_one_more_pause() {
        let mut gate = gate();
        gate.failed(Duration::ZERO, &backoff());
        gate.failed(SECOND, &backoff());
        gate.unread(3 * SECOND, &backoff());
        assert_eq!((gate.opens_in(3 * SECOND), gate.hears_in(3 * SECOND)), (Some(2 * SECOND), Some(SECOND)));
        gate.unread(5 * SECOND, &backoff());
        assert_eq!(gate.opens_in(5 * SECOND), Some(2 * SECOND), "as long as before, not longer");
        gate.answered(8);
        assert_eq!((gate.opens_in(5 * SECOND), gate.hears_in(5 * SECOND)), (None, None), "all is well again");
    }

    #[test]
    fn a_pause_is_kept_whatever_else_is_answered() {
        let mut gate = gate();
        gate.failed(Duration::ZERO, &backoff());
        gate.pause(Duration::ZERO, Some(60 * SECOND), &backoff());
        gate.answered(8);
        assert!(gate.opens_in(Duration::ZERO) >= Some(60 * SECOND), "{:?}", gate.opens_in(Duration::ZERO));
        assert_eq!(gate.opens_in(90 * SECOND), None);
    }

    #[test]
    fn after_a_pause_for_a_question_sales_have_as_long_before_the_next() {
        let mut gate = gate();
        gate.pause_questions(Duration::ZERO, Some(60 * SECOND), &backoff());
        let opens = gate.opens_in(Duration::ZERO).unwrap();
        assert!((60 * SECOND..=90 * SECOND).contains(&opens), "{opens:?}");
        assert_eq!(gate.hears_in(Duration::ZERO), Some(2 * opens));
    }
}
