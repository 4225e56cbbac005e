//! What the authority said of a receipt that Openapi has.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::look_up::is_void;
use super::{KIND, Openapi, read_one};
use crate::domain::outcome::{Answer, TrackOutcome};
use crate::provider::classify::{NoRead, Seen};
use crate::provider::correction::{UNNAMED_VOID, unnamed_void};
use crate::provider::http::Reply;
use crate::provider::pages::PAGE;
use crate::provider::verdict::{self, Search};
use crate::provider::{Tracked, receipt};

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
        let children = self.children(parent, seen, |_, row| is_void(row)).await?.kept;
        Ok(match (children.as_slice(), voided) {
            ([(_, row)], _) => verdict::judge(KIND, tracked, row),
            (_, true) => TrackOutcome::Registered(Box::new(unnamed_void(parent, "voided"))),
            (_, false) => TrackOutcome::Pending(Box::new(unnamed_void(parent, "new"))),
        })
    }

    /// Those that still wait are in a short list, those that moved on in the lists of their days; only what is in
    /// neither is asked for one by one.
    pub(super) async fn ask_many(&self, tracked: &[Tracked]) -> Vec<Answer<TrackOutcome>> {
        let (mut lists, mut vain) = (verdict::Lists::new(), verdict::Vain::default());
        for fiscal_id in verdict::crowded(tracked) {
            let mut seen = Seen::default();
            let rows = self.rows_of(Search::of(tracked, fiscal_id), &mut seen).await;
            let enough = vain.is_enough(rows.is_err());
            lists.insert(fiscal_id, rows.map_err(|why| seen.answer(why.of_list().into_track())));
            if enough {
                break;
            }
        }
        verdict::each(self, KIND, tracked, &lists).await
    }

    async fn rows_of(&self, mut search: Search<'_>, seen: &mut Seen) -> Result<HashMap<String, Value>, NoRead> {
        let fiscal_id = search.fiscal_id;
        self.search(&[("fiscal_id", fiscal_id), ("status", "new,retry")], &mut search, seen).await?;
        let mut moved: BTreeMap<String, usize> = BTreeMap::new();
        for one in search.wanted() {
            let day = one.remote.created_at.unwrap_or(one.accepted_at).date_naive().to_string();
            *moved.entry(day).or_default() += 1;
        }
        for (day, _) in moved.into_iter().filter(|(_, documents)| *documents >= verdict::MANY) {
            self.search(&[("fiscal_id", fiscal_id), ("created_at", &day)], &mut search, seen).await?;
        }
        Ok(search.found())
    }

    async fn search(&self, filters: &[(&str, &str)], search: &mut Search<'_>, seen: &mut Seen) -> Result<(), NoRead> {
        let mut skip = 0;
        search.begin();
        loop {
            let page = self.page(filters, skip, PAGE, seen).await?;
            skip += page.len();
            if !search.take(KIND, page) {
                return Ok(());
            }
        }
    }
}

/// What an answer to "give me this receipt" says of its document.
pub(crate) fn classify(tracked: &Tracked, reply: &Reply) -> TrackOutcome {
    verdict::told(KIND, tracked, |id| read_one(reply, id))
}
