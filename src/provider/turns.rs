//! An account's turns where it has `requests_per_minute`. A task is begun when there is one; what it asks beyond its first
//! request (the pages of a list, one document after the other) waits for turns of its own, every other one: sales are sent
//! meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// The turns of an account.
pub(crate) struct Turns {
    clock: Arc<dyn Clock>,
    /// From one to the next; zero: no limit.
    step: Duration,
    /// When the next one is, by the clock that only goes forward.
    next: Mutex<Duration>,
}

struct Task {
    turns: Arc<Turns>,
    /// Its first request was begun.
    begun: AtomicBool,
}

tokio::task_local! {
    static TASK: Task;
}

impl Turns {
    /// So many a minute; 0: no limit.
    pub(crate) fn new(per_minute: u32, clock: Arc<dyn Clock>) -> Turns {
        let step = Duration::from_secs(60).checked_div(per_minute).unwrap_or_default();
        Turns { clock, step, next: Mutex::default() }
    }

    pub(crate) fn are_limited(&self) -> bool {
        !self.step.is_zero()
    }

    /// When the next one is; past, if there is one now.
    pub(crate) fn next(&self) -> Duration {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request starts.
    pub(crate) fn take(&self, now: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = next.max(now) + self.step;
    }

    /// Until there is a turn beside those for what else is to be begun.
    async fn other(&self) {
        let now = self.clock.monotonic();
        if let Some(wait) = self.next().checked_sub(now).filter(|wait| !wait.is_zero()) {
            tokio::time::sleep(wait + self.step).await;
        }
    }
}

/// Runs a task for whose first request a turn was taken.
pub(crate) async fn begun_by<T>(turns: Arc<Turns>, task: impl Future<Output = T>) -> T {
    TASK.scope(Task { turns, begun: AtomicBool::new(false) }, task).await
}

/// The turns of the task that this is called in, if it has made a request.
fn of_task() -> Option<Arc<Turns>> {
    TASK.try_with(|task| task.begun.load(Ordering::Relaxed).then(|| Arc::clone(&task.turns))).ok().flatten()
}

/// Waits until the task may make a request.
pub(crate) async fn wait() {
    if let Some(turns) = of_task() {
        turns.other().await;
    }
}

/// The task makes a request.
pub(crate) fn count() {
    let again = TASK.try_with(|task| task.begun.swap(true, Ordering::Relaxed).then(|| Arc::clone(&task.turns)));
    if let Some(turns) = again.ok().flatten() {
        turns.take(turns.clock.monotonic());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Account;
    use crate::domain::calendar::Window;
    use crate::domain::document::{Body, Void};
    use crate::domain::outcome::Remote;
    use crate::provider::{AccountConfig, Call, Endpoint, Tracked, connect};
    use crate::sandbox::{Sandbox, Settings};
    use crate::testing::{HandClock, TestClock};

    fn ten_seconds_each() -> Arc<Turns> {
        let clock = TestClock::starting_at("2026-11-22T12:00:00Z".parse().unwrap());
        Arc::new(Turns::new(6, Arc::new(clock)))
    }

    /// As the dispatcher begins a task, which then makes so many requests; when each was made, in seconds.
    async fn requests(turns: &Arc<Turns>, number: usize) -> Vec<u64> {
        turns.take(turns.clock.monotonic());
        begun_by(Arc::clone(turns), async {
            let mut made = Vec::new();
            for _ in 0..number {
                wait().await;
                count();
                made.push(turns.clock.monotonic().as_secs());
            }
            made
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_of_a_task_has_a_turn_and_leaves_one_for_others() {
        let turns = ten_seconds_each();
        assert_eq!(requests(&turns, 4).await, [0, 20, 40, 60]);
        assert_eq!(turns.next(), Duration::from_secs(70), "four of six a minute were left");
    }

    #[tokio::test(start_paused = true)]
    async fn what_others_begin_meanwhile_is_counted() {
        let turns = ten_seconds_each();
        let others = async {
            let mut begun = Vec::new();
            while begun.len() < 6 {
                let now = turns.clock.monotonic();
                match turns.next().checked_sub(now).filter(|wait| !wait.is_zero()) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => {
                        turns.take(now);
                        begun.push(now.as_secs());
                    }
                }
            }
            begun
        };
        let (asked, begun) = tokio::join!(requests(&turns, 6), others);
        let mut all = [asked, begun].concat();
        all.sort_unstable();
        let last = all[all.len() - 1];
        assert!(last >= 10 * (all.len() as u64 - 2), "more than six a minute: {all:?}");
        assert!(last <= 10 * all.len() as u64, "fewer than there may be: {all:?}");
    }

    /// Over real HTTP: a login, and then questions about two receipts.
    #[tokio::test]
    async fn each_request_of_an_adapter_has_its_turn() {
        let sandbox = Sandbox::start(Settings::default()).unwrap();
        let endpoint = Endpoint::SmartReceipt {
            base_url: format!("{}/smart-receipt", sandbox.base_url()),
            login_url: format!("{}/smart-receipt/login", sandbox.base_url()),
            email: "shop@example.com".to_owned(),
            password: "secret".to_owned().into(),
        };
        let timeout = Duration::from_secs(10);
        let config = AccountConfig {
            account: Account {
                name: "shop".parse().unwrap(),
                provider: endpoint.provider(),
                fiscal_ids: Vec::new(),
                blackout: Window::NONE,
            },
            endpoint,
            connect_timeout: timeout,
            answer_timeout: timeout,
            proxy: None,
        };
        let clock: Arc<dyn Clock> = Arc::new(HandClock::starting_at("2026-11-22T12:00:00Z".parse().unwrap()));
        let adapter = connect(config, Arc::clone(&clock)).unwrap();
        let void = Void { credit_note_number: None };
        let call = Call {
            key: "void".parse().unwrap(),
            body: Body::Void(void),
            fiscal_id: None,
            parent_id: None,
            return_items: Vec::new(),
            due: None,
        };
        let remote = Remote { remote_id: Some("no-such-receipt".to_owned()), ..Remote::default() };
        let tracked = Tracked { call, remote, accepted_at: clock.now() };
        let turns = Arc::new(Turns::new(60_000, Arc::clone(&clock)));
        turns.take(Duration::ZERO);
        begun_by(Arc::clone(&turns), async {
            adapter.track(&tracked).await;
            adapter.track(&tracked).await;
        })
        .await;
        let requests = u32::try_from(sandbox.requests().len()).unwrap();
        assert_eq!((requests, turns.next()), (3, 3 * Duration::from_millis(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn outside_of_a_task_and_without_a_limit_nothing_waits() {
        let turns = Arc::new(Turns::new(0, ten_seconds_each().clock.clone()));
        assert_eq!(requests(&turns, 3).await, [0, 0, 0]);
        wait().await;
        count();
        assert_eq!((turns.next(), turns.are_limited()), (Duration::ZERO, false));
    }
}
