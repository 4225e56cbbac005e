//! The rules of voids and note numbers.

use super::report::{Report, blank};
use super::{Checked, Context, codes};
use crate::domain::account::ProviderKind;
use crate::domain::document::{NoteNumber, Void};
use crate::domain::input::{NoteNumberInput, VoidInput};

/// A receipt's void says nothing more; a tax-free invoice is cancelled by its credit note. Which it is, the provider
/// tells; while it is not known, either is fine.
pub(super) fn void(input: &VoidInput, context: &Context<'_>) -> Checked<Void> {
    const PATH: &str = "credit_note_number";
    let mut report = Report::default();
    let number = report.text(|| PATH.to_owned(), input.credit_note_number.as_ref());
    let blank = number.as_deref().is_none_or(blank);
    match context.provider {
        Some(ProviderKind::Stamp) if blank => report.add(PATH, codes::CREDIT_NOTE_REQUIRED),
        Some(ProviderKind::Openapi | ProviderKind::SmartReceipt) if number.is_some() => {
            report.add(PATH, codes::CREDIT_NOTE_NOT_ALLOWED);
        }
        None if number.is_some() && blank => report.add(PATH, codes::CREDIT_NOTE_REQUIRED),
        _ => {}
    }
    report.finish(Some(Void { credit_note_number: number }))
}

pub(super) fn note_number(input: &NoteNumberInput) -> Checked<NoteNumber> {
    let mut report = Report::default();
    let number = report.name("number", &input.number, codes::NOTE_NUMBER);
    report.finish(Some(NoteNumber { note: input.note, number }))
}
