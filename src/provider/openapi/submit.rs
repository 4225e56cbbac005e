//! Submitting to Openapi: `POST` a sale, `PATCH` a return, `DELETE` for a void; and what the answers mean.

use reqwest::Method;
use serde_json::Value;

use super::{KIND, Openapi, is_unknown_fiscal_id};
use crate::domain::document::{Body, Kind};
use crate::domain::outcome::{Answer, HoldReason, HoldScope, SubmitOutcome};
use crate::provider::classify::{self, OTHERS_ANSWER, hold, mentions};
use crate::provider::correction::{self, cannot_be_sent};
use crate::provider::http::{Reply, clip};
use crate::provider::matching::{Tagged, tagged};
use crate::provider::session::Ask;
use crate::provider::{Call, json, receipt};

impl Openapi {
    pub(super) async fn submit_once(&self, call: &Call) -> Answer<SubmitOutcome> {
        let ask = match self.request(call) {
            Ok(ask) => ask,
            Err(refused) => return Answer::without_http(refused),
        };
        let answer = self.session.submit(ask, |reply| classify(call, reply)).await;
        match (&answer.outcome, call.parent_id.as_deref()) {
            (SubmitOutcome::Refused(refusal), Some(parent)) => {
                let row = self.one(parent, &mut Default::default()).await;
                let outcome = correction::refused(call, refusal.clone(), row);
                Answer { outcome, ..answer }
            }
            _ => answer,
        }
    }

    fn request(&self, call: &Call) -> Result<Ask, SubmitOutcome> {
        let parent = || call.parent_id.as_deref().ok_or_else(|| cannot_be_sent("the parent's id is not known"));
        let (method, id, body) = match &call.body {
            Body::Receipt(sale) => (Method::POST, None, Some(receipt::sale_body(KIND, &call.key, sale))),
            Body::Return(_) if call.return_items.is_empty() => {
                return Err(cannot_be_sent("the item ids of the sale are not known"));
            }
            Body::Return(_) => (Method::PATCH, Some(parent()?), Some(receipt::return_body(&call.return_items))),
            Body::Void(_) => (Method::DELETE, Some(parent()?), None),
            Body::Draft(_) | Body::NoteNumber(_) => {
                return Err(cannot_be_sent("Openapi has no documents of this kind"));
            }
        };
        let url = match id {
            Some(id) => self.url(&["IT-receipts", id]),
            None => self.url(&["IT-receipts"]),
        };
        Ok(receipt::submission(method, url, body, &call.key)?.naming(call.body.kind() == Kind::Receipt))
    }
}

/// What an answer to a submission proves (PROVIDERS.md 4.2, 5).
pub(crate) fn classify(call: &Call, reply: &Reply) -> SubmitOutcome {
    classify::submission(reply, || accepted(call, reply), |error| rejected(call, error, reply))
}

/// The status decides; then `success` must not say the contrary, and `data` must be an object with an id
/// (PROVIDERS.md 1.5.16).
fn accepted(call: &Call, reply: &Reply) -> SubmitOutcome {
    let answer = json::parse(&reply.body).unwrap_or(Value::Null);
    let row = answer.get("data").map(json::unwrap_data);
    let id = row.and_then(|row| receipt::id_of(KIND, row));
    let unknown = |what: &str| SubmitOutcome::Unknown { why: format!("HTTP {} {what}", reply.status) };
    match (row, id) {
        _ if json::flag(&answer, "success") == Some(false) => unknown("with success: false"),
        (Some(_), Some(id)) if call.parent_id.as_deref() == Some(&id) => unknown("with the id of the parent itself"),
        (Some(row), Some(id)) if is_anothers(call, row) => SubmitOutcome::Unknown {
            why: clip(&format!("{OTHERS_ANSWER}: HTTP {} with its tag for {id}", reply.status)),
        },
        (Some(row), Some(_)) => SubmitOutcome::Accepted(Box::new(receipt::remote(KIND, row, reply.at))),
        _ => unknown("without a receipt that has an id"),
    }
}

/// Whether a sale's answer has the tag of another one. Our own is sent unless the till filled the tags.
fn is_anothers(call: &Call, row: &Value) -> bool {
    let Body::Receipt(sale) = &call.body else { return false };
    receipt::is_tagged(sale) && tagged(row, &receipt::tag(&call.key)) == Tagged::Other
}

fn rejected(call: &Call, error: &Value, reply: &Reply) -> SubmitOutcome {
    let correction = call.body.kind() != Kind::Receipt;
    if mentions(error, &["invalid_credentials"]) {
        return hold(HoldScope::FiscalId, HoldReason::Credentials, reply);
    }
    if mentions(
        error,
        &["wallet", "insufficient credit", "insufficient balance", "insufficient fund", "not enough credit"],
    ) {
        return hold(HoldScope::Account, HoldReason::Unpaid, reply);
    }
    if is_unknown_fiscal_id(error) {
        return hold(HoldScope::FiscalId, HoldReason::UnknownFiscalId, reply);
    }
    match reply.status {
        403 => hold(HoldScope::Account, HoldReason::Forbidden, reply),
        // The parent is lost (12 months are kept): nothing can be corrected any more.
        404 if correction => classify::refused(error, reply),
        404 => hold(HoldScope::FiscalId, HoldReason::UnknownFiscalId, reply),
        405 => hold(HoldScope::Account, HoldReason::Misconfigured, reply),
        _ => classify::refused(error, reply),
    }
}
