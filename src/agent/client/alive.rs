//! An agent that has stopped in its tracks (suspended, or its disk gone) is not waited for: while an answer takes its time,
//! it is asked now and then whether it lives.

use std::pin::pin;
use std::time::Duration;

use axum::http::Method;

use super::{Client, Failed, Place};

/// How long an answer may take before it is asked, and then how long it may take to say yes: any load gives that much.
const DOUBT: Duration = Duration::from_secs(10);

impl Client {
    /// What this call comes to, as long as the agent lives.
    pub(super) async fn while_alive<T>(&self, call: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        let mut call = pin!(call);
        loop {
            tokio::select! {
                biased;
                done = &mut call => return done,
                () = tokio::time::sleep(DOUBT) => {}
            }
            tokio::select! {
                biased;
                done = &mut call => return done,
                // Whatever it says it lives, also that it is full or going to stop.
                lives = tokio::time::timeout(DOUBT, self.once(Method::GET, "/healthz", None)) => match lives {
                    Err(_) => return Err(self.silent(2 * DOUBT)),
                    Ok(Err(failed @ Failed::Gone(_))) => return Err(failed),
                    Ok(_) => {}
                },
            }
        }
    }

    /// Whoever gave no answer for so long, by the name that it wrote into its lock.
    pub(super) fn silent(&self, waited: Duration) -> Failed {
        let name = match &self.place {
            Place::Socket(folder) => std::fs::read_to_string(folder.join("lock")).unwrap_or_default(),
            Place::Tcp(..) => String::new(),
        };
        let name = if name.trim().is_empty() { "a process".to_owned() } else { name.trim().to_owned() };
        Failed::Silent { name, seconds: waited.as_secs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The system takes connections for one that is suspended, and nothing ever answers on them.
    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_given_up_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let _hangs = std::os::unix::net::UnixListener::bind(folder.path().join(crate::agent::SOCKET)).unwrap();
        std::fs::write(folder.path().join("lock"), "process 77 (staffetta run)\n").unwrap();
        let client = Client::new(Place::Socket(folder.path().to_owned()));
        let status = async { client.status().await.map(drop) };
        let failed = tokio::time::timeout(3 * DOUBT, status).await.expect("given up").unwrap_err();
        let said = failed.to_string();
        assert!(said.contains("process 77 (staffetta run)") && said.contains("20 s"), "{said}");
        let verify = async { client.verify().await.map(drop) };
        let failed = tokio::time::timeout(3 * DOUBT, verify).await.expect("given up").unwrap_err();
        assert!(matches!(failed, Failed::Silent { .. }), "an answer read piece by piece: {failed:?}");
    }
}
