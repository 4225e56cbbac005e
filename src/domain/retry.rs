//! How long to wait before the next attempt: a pure function of the attempt number, so that it survives a restart.

use std::time::Duration;

/// Exponential delays with jitter. The growth is computed by the `backoff` crate with its randomness switched off; the
/// jitter comes from a hash of document and attempt, so that it can be repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first delay.
    pub initial: Duration,
    /// How much longer each next one is.
    pub factor: f64,
    /// The longest.
    pub max: Duration,
    /// 0.5: between half and one and a half of the computed delay; never more than `max`.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { initial: Duration::from_secs(5), factor: 2.0, max: Duration::from_secs(15 * 60), jitter: 0.5 }
    }
}

impl Backoff {
    /// The delay after the `attempt`-th failure (from 1), for the document or account `who`.
    pub fn delay(&self, attempt: u32, who: u64) -> Duration {
        let _ = (attempt, who);
        todo!("domain helper")
    }
}
