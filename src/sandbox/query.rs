//! Filters by day, shared by the two lists.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::domain::calendar;

use super::ask::Ask;
use super::world::World;

/// How far behind the truth lists are, by the settings and by a fault.
pub fn lag(world: &World, ask: &Ask) -> TimeDelta {
    let fault = TimeDelta::try_milliseconds(i64::try_from(ask.list_lag_ms).unwrap_or(i64::MAX));
    world.settings.list_lag.delta().max(fault.unwrap_or(TimeDelta::zero()))
}

/// A filter by calendar day: `name=2026-01-31`, `name[after]=…`, `name[before]=…`, bounds included.
#[derive(Debug, Clone, Copy, Default)]
pub struct Days {
    on: Option<NaiveDate>,
    after: Option<NaiveDate>,
    before: Option<NaiveDate>,
    rome: bool,
}

impl Days {
    /// Reads the filter; the name of the member that is not a date otherwise.
    pub fn read<'a>(ask: &Ask, name: &'a str, rome: bool) -> Result<Days, &'a str> {
        let day = |member: &str| match ask.query(member) {
            None => Ok(None),
            Some(text) => match text.get(..10).map(str::parse) {
                Some(Ok(date)) => Ok(Some(date)),
                _ => Err(name),
            },
        };
        let (after, before) = (day(&format!("{name}[after]"))?, day(&format!("{name}[before]"))?);
        Ok(Days { on: day(name)?, after, before, rome })
    }

    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        self.on.is_none() && self.after.is_none() && self.before.is_none()
    }

    /// Whether an instant is within; one that is not known never is, unless the filter is open.
    pub fn hold(&self, at: Option<DateTime<Utc>>) -> bool {
        let Some(at) = at else { return self.is_open() };
        let local: NaiveDateTime = if self.rome { calendar::rome(at) } else { at.naive_utc() };
        let day = local.date();
        self.on.is_none_or(|on| day == on)
            && self.after.is_none_or(|after| day >= after)
            && self.before.is_none_or(|before| day <= before)
    }
}
