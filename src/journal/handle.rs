//! One process has the journal: its lock, the writer's thread, and the end of both.

use std::any::Any;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::error::{JournalError, Result, panic_words};
use super::files::Files;
use super::index;
use super::shared::{Shared, lock};
use super::writer::Writer;
use crate::domain::event::Entry;

pub(crate) struct Handle {
    pub shared: Arc<Shared>,
    pub writer: Mutex<Option<JoinHandle<Result<()>>>>,
}

impl Handle {
    pub fn close(&self) -> Result<()> {
        self.shared.line.stop();
        if self.shared.on_writer_thread() {
            return Ok(()); // it ends when this transaction does
        }
        // Held while waiting, so that a second caller waits too.
        let mut writer = lock(&self.writer);
        match writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => Err(JournalError::Panicked(panic_words(&*panic))),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the journal was not closed in good order; nothing acknowledged is lost");
        }
    }
}

/// The end of the writer's thread: a clean stop, if nothing has failed.
pub(crate) fn finish(mut writer: Writer, flusher: JoinHandle<()>, guard: Box<dyn Any + Send + Sync>) -> Result<()> {
    let shared = writer.shared.clone();
    let sealed = match shared.poisoned() {
        None => writer.record(&Entry::Closed),
        Some(error) => Err(error),
    };
    let flushed = sealed.and_then(|()| match shared.layers.flush() {
        // It is as whole as it was; the next open reads again what came after. What is still to be written is little.
        Err(JournalError::Full { why }) => {
            writer.reserve.release(why);
            Ok(())
        }
        flushed => flushed,
    });
    shared.layers.stop_flusher();
    let joined = flusher.join().map_err(|panic| JournalError::index(panic_words(&*panic)));
    let store = shared.layers.take_store();
    let result =
        flushed.and(joined).and_then(|()| store.map_or(Ok(()), index::Store::close)).and_then(|()| writer.mark(true));
    // Whoever still makes an archive ends soon; nobody else may open the journal before.
    drop(lock(&shared.archiving));
    drop(guard);
    result
}

/// Takes the journal for this process, and says in the lock who it is.
pub(crate) fn take_lock(dir: &Path, files: &dyn Files, role: &str) -> Result<Box<dyn Any + Send + Sync>> {
    files.create_dir(dir).map_err(|error| JournalError::io("make", dir, error))?;
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).map_or("?".into(), |name| name.to_string_lossy());
    let path = dir.join("lock");
    let doing = if role.is_empty() { program } else { format!("{program} {role}").into() };
    match files.lock(&path, &format!("process {} ({doing})\n", std::process::id())) {
        Ok(Ok(guard)) => Ok(guard),
        Ok(Err(holder)) => {
            let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
            Err(JournalError::Locked { path: dir.to_owned(), holder })
        }
        Err(error) => Err(JournalError::io("lock", &path, error)),
    }
}
