//! What the authority said of a receipt that Smart Receipt has.

use std::collections::HashMap;

use serde_json::Value;

use super::{KIND, SmartReceipt, read_one, voiding, with_details};
use crate::domain::document::Kind;
use crate::domain::outcome::{Answer, TrackOutcome};
use crate::provider::classify::{NoRead, Seen};
use crate::provider::correction::{UNNAMED_VOID, unnamed_void};
use crate::provider::http::Reply;
use crate::provider::verdict::{self, Search, is_there};
use crate::provider::{Tracked, receipt};

impl SmartReceipt {
    pub(super) async fn ask(&self, tracked: &Tracked, seen: &mut Seen) -> Result<TrackOutcome, NoRead> {
        let id = tracked.remote.remote_id.as_deref().ok_or_else(|| NoRead::failed("the provider's id is not known"))?;
        let Some(parent) = id.strip_prefix(UNNAMED_VOID) else {
            return self.ask_one(id, tracked, seen).await;
        };
        // A void whose own id was never told: its effect on the parent.
        let sale = self.one(parent, seen).await?;
        if let Some(id) = voiding(&sale) {
            return self.ask_one(&id, tracked, seen).await;
        }
        Ok(match receipt::status(&sale).as_deref() {
            Some("voided") => TrackOutcome::Registered(Box::new(unnamed_void(parent, "voided"))),
            _ => TrackOutcome::Pending(Box::new(unnamed_void(parent, "new"))),
        })
    }

    async fn ask_one(&self, id: &str, tracked: &Tracked, seen: &mut Seen) -> Result<TrackOutcome, NoRead> {
        let row = self.one(id, seen).await?;
        // Lines and totals are elsewhere, and there only now. A void has those of its sale.
        if tracked.call.body.kind() == Kind::Void || !is_there(KIND, &row) {
            return Ok(verdict::judge(KIND, tracked, &row));
        }
        let details = self.details(id, seen).await?;
        Ok(verdict::judge(KIND, tracked, &with_details(&row, details.as_ref())))
    }

    /// Those that still wait are in two short lists; only those that are in neither are asked for one by one.
    pub(super) async fn ask_many(&self, tracked: &[Tracked]) -> Vec<Answer<TrackOutcome>> {
        let (mut waiting, mut vain) = (verdict::Lists::new(), verdict::Vain::default());
        for fiscal_id in verdict::crowded(tracked) {
            let mut seen = Seen::default();
            let listed = self.waiting(Search::of(tracked, fiscal_id), &mut seen).await;
            let enough = vain.is_enough(listed.is_err());
            waiting.insert(fiscal_id, listed.map_err(|why| seen.answer(why.of_list().into_track())));
            if enough {
                break;
            }
        }
        verdict::each(self, KIND, tracked, &waiting).await
    }

    async fn waiting(&self, mut search: Search<'_>, seen: &mut Seen) -> Result<HashMap<String, Value>, NoRead> {
        for status in ["new", "retry"] {
            search.begin();
            for number in 1usize.. {
                let page = self.page(&[("fiscal_id", search.fiscal_id), ("status", status)], number, seen).await?;
                if !search.take(KIND, page) {
                    break;
                }
            }
        }
        Ok(search.found())
    }
}

/// What an answer to "give me this receipt" says of its document.
pub(crate) fn classify(tracked: &Tracked, reply: &Reply) -> TrackOutcome {
    verdict::told(KIND, tracked, |id| read_one(reply, id))
}
