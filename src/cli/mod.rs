//! The command line: what is typed, what it does, what is printed, which status it exits with (CONTRACT.md 4, 5).

mod access;
mod archive;
mod args;
mod ask;
mod company;
mod config;
mod connect;
mod decide;
mod demo;
mod dispatch;
mod duration;
mod enqueue;
mod init;
mod list;
mod output;
mod people;
mod progress;
#[doc(hidden)]
pub mod raw;
mod salvage;
mod sandbox;
mod show;
mod signals;
mod status;
mod trouble;
mod verify;
mod when;

use std::io::IsTerminal;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use self::access::Access;
use self::args::{Cli, Command, LogFormat};
use self::config::Config;
use self::connect::with_accounts;
use self::output::{Output, tell};
use self::salvage::Wanted;
use self::trouble::Trouble;
use crate::clock::Clock;
use crate::error::Error;
use crate::journal::JournalError;

/// The code of the trouble with a journal that is damaged.
const DAMAGED: &str = "journal_damaged";

/// A command's exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exit(u8);

impl Exit {
    /// All is well.
    const DONE: Exit = Exit(0);
    /// Something was refused, unknown or not possible; it was said what.
    const REFUSED: Exit = Exit(1);
    /// Our trouble.
    const TROUBLE: Exit = Exit(2);
    /// Something is left for a person or for later.
    const LEFT: Exit = Exit(3);
}

/// The program: parses the command line, runs the command.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage(&error).0),
    };
    start_log(&cli);
    let mut out = Output::stdout(cli.json);
    let exit = run(&cli, &mut out).and_then(|exit| out.flush().map(|()| exit));
    ExitCode::from(match exit {
        Ok(exit) => exit.0,
        Err(trouble) => report(&trouble, &mut out).0,
    })
}

fn run(cli: &Cli, out: &mut Output) -> Result<Exit, Trouble> {
    let config = || config::load(cli.config.as_deref());
    match &cli.command {
        Command::Init(args) => init::run(args, cli.config.as_deref(), out),
        Command::Enqueue(args) => enqueue::run(args, || with_accounts(config()?), out),
        Command::Run => dispatch::run(&with_accounts(config()?)?, out),
        Command::Drain(args) => dispatch::drain(args, &with_accounts(config()?)?, out),
        Command::Status => with_journal(&config()?, |journal, now| status::run(journal, now, out)),
        Command::List(args) => looking(&config()?, Wanted::List(args), out),
        Command::Show(args) => looking(&config()?, Wanted::Show(args), out),
        Command::Retry(args) => with_journal(&config()?, |journal, _| decide::retry(args, journal, out)),
        Command::Cancel(args) => with_journal(&config()?, |journal, _| decide::cancel(args, journal, out)),
        Command::Resolve(args) => with_journal(&config()?, |journal, _| decide::resolve(args, journal, out)),
        Command::Release(args) => with_journal(&config()?, |journal, _| decide::release(args, journal, out)),
        Command::Fetch(args) => ask::fetch(args, &config()?, out),
        Command::Company(args) => company::run(args, &config()?, out),
        Command::Receipts(args) => ask::receipts(args, &config()?, out),
        Command::Verify => verify::run(&config()?, out),
        Command::Export(args) => looking(&config()?, Wanted::Export(args), out),
        Command::Archive(args) => archive::run(args, &config()?, out),
        Command::Sandbox(args) => sandbox::run(args, out),
        Command::Demo => demo::run(out),
    }
}

/// Opens the journal, or asks whoever serves it, does this, closes it in good order.
fn with_journal(
    config: &Config,
    act: impl FnOnce(&mut Access<'_>, DateTime<Utc>) -> Result<Exit, Trouble>,
) -> Result<Exit, Trouble> {
    closing(Access::open(config)?, act)
}

/// For commands that only look: of a journal too damaged to open, what is readable is still shown.
fn looking(config: &Config, wanted: Wanted<'_>, out: &mut Output) -> Result<Exit, Trouble> {
    let journal = match Access::open(config) {
        Ok(journal) => journal,
        Err(trouble) if trouble.code == DAMAGED => return salvage::run(config, &trouble, wanted, out),
        Err(trouble) => return Err(trouble),
    };
    closing(journal, |journal, now| match wanted {
        Wanted::List(args) => list::run(args, journal, now, out),
        Wanted::Show(args) => show::run(args, journal, out),
        Wanted::Export(args) => list::export(args, journal, now, out),
    })
}

fn closing(
    mut journal: Access<'_>,
    act: impl FnOnce(&mut Access<'_>, DateTime<Utc>) -> Result<Exit, Trouble>,
) -> Result<Exit, Trouble> {
    let result = act(&mut journal, connect::clock().now());
    let closed = journal.close();
    let exit = result?;
    closed.map(|()| exit)
}

/// A runtime for the commands that need a network.
fn runtime() -> Result<Runtime, Trouble> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Trouble::new("runtime", format!("no runtime can be made: {error}")))
}

/// An error of the library, as a command ends with it.
fn trouble_of(error: Error) -> Trouble {
    let (code, cure) = match &error {
        Error::Journal(JournalError::Locked { .. }) => ("journal_locked", "; stop it, or wait until it is done"),
        Error::Journal(JournalError::Damaged { .. }) => (DAMAGED, ""),
        Error::Journal(JournalError::Version { .. }) => ("journal_version", "; use that version"),
        Error::Journal(JournalError::Full { .. }) => ("disk_full", "; make room, then try again"),
        Error::Journal(JournalError::Poisoned { .. }) => ("journal", "; see to the disk, then start again"),
        Error::Journal(JournalError::Io { source, .. }) => ("journal", refused_by_the_system(source.kind())),
        Error::Journal(_) => ("journal", ""),
        Error::Dispatcher(_) => ("dispatcher", ""),
        Error::Rejected(_) | Error::UnknownKey(_) => ("refused", ""),
    };
    Trouble::new(code, format!("{error}{cure}"))
}

/// What to do where the system refused a file or folder of the journal.
fn refused_by_the_system(kind: std::io::ErrorKind) -> &'static str {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            "; the journal is a folder: name another path under [journal] in the configuration"
        }
        ErrorKind::PermissionDenied => "; let this user write in the journal's folder, or run this as its owner",
        ErrorKind::ReadOnlyFilesystem => {
            "; the disk cannot be written: make it writable, or name another path under [journal] in the configuration"
        }
        _ => "; see to the disk, then try again",
    }
}

/// Says what is wrong: one line on standard error, with `--json` also one object.
fn report(trouble: &Trouble, out: &mut Output) -> Exit {
    tell(trouble);
    if out.is_json() {
        let object = json!({"error": {"code": trouble.code, "message": trouble.message}});
        let _ = out.object(&object).and_then(|()| out.flush()); // nothing is left to say it with
    }
    Exit::TROUBLE
}

/// clap's own words for help, version and mistyped commands.
fn usage(error: &clap::Error) -> Exit {
    let _ = error.print(); // nothing is left to say it with
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::DONE,
        _ => {
            if std::env::args_os().any(|arg| arg == "--json") {
                let text = error.to_string();
                let message = text.lines().next().unwrap_or_default();
                let message = message.strip_prefix("error: ").unwrap_or(message);
                let mut out = Output::stdout(true);
                let object = json!({"error": {"code": "usage", "message": message}});
                let _ = out.object(&object).and_then(|()| out.flush()); // as above
            }
            Exit::TROUBLE
        }
    }
}

/// Logs go to standard error; what other crates say only at the highest level.
fn start_log(cli: &Cli) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let (own, others) = match cli.verbose {
        0 => (LevelFilter::WARN, LevelFilter::OFF),
        1 => (LevelFilter::INFO, LevelFilter::WARN),
        2 => (LevelFilter::DEBUG, LevelFilter::INFO),
        _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let targets = Targets::new().with_default(others).with_target("staffetta", own);
    // Colours for eyes only: in a file or a pipe their codes break every search.
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let layer = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(|| progress::LogWriter);
    let registry = tracing_subscriber::registry().with(targets);
    let json = cli.log_format.map_or(cli.json, |format| format == LogFormat::Json);
    let started = if json { registry.with(layer.json()).try_init() } else { registry.with(layer).try_init() };
    if let Err(error) = started {
        tell(format_args!("no log: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error as IoError, ErrorKind};
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_the_system_refuses_is_told_with_what_to_do() {
        for (kind, cure) in [
            (ErrorKind::PermissionDenied, "let this user write in the journal's folder"),
            (ErrorKind::ReadOnlyFilesystem, "name another path under [journal]"),
            (ErrorKind::NotADirectory, "the journal is a folder"),
            (ErrorKind::Other, "see to the disk"),
        ] {
            let source = Arc::new(IoError::from(kind));
            let error = JournalError::Io { what: "make", path: PathBuf::from("journal"), source };
            let trouble = trouble_of(error.into());
            assert!(trouble.message.contains(cure), "{kind}: {trouble}");
        }
    }
}
