//! A document as the index keeps it: all that its next event needs, so that one whose record can no longer be read is
//! still seen and can be held.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::apply::{Document, decode, encode};
use super::error::{JournalError, Result};
use super::record::Position;
use crate::domain::document::Kind;
use crate::domain::event::{Enqueued, ParentRef};
use crate::domain::id::{AccountName, DocId, FiscalId, Key};
use crate::domain::state::Progress;

/// An entry. What is written is not copied for it.
#[derive(Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "never kept: written or taken apart at once")]
enum Stored<'a> {
    Fresh(Fresh<'a>),
    Touched(Cow<'a, Document>),
}

/// One to which nothing has happened yet, as most of a backlog: only what differs from document to document. First what
/// neighbours have in common: a [block](super::blocks) leaves that out.
#[derive(Serialize, Deserialize)]
struct Fresh<'a> {
    kind: Kind,
    account: Option<Cow<'a, AccountName>>,
    fiscal_id: Option<Cow<'a, FiscalId>>,
    parent: Option<Cow<'a, ParentRef>>,
    #[serde(with = "chrono::serde::ts_microseconds_option")]
    deadline: Option<DateTime<Utc>>,
    key: Cow<'a, Key>,
    #[serde(with = "chrono::serde::ts_microseconds")]
    issued_at: DateTime<Utc>,
    /// Microseconds from then until it was taken.
    taken_after: i64,
    first: Position,
}

/// The entry of a document just taken.
pub(crate) fn fresh(taken: &Enqueued, enqueued_at: DateTime<Utc>, first: Position) -> Result<Vec<u8>> {
    let taken_after = enqueued_at.timestamp_micros().wrapping_sub(taken.issued_at.timestamp_micros());
    encode(&Stored::Fresh(Fresh {
        kind: taken.kind,
        account: taken.account.as_ref().map(Cow::Borrowed),
        fiscal_id: taken.fiscal_id.as_ref().map(Cow::Borrowed),
        parent: taken.parent.as_ref().map(Cow::Borrowed),
        deadline: taken.deadline,
        key: Cow::Borrowed(&taken.key),
        issued_at: taken.issued_at,
        taken_after,
        first,
    }))
}

/// The entry of a document to which something has happened.
pub(crate) fn touched(document: &Document) -> Result<Vec<u8>> {
    encode(&Stored::Touched(Cow::Borrowed(document)))
}

/// The document in an entry.
pub(crate) fn read(id: DocId, bytes: &[u8]) -> Result<Document> {
    let fresh = match decode(bytes)? {
        Stored::Touched(document) => return Ok(document.into_owned()),
        Stored::Fresh(fresh) => fresh,
    };
    let Fresh { kind, account, fiscal_id, parent, deadline, key, issued_at, taken_after, first } = fresh;
    let enqueued_at = DateTime::from_timestamp_micros(issued_at.timestamp_micros().wrapping_add(taken_after));
    let enqueued_at = enqueued_at.ok_or_else(|| JournalError::index("an entry cannot be read: its time is none"))?;
    let (body, totals, fingerprint, invoice_name, warnings) = Default::default();
    let taken = Enqueued {
        key: key.into_owned(),
        kind,
        account: account.map(Cow::into_owned),
        fiscal_id: fiscal_id.map(Cow::into_owned),
        parent: parent.map(Cow::into_owned),
        issued_at,
        body,
        totals,
        fingerprint,
        deadline,
        invoice_name,
        warnings,
    };
    Ok(Document { first, last: first, progress: Progress::begin(id, enqueued_at, &taken) })
}
