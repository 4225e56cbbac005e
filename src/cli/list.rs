//! `staffetta list` and `staffetta export`: many documents, a page at a time.

use std::ops::ControlFlow;

use crate::view::{DocumentView, ListFilter, ParentView, Summary};
use chrono::{DateTime, Utc};

use super::access::Access;
use super::output::{self, Output, plain, table, tell};
use super::people::{maybe_time, time};
use super::trouble::Trouble;
use super::{Exit, args};

/// Documents asked of the queue at once.
const PAGE: usize = 1_000;

/// `list`.
///
/// # Errors
/// [`Trouble`] when the journal cannot be read.
pub fn run(args: &args::List, journal: &mut Access<'_>, now: DateTime<Utc>, out: &mut Output) -> Result<Exit, Trouble> {
    let mut filter = filter(args, now);
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut shown = 0;
    while left > 0 && !out.is_closed() {
        let limit = left.min(PAGE);
        filter.limit = Some(limit);
        let page = journal.list(&filter)?;
        print(&page, shown == 0, out)?;
        shown += page.len();
        left -= page.len().min(left);
        match page.last().and_then(|last| last.id.parse().ok()) {
            Some(id) if page.len() == limit => filter.after = Some(id),
            _ => break,
        }
    }
    if shown == 0 && !out.is_json() {
        tell(format_args!("no such document"));
    }
    Ok(Exit::DONE)
}

/// What was asked for.
pub fn filter(args: &args::List, now: DateTime<Utc>) -> ListFilter {
    ListFilter {
        state: args.state,
        account: args.account.as_ref().map(ToString::to_string),
        kind: args.kind,
        since: args.since.map(|since| since.instant(now)),
        ..ListFilter::default()
    }
}

/// Prints documents in short, with headings before the first of them.
pub fn print(page: &[Summary], first: bool, out: &mut Output) -> Result<(), Trouble> {
    if out.is_json() {
        return page.iter().try_for_each(|summary| out.object(summary));
    }
    if page.is_empty() {
        return Ok(());
    }
    let headings = ["key", "kind", "account", "state", "issued", "due", "tries", "reason"];
    let mut table = table(if first { &headings } else { &[] });
    for document in page {
        table.add_row([
            document.key.as_str(),
            document.kind.name(),
            document.account.as_deref().unwrap_or("-"),
            document.state.name(),
            &time(document.issued_at),
            &maybe_time(document.due_at),
            &document.attempts.to_string(),
            &plain(document.reason.as_deref().unwrap_or_default()),
        ]);
    }
    out.line(output::text(table))
}

/// `export`: the same bytes for an unchanged journal.
///
/// # Errors
/// [`Trouble`] when the journal cannot be read or the output not written.
pub fn export(
    args: &args::Export,
    journal: &mut Access<'_>,
    now: DateTime<Utc>,
    out: &mut Output,
) -> Result<Exit, Trouble> {
    export_from(args, now, out, |filter, f| journal.export(filter, f)).map(|()| Exit::DONE)
}

/// Where documents are exported from.
type Documents<'a> = &'a mut dyn FnMut(DocumentView) -> ControlFlow<()>;

/// `export` from whatever hands out documents.
///
/// # Errors
/// As [`export`].
pub fn export_from(
    args: &args::Export,
    now: DateTime<Utc>,
    out: &mut Output,
    from: impl FnOnce(&ListFilter, Documents<'_>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let filter = ListFilter {
        since: args.since.map(|since| since.instant(now)),
        until: args.until.map(|until| until.instant(now)),
        ..ListFilter::default()
    };
    let mut result = match args.format {
        args::Format::Jsonl => Ok(()),
        args::Format::Csv => out.line(COLUMNS.join(",")),
    };
    let mut print = |document: DocumentView| {
        let printed = match args.format {
            args::Format::Jsonl => out.object(&document),
            args::Format::Csv => out.line(row(&document)),
        };
        let go_on = printed.is_ok() && !out.is_closed();
        if printed.is_err() {
            result = printed;
        }
        if go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    from(&filter, &mut print)?;
    result
}

/// The columns of `export --format csv`. New ones are added at the end.
const COLUMNS: [&str; 20] = [
    "key",
    "id",
    "kind",
    "account",
    "fiscal_id",
    "state",
    "reason",
    "issued_at",
    "enqueued_at",
    "due_at",
    "attempts",
    "parent",
    "total_amount",
    "total_taxable_amount",
    "total_vat_amount",
    "remote_id",
    "document_number",
    "document_date",
    "transaction_id",
    "otello_id",
];

fn row(document: &DocumentView) -> String {
    let totals: serde_json::Map<String, serde_json::Value> =
        document.totals.as_ref().and_then(|totals| serde_json::from_str(totals.get()).ok()).unwrap_or_default();
    let total = |names: &[&str]| -> String {
        let value = names.iter().find_map(|name| totals.get(*name));
        match value {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    };
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let remote = &document.remote;
    let parent = match &document.parent {
        Some(ParentView::Key(key) | ParentView::Remote(key)) => key.clone(),
        None => String::new(),
    };
    let fields: [String; COLUMNS.len()] = [
        document.key.clone(),
        document.id.clone(),
        document.kind.name().to_owned(),
        text(&document.account),
        text(&document.fiscal_id),
        document.state.name().to_owned(),
        text(&document.reason),
        instant(document.issued_at),
        instant(document.enqueued_at),
        document.due_at.map(instant).unwrap_or_default(),
        document.attempts.to_string(),
        parent,
        total(&["total_amount", "gross_total"]),
        total(&["total_taxable_amount", "net_total"]),
        total(&["total_vat_amount"]),
        text(&remote.remote_id),
        text(&remote.document_number),
        text(&remote.document_date),
        text(&remote.transaction_id),
        text(&remote.otello_id),
    ];
    fields.map(|field| quoted(&defused(field))).join(",")
}

/// A spreadsheet takes a cell that begins like this for a formula and works it out, whoever wrote it: a till's key, a
/// provider's words. An apostrophe before it makes it text; numbers stay numbers.
fn defused(field: String) -> String {
    if field.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(&field) { format!("'{field}") } else { field }
}

fn is_number(field: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = field.strip_prefix(['+', '-']).unwrap_or(field);
    match unsigned.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(unsigned),
    }
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{defused, quoted};

    #[test]
    fn no_cell_is_a_formula() {
        for formula in
            ["=1+1", "=HYPERLINK(\"http://x\")", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "-", "+1+1", "-1.", "-.5"]
        {
            assert_eq!(defused(formula.to_owned()), format!("'{formula}"));
        }
        for text in ["", "-1", "-12.50", "+3", "12", "till-1/000001", "a=b", "2026-11-22", "'=1"] {
            assert_eq!(defused(text.to_owned()), text);
        }
        assert_eq!(quoted(&defused("=1,2".to_owned())), "\"'=1,2\"");
    }

    #[test]
    fn fields_are_quoted_where_needed() {
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"no\"\n"), "\"say \"\"no\"\"\n\"");
    }
}
