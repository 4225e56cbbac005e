//! What Smart Receipt has about a sale that is about to be corrected.

use super::submit::returns;
use super::{SmartReceipt, voiding};
use crate::domain::document::Body;
use crate::domain::limits::MAX_CANDIDATES;
use crate::domain::outcome::{Standing, StandingOutcome};
use crate::provider::classify::{NoRead, Seen};
use crate::provider::{Call, receipt};

impl SmartReceipt {
    pub(super) async fn parent_of(&self, call: &Call, seen: &mut Seen) -> Result<StandingOutcome, NoRead> {
        let (Body::Return(_) | Body::Void(_), Some(parent)) = (&call.body, call.parent_id.as_deref()) else {
            return Ok(StandingOutcome::Untold);
        };
        let sale = self.one(parent, seen).await?;
        let mut standing =
            Standing { voided: receipt::status(&sale).as_deref() == Some("voided"), ..Default::default() };
        if let Some(void) = voiding(&sale).filter(|_| !standing.voided) {
            standing.voided = self.is_alive(&void, seen).await?;
        }
        if let Body::Void(_) = call.body {
            // One that lives is enough.
            for id in returns(&sale).unwrap_or_default().into_iter().take(MAX_CANDIDATES) {
                if self.is_alive(&id, seen).await? {
                    standing.returns.push(id);
                    break;
                }
            }
        } else {
            let details = self.details(parent, seen).await?;
            standing.items = details.as_ref().map(receipt::fiscal_items).unwrap_or_default();
        }
        Ok(StandingOutcome::Known(standing))
    }

    /// Whether a correction counts, or will: one that failed, or is not there any more, does not.
    async fn is_alive(&self, id: &str, seen: &mut Seen) -> Result<bool, NoRead> {
        match self.one(id, seen).await {
            Ok(row) => Ok(receipt::status(&row).as_deref() != Some("failed")),
            Err(NoRead::Gone(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }
}
