//! What became of a lost submission to Openapi (PROVIDERS.md 4.3).

use serde_json::Value;

use super::{KIND, Openapi};
use crate::domain::document::{Body, Receipt};
use crate::domain::limits::MAX_LOOK_UP_DAYS;
use crate::domain::outcome::LookUpOutcome;
use crate::provider::classify::{NoRead, Seen};
use crate::provider::correction::unnamed_void;
use crate::provider::decide::{self, Candidate};
use crate::provider::matching::{Agreement, Tagged, Window, tagged};
use crate::provider::pages::Listed;
use crate::provider::{Claimed, Lost, json, matching, receipt};

impl Openapi {
    pub(super) async fn find(
        &self,
        lost: &Lost,
        claimed: &dyn Claimed,
        seen: &mut Seen,
    ) -> Result<LookUpOutcome, NoRead> {
        let parent = || lost.call.parent_id.as_deref().ok_or_else(|| NoRead::failed("the parent's id is not known"));
        match &lost.call.body {
            Body::Receipt(sale) => self.find_sale(lost, sale, claimed, seen).await,
            Body::Return(_) => self.find_return(lost, parent()?, claimed, seen).await,
            Body::Void(_) => self.find_void(lost, parent()?, claimed, seen).await,
            Body::Draft(_) | Body::NoteNumber(_) => {
                Ok(LookUpOutcome::CannotTell("Openapi has no documents of this kind".to_owned()))
            }
        }
    }

    /// A sale: the days' lists, our tag first, then the content; each that may be ours is read whole, since lists may
    /// lack lines or tags.
    async fn find_sale(
        &self,
        lost: &Lost,
        sale: &Receipt,
        claimed: &dyn Claimed,
        seen: &mut Seen,
    ) -> Result<LookUpOutcome, NoRead> {
        let window = Window::of(lost);
        let tag = receipt::tag(&lost.call.key);
        let days = window
            .days(MAX_LOOK_UP_DAYS)
            .ok_or_else(|| NoRead::Endless(format!("it was under way for more than {MAX_LOOK_UP_DAYS} days")))?;
        let wanted = |id: &str, row: &Value| {
            let origin = tagged(row, &tag);
            let possible = origin == Tagged::Ours || (origin == Tagged::No && window.holds(row));
            possible && is_sale(row) && !claimed.is_claimed(id) && possible_content(sale, row, origin)
        };
        let (mut found, mut firsts): (Vec<(String, Value)>, Vec<_>) = Default::default();
        for day in &days {
            let filters = [("fiscal_id", sale.fiscal_id.as_str()), ("type", "sale"), ("created_at", day)];
            let listed = self.list(&filters, seen, wanted).await?;
            found.extend(listed.kept);
            firsts.push((filters, listed.first));
        }
        let found = decide::few(found)?;
        let mut candidates = Vec::with_capacity(found.len());
        for (id, listed) in found {
            let whole = self.one(&id, seen).await?;
            let origin = match (tagged(&listed, &tag), tagged(&whole, &tag)) {
                (Tagged::No, other) => other,
                (known, _) => known,
            };
            let agreement = match (matching::sale(sale, &listed), matching::sale(sale, &whole)) {
                (Agreement::Differs, _) | (_, Agreement::Differs) => Agreement::Differs,
                (a, b) => a.max(b),
            };
            let (in_window, earlier) = (window.holds(&whole), window.is_after(&whole));
            candidates.push(Candidate { in_window, earlier, id, origin, agreement, row: whole });
        }
        let outcome = decide::sale(KIND, candidates, lost.sent_at);
        if matches!(outcome, LookUpOutcome::NotFound) {
            // "Not there" is what sending again rests on: it counts only if no row left a list while it was paged.
            for (filters, first) in firsts {
                self.stood_still(&filters, first, seen, wanted).await?;
            }
        }
        Ok(outcome)
    }

    /// A return: the parent's children, whatever they call themselves; one unresolved call per parent makes an
    /// unclaimed one ours.
    async fn find_return(
        &self,
        lost: &Lost,
        parent: &str,
        claimed: &dyn Claimed,
        seen: &mut Seen,
    ) -> Result<LookUpOutcome, NoRead> {
        let window = Window::of(lost);
        let wanted = |id: &str, row: &Value| {
            !claimed.is_claimed(id) && window.holds(row) && kind(row).as_deref() != Some("void")
        };
        let Listed { kept, first, .. } = self.children(parent, seen, wanted).await?;
        let outcome = decide::returned(KIND, &lost.call, kept, lost.sent_at);
        if matches!(outcome, LookUpOutcome::NotFound) {
            self.stood_still(&[("parent_receipt_id", parent)], first, seen, wanted).await?;
        }
        Ok(outcome)
    }

    async fn find_void(
        &self,
        lost: &Lost,
        parent: &str,
        claimed: &dyn Claimed,
        seen: &mut Seen,
    ) -> Result<LookUpOutcome, NoRead> {
        let sale = self.one(parent, seen).await?;
        let Listed { kept: children, first, .. } = self.children(parent, seen, |_, _| true).await?;
        let remote = |row: &Value| Box::new(receipt::remote(KIND, row, lost.sent_at));
        let (voids, others): (Vec<_>, Vec<_>) = children.into_iter().partition(|(_, row)| is_void(row));
        let (theirs, ours): (Vec<_>, Vec<_>) = voids.into_iter().partition(|(id, _)| claimed.is_claimed(id));
        let ids = |some: Vec<(String, Value)>| LookUpOutcome::Ambiguous(some.into_iter().map(|(id, _)| id).collect());
        match ours.as_slice() {
            [(_, row)] => return Ok(LookUpOutcome::Found(remote(row))),
            [] if theirs.is_empty() => {}
            // Voided, but by another document of this journal.
            [] => return Ok(ids(theirs)),
            _ => return Ok(ids(ours)),
        }
        // The answer to a DELETE was seen to call itself "return" (PROVIDERS.md 1.5.13).
        let window = Window::of(lost);
        let recent: Vec<_> =
            others.into_iter().filter(|(id, row)| !claimed.is_claimed(id) && window.holds(row)).collect();
        if receipt::status(&sale).as_deref() == Some("voided") {
            return Ok(LookUpOutcome::Found(match recent.as_slice() {
                [(_, row)] => remote(row),
                _ => Box::new(unnamed_void(parent, "voided")),
            }));
        }
        let waits = |row: &Value| matches!(receipt::status(row).as_deref(), None | Some("new" | "retry"));
        if recent.iter().any(|(_, row)| waits(row)) {
            return Err(NoRead::failed(
                "a correction of the sale is on its way, and does not yet show whether it is this void",
            ));
        }
        self.stood_still(&[("parent_receipt_id", parent)], first, seen, |_, _| true).await?;
        Ok(LookUpOutcome::NotFound)
    }

    /// The receipts that name this parent.
    pub(super) async fn children(
        &self,
        parent: &str,
        seen: &mut Seen,
        keep: impl Fn(&str, &Value) -> bool + Send + Sync,
    ) -> Result<Listed, NoRead> {
        let named = |row: &Value| json::text(row, "parent_receipt_id").is_none_or(|named| named == parent);
        self.list(&[("parent_receipt_id", parent)], seen, |id, row| id != parent && named(row) && keep(id, row)).await
    }
}

fn kind(row: &Value) -> Option<String> {
    json::text(row, "type").map(|kind| kind.to_ascii_lowercase())
}

fn is_sale(row: &Value) -> bool {
    !matches!(kind(row).as_deref(), Some("return" | "void"))
}

/// Whether it is worth reading whole: with our tag in any case, else only if nothing shown differs.
fn possible_content(sale: &Receipt, row: &Value, origin: Tagged) -> bool {
    origin == Tagged::Ours || matching::sale(sale, row) != Agreement::Differs
}

pub(super) fn is_void(row: &Value) -> bool {
    kind(row).as_deref() == Some("void")
}
