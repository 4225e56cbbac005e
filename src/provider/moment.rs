//! A moment by both clocks: what the clock shows, and the time that passed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;

/// A clock that differs by more from the time that passed says that the machine slept: no reading of two clocks takes so long.
const SLEPT: TimeDelta = TimeDelta::seconds(1);

/// A moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: DateTime<Utc>,
    /// Of the clock that only goes forward.
    pub ticks: Duration,
}

impl Moment {
    pub(crate) fn of(clock: &dyn Clock) -> Moment {
        Moment { at: clock.now(), ticks: clock.monotonic() }
    }

    /// Whether the machine slept between this moment and a later one, or its clock was set.
    pub(crate) fn slept_until(self, later: Moment) -> bool {
        let passed = TimeDelta::from_std(later.ticks.saturating_sub(self.ticks)).unwrap_or(TimeDelta::MAX);
        (later.at - self.at - passed).abs() > SLEPT
    }
}
