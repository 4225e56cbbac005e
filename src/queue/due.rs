//! When the next thing is due, of what can move at all.

use chrono::{DateTime, Utc};

use super::Queue;
use super::reason::Surroundings;
use crate::domain::state::{Progress, State};
use crate::error::Error;
use crate::journal::View;

/// Timers read at a time.
const PAGE: usize = 64;
/// Timers of what cannot move that are passed over: `status` must not take longer the more an account under a hold has.
const MOST: usize = 512;

impl Queue {
    /// When the next thing is due, of what waits for no person: neither under a hold nor without an account.
    pub(super) fn next_due(&self, now: DateTime<Utc>, around: &Surroundings) -> Result<Option<DateTime<Utc>>, Error> {
        let journal = self.journal();
        let groups = journal.groups()?;
        let starts =
            groups.iter().filter_map(|group| around.start(group.account.as_ref(), group.fiscal_id.as_ref(), now));
        let mut next = starts.min();
        let (mut after, mut passed) = (None, 0);
        loop {
            let page = journal.timers_after(after, DateTime::<Utc>::MAX_UTC, PAGE)?;
            let Some(last) = page.last() else { return Ok(next) };
            after = Some(*last);
            for (at, id) in page {
                let at = at.max(now);
                if next.is_some_and(|next| next <= at) {
                    return Ok(next);
                }
                // Nothing before it can move; whether it can is not looked at any more.
                if passed >= MOST {
                    return Ok(Some(at));
                }
                passed += 1;
                let moves = journal.progress(id)?.and_then(|progress| moves(&progress, around, at));
                next = next.into_iter().chain(moves).min();
            }
        }
    }
}

/// When something happens to a document whose timer ends at `at`.
fn moves(progress: &Progress, around: &Surroundings, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let account = progress.account.as_ref();
    match progress.state {
        State::Queued => around.start(account, progress.fiscal_id.as_ref(), at),
        _ => around.is_asked(progress).then_some(at),
    }
}
