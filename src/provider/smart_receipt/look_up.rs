//! What became of a lost submission to Smart Receipt (PROVIDERS.md 4.3). Nothing of ours is given back by its lists:
//! the total, the time and the lines decide.

use std::collections::HashSet;

use serde_json::Value;

use super::submit::returns;
use super::{KIND, SmartReceipt, voiding, with_details};
use crate::domain::document::{Body, Receipt};
use crate::domain::limits::MAX_CANDIDATES;
use crate::domain::money::Decimal;
use crate::domain::outcome::LookUpOutcome;
use crate::provider::classify::{NoRead, Seen};
use crate::provider::correction::unnamed_void;
use crate::provider::decide::{self, Candidate};
use crate::provider::matching::{Agreement, Tagged, Window};
use crate::provider::{Claimed, Lost, json, matching, pages, receipt};

/// In the order in which a receipt goes through them, so that one that moves on meanwhile is met later. A failed or
/// voided one was taken too.
const STATUSES: [&str; 6] = ["new", "retry", "submitted", "ready", "failed", "voided"];

impl SmartReceipt {
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
                Ok(LookUpOutcome::CannotTell("Smart Receipt has no documents of this kind".to_owned()))
            }
        }
    }

    async fn find_sale(
        &self,
        lost: &Lost,
        sale: &Receipt,
        claimed: &dyn Claimed,
        seen: &mut Seen,
    ) -> Result<LookUpOutcome, NoRead> {
        let window = Window::of(lost);
        let wanted = |id: &str, row: &Value| {
            let kind = json::text(row, "type").is_none_or(|kind| kind.eq_ignore_ascii_case("sale"));
            kind && window.holds(row)
                && !claimed.is_claimed(id)
                && same_total(row, lost.call.due)
                && matching::sale(sale, row) != Agreement::Differs
        };
        let (mut found, mut firsts): (Vec<(String, Value)>, Vec<_>) = Default::default();
        let (mut met, mut moved): (HashSet<String>, bool) = Default::default();
        for status in STATUSES {
            let filters = [("fiscal_id", sale.fiscal_id.as_str()), ("type", "sale"), ("status", status)];
            let listed = self.list(&filters, &window, seen, wanted).await?;
            found.extend(listed.kept);
            firsts.extend(listed.first.map(|first| (filters, first)));
            for id in listed.ids {
                moved |= !met.insert(id);
            }
        }
        let found = decide::few(found)?;
        let mut candidates = Vec::with_capacity(found.len());
        for (id, listed) in found {
            let details = self.details(&id, seen).await?;
            let row = with_details(&listed, details.as_ref());
            let agreement = matching::sale(sale, &row);
            candidates.push(Candidate { id, in_window: true, earlier: false, origin: Tagged::No, agreement, row });
        }
        let outcome = decide::sale(KIND, candidates, lost.sent_at);
        if matches!(outcome, LookUpOutcome::NotFound) {
            // "Not there" is what sending again rests on: it counts only if no row left a list while it was paged.
            if moved {
                return Err(NoRead::failed("receipts moved between the lists while these were read"));
            }
            for (filters, first) in firsts {
                let again = self.page(&filters, 1, seen).await?;
                pages::stood_still(&first, &again, |row| receipt::id_of(KIND, row), wanted)?;
            }
        }
        Ok(outcome)
    }

    async fn find_return(
        &self,
        lost: &Lost,
        parent: &str,
        claimed: &dyn Claimed,
        seen: &mut Seen,
    ) -> Result<LookUpOutcome, NoRead> {
        let window = Window::of(lost);
        let sale = self.one(parent, seen).await?;
        let ids = returns(&sale).ok_or_else(|| NoRead::failed("the sale does not tell its returns"))?;
        let unclaimed: Vec<String> = ids.into_iter().filter(|id| id != parent && !claimed.is_claimed(id)).collect();
        if unclaimed.len() > MAX_CANDIDATES {
            return Err(NoRead::Endless(format!("{} returns may be it: too many to read", unclaimed.len())));
        }
        let mut children = Vec::new();
        for id in unclaimed {
            let row = self.one(&id, seen).await?;
            if window.holds(&row) {
                let details = self.details(&id, seen).await?;
                children.push((id, with_details(&row, details.as_ref())));
            }
        }
        Ok(decide::returned(KIND, &lost.call, children, lost.sent_at))
    }

    async fn find_void(
        &self,
        lost: &Lost,
        parent: &str,
        claimed: &dyn Claimed,
        seen: &mut Seen,
    ) -> Result<LookUpOutcome, NoRead> {
        let sale = self.one(parent, seen).await?;
        let voided = receipt::status(&sale).as_deref() == Some("voided");
        match voiding(&sale) {
            // Voided, but by another document of this journal.
            Some(id) if claimed.is_claimed(&id) => Ok(LookUpOutcome::Ambiguous(vec![id])),
            Some(id) => {
                let child = self.one(&id, seen).await?;
                Ok(LookUpOutcome::Found(Box::new(receipt::remote(KIND, &child, lost.sent_at))))
            }
            None if voided => Ok(LookUpOutcome::Found(Box::new(unnamed_void(parent, "voided")))),
            None => Ok(LookUpOutcome::NotFound),
        }
    }
}

/// Whether the totals agree, to what a different rounding can make. Nothing, or zero, is not a total yet.
fn same_total(row: &Value, due: Option<Decimal>) -> bool {
    let (Some(theirs), Some(ours)) = (json::number(row, "total_amount").filter(|total| !total.is_zero()), due) else {
        return true;
    };
    let within =
        |difference: Option<Decimal>| difference.is_some_and(|difference| Some(difference) <= Decimal::new(2, 2));
    within(theirs.checked_sub(ours)) && within(ours.checked_sub(theirs))
}
