//! A clock that goes with tokio's, which tests pause and advance.

use std::any::Any;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::clock::Clock;

/// Starts at a chosen moment and goes as tokio's clock goes: under `#[tokio::test(start_paused = true)]` a week passes
/// in a second, and everything that waits for it wakes in order. It can be set wrong, as a till's clock can be.
pub struct TestClock {
    runtime: Handle,
    start: DateTime<Utc>,
    origin: Instant,
    wrong_by: Mutex<TimeDelta>,
}

impl TestClock {
    /// A clock that shows `start` now. Must be made inside the runtime whose time it follows.
    pub fn starting_at(start: DateTime<Utc>) -> TestClock {
        TestClock { runtime: Handle::current(), start, origin: Instant::now(), wrong_by: Mutex::new(TimeDelta::zero()) }
    }

    /// Sets the clock wrong by so much from now on; zero sets it right.
    pub fn set_wrong_by(&self, wrong_by: TimeDelta) {
        *self.wrong_by.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = wrong_by;
    }

    /// What a right clock shows.
    pub fn true_time(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.elapsed()).unwrap_or(TimeDelta::MAX)
    }

    fn elapsed(&self) -> Duration {
        // The journal asks from its own thread: tokio's paused time is only seen from inside the runtime.
        let _inside = self.runtime.enter();
        self.origin.elapsed()
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        let wrong_by = *self.wrong_by.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.true_time() + wrong_by
    }

    fn monotonic(&self) -> Duration {
        self.elapsed()
    }

    fn stand_still(&self) -> Option<Box<dyn Any + Send>> {
        // Tokio does not move paused time on while a blocking task is at work.
        let (held, dropped) = mpsc::channel::<()>();
        drop(self.runtime.spawn_blocking(move || dropped.recv()));
        Some(Box::new(held))
    }
}

/// A clock that stands still until it is told otherwise, for code without a runtime. The time that only goes forward goes
/// by itself; what the clock shows can be set.
#[derive(Debug)]
pub struct HandClock {
    start: DateTime<Utc>,
    /// Passed, and set wrong by.
    moved: Mutex<(TimeDelta, TimeDelta)>,
}

impl HandClock {
    /// A clock that shows `start`.
    pub fn starting_at(start: DateTime<Utc>) -> HandClock {
        HandClock { start, moved: Mutex::new((TimeDelta::zero(), TimeDelta::zero())) }
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.change(|(passed, _)| *passed += TimeDelta::from_std(time).unwrap_or_default());
    }

    /// Somebody sets the clock forward or back.
    pub fn set_forward(&self, by: TimeDelta) {
        self.change(|(_, wrong)| *wrong += by);
    }

    fn change<T>(&self, f: impl FnOnce(&mut (TimeDelta, TimeDelta)) -> T) -> T {
        f(&mut self.moved.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        self.change(|(passed, wrong)| self.start + *passed + *wrong)
    }

    fn monotonic(&self) -> Duration {
        self.change(|(passed, _)| passed.to_std().unwrap_or_default())
    }
}
