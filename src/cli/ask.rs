//! What is asked of a provider directly: `fetch` and `receipts`. Nothing of it is journaled.

mod nothing;

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::access::Access;
use super::config::Config;
use super::output::{self, Output, plain, table, tell};
use super::trouble::Trouble;
use super::{Exit, args, connect, show};
use crate::domain::id::AccountName;
use crate::provider::CallError;
use crate::provider::calls::{Fetched, ReceiptFilter};

/// `fetch KEY WHAT`.
///
/// # Errors
/// [`Trouble`] when the journal cannot be read, the account not reached, or the output not written.
pub fn fetch(args: &args::Fetch, config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    let mut journal = Access::open(config)?;
    let document = journal.show(&args.key)?;
    journal.close()?; // others may use it while the provider is asked
    let Some(document) = document else {
        show::unknown(&args.key, out)?;
        return Ok(Exit::REFUSED);
    };
    let (account, id) = match nothing::or_address(&document, args.what) {
        Ok(address) => address,
        Err((code, message)) => return refused(&args.key, code, &message, out),
    };
    let account: AccountName = account.parse().map_err(|_| Trouble::usage("the account has no sound name"))?;
    let provider = connect::reach(config, &account)?;
    match super::runtime()?.block_on(provider.fetch(args.what, id)) {
        Ok(Fetched::Json(value)) => {
            let pretty = !out.is_json();
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.map_err(|error| Trouble::new("output", error.to_string()))?;
            match &args.output {
                Some(path) => written(args, path, format!("{text}\n").as_bytes(), out)?,
                None => out.line(text)?,
            }
        }
        Ok(Fetched::Pdf(bytes)) => match &args.output {
            Some(path) => written(args, path, &bytes, out)?,
            None if out.is_json() || std::io::stdout().is_terminal() => {
                return refused(&args.key, "needs_file", "a PDF is no text: name a file with -o FILE", out);
            }
            None => out.bytes(&bytes)?,
        },
        Err(error) => return call_failed(&args.key, nothing::for_ever(&document, args.what, error), out),
    }
    Ok(Exit::DONE)
}

/// Into a file that only its owner reads: there may be a customer's data in it.
fn written(args: &args::Fetch, path: &Path, bytes: &[u8], out: &mut Output) -> Result<(), Trouble> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = options.open(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    write.map_err(|error| Trouble::new("output", format!("{} cannot be written: {error}", path.display())))?;
    if out.is_json() {
        let (what, path) = (args.what.name(), path.to_string_lossy());
        return out.object(&json!({"key": args.key, "what": what, "path": path, "bytes": bytes.len()}));
    }
    out.line(format_args!("wrote {} ({} bytes)", path.display(), bytes.len()))
}

/// `receipts ACCOUNT`.
///
/// # Errors
/// As [`fetch`].
pub fn receipts(args: &args::Receipts, config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    let provider = connect::reach(config, &args.account)?;
    let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string());
    let filter = ReceiptFilter {
        fiscal_ids: args.fiscal_id.iter().map(ToString::to_string).collect(),
        document_number: args.document_number.clone(),
        statuses: args.status.clone(),
        types: args.kind.clone(),
        created_at: day(args.created_at),
        created_after: day(args.created_after),
        created_before: day(args.created_before),
        document_date: day(args.document_date),
        document_after: day(args.document_date_after),
        document_before: day(args.document_date_before),
        parent_receipt_id: args.parent.clone(),
        limit: args.limit,
        skip: args.skip,
    };
    let mut rows = Rows { out, waiting: Vec::new(), first: true, result: Ok(()) };
    let listed = super::runtime()?.block_on(provider.receipts(&filter, &mut |row| rows.take(row)));
    rows.print_waiting();
    let Rows { result, out, .. } = rows;
    result?;
    match listed {
        Ok(0) if !out.is_json() => {
            tell(format_args!("the provider has no such receipt"));
            Ok(Exit::DONE)
        }
        Ok(_) => Ok(Exit::DONE),
        Err(error) => call_failed(args.account.as_str(), error, out),
    }
}

/// Rows as they come: JSON at once, for people a table a page.
struct Rows<'a> {
    out: &'a mut Output,
    waiting: Vec<Value>,
    first: bool,
    result: Result<(), Trouble>,
}

impl Rows<'_> {
    fn take(&mut self, row: Value) {
        if self.result.is_err() || self.out.is_closed() {
            return;
        }
        if self.out.is_json() {
            self.result = self.out.object(&row);
            return;
        }
        self.waiting.push(row);
        if self.waiting.len() >= 100 {
            self.print_waiting();
        }
    }

    fn print_waiting(&mut self) {
        if self.waiting.is_empty() || self.result.is_err() {
            return;
        }
        let headings = ["id", "fiscal id", "type", "status", "number", "created", "total"];
        let mut table = table(if self.first { &headings } else { &[] });
        for row in self.waiting.drain(..) {
            let cell = |names: &[&str]| names.iter().find_map(|name| text(row.get(*name)?)).unwrap_or_default();
            table.add_row([
                cell(&["id", "uuid"]),
                cell(&["fiscal_id"]),
                cell(&["type"]),
                cell(&["status"]),
                cell(&["document_number"]),
                cell(&["created_at"]),
                cell(&["total_amount"]),
            ]);
        }
        self.first = false;
        self.result = self.out.line(output::text(table));
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(plain(text).into_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A provider's no, or its silence.
pub fn call_failed(what: &str, error: CallError, out: &mut Output) -> Result<Exit, Trouble> {
    let code = match &error {
        CallError::NotOffered(_) => "not_offered",
        CallError::NotYet(_) => "not_yet",
        CallError::NotFound(_) => "not_found",
        CallError::Refused(_) => "refused",
        CallError::Conflict(_) => "conflict",
        CallError::Hold(_) => "account_refused",
        CallError::Unanswered(_) => "unanswered",
        CallError::Invalid(_) => return Err(Trouble::usage(error.to_string())),
    };
    let cure = match &error {
        CallError::NotYet(_) => "; ask again later",
        CallError::Unanswered(_) => "; it may be asked again",
        CallError::Hold(_) => "; see the credentials in the configuration",
        _ => "",
    };
    refused(what, code, &format!("{what}: {error}{cure}"), out)
}

fn refused(what: &str, code: &str, message: &str, out: &mut Output) -> Result<Exit, Trouble> {
    tell(plain(message));
    if out.is_json() {
        out.object(&json!({"key": what, "error": {"code": code, "message": message}}))?;
    }
    Ok(Exit::REFUSED)
}
