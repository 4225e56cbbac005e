//! Submitting to Smart Receipt, and what the answers mean.

use reqwest::Method;
use serde_json::Value;

use super::{KIND, SmartReceipt, related, voiding};
use crate::domain::document::{Body, Kind};
use crate::domain::outcome::{Answer, HoldReason, HoldScope, SubmitOutcome};
use crate::provider::classify::{self, Seen, hold};
use crate::provider::correction::{self, UNNAMED_VOID, cannot_be_sent, unnamed_void};
use crate::provider::http::Reply;
use crate::provider::session::Ask;
use crate::provider::{Call, json, receipt};

/// What the reason of an unknown outcome begins with when the answer was a 400 that says only `BAD_REQUEST`: "data not
/// valid or a generic error happened" (S2). The first time it proves nothing; when a look-up finds nothing and the same
/// comes again, it is a refusal (PROVIDERS.md 4.2).
pub const BARE_BAD_REQUEST: &str = "BAD_REQUEST without violations";

impl SmartReceipt {
    pub(super) async fn submit_once(&self, call: &Call) -> Answer<SubmitOutcome> {
        let ask = match self.request(call) {
            Ok(ask) => ask,
            Err(refused) => return Answer::without_http(refused),
        };
        let mut answer = self.session.submit(ask, |reply| classify(call, reply)).await;
        let Some(parent) = call.parent_id.as_deref() else { return answer };
        let mut seen = Seen::default();
        match &mut answer.outcome {
            SubmitOutcome::Refused(refusal) => {
                let row = self.one(parent, &mut seen).await;
                answer.outcome = correction::refused(call, refusal.clone(), row);
            }
            // A void is answered without a word; its id is with the parent, now or soon.
            SubmitOutcome::Accepted(remote) if is_unnamed(remote.remote_id.as_deref()) => {
                if let Ok(Some(id)) = self.one(parent, &mut seen).await.map(|row| voiding(&row)) {
                    remote.remote_id = Some(id);
                }
            }
            _ => {}
        }
        answer
    }

    fn request(&self, call: &Call) -> Result<Ask, SubmitOutcome> {
        let parent = || call.parent_id.as_deref().ok_or_else(|| cannot_be_sent("the parent's id is not known"));
        let (method, url, body) = match &call.body {
            Body::Receipt(sale) => {
                (Method::POST, self.url(&["receipts"]), Some(receipt::sale_body(KIND, &call.key, sale)))
            }
            Body::Return(_) if call.return_items.is_empty() => {
                return Err(cannot_be_sent("the item ids of the sale are not known"));
            }
            Body::Return(_) => {
                let url = self.url(&["receipts", parent()?, "return"]);
                (Method::POST, url, Some(receipt::return_body(&call.return_items)))
            }
            Body::Void(_) => (Method::DELETE, self.url(&["receipts", parent()?]), None),
            Body::Draft(_) | Body::NoteNumber(_) => {
                return Err(cannot_be_sent("Smart Receipt has no documents of this kind"));
            }
        };
        Ok(receipt::submission(method, url, body, &call.key)?.naming(call.body.kind() == Kind::Receipt))
    }
}

fn is_unnamed(id: Option<&str>) -> bool {
    id.is_some_and(|id| id.starts_with(UNNAMED_VOID))
}

/// What an answer to a submission proves (PROVIDERS.md 4.2, 5).
pub(crate) fn classify(call: &Call, reply: &Reply) -> SubmitOutcome {
    classify::submission(reply, || accepted(call, reply), |error| rejected(call, error, reply))
}

fn accepted(call: &Call, reply: &Reply) -> SubmitOutcome {
    let parent = call.parent_id.as_deref();
    if let (Kind::Void, 204, Some(parent)) = (call.body.kind(), reply.status, parent) {
        return SubmitOutcome::Accepted(Box::new(unnamed_void(parent, "new")));
    }
    let answer = json::parse(&reply.body).unwrap_or(Value::Null);
    let row = json::unwrap_data(&answer);
    let mut remote = receipt::remote(KIND, row, reply.at);
    if remote.remote_id.is_some() && remote.remote_id.as_deref() == parent {
        // The parent itself: its relations may name the new one.
        remote = match (call.body.kind(), voiding(row)) {
            (Kind::Void, Some(id)) => crate::domain::outcome::Remote { remote_id: Some(id), ..Default::default() },
            _ => Default::default(),
        };
    }
    match remote.remote_id {
        Some(_) => SubmitOutcome::Accepted(Box::new(remote)),
        None => SubmitOutcome::Unknown { why: format!("HTTP {} without a receipt that has an id", reply.status) },
    }
}

fn rejected(call: &Call, error: &Value, reply: &Reply) -> SubmitOutcome {
    let violations = classify::violations(error);
    let is = |code: &str| ["detail", "message", "title"].iter().any(|name| plain(error, name).contains(code));
    if is("INVALIDCREDENTIALS") {
        return hold(HoldScope::FiscalId, HoldReason::Credentials, reply);
    }
    if is("CANNOTSENDDATAFORTHISLEGALENTITY") {
        return hold(HoldScope::FiscalId, HoldReason::UnknownFiscalId, reply);
    }
    if violations.iter().any(|violation| violation.message.to_ascii_lowercase().contains("unknown fiscal id")) {
        return hold(HoldScope::FiscalId, HoldReason::UnknownFiscalId, reply);
    }
    let detail = plain(error, "detail");
    match reply.status {
        400 if violations.is_empty() && (detail.is_empty() || detail == "BADREQUEST") => {
            SubmitOutcome::Unknown { why: format!("{BARE_BAD_REQUEST}: {}", classify::words(reply)) }
        }
        403 => hold(HoldScope::Account, HoldReason::Forbidden, reply),
        404 | 405 if call.body.kind() == Kind::Receipt => hold(HoldScope::Account, HoldReason::Misconfigured, reply),
        _ => classify::refused(error, reply),
    }
}

/// A member's letters, in capitals: the codes were seen with and without their underscores.
fn plain(error: &Value, name: &str) -> String {
    let text = json::text(error, name).unwrap_or_default();
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// The returns of a sale, as its row names them.
pub(super) fn returns(row: &Value) -> Option<Vec<String>> {
    match row.get("return_receipts")? {
        Value::Array(list) => list.iter().map(related).collect(),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}
