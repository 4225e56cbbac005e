//! The command line: what is typed, what it does, what is printed, which status it exits with (CONTRACT.md 4, 5).

mod args;
mod config;
mod duration;
mod enqueue;
mod init;
mod lines;
mod output;
mod trouble;
mod when;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;

use args::{Cli, Command};
use output::Output;
use trouble::Trouble;

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
        Command::Enqueue(args) => enqueue::run(args, || open(&config()?), out),
        _ => Err(Trouble::usage("not built yet")),
    }
}

fn open(_config: &config::Config) -> Result<crate::queue::Queue, Trouble> {
    Ok(crate::queue::Queue)
}

/// An error of the library, as a command ends with it.
fn trouble_of(error: crate::error::Error) -> Trouble {
    Trouble::new("journal", error.to_string())
}

/// Says what is wrong: one line on standard error, with `--json` also one object.
fn report(trouble: &Trouble, out: &mut Output) -> Exit {
    eprintln!("staffetta: {trouble}");
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
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(targets);
    let started = if cli.json { registry.with(layer.json()).try_init() } else { registry.with(layer).try_init() };
    if let Err(error) = started {
        eprintln!("staffetta: no log: {error}");
    }
}
