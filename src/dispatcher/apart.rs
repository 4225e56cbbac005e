//! A thread of its own for the dispatcher.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::Builder;

/// A thread with a runtime of its own, which ends with `work`. The runtime is made and dropped there: where the caller has
/// one, to drop another panics.
pub(super) fn spawn(name: &str, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let (tell, told) = mpsc::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(tell.send(Err(error))),
        };
        drop(tell.send(Ok(())));
        runtime.block_on(work);
        // A name that is being resolved while the line is down would keep the thread for half a minute.
        runtime.shutdown_background();
    })?;
    told.recv().map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
