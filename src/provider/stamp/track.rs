//! What customs said of an invoice that Stamp has.

use super::{Stamp, customs, of_invoice, read};
use crate::domain::document::Kind;
use crate::domain::outcome::{Customs, Remote, TrackOutcome};
use crate::provider::classify::{NoRead, Seen};
use crate::provider::http::Reply;
use crate::provider::{Tracked, json};

impl Stamp {
    pub(super) async fn ask(&self, tracked: &Tracked, seen: &mut Seen) -> Result<TrackOutcome, NoRead> {
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

/// What an answer to "what is its status" says of a draft.
pub(crate) fn classify(tracked: &Tracked, reply: &Reply) -> TrackOutcome {
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
