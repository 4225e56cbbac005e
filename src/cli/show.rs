//! `staffetta show`: one document whole.

use std::fmt::Write as _;

use crate::view::{DocumentView, EventView, ParentView};
use serde_json::json;

use super::access::Access;
use super::output::{Output, plain, tell};
use super::people::time;
use super::trouble::Trouble;
use super::{Exit, args};

/// Prints the document.
///
/// # Errors
/// [`Trouble`] when the journal cannot be read.
pub fn run(args: &args::Show, journal: &mut Access<'_>, out: &mut Output) -> Result<Exit, Trouble> {
    match journal.show(&args.key)? {
        Some(document) => print(&document, out).map(|()| Exit::DONE),
        None => {
            unknown(&args.key, out)?;
            Ok(Exit::REFUSED)
        }
    }
}

/// Prints a document.
///
/// # Errors
/// [`Trouble`] when the output cannot be written.
pub fn print(document: &DocumentView, out: &mut Output) -> Result<(), Trouble> {
    if out.is_json() { out.object(document) } else { out.line(in_words(document).trim_end()) }
}

/// Says that no document has this key.
pub fn unknown(key: &str, out: &mut Output) -> Result<(), Trouble> {
    let message = format!("no document has the key {key}: see `staffetta list`");
    tell(&message);
    if out.is_json() {
        out.object(&json!({"key": key, "error": {"code": "unknown_key", "message": message}}))?;
    }
    Ok(())
}

fn in_words(document: &DocumentView) -> String {
    let mut text = String::new();
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:<16}{}", plain(value)); // a String takes everything
        }
    };
    let maybe = |value: &Option<String>| value.clone().unwrap_or_default();
    say("key", &document.key);
    say("id", &document.id);
    say("kind", document.kind.name());
    say("account", &maybe(&document.account));
    say("fiscal id", &maybe(&document.fiscal_id));
    say("state", document.state.name());
    say("reason", &maybe(&document.reason));
    // That its state asks for a person is said already, with why.
    for attention in document.attention.iter().filter(|one| one.what != document.state.name()) {
        say("attention", &format!("{}: {}", attention.what, attention.why));
    }
    for warning in &document.warnings {
        say("warning", warning);
    }
    say("issued", &time(document.issued_at));
    say("enqueued", &time(document.enqueued_at));
    say("due", &document.due_at.map(time).unwrap_or_default());
    say("deadline", &document.deadline.map(time).unwrap_or_default());
    say("attempts", &document.attempts.to_string());
    match &document.parent {
        Some(ParentView::Key(key)) => say("parent", key),
        Some(ParentView::Remote(id)) => say("parent", &format!("{id} (the provider's id)")),
        None => {}
    }
    for child in &document.children {
        say("child", child);
    }
    let remote = &document.remote;
    for (name, value) in [
        ("remote id", &remote.remote_id),
        ("remote status", &remote.status),
        ("number", &remote.document_number),
        ("date", &remote.document_date),
        ("transaction", &remote.transaction_id),
        ("draft", &remote.draft_id),
        ("invoice", &remote.invoice_id),
        ("portal", &remote.portal_url),
        ("otello", &remote.otello_id),
        ("customs", &remote.customs),
    ] {
        say(name, &maybe(value));
    }
    for item in &remote.items {
        let line = item.line.map_or_else(|| "?".to_owned(), |line| line.to_string());
        say("item", &format!("line {line}: {} x {}, id {}", item.quantity, item.description, item.id));
    }
    for (name, json) in [("body", Some(&document.body)), ("totals", document.totals.as_ref())] {
        if let Some(json) = json {
            let value: serde_json::Value = serde_json::from_str(json.get()).unwrap_or_default();
            let _ = writeln!(text, "\n{name}\n{}", serde_json::to_string_pretty(&value).unwrap_or_default());
        }
    }
    let _ = writeln!(text, "\nevents");
    for event in &document.events {
        let _ = writeln!(text, "{}", plain(&event_in_words(event)));
    }
    text
}

fn event_in_words(event: &EventView) -> String {
    let mut line = format!("{:>8}  {}  {:<11}", event.seq, time(event.at), event.event);
    let mut add = |part: Option<String>| {
        if let Some(part) = part {
            line.push_str("  ");
            line.push_str(&part);
        }
    };
    add(event.attempt.map(|n| format!("attempt {n}")));
    add(event.status.map(|status| format!("HTTP {status}")));
    add(event.code.clone());
    add(event.remote_id.as_ref().map(|id| format!("id {id}")));
    add(event.document_number.as_ref().map(|number| format!("number {number}")));
    add(event.how.as_ref().map(|how| format!("by {}", how.replace('_', " "))));
    add(event.why.clone());
    add(event.who.as_ref().map(|who| format!("({who})")));
    add(event.due_at.map(|due| format!("next {}", time(due))));
    for violation in &event.violations {
        add(Some(format!("[{violation}]")));
    }
    line
}
