//! The progress bar of `drain`, on a terminal only, and log lines that do not tear it.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::tell;
use super::trouble::Trouble;
use super::trouble_of;
use crate::domain::state::State;
use crate::queue::Queue;
use crate::view::StatusView;

/// How often the bar is brought up to date.
const STEP: Duration = Duration::from_millis(250);

/// The bar that log lines must not tear.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// How far `drain` is.
pub struct Progress {
    bar: ProgressBar,
    /// Documents that were on their way at the start.
    total: u64,
}

impl Progress {
    /// Draws the bar, if standard error is a terminal.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn start(queue: &Queue) -> Result<Progress, Trouble> {
        let total = on_the_way(&queue.status().map_err(trouble_of)?);
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {elapsed}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Ok(Progress { bar: BAR.get_or_init(|| bar).clone(), total })
    }

    /// Keeps the bar up to date; ends only with trouble of the journal.
    pub async fn follow(&mut self, queue: &Queue) -> Trouble {
        if self.bar.is_hidden() {
            return std::future::pending().await;
        }
        loop {
            let queue = queue.clone();
            match tokio::task::spawn_blocking(move || queue.status()).await {
                Ok(Ok(status)) => self.show(&status),
                Ok(Err(error)) => return trouble_of(error),
                Err(error) => return Trouble::new("dispatcher", error.to_string()),
            }
            tokio::time::sleep(STEP).await;
        }
    }

    fn show(&mut self, status: &StatusView) {
        let left = on_the_way(status);
        self.total = self.total.max(left);
        self.bar.set_length(self.total);
        self.bar.set_position(self.total - left);
        let shown: Vec<String> = status
            .counts
            .iter()
            .filter(|(state, n)| **n > 0 && !matches!(state, State::Registered | State::Cancelled))
            .map(|(state, n)| format!("{n} {}", state.name().replace('_', " ")))
            .collect();
        self.bar.set_message(shown.join(", "));
    }

    /// A line on standard error, above the bar.
    pub fn say(&self, text: &str) {
        self.bar.suspend(|| tell(text));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Documents for which the program still does something.
fn on_the_way(status: &StatusView) -> u64 {
    [State::Queued, State::Sending, State::InDoubt, State::Accepted]
        .iter()
        .filter_map(|state| status.counts.get(state))
        .sum()
}

/// Standard error for the log: what is written there goes above the bar. Never fails: a closed terminal stops no
/// delivery, and the log's own complaint about it would panic.
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = match BAR.get() {
            Some(bar) => bar.suspend(|| io::stderr().write_all(bytes)),
            None => io::stderr().write_all(bytes),
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
