//! The one place that reads a clock.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Where the time comes from. The program uses [`SystemClock`]; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some fixed moment, for measuring durations; by default from [`now`](Clock::now).
    fn monotonic(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now().timestamp_micros()).unwrap_or(0))
    }

    /// Lets no time pass until what this returns is dropped: another thread is at work that the clock knows nothing of. Only
    /// needed of a clock that moves on whenever its runtime has nothing to do (tokio's paused time); by default nothing.
    fn stand_still(&self) -> Option<Box<dyn Any + Send>> {
        None
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> DateTime<Utc> {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }

    fn stand_still(&self) -> Option<Box<dyn Any + Send>> {
        (**self).stand_still()
    }
}
