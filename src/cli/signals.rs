//! SIGINT and SIGTERM, as often as they come.

use super::trouble::Trouble;

/// Listens from the moment it is made: a signal that comes before anybody waits for it is not lost.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Begins to listen. Needs a running runtime.
    ///
    /// # Errors
    /// [`Trouble`] `signals`, when the system does not let us.
    pub fn listen() -> Result<Signals, Trouble> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| {
                signal(kind).map_err(|error| Trouble::new("signals", format!("signals cannot be received: {error}")))
            };
            Ok(Signals { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
        }
        #[cfg(not(unix))]
        Ok(Signals {})
    }

    /// Waits for the next one and gives its name.
    pub async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await; // no signal can come
            }
            "Ctrl-C"
        }
    }
}
