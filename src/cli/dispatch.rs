//! `staffetta run` and `staffetta drain`: the dispatcher, until a signal, the end of the work, or the end of the time.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::access::Access;
use super::config::Config;
use super::output::{self, Output, plain, table, tell};
use super::people::count;
use super::progress::Progress;
use super::signals::Signals;
use super::trouble::Trouble;
use super::{Exit, args, connect, runtime, trouble_of};
use crate::agent::{Listening, StartError};
use crate::clock::Clock;
use crate::dispatcher::Dispatcher;
use crate::domain::document::Kind;
use crate::domain::state::State;
use crate::queue::Queue;
use crate::view::{Left, ListFilter, StatusView, Summary};

/// Documents asked of the queue at once.
const PAGE: usize = 1_000;
/// The longest sleep towards a time on the clock: a clock that was set is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// `run`.
///
/// # Errors
/// [`Trouble`] when the journal cannot be opened or written, or an account cannot be set up.
pub fn run(config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    let accounts = connect::managed(config)?;
    let queue = connect::open(config, "run")?;
    let served = count(accounts.len() as u64, "account");
    let result = runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let listening = Listening::start(connect::agent_options(config)?);
        let listening = listening.map_err(|error| cannot_serve(&error))?;
        let place = match listening.address() {
            Some(address) => format!("http://{address} and in {}", config.journal.display()),
            None => config.journal.display().to_string(),
        };
        let dispatcher = Dispatcher::start_apart(&queue, accounts, connect::settings(config)).map_err(trouble_of)?;
        let dispatcher = Arc::new(dispatcher);
        let agent = listening.serve(&queue, Some(Arc::clone(&dispatcher)));
        tell(format_args!("dispatching for {served}, serving at {place}; SIGINT or SIGTERM stops"));
        let ended = tokio::select! {
            signal = signals.next() => {
                tell(format_args!("{signal}: finishing what is on the wire; a second signal stops at once"));
                stop(&dispatcher, &mut signals).await
            }
            () = dispatcher.ended() => {
                Err(Trouble::new("dispatcher", "the dispatcher stopped by itself: see the log, then start again"))
            }
        };
        // Last, so that tills are served for as long as the journal is held.
        agent.stop().await;
        ended
    });
    // The journal's own trouble says more than that the dispatcher ended for it.
    queue.close().map_err(trouble_of)?;
    result?;
    if out.is_json() {
        out.object(&serde_json::json!({"stopped": true}))?;
    }
    Ok(Exit::DONE)
}

/// What `drain` ends with.
#[derive(Debug, Default, Serialize)]
struct Report {
    registered: u64,
    cancelled: u64,
    /// What is neither registered nor cancelled nor a draft that waits for its merchant.
    left: Vec<Left>,
    /// Drafts that wait for their merchant.
    waiting: Vec<Left>,
}

/// `drain`.
///
/// # Errors
/// As [`run`].
pub fn drain(args: &args::Drain, config: &Config, out: &mut Output) -> Result<Exit, Trouble> {
    let clock = connect::clock();
    let now = clock.now();
    let until = [args.for_.map(|length| after(now, length)), args.until.map(|until| until.instant(now))];
    let until = until.into_iter().flatten().min();
    let queue = match Access::open(config)?.into_queue() {
        Ok(queue) => queue,
        Err(agent) => match beside(*agent, &*clock, until, out)? {
            Beside::Done(exit) => return Ok(exit),
            Beside::Free(queue) => queue,
        },
    };
    let accounts = connect::managed(config)?;
    let result = runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let mut progress = Progress::start(&queue)?;
        let dispatcher = Dispatcher::start_apart(&queue, accounts, connect::settings(config)).map_err(trouble_of)?;
        let why = tokio::select! {
            () = dispatcher.drained() => None,
            () = reached(&*clock, until) => Some("the time is up".to_owned()),
            signal = signals.next() => Some(signal.to_string()),
            trouble = progress.follow(&queue) => return Err(trouble),
        };
        if let Some(why) = why {
            progress.say(&format!("{why}: finishing what is on the wire"));
        }
        let stopped = stop(&dispatcher, &mut signals).await;
        progress.finish();
        stopped
    });
    let status = queue.status().map_err(trouble_of);
    let report = status.and_then(|status| report(status, &mut |filter| queue.list(filter).map_err(trouble_of)));
    let closed = queue.close().map_err(trouble_of);
    result?;
    let report = report?;
    closed?;
    end(&report, out)
}

fn end(report: &Report, out: &mut Output) -> Result<Exit, Trouble> {
    print(report, out)?;
    Ok(if report.left.is_empty() { Exit::DONE } else { Exit::LEFT })
}

fn cannot_serve(error: &StartError) -> Trouble {
    let cure = match error {
        StartError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            ": who else listens there? Stop it, or name another address with `listen` under [agent] in the configuration"
        }
        StartError::Listen { .. } => ": name another address with `listen` under [agent] in the configuration",
        StartError::Socket { .. } => ": let this user write in the journal's folder",
        StartError::NotLoopback(_) => "",
    };
    Trouble::new("agent", format!("{error}{cure}"))
}

/// What became of waiting beside an agent.
enum Beside {
    Done(Exit),
    /// It went away: this process has the journal now.
    Free(Queue),
}

/// `drain` while somebody else dispatches: waits until that one has nothing left to do.
fn beside(
    mut journal: Access<'_>,
    clock: &dyn Clock,
    until: Option<DateTime<Utc>>,
    out: &mut Output,
) -> Result<Beside, Trouble> {
    loop {
        let went_away = journal.wait_beside(async |agent| {
            let mut signals = Signals::listen()?;
            tokio::select! {
                drained = agent.settled() => return Ok(!drained),
                () = reached(clock, until) => tell("the time is up: the agent goes on"),
                signal = signals.next() => tell(format_args!("{signal}: the agent goes on")),
            }
            Ok(false)
        })?;
        if went_away {
            journal = match journal.again()?.into_queue() {
                Ok(queue) => return Ok(Beside::Free(queue)),
                Err(agent) => *agent,
            };
            continue;
        }
        let status = journal.status()?;
        let report = report(status, &mut |filter| journal.list(filter))?;
        return end(&report, out).map(Beside::Done);
    }
}

/// Lets the dispatcher finish what is on the wire; a second signal stops it at once.
async fn stop(dispatcher: &Dispatcher, signals: &mut Signals) -> Result<(), Trouble> {
    dispatcher.ask_to_stop(false);
    tokio::select! {
        () = dispatcher.ended() => {}
        signal = signals.next() => {
            tell(format_args!("{signal}: stopped; what was on the wire is in doubt and looked up at the next start"));
            dispatcher.ask_to_stop(true);
            dispatcher.ended().await;
        }
    }
    Ok(())
}

/// Waits for a time on the clock, which may be set meanwhile; for ever, if there is none.
async fn reached(clock: &dyn Clock, until: Option<DateTime<Utc>>) {
    let Some(until) = until else { return std::future::pending().await };
    while let Ok(left) = until.signed_duration_since(clock.now()).to_std() {
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
    }
}

fn after(now: DateTime<Utc>, length: Duration) -> DateTime<Utc> {
    let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Everything that is in the journal now.
fn report(
    status: StatusView,
    list: &mut dyn FnMut(&ListFilter) -> Result<Vec<Summary>, Trouble>,
) -> Result<Report, Trouble> {
    let counts = status.counts;
    let counted = |state: State| counts.get(&state).copied().unwrap_or_default();
    let mut report =
        Report { registered: counted(State::Registered), cancelled: counted(State::Cancelled), ..Report::default() };
    for state in State::ALL {
        if matches!(state, State::Registered | State::Cancelled) {
            continue;
        }
        let mut filter = ListFilter { state: Some(state), limit: Some(PAGE), ..ListFilter::default() };
        loop {
            let page = list(&filter)?;
            filter.after = page.last().and_then(|last| last.id.parse().ok());
            let full = page.len() == PAGE;
            for document in page {
                let waits = document.kind == Kind::Draft && document.state == State::Accepted;
                let reason = document.reason.filter(|reason| !reason.is_empty());
                let reason = reason.unwrap_or_else(|| default_reason(document.state, waits).to_owned());
                let left = Left { key: document.key, state: document.state, reason };
                if waits { report.waiting.push(left) } else { report.left.push(left) }
            }
            if !full || filter.after.is_none() {
                break;
            }
        }
    }
    Ok(report)
}

fn default_reason(state: State, waits: bool) -> &'static str {
    match state {
        _ if waits => "waits for its merchant to complete it",
        State::Queued => "not sent yet",
        State::Sending => "was being sent",
        State::InDoubt => "the provider may or may not have it",
        State::Accepted => "the authority has not answered yet",
        State::Refused => "the provider refused it",
        State::Failed => "it failed at the authority",
        State::Held => "a person must decide",
        State::Registered | State::Cancelled => "",
    }
}

fn print(report: &Report, out: &mut Output) -> Result<(), Trouble> {
    if out.is_json() {
        return out.object(report);
    }
    let (left, waiting) = (report.left.len(), report.waiting.len());
    out.line(format_args!(
        "{} registered, {} cancelled, {left} left{}",
        report.registered,
        report.cancelled,
        if waiting > 0 { format!(", {waiting} waiting for the merchant") } else { String::new() }
    ))?;
    if left + waiting == 0 {
        return Ok(());
    }
    let mut table = table(&["key", "state", "reason"]);
    for Left { key, state, reason } in report.left.iter().chain(&report.waiting) {
        table.add_row([key.as_str(), state.name(), &plain(reason)]);
    }
    out.line(output::text(table))
}
