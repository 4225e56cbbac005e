//! Who has the journal: nobody, then it is opened here, or an agent, then that is asked.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::answer::trouble_of_agent;
use crate::agent::client::{Client, Failed};
use crate::cli::config::Config;
use crate::cli::trouble::Trouble;
use crate::cli::{connect, runtime, trouble_of};
use crate::error::Error;
use crate::journal::JournalError;
use crate::queue::Queue;
use crate::view::Verified;

/// Pause before looking again who has the journal.
pub(super) const STEP: Duration = Duration::from_millis(50);

/// How often is looked when the holder says that it serves an agent: it may be opening a large journal, or closing it.
const FOR_AN_AGENT: u32 = 300;

/// And when it does not: another command is done in a moment.
const FOR_OTHERS: u32 = 10;

/// Where the journal is.
pub(super) enum At {
    Here(Queue),
    There(Client),
}

/// Opens the journal, or finds the agent that holds it: this with the queue, that with the client.
pub(super) fn locate(config: &Config, runtime: &Runtime) -> Result<At, Trouble> {
    let there = async |client: &Client| Ok(client.is_there().await.then(|| At::There(client.clone())));
    here_or_there(config, runtime, || connect::try_open(config, "").map(At::Here), there)
}

/// Reads the whole journal, wherever it is.
///
/// # Errors
/// As [`Access::open`](super::Access::open).
pub fn verify(config: &Config, here: impl Fn() -> Result<Verified, Error>) -> Result<Verified, Trouble> {
    let there = async |client: &Client| match client.verify().await {
        Ok(found) => Ok(Some(found)),
        Err(Failed::Gone(_)) => Ok(None),
        Err(failed) => Err(trouble_of_agent(&failed)),
    };
    here_or_there(config, &runtime()?, here, there)
}

/// Does it here, or while another has the journal, there. Nobody may answer (`None`): then it is looked again, for a while.
fn here_or_there<T>(
    config: &Config,
    runtime: &Runtime,
    here: impl Fn() -> Result<T, Error>,
    there: impl AsyncFn(&Client) -> Result<Option<T>, Trouble>,
) -> Result<T, Trouble> {
    let client = Client::new(connect::agent_place(config)?);
    let mut looked = 0;
    loop {
        let locked = match here() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Error::Journal(JournalError::Locked { holder, .. }) = &locked else { return Err(trouble_of(locked)) };
        if let Some(done) = runtime.block_on(there(&client))? {
            return Ok(done);
        }
        looked += 1;
        if looked >= if holder.contains(" run)") { FOR_AN_AGENT } else { FOR_OTHERS } {
            return Err(trouble_of(locked));
        }
        runtime.block_on(async { tokio::time::sleep(STEP).await });
    }
}
