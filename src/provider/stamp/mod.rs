//! Stamp tax-free: drafts, note numbers, cancels (PROVIDERS.md 1.3).

use async_trait::async_trait;
use chrono::TimeDelta;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

use super::classify::{self, NoRead, Seen, Verdict, hold};
use super::config::{ConfigError, CreatedOn, StampPaths};
use super::correction::cannot_be_sent;
use super::http::{Http, Reply, join};
use super::session::{Ask, LoggedIn, Session};
use super::{Call, Claimed, Lost, Provider, Tracked, json};
use crate::domain::document::{Body, Draft, DraftItem, Kind, Note};
use crate::domain::money::Decimal;
use crate::domain::outcome::{
    Answer, Customs, HoldReason, HoldScope, LookUpOutcome, Remote, SubmitOutcome, TrackOutcome,
};

/// "Not found": the merchant has not completed the draft. Documented for four of the calls, taken alike on all but the
/// draft itself (PROVIDERS.md 1.5.8).
const NOT_YET: &str = "101";

/// The adapter.
pub(crate) struct Stamp {
    pub(super) session: Session,
    /// For the files, which lie with someone else; without our token.
    pub(super) files: Result<Http, ConfigError>,
    invoicing: Url,
    portal: Url,
    created_on: CreatedOn,
    pub(super) paths: StampPaths,
}

/// How a merchant logs in.
pub(crate) struct Login {
    pub merchant: Url,
    pub email: String,
    pub password: SecretString,
}

impl Stamp {
    pub(crate) fn new(
        http: Http,
        files: Result<Http, ConfigError>,
        login: Login,
        invoicing: Url,
        portal: Url,
        created_on: CreatedOn,
        paths: StampPaths,
    ) -> Result<Stamp, ConfigError> {
        let bad = ConfigError::Url { name: "paths", why: "a path must have steps between slashes, none of them .." };
        let url = below(&login.merchant, &paths.sign, "").ok_or_else(|| bad.clone())?;
        below(&invoicing, &paths.draft, "").ok_or(bad)?;
        let Login { email, password, .. } = login;
        let body = move || {
            let password = password.expose_secret();
            serde_json::json!({ "Email": email, "Password": password }).to_string().into_bytes()
        };
        let login = super::session::Login { url, body: Box::new(body), read: logged_in };
        let session = Session::with_login(http, login);
        Ok(Stamp { session, files, invoicing, portal, created_on, paths })
    }

    /// The address of a call about an invoice.
    pub(super) fn url(&self, path: &str, id: &str) -> Option<Url> {
        below(&self.invoicing, path, id)
    }

    async fn submit_once(&self, call: &Call) -> Answer<SubmitOutcome> {
        let ask = match self.request(call) {
            Ok(ask) => ask,
            Err(refused) => return Answer::without_http(refused),
        };
        let mut answer = self.session.submit(ask, |reply| classify_submit(call, reply)).await;
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
        Ok(Ask::submission(Method::POST, url, Some(body), &call.key))
    }

    /// Asks about an invoice. `None`: not yet.
    async fn about(&self, path: &str, id: &str, seen: &mut Seen) -> Result<Option<Value>, NoRead> {
        let url = self.url(path, id).ok_or_else(|| NoRead::failed("not an invoice's id"))?;
        let reply = seen.note(self.session.read(Ask::get(url)).await)?;
        read(&reply)
    }

    async fn find(&self, lost: &Lost, seen: &mut Seen) -> Result<LookUpOutcome, NoRead> {
        let invoice = || lost.call.parent_id.as_deref().ok_or_else(|| NoRead::failed("the invoice's id is not known"));
        match &lost.call.body {
            Body::Draft(_) => {
                Ok(LookUpOutcome::CannotTell("Stamp has neither a list nor a search of drafts".to_owned()))
            }
            Body::NoteNumber(_) => {
                let id = invoice()?;
                let file = self.about(&self.paths.note_pdf, id, seen).await?;
                // The file shows neither kind nor number of its note: it proves ours only when no other number of this
                // invoice was ever sent, which the caller knows.
                let there = file.is_some_and(|file| json::text(&file, "FileUri").is_some());
                let found = || LookUpOutcome::Found(Box::new(of_invoice(id, None)));
                Ok(if there { found() } else { LookUpOutcome::NotFound })
            }
            Body::Void(_) => {
                let id = invoice()?;
                let answer = self.about(&self.paths.status, id, seen).await?;
                Ok(match answer.as_ref().map(customs).transpose()? {
                    Some(Customs::Cancelled) => {
                        LookUpOutcome::Found(Box::new(of_invoice(id, Some(Customs::Cancelled))))
                    }
                    // In any other state, or not even completed: not cancelled.
                    _ => LookUpOutcome::NotFound,
                })
            }
            Body::Receipt(_) | Body::Return(_) => {
                Ok(LookUpOutcome::CannotTell("Stamp has no documents of this kind".to_owned()))
            }
        }
    }

    async fn ask(&self, tracked: &Tracked, seen: &mut Seen) -> Result<TrackOutcome, NoRead> {
        let kind = tracked.call.body.kind();
        let own = [&tracked.remote.invoice_id, &tracked.remote.remote_id].into_iter().find_map(|id| id.as_deref());
        let id = if kind == Kind::Draft { own } else { tracked.call.parent_id.as_deref().or(own) };
        let id = id.ok_or_else(|| NoRead::failed("the invoice's id is not known"))?;
        if kind == Kind::NoteNumber {
            // The provider's yes is all there is, and tracking begins after it.
            return Ok(TrackOutcome::Registered(Box::new(of_invoice(id, None))));
        }
        let answer = self.about(&self.paths.status, id, seen).await?;
        let customs = answer.as_ref().map(customs).transpose()?;
        let mut remote = of_invoice(id, customs);
        if kind != Kind::Draft {
            let remote = Box::new(remote);
            return Ok(if customs == Some(Customs::Cancelled) {
                TrackOutcome::Registered(remote)
            } else {
                TrackOutcome::Pending(remote)
            });
        }
        remote.remote_id = Some(id.to_owned());
        if customs.is_none() {
            return Ok(TrackOutcome::Pending(Box::new(remote)));
        }
        if tracked.remote.otello_id.is_none() {
            // Not there yet, or not readable: that is no reason to doubt the invoice. It is asked for again with its state.
            if let Ok(Some(crf0)) = self.about(&self.paths.crf0, id, seen).await {
                remote.otello_id = json::text(&crf0, "OtelloCommunicationId");
            }
        }
        Ok(TrackOutcome::Registered(Box::new(remote)))
    }
}

/// A tax-free invoice as far as a call about it knows.
fn of_invoice(id: &str, customs: Option<Customs>) -> Remote {
    Remote { invoice_id: Some(id.to_owned()), customs, ..Remote::default() }
}

/// A path of the configuration below a base URL.
fn below(base: &Url, path: &str, id: &str) -> Option<Url> {
    let steps = path.split('/').filter(|step| !step.is_empty());
    join(base, &steps.map(|step| if step == "{id}" { id } else { step }).collect::<Vec<_>>())
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

fn logged_in(reply: &Reply) -> Option<LoggedIn> {
    let answer = json::parse(&reply.body)?;
    let token = json::text(&answer, "AccessToken")?;
    // The sample token cannot be decoded (PROVIDERS.md 1.5.10): its life is told beside it.
    let seconds = json::number(&answer, "ExpiresIn").and_then(|seconds| i64::try_from(seconds.at(0)?).ok());
    Some(LoggedIn { token: token.into(), life: seconds.and_then(TimeDelta::try_seconds) })
}

/// What an answer to a submission proves (PROVIDERS.md 4.2, 5). The portal's link is added by the adapter.
pub(crate) fn classify_submit(call: &Call, reply: &Reply) -> SubmitOutcome {
    match classify::common(reply) {
        Verdict::Success => accepted(call, reply),
        Verdict::Done(outcome) => outcome,
        Verdict::Error(error) => rejected(call, &error, reply),
    }
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

fn is_not_yet(error: &Value) -> bool {
    json::text(error, "ErrorCode").as_deref() == Some(NOT_YET)
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

/// An answer to a question about an invoice. `None`: not yet.
pub(crate) fn read(reply: &Reply) -> Result<Option<Value>, NoRead> {
    if reply.status == 400 && json::parse(&reply.body).is_some_and(|error| is_not_yet(&error)) {
        return Ok(None);
    }
    match classify::read(reply)? {
        answer @ Value::Object(_) => Ok(Some(answer)),
        _ => Err(NoRead::failed("the answer is not an object")),
    }
}

/// What customs said. A number that no source explains is kept (PROVIDERS.md 1.5.3).
fn customs(answer: &Value) -> Result<Customs, NoRead> {
    let number: Option<u32> = json::text(answer, "Status").and_then(|status| status.parse().ok());
    match number {
        Some(0) => Ok(Customs::Pending),
        Some(1) => Ok(Customs::Approved),
        Some(2) => Ok(Customs::Rejected),
        Some(3) => Ok(Customs::Cancelled),
        Some(other) => Ok(Customs::Unknown(other)),
        None => Err(NoRead::failed("the answer has no status")),
    }
}

/// What an answer to "what is its status" says of a draft.
pub(crate) fn classify_track(tracked: &Tracked, reply: &Reply) -> TrackOutcome {
    let id = tracked.remote.remote_id.clone().unwrap_or_default();
    let status = read(reply).and_then(|answer| answer.as_ref().map(customs).transpose());
    match status {
        Ok(None) => TrackOutcome::Pending(Box::new(Remote { remote_id: Some(id.clone()), ..of_invoice(&id, None) })),
        Ok(customs) => {
            TrackOutcome::Registered(Box::new(Remote { remote_id: Some(id.clone()), ..of_invoice(&id, customs) }))
        }
        Err(why) => why.into_track(),
    }
}

#[async_trait]
impl Provider for Stamp {
    async fn submit(&self, call: &Call) -> Answer<SubmitOutcome> {
        self.submit_once(call).await
    }

    async fn look_up(&self, lost: &Lost, _claimed: &dyn Claimed) -> Answer<LookUpOutcome> {
        let mut seen = Seen::default();
        let outcome = self.find(lost, &mut seen).await.unwrap_or_else(NoRead::into_look_up);
        seen.answer(outcome)
    }

    async fn track(&self, tracked: &Tracked) -> Answer<TrackOutcome> {
        let mut seen = Seen::default();
        let outcome = self.ask(tracked, &mut seen).await.unwrap_or_else(NoRead::into_track);
        seen.answer(outcome)
    }

    async fn keep_fresh(&self) {
        self.session.keep_fresh().await;
    }

    async fn clock_skew_ms(&self) -> Option<i64> {
        self.session.clock_skew_ms(self.invoicing.clone()).await
    }
}
