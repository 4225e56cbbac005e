//! What became of a lost submission to Stamp, as far as it can be asked (PROVIDERS.md 4.3).

use super::{Stamp, customs, of_invoice};
use crate::domain::document::Body;
use crate::domain::outcome::{Customs, LookUpOutcome};
use crate::provider::classify::{NoRead, Seen};
use crate::provider::{Lost, json};

impl Stamp {
    pub(super) async fn find(&self, lost: &Lost, seen: &mut Seen) -> Result<LookUpOutcome, NoRead> {
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
}
