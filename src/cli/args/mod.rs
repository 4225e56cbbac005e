//! What can be typed (CONTRACT.md 5). Values are parsed here; what they do is in the commands' own files.

mod decide;
mod provider;

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::document::Kind;
use crate::domain::id::AccountName;
use crate::domain::state::State;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::when::{Moment, Until};
use super::{duration, when};

pub use decide::{Cancel, Release, Resolve, Retry};
pub use provider::{Company, CompanyCommand, CompanySettings, Fetch, Receipts};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "staffetta",
    version,
    about = "An offline-first, durable store-and-forward queue for Italian fiscal documents",
    long_about = "An offline-first, durable store-and-forward queue for Italian fiscal documents: each one is kept \
        safe on this machine, sent when the network is there, and reaches the tax authority once.",
    after_help = "Examples:
  staffetta init                          a configuration for the sandbox, to begin with
  staffetta sandbox &                     the three providers, simulated on this machine
  staffetta enqueue day.jsonl             take documents: safe on disk when a line is printed
  staffetta drain                         send them, wait for the authority, say what is left
  staffetta status                        what waits, since when, and who must do something

Exit status: 0 done, 1 refused or not possible, 2 our trouble (one line says what to do), 3 something is left.",
    disable_help_subcommand = true,
    propagate_version = true,
    max_term_width = 110
)]
pub struct Cli {
    /// The configuration [default: $STAFFETTA_CONFIG, or staffetta.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// Print every result as one JSON object a line
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Say more on standard error; twice, still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// How the log on standard error is written: for people, or one JSON object a line [default: json with --json]
    #[arg(long, global = true, value_name = "text|json", value_enum, help_heading = "Everywhere")]
    pub log_format: Option<LogFormat>,
    #[command(subcommand)]
    pub command: Command,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs that collect logs.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented staffetta.toml for the sandbox; never overwrites
    #[command(after_help = "Examples:
  staffetta init
  staffetta init /etc/staffetta")]
    Init(Init),
    /// Take documents, one JSON object a line; each is safe on disk when its line is printed
    #[command(after_help = "Examples:
  staffetta enqueue day.jsonl
  till | staffetta --json enqueue
  echo '{\"kind\":\"void\",\"key\":\"v1\",\"parent\":\"till-1/000123\",\"body\":{}}' | staffetta enqueue -

Exit status: 0 all taken (a repeat of a known document is taken), 1 some refused. A bad line never stops the others.")]
    Enqueue(Enqueue),
    /// Dispatch until SIGINT or SIGTERM, then finish what is on the wire and stop; serves tills and other commands meanwhile
    #[command(after_help = "Examples:
  staffetta run
  curl --unix-socket journal/agent.sock http://localhost/v1/status
  staffetta -v --config /etc/staffetta/staffetta.toml run

A second signal stops at once: what was on the wire is then in doubt, and looked up at the next start.")]
    Run,
    /// Dispatch until nothing is left that the program can do alone, then say what is left
    #[command(after_help = "Examples:
  staffetta drain
  staffetta drain --for 30m
  staffetta drain --until 05:00

Exit status: 0 all registered or cancelled (or drafts that wait for their merchant), 3 something else is left.")]
    Drain(Drain),
    /// Counts, the oldest unsent document, blackout, holds, and what a person must do
    #[command(after_help = "Examples:
  staffetta status
  staffetta --json status | jq .counts

Exit status: 0, or 3 when a person is needed.")]
    Status,
    /// Documents, oldest first
    #[command(after_help = "Examples:
  staffetta list
  staffetta list --state held
  staffetta list --account shop-roma --kind return --since 2h --limit 20")]
    List(List),
    /// One document whole: body, totals, state, remote ids, family, every attempt and event
    #[command(after_help = "Examples:
  staffetta show till-3/2026-11-22/000123
  staffetta --json show till-3/2026-11-22/000123 | jq .remote

Exit status: 0, or 1 when no document has this key.")]
    Show(Show),
    /// Try held or waiting documents now; one in doubt is looked up, never sent again on hope
    #[command(after_help = "Examples:
  staffetta retry till-3/2026-11-22/000123
  staffetta retry k1 k2 k3 --reason 'the provider is back'

Exit status: 0, or 1 when one could not be retried (it says why).")]
    Retry(Retry),
    /// Call off documents that never left
    #[command(after_help = "Examples:
  staffetta cancel till-3/2026-11-22/000123 --reason 'wrong article'

Exit status: 0, or 1 when one could not be cancelled (it says why).")]
    Cancel(Cancel),
    /// Tell what you found out about a document that is in doubt or held
    #[command(after_help = "Examples:
  staffetta resolve k1 --accepted 6a0f3c1e9b7d2a4c5e6f7081 --reason 'seen in the portal'
  staffetta resolve k1 --not-accepted --reason 'asked the provider: never arrived'

--not-accepted sends the document again: be sure. Exit status: 0, or 1 when not possible.")]
    Resolve(Resolve),
    /// Lift a hold of an account or of one fiscal id of it
    #[command(after_help = "Examples:
  staffetta release shop-roma
  staffetta release shop-roma 12345678903 --reason 'configuration made at the provider'

Exit status: 0, or 1 when nothing is held there.")]
    Release(Release),
    /// Ask the provider for something about a document it has
    #[command(after_help = "Examples:
  staffetta fetch till-3/2026-11-22/000123 pdf -o receipt.pdf
  staffetta fetch taxfree-17 status
  staffetta fetch taxfree-17 note-pdf -o note.pdf")]
    Fetch(Fetch),
    /// The receipt provider's configurations of your companies
    #[command(after_help = "Examples:
  staffetta company list
  staffetta company show 12345678903
  staffetta company add 12345678903 --name 'Bar Roma srl' --email bar@example.com --receipts true
  staffetta company remove 12345678903 --account shop-roma")]
    Company(Company),
    /// The provider's own list of receipts, all pages
    #[command(after_help = "Examples:
  staffetta receipts shop-roma
  staffetta receipts shop-roma --status failed,retry --type sale
  staffetta --json receipts shop-milano --fiscal-id 01234567897 --limit 500")]
    Receipts(Receipts),
    /// Read the whole journal: checksums, hash chain, indexes against records
    #[command(after_help = "Examples:
  staffetta verify
  staffetta --json verify | jq .damage

Exit status: 0 sound, 2 damaged (it says what and where).")]
    Verify,
    /// Everything, for an archive or the emergency register
    #[command(after_help = "Examples:
  staffetta export > archive.jsonl
  staffetta export --format csv --since 2026-11-01 --until 2026-12-01 > november.csv")]
    Export(Export),
    /// Move what is done with into compressed archives that are still read, and shrink the index
    #[command(after_help = "Examples:
  staffetta archive --older-than 30d
  staffetta --json archive --older-than 12h

Exit status: 0, also when there is nothing to do; 2 when a damaged segment was left as it is.")]
    Archive(Archive),
    /// The three providers and the authority, simulated over HTTP, with faults on demand
    #[command(after_help = "Examples:
  staffetta sandbox
  staffetta sandbox --listen 127.0.0.1:0 --faults faults.json
  curl http://127.0.0.1:7070/_sandbox/ledger")]
    Sandbox(Sandbox),
    /// A shop's day in a minute, with an outage, lost answers and a crash; ends with what was lost or doubled
    #[command(after_help = "Examples:
  staffetta demo
  staffetta --json demo

Exit status: 0 only when nothing was lost and nothing doubled.")]
    Demo,
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder to write staffetta.toml into; made if it is not there
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// `enqueue`.
#[derive(Debug, Args)]
pub struct Enqueue {
    /// Files of JSON Lines; - or none: standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// `drain`.
#[derive(Debug, Args)]
pub struct Drain {
    /// Stop after this long, e.g. 30m
    #[arg(long = "for", value_name = "DURATION", value_parser = |text: &str| duration::parse(text).map_err(|e| e.to_string()))]
    pub for_: Option<Duration>,
    /// Stop at this Italian time, e.g. 05:00
    #[arg(long, value_name = "TIME", value_parser = when::until)]
    pub until: Option<Until>,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only in this state: queued, sending, in_doubt, accepted, registered, refused, failed, held, cancelled
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    pub account: Option<AccountName>,
    /// Only of this kind: receipt, return, void, draft, note_number
    #[arg(long, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Only sold (issued_at) at or after this moment: a time, an Italian day, or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    pub since: Option<Moment>,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The document's key
    pub key: String,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// One JSON object a line, or a table for a spreadsheet
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Only sold (issued_at) at or after this moment, as in list
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    pub since: Option<Moment>,
    /// Only sold (issued_at) before this moment
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    pub until: Option<Moment>,
}

/// What `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// The objects of `show`.
    #[default]
    Jsonl,
    /// A row a document.
    Csv,
}

/// `archive`.
#[derive(Debug, Args)]
pub struct Archive {
    /// Only what has been final for so long, e.g. 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = |text: &str| duration::parse_age(text).map_err(|_| AGE))]
    pub older_than: Duration,
}

/// What an age must be like.
const AGE: &str = "an age is written like 30d, 12h or 1d12h, and may be at most ten years";

/// `sandbox`.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// Where to listen; port 0: any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    pub listen: std::net::SocketAddr,
    /// A fault plan to begin with
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        let command = Cli::command();
        assert_eq!(command.get_subcommands().count(), 19);
        for sub in command.get_subcommands() {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("staffetta {}", sub.get_name());
            let shown =
                help.lines().any(|line| line.contains(&example) || line.contains(&format!(" {}", sub.get_name())));
            assert!(shown, "{}: {help}", sub.get_name());
        }
    }
}
