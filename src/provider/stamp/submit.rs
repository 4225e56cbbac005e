//! Submitting to Stamp: what a draft and a number look like on the wire, and what the answers mean.

use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use super::{Stamp, is_not_yet, of_invoice};
use crate::domain::document::{Body, Draft, DraftItem, Kind, Note};
use crate::domain::money::Decimal;
use crate::domain::outcome::{Answer, Customs, HoldReason, HoldScope, Remote, SubmitOutcome};
use crate::provider::classify::{self, hold};
use crate::provider::config::CreatedOn;
use crate::provider::correction::cannot_be_sent;
use crate::provider::http::{Reply, join};
use crate::provider::session::Ask;
use crate::provider::{Call, json};

impl Stamp {
    pub(super) async fn submit_once(&self, call: &Call) -> Answer<SubmitOutcome> {
        let ask = match self.request(call) {
            Ok(ask) => ask,
            Err(refused) => return Answer::without_http(refused),
        };
        let mut answer = self.session.submit(ask, |reply| classify(call, reply)).await;
        if let SubmitOutcome::Accepted(remote) = &mut answer.outcome {
            remote.portal_url = remote.draft_id.as_deref().and_then(|draft| self.portal_url(draft));
        }
        answer
    }

    fn portal_url(&self, draft_id: &str) -> Option<String> {
        Some(join(&self.portal, &["draft-invoice", draft_id])?.to_string())
    }

    fn request(&self, call: &Call) -> Result<Ask, SubmitOutcome> {
        let invoice = || call.parent_id.as_deref().ok_or_else(|| cannot_be_sent("the invoice's id is not known"));
        let (url, body) = match &call.body {
            Body::Draft(draft) => (self.url(&self.paths.draft, ""), draft_body(draft, self.created_on)),
            Body::NoteNumber(note) => {
                let path = match note.note {
                    Note::DebitVat => &self.paths.debit_number,
                    Note::CreditGoods => &self.paths.credit_goods_number,
                    Note::CreditVat => &self.paths.credit_vat_number,
                };
                (self.url(path, invoice()?), number_body(&note.number))
            }
            Body::Void(void) => {
                let number = void.credit_note_number.as_deref();
                let number = number.ok_or_else(|| cannot_be_sent("the number of the credit note is missing"))?;
                (self.url(&self.paths.cancel, invoice()?), number_body(number))
            }
            Body::Receipt(_) | Body::Return(_) => {
                return Err(cannot_be_sent("Stamp has no documents of this kind"));
            }
        };
        let body = body.map_err(|err| cannot_be_sent(&format!("it cannot be written as JSON: {err}")))?;
        let url = url.ok_or_else(|| cannot_be_sent("the invoice's id is not one that can be asked for"))?;
        Ok(Ask::submission(Method::POST, url, Some(body), &call.key).naming(call.body.kind() == Kind::Draft))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DraftBody<'a> {
    merchant_invoice_id: &'a str,
    created_on: String,
    items: Vec<DraftLine<'a>>,
    discount: Decimal,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DraftLine<'a> {
    item_code: Option<&'a str>,
    description: &'a str,
    quantity: Decimal,
    unit_price_with_vat: Decimal,
    vat_rate: Decimal,
}

/// A draft as Stamp takes it; the discount gross, like the prices (PROVIDERS.md 1.5.6).
fn draft_body(draft: &Draft, created_on: CreatedOn) -> serde_json::Result<Vec<u8>> {
    let format = match created_on {
        CreatedOn::Iso => "%Y-%m-%dT%H:%M:%S",
        CreatedOn::Italian => "%d/%m/%Y %H:%M:%S",
    };
    serde_json::to_vec(&DraftBody {
        merchant_invoice_id: &draft.merchant_invoice_id,
        created_on: draft.created_on.format(format).to_string(),
        items: draft.items.iter().map(draft_line).collect(),
        discount: draft.discount,
    })
}

fn draft_line(item: &DraftItem) -> DraftLine<'_> {
    let percent = Decimal::new(i128::from(item.vat_rate.basis_points()), 2);
    DraftLine {
        item_code: item.item_code.as_deref(),
        description: &item.description,
        quantity: item.quantity,
        unit_price_with_vat: item.unit_price_with_vat,
        vat_rate: percent.map_or(Decimal::ZERO, Decimal::normal),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NumberBody<'a> {
    invoice_note_number: &'a str,
}

fn number_body(number: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&NumberBody { invoice_note_number: number })
}

/// What an answer to a submission proves (PROVIDERS.md 4.2, 5). The portal's link is added by the adapter.
pub(crate) fn classify(call: &Call, reply: &Reply) -> SubmitOutcome {
    classify::submission(reply, || accepted(call, reply), |error| rejected(call, error, reply))
}

fn accepted(call: &Call, reply: &Reply) -> SubmitOutcome {
    let unknown = |what: &str| SubmitOutcome::Unknown { why: format!("HTTP {} {what}", reply.status) };
    if call.body.kind() == Kind::Draft {
        let answer = json::parse(&reply.body).unwrap_or(Value::Null);
        let (draft_id, invoice_id) = (json::id(&answer, "DraftId"), json::id(&answer, "InvoiceId"));
        return match (draft_id, invoice_id) {
            (Some(draft_id), Some(invoice_id)) => SubmitOutcome::Accepted(Box::new(Remote {
                remote_id: Some(invoice_id.clone()),
                draft_id: Some(draft_id),
                invoice_id: Some(invoice_id),
                ..Remote::default()
            })),
            _ => unknown("without the ids of a draft"),
        };
    }
    // "200 (OK) without any data"; an empty JSON value is as good, anything else is not Stamp's answer.
    let nothing = matches!(reply.body.trim_ascii(), b"" | b"null" | b"\"\"" | b"{}");
    match call.parent_id.as_deref() {
        Some(invoice_id) if nothing => {
            let customs = (call.body.kind() == Kind::Void).then_some(Customs::Cancelled);
            SubmitOutcome::Registered(Box::new(of_invoice(invoice_id, customs)))
        }
        _ => unknown("with something else than Stamp's empty answer"),
    }
}

fn rejected(call: &Call, error: &Value, reply: &Reply) -> SubmitOutcome {
    let draft = call.body.kind() == Kind::Draft;
    match reply.status {
        400 if is_not_yet(error) && !draft => SubmitOutcome::Deferred {
            why: format!("the merchant has not completed the draft ({})", classify::words(reply)),
            retry_after: reply.retry_after,
            account: false,
        },
        403 => hold(HoldScope::Account, HoldReason::Forbidden, reply),
        404 | 405 if draft => hold(HoldScope::Account, HoldReason::Misconfigured, reply),
        _ => classify::refused(error, reply),
    }
}
