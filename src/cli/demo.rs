//! `staffetta demo`: a shop's day in a minute, on real files and over real HTTP: an outage, lost answers, a process
//! killed while sending; at the end, what was lost and what was doubled.

mod tally;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::config::{self, Config};
use super::output::{Output, table};
use super::trouble::Trouble;
use super::{Exit, connect, trouble_of};
use crate::dispatcher::Dispatcher;
use crate::domain::account::ProviderKind;
use crate::domain::line;
use crate::domain::state::State;
use crate::error::Error;
use crate::queue::Queue;
use crate::sandbox::{Blackout, Call, Delay, Ending, Fault, FaultPlan, Rule, Sandbox, Settings};
use crate::view::{ListFilter, Summary};
use tally::{Tally, tally};

/// The shop's day: the file that ships in `examples/`.
const DAY: &str = include_str!("../../examples/shop-day.jsonl");
/// The shop's configuration; `{sandbox}` stands for the sandbox's address.
const CONFIG: &str = include_str!("demo/staffetta.toml");
/// Answers that are lost, of a million.
const LOST_ANSWERS: u32 = 300_000;
/// Requests that the process that is killed gets through before.
const REQUESTS_BEFORE_THE_KILL: usize = 25;
/// The longest wait for anything: past it the demo counts what there is.
const PATIENCE: Duration = Duration::from_secs(180);

/// Tells the story and counts what was lost or doubled.
///
/// # Errors
/// [`Trouble`] when the demo itself cannot run.
pub fn run(out: &mut Output) -> Result<Exit, Trouble> {
    let folder = Folder::new()?;
    let result = super::runtime()?.block_on(story(out, &folder.path));
    let tally = result?;
    let good = tally.lost == 0 && tally.doubled == 0;
    print(&tally, out)?;
    Ok(if good { Exit::DONE } else { Exit::REFUSED })
}

async fn story(out: &mut Output, folder: &Path) -> Result<Tally, Trouble> {
    // The merchant completes each draft at once: what waits for him would end the story without its notes.
    let merchant_delay = Delay::After(Duration::ZERO);
    let settings = Settings { blackout: Blackout::Off, merchant_delay, ..Settings::default() };
    let sandbox = Sandbox::start(settings).map_err(|error| trouble("the sandbox cannot start", &error))?;
    let config = configure(folder, &sandbox.base_url())?;
    let lines: Vec<&str> = DAY.lines().filter(|line| !line.trim().is_empty()).collect();
    let (morning, rest) = lines.split_at(lines.len() / 3);
    let (noon, evening) = rest.split_at(rest.len() / 2);
    let mut taken = BTreeSet::new();
    let mut refused = 0;

    say(out, format_args!("08:00  the shop opens; its journal is in {}", folder.join("journal").display()))?;
    let queue = connect::open(&config, "demo")?;
    let dispatcher = start(&queue, &config)?;
    refused += sell(out, &queue, morning, &mut taken)?;
    wait(dispatcher.drained()).await;
    say(out, format_args!("11:00  {}: the line is good, everything is at the authority", states(&queue)?))?;

    sandbox.go_offline().await;
    say(out, "11:01  the network is gone; the tills go on selling")?;
    refused += sell(out, &queue, noon, &mut taken)?;
    say(out, format_args!("13:00  {}: what was taken is safe on disk", states(&queue)?))?;
    wait(dispatcher.stop()).await;
    queue.close().map_err(trouble_of)?;
    drop(queue);

    let plan = lost_answers();
    sandbox.set_faults(plan).map_err(|error| trouble("the fault plan", &error))?;
    sandbox.go_online().await.map_err(|error| trouble("the sandbox cannot listen again", &error))?;
    let before = sandbox.requests().len();
    let mut child = dispatch_in_a_process(folder)?;
    say(
        out,
        "13:01  the network is back, but 30% of the answers to submissions are lost; a process of its own delivers",
    )?;
    wait(requests(&sandbox, before + REQUESTS_BEFORE_THE_KILL, &mut child)).await;
    child.kill().and_then(|()| child.wait()).map_err(|error| trouble("the process cannot be killed", &error))?;
    let queue = connect::open(&config, "demo")?;
    let interrupted = queue.recovery().interrupted.len();
    say(
        out,
        format_args!(
            "13:02  that process was killed (kill -9); the queue is open again: {}, {interrupted} were on the wire at that moment",
            states(&queue)?
        ),
    )?;

    let dispatcher = start(&queue, &config)?;
    refused += sell(out, &queue, evening, &mut taken)?;
    say(out, "19:30  the shop closes; in doubt means looked up, never sent again on hope")?;
    wait(dispatcher.drained()).await;
    say(out, format_args!("19:31  {}", states(&queue)?))?;
    wait(dispatcher.stop()).await;
    let documents = documents(&queue)?;
    for document in documents.iter().filter(|document| document.state.needs_person()) {
        let reason = document.reason.as_deref().unwrap_or_default();
        say(out, format_args!("       {} is {}: {reason}", document.key, document.state))?;
    }
    queue.close().map_err(trouble_of)?;
    let result = tally(&taken, refused, &documents, &sandbox.ledger());
    sandbox.stop().await;
    Ok(result)
}

/// Of the submissions, 30% get no answer: half of those were processed, half were not. Of notes and cancels only such
/// answers are lost as were processed: one that never arrived is a person's to decide, and this story has none.
fn lost_answers() -> FaultPlan {
    let mut plan = FaultPlan { seed: 42, ..FaultPlan::default() };
    for provider in [ProviderKind::Openapi, ProviderKind::SmartReceipt, ProviderKind::Stamp] {
        for call in [Call::Submit, Call::Return, Call::Void, Call::Draft, Call::Note, Call::Cancel] {
            let after = Rule::new(Fault::DropAfter(Ending::Reset)).provider(provider).call(call);
            if matches!(call, Call::Note | Call::Cancel) {
                plan.rules.push(Rule { per_million: LOST_ANSWERS, ..after });
                continue;
            }
            let before = Rule::new(Fault::DropBefore(Ending::Reset)).provider(provider).call(call);
            plan.rules.push(Rule { per_million: LOST_ANSWERS / 2, ..after });
            plan.rules.push(Rule { per_million: LOST_ANSWERS / 2, ..before });
        }
    }
    plan
}

fn configure(folder: &Path, base_url: &str) -> Result<Config, Trouble> {
    let path = folder.join(config::FILE_NAME);
    std::fs::write(&path, CONFIG.replace("{sandbox}", base_url))
        .map_err(|error| trouble("the configuration cannot be written", &error))?;
    config::load(Some(&path))
}

fn start(queue: &Queue, config: &Config) -> Result<Dispatcher, Trouble> {
    Dispatcher::start_with(queue, connect::managed(config)?, connect::settings(config)).map_err(trouble_of)
}

/// Enqueues lines as a till does, and tells those that are refused; returns how many.
fn sell(out: &mut Output, queue: &Queue, lines: &[&str], taken: &mut BTreeSet<String>) -> Result<usize, Trouble> {
    let mut refused = 0;
    for text in lines {
        let result = match line::parse(text.as_bytes()) {
            Ok(document) => queue.take(document).map_err(|error| match error {
                Error::Rejected(rejection) => Ok(rejection.to_string()),
                other => Err(trouble_of(other)),
            }),
            Err(error) => Err(Ok(error.message)),
        };
        match result {
            Ok(ticket) => {
                taken.insert(ticket.key);
            }
            Err(Err(trouble)) => return Err(trouble),
            Err(Ok(why)) => {
                refused += 1;
                let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                say(out, format_args!("       refused at the till, before anything is written: {why}"))?;
            }
        }
    }
    Ok(refused)
}

fn documents(queue: &Queue) -> Result<Vec<Summary>, Trouble> {
    queue.list(&ListFilter::default()).map_err(trouble_of)
}

/// `12 registered, 3 in_doubt`.
fn states(queue: &Queue) -> Result<String, Trouble> {
    let counts = queue.status().map_err(trouble_of)?.counts;
    let parts: Vec<String> = State::ALL
        .into_iter()
        .filter_map(|state| counts.get(&state).filter(|count| **count > 0).map(|count| format!("{count} {state}")))
        .collect();
    Ok(parts.join(", "))
}

/// A process of its own that delivers, to be killed.
fn dispatch_in_a_process(folder: &Path) -> Result<Child, Trouble> {
    let program = std::env::current_exe().map_err(|error| trouble("this program's file is not known", &error))?;
    Command::new(program)
        .arg("--config")
        .arg(folder.join(config::FILE_NAME))
        .arg("run")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| trouble("no process can be started", &error))
}

/// Waits until the sandbox has seen so many requests, or the process is gone.
async fn requests(sandbox: &Sandbox, wanted: usize, child: &mut Child) {
    while sandbox.requests().len() < wanted && matches!(child.try_wait(), Ok(None)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits, but not for ever: what is not through then is counted as it is.
async fn wait<T>(work: impl Future<Output = T>) {
    if tokio::time::timeout(PATIENCE, work).await.is_err() {
        tracing::warn!("the demo waited long enough and goes on");
    }
}

fn say(out: &mut Output, text: impl std::fmt::Display) -> Result<(), Trouble> {
    if out.is_json() {
        super::output::tell(text);
        return Ok(());
    }
    out.line(text)?;
    out.flush()
}

fn print(tally: &Tally, out: &mut Output) -> Result<(), Trouble> {
    if out.is_json() {
        return out.object(tally);
    }
    let mut table = table(&["enqueued", "registered", "cancelled", "waiting", "held", "refused", "lost", "doubled"]);
    let Tally { enqueued, registered, cancelled, waiting, held, refused, lost, doubled } = tally;
    table.add_row([enqueued, registered, cancelled, waiting, held, refused, lost, doubled]);
    out.line(super::output::text(table))
}

fn trouble(what: &str, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new("demo", format!("{what}: {error}"))
}

/// A folder of the demo's own, removed at the end.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Folder, Trouble> {
        let path = std::env::temp_dir().join(format!("staffetta-demo-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path).map_err(|error| trouble("no folder can be made for the demo", &error))?;
        Ok(Folder { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::debug!(%error, "the demo's folder stays");
        }
    }
}
