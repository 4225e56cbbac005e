//! What a configuration means: every value judged once, with file and line in the error.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::calendar::Window;
use crate::domain::retry::Backoff;
use toml::Spanned;

use super::account::{AccountReader, ConfiguredAccount};
use super::secret::SecretSource;
use super::{Source, typed};
use crate::cli::duration;
use crate::cli::trouble::Trouble;

/// The configuration, sound.
#[derive(Debug)]
pub struct Config {
    /// Where it was read.
    pub path: PathBuf,
    /// The folder of the journal.
    pub journal: PathBuf,
    /// `[dispatch]`.
    pub dispatch: Dispatch,
    /// `[agent]`.
    pub agent: Agent,
    /// `[[account]]`, in the file's order; names are unique.
    pub accounts: Vec<ConfiguredAccount>,
}

/// `[dispatch]`, with the defaults of CONTRACT.md 4.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// Requests at once, over all accounts.
    pub in_flight: u32,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// For the whole answer.
    pub answer_timeout: Duration,
    /// How long the first submissions after a blackout are spread.
    pub blackout_spread: Duration,
    /// Delays between attempts.
    pub backoff: Backoff,
    /// How long after an attempt a look-up that finds nothing begins to count.
    pub settle: Duration,
    /// First and longest delay between questions about a verdict.
    pub track: (Duration, Duration),
}

/// `[agent]`.
#[derive(Debug, Clone)]
pub struct Agent {
    /// A loopback address, where a socket file will not do.
    pub listen: Option<SocketAddr>,
    /// Its bearer token.
    pub token: SecretSource,
}

/// The file of the agent's token when nobody names one.
const TOKEN: &str = "agent.token";
/// The longest time-out taken: beyond an hour nothing would be sent from 22:55 on.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// Judges what was typed.
pub(super) fn judge(source: &Source<'_>, typed: typed::File) -> Result<Config, Trouble> {
    let folder = match source.path.parent() {
        Some(folder) => folder,
        None => Path::new(""),
    };
    let journal = match &typed.journal.path {
        Some(path) if path.get_ref().is_empty() => {
            return Err(source.at(path.span().start, "the journal's path is empty: name a folder"));
        }
        Some(path) => folder.join(path.get_ref()),
        None => folder.join("journal"),
    };
    let everywhere = typed.dispatch.blackout.as_ref().map(|text| window(source, text)).transpose()?;
    let dispatch = dispatch(source, typed.dispatch)?;
    let agent = agent(source, typed.agent, folder)?;
    let mut accounts: Vec<ConfiguredAccount> = Vec::with_capacity(typed.account.len());
    for spanned in typed.account {
        let judged = AccountReader { source, span: spanned.span(), folder, everywhere }.read(spanned.into_inner())?;
        let ConfiguredAccount { account, .. } = &judged.0;
        if accounts.iter().any(|known| known.account.name == account.name) {
            let what = format!("a second account has the name {}: give each its own", account.name);
            return Err(source.at(judged.1, &what));
        }
        accounts.push(judged.0);
    }
    Ok(Config { path: source.path.to_owned(), journal, dispatch, agent, accounts })
}

fn dispatch(source: &Source<'_>, typed: typed::Dispatch) -> Result<Dispatch, Trouble> {
    let span = |name: &str, text: &Option<Spanned<String>>, default: Duration, range: Range<Duration>| match text {
        None => Ok(default),
        Some(text) => {
            let wrong =
                |what: String| source.at(text.span().start, &format!("{name} = \"{}\": {what}", text.get_ref()));
            let duration = duration::parse(text.get_ref()).map_err(|error| wrong(error.to_string()))?;
            if range.contains(&duration) {
                return Ok(duration);
            }
            let (least, below) = (duration::show(range.start), duration::show(range.end));
            Err(wrong(format!("it must be at least {least} and less than {below}")))
        }
    };
    let (ms, year) = (Duration::from_millis(1), Duration::from_secs(366 * 24 * 3600));
    let timeout = ms..LONGEST_TIMEOUT + ms;
    let any = Duration::ZERO..year;
    let in_flight = match &typed.in_flight {
        None => 8,
        Some(n) if (1..=1024).contains(n.get_ref()) => *n.get_ref(),
        Some(n) => return Err(source.at(n.span().start, "in_flight must be 1 to 1024 requests at once")),
    };
    let secs = Duration::from_secs;
    let connect_timeout = span("connect_timeout", &typed.connect_timeout, secs(5), timeout.clone())?;
    let answer_timeout = span("answer_timeout", &typed.answer_timeout, secs(30), timeout)?;
    let blackout_spread = span("blackout_spread", &typed.blackout_spread, secs(90), Duration::ZERO..secs(4 * 3600))?;
    let settle = span("settle", &typed.settle, secs(120), Duration::ZERO..secs(24 * 3600))?;
    let mut backoff = Backoff::default();
    if let Some(typed) = &typed.backoff {
        backoff.initial = span("initial", &typed.initial, backoff.initial, ms..year)?;
        backoff.max = span("max", &typed.max, backoff.max.max(backoff.initial), ms..year)?;
        backoff.factor = number(source, "factor", &typed.factor, backoff.factor, 1.0, 100.0)?;
        backoff.jitter = number(source, "jitter", &typed.jitter, backoff.jitter, 0.0, 1.0)?;
        ordered(source, backoff.initial, backoff.max, typed.max.as_ref().or(typed.initial.as_ref()))?;
    }
    let mut track = (secs(5), secs(3600));
    if let Some(typed) = &typed.track {
        track.0 = span("initial", &typed.initial, track.0, ms..year)?;
        track.1 = span("max", &typed.max, track.1.max(track.0), any)?;
        ordered(source, track.0, track.1, typed.max.as_ref().or(typed.initial.as_ref()))?;
    }
    Ok(Dispatch { in_flight, connect_timeout, answer_timeout, blackout_spread, backoff, settle, track })
}

fn ordered(source: &Source<'_>, initial: Duration, max: Duration, at: Option<&Spanned<String>>) -> Result<(), Trouble> {
    match at {
        Some(at) if initial > max => {
            let (initial, max) = (duration::show(initial), duration::show(max));
            Err(source.at(at.span().start, &format!("max ({max}) must not be shorter than initial ({initial})")))
        }
        _ => Ok(()),
    }
}

fn number(
    source: &Source<'_>,
    name: &str,
    typed: &Option<Spanned<f64>>,
    default: f64,
    least: f64,
    most: f64,
) -> Result<f64, Trouble> {
    match typed {
        None => Ok(default),
        Some(value) if (least..=most).contains(value.get_ref()) => Ok(*value.get_ref()),
        Some(value) => {
            let what = format!("{name} = {}: it must be between {least} and {most}", value.get_ref());
            Err(source.at(value.span().start, &what))
        }
    }
}

pub(super) fn window(source: &Source<'_>, text: &Spanned<String>) -> Result<Window, Trouble> {
    text.get_ref().parse().map_err(|error| {
        let what = format!("blackout = \"{}\": {error}: write \"23:55-00:00\" or \"none\"", text.get_ref());
        source.at(text.span().start, &what)
    })
}

fn agent(source: &Source<'_>, typed: Option<typed::Agent>, folder: &Path) -> Result<Agent, Trouble> {
    let typed = typed.unwrap_or_default();
    let listen = match &typed.listen {
        None => None,
        Some(text) => match text.get_ref().parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Some(address),
            _ => {
                let what = "listen must be a loopback address with a port, like \"127.0.0.1:7071\"";
                return Err(source.at(text.span().start, what));
            }
        },
    };
    let token = typed.token.map_or_else(|| SecretSource::File(TOKEN.into()), Spanned::into_inner);
    Ok(Agent { listen, token: token.in_folder(folder) })
}
