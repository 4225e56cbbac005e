//! What Openapi has about a sale that is about to be corrected.

use serde_json::Value;

use super::Openapi;
use super::look_up::is_void;
use crate::domain::document::Body;
use crate::domain::outcome::{Standing, StandingOutcome};
use crate::provider::classify::{NoRead, Seen};
use crate::provider::{Call, receipt};

impl Openapi {
    pub(super) async fn parent_of(&self, call: &Call, seen: &mut Seen) -> Result<StandingOutcome, NoRead> {
        let (Body::Return(_) | Body::Void(_), Some(parent)) = (&call.body, call.parent_id.as_deref()) else {
            return Ok(StandingOutcome::Untold);
        };
        let sale = self.one(parent, seen).await?;
        let lives = |_: &str, row: &Value| receipt::status(row).as_deref() != Some("failed");
        let children = self.children(parent, seen, lives).await?.kept;
        let (voids, returns): (Vec<_>, Vec<_>) = children.into_iter().partition(|(_, row)| is_void(row));
        Ok(StandingOutcome::Known(Standing {
            voided: !voids.is_empty() || receipt::status(&sale).as_deref() == Some("voided"),
            returns: returns.into_iter().map(|(id, _)| id).collect(),
            items: receipt::fiscal_items(&sale),
        }))
    }
}
