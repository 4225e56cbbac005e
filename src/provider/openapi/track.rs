//! What the authority said of a receipt that Openapi has.

use super::look_up::is_void;
use super::{KIND, Openapi, read_one};
use crate::domain::outcome::{Answer, TrackOutcome};
use crate::provider::classify::{NoRead, Seen};
use crate::provider::correction::{UNNAMED_VOID, unnamed_void};
use crate::provider::http::Reply;
use crate::provider::{Provider, Tracked, receipt, verdict};

impl Openapi {
    pub(super) async fn ask(&self, tracked: &Tracked, seen: &mut Seen) -> Result<TrackOutcome, NoRead> {
        let id = tracked.remote.remote_id.as_deref().ok_or_else(|| NoRead::failed("the provider's id is not known"))?;
        if let Some(parent) = id.strip_prefix(UNNAMED_VOID) {
            return self.ask_parent(parent, tracked, seen).await;
        }
        let row = self.one(id, seen).await?;
        Ok(verdict::judge(KIND, tracked, &row))
    }

    /// A void whose own id was never told: its effect on the parent.
    async fn ask_parent(&self, parent: &str, tracked: &Tracked, seen: &mut Seen) -> Result<TrackOutcome, NoRead> {
        let voided = receipt::status(&self.one(parent, seen).await?).as_deref() == Some("voided");
        let children = self.children(parent, seen, |_, row| is_void(row)).await?;
        Ok(match (children.as_slice(), voided) {
            ([(_, row)], _) => verdict::judge(KIND, tracked, row),
            (_, true) => TrackOutcome::Registered(Box::new(unnamed_void(parent, "voided"))),
            (_, false) => TrackOutcome::Pending(Box::new(unnamed_void(parent, "new"))),
        })
    }

    /// Those that still wait are in a short list; only those that are no longer in it are asked for one by one.
    pub(super) async fn ask_many(&self, tracked: &[Tracked]) -> Vec<Answer<TrackOutcome>> {
        let mut waiting = verdict::Waiting::new();
        for fiscal_id in verdict::crowded(tracked) {
            let mut seen = Seen::default();
            let filters = [("fiscal_id", fiscal_id), ("status", "new,retry")];
            let listed = self.list(&filters, &mut seen, |_, _| true).await;
            let listed = listed.map(|rows| rows.into_iter().collect());
            waiting.insert(fiscal_id, listed.map_err(|why| seen.answer(why.into_track())));
        }
        let mut answers = Vec::with_capacity(tracked.len());
        for one in tracked {
            answers.push(match verdict::listed(KIND, one, &waiting) {
                Some(answer) => answer,
                None => self.track(one).await,
            });
        }
        answers
    }
}

/// What an answer to "give me this receipt" says of its document.
pub(crate) fn classify(tracked: &Tracked, reply: &Reply) -> TrackOutcome {
    let id = tracked.remote.remote_id.as_deref().unwrap_or_default();
    match read_one(reply, id) {
        Ok(row) => verdict::judge(KIND, tracked, &row),
        Err(why) => why.into_track(),
    }
}
