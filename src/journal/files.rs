//! The few things that the journal asks of a file system, as a seam: the real one here; in tests one that knows what
//! was written and what was only hoped for, and fails when told to.

use std::any::Any;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::JournalError;

/// A file system. Every method is one operation that may fail or be cut short by a crash.
pub trait Files: Send + Sync + 'static {
    /// Makes a folder for this user alone (0700), and those above it, durably. One that exists is left as it is, unless it is
    /// empty: then it becomes this user's alone.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// The names in a folder, in any order.
    fn names(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes an empty file for this user alone (0600), or empties the one there is.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Gives a file another name, in place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the lock file at `path` for as long as the answer lives; a lock left by a dead process is free. `holder`
    /// is written into it. When another process has it: what that one wrote.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Result<Box<dyn Any + Send + Sync>, String>>;
    /// Bytes that this user may still write to the disk that has this folder; the most there can be where nobody knows.
    fn free(&self, _folder: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
    /// A name for the time since the machine was last started, if it has one: what a process wrote and did not sync
    /// survives its end, but not the machine's.
    fn boot_id(&self) -> Option<String>;
}

/// An open file.
pub trait File: Send + Sync + 'static {
    /// Reads at an offset; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset; may write less than all.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts or extends the file.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Makes the content durable, with what is needed to read it back (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Makes content and metadata durable (`fsync`).
    fn sync_all(&self) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
}

/// Reads until `buffer` is full or the file ends; returns how much there was.
pub(crate) fn read_full(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let (there, failed) = read_until(file, buffer, offset);
    failed.map_or(Ok(there), Err)
}

/// As [`read_full`], but what comes before a place that cannot be read is given: the failure is met by whoever asks for
/// that place.
pub(crate) fn read_there(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let (there, failed) = read_until(file, buffer, offset);
    failed.filter(|_| there == 0).map_or(Ok(there), Err)
}

/// Reads until `buffer` is full, the file ends, or reading fails: how much there was, and that failure.
fn read_until(file: &dyn File, buffer: &mut [u8], offset: u64) -> (usize, Option<io::Error>) {
    let mut total = 0;
    while let Some(rest) = buffer.get_mut(total..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + total as u64) {
            Ok(0) => break,
            Ok(n) => total += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (total, Some(error)),
        }
    }
    (total, None)
}

/// The first `most` bytes of a small file; nothing where there is no file.
pub(crate) fn read_small(files: &dyn Files, path: &Path, most: usize) -> Result<Option<Vec<u8>>, JournalError> {
    let file = match files.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("open", path, error)),
    };
    let mut bytes = vec![0; most];
    let there = read_full(&*file, &mut bytes, 0).map_err(|error| JournalError::io("read", path, error))?;
    bytes.truncate(there);
    Ok(Some(bytes))
}

/// Writes all of `bytes`.
pub(crate) fn write_full(file: &dyn File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                bytes = bytes.get(n..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Replaces a small file in `folder` whole and durably: another name, synced, renamed, the folder synced.
pub(crate) fn replace(files: &dyn Files, folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let (path, temporary) = (folder.join(name), folder.join(name).with_extension("tmp"));
    let file = files.create(&temporary)?;
    write_full(&*file, content, 0)?;
    file.sync_all()?;
    files.rename(&temporary, &path)?;
    files.sync_dir(folder)
}

/// Whether an error means that there is no room, which may pass, and not that the disk fails.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        if !dir.is_dir() {
            if let Some(parent) = parent
                && !parent.exists()
            {
                self.create_dir(parent)?;
            }
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(dir)?;
        } else if fs::read_dir(dir)?.next().is_some() {
            return Ok(());
        }
        #[cfg(unix)]
        fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        match self.sync_dir(parent.unwrap_or(Path::new("."))) {
            // A folder that may be written in but not listed cannot be synced either.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        }
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(private().create(true).truncate(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(private().open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened as a file, and names are durable with the file.
        if cfg!(unix) { fs::File::open(dir)?.sync_all() } else { Ok(()) }
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Result<Box<dyn Any + Send + Sync>, String>> {
        let mut file = private().create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // Never empty on the way: whoever finds it locked wants a name.
                file.write_all(holder.as_bytes())?;
                file.set_len(holder.len() as u64)?;
                Ok(Ok(Box::new(Held(file))))
            }
            Err(TryLockError::WouldBlock) => {
                let name = || {
                    let mut text = Vec::new();
                    // Where locks are mandatory the name cannot be read: then the holder has none.
                    let _ = fs::File::open(path).and_then(|file| file.take(1_000).read_to_end(&mut text));
                    String::from_utf8_lossy(&text).trim().to_owned()
                };
                Ok(Err(named(name, || std::thread::park_timeout(Duration::from_millis(5)))))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    #[cfg(unix)]
    fn free(&self, folder: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    fn boot_id(&self) -> Option<String> {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned()).filter(|id| !id.is_empty())
    }
}

/// The holder's name: who has just taken a new lock has not written it yet.
fn named(mut name: impl FnMut() -> String, mut wait: impl FnMut()) -> String {
    const TIMES: u32 = 20;
    for _ in 0..TIMES {
        let name = name();
        if !name.is_empty() {
            return name;
        }
        wait();
    }
    name()
}

/// The lock, while it is held. Given up in so many words: a program that this process is just starting has the file too
/// until it runs, and with it the lock, if the file were only closed here.
struct Held(fs::File);

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "a lock is given up only by closing its file");
        }
    }
}

/// Options for a file that only this user may read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl File for fs::File {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }
    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }
    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }
    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(self, bytes, offset)
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        fs::File::set_len(self, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }
    fn sync_all(&self) -> io::Result<()> {
        fs::File::sync_all(self)
    }
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_given_up_though_a_process_being_started_has_its_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = || RealFiles.lock(&path, "me").unwrap();
        let held = lock().unwrap();
        let inherited = held.downcast_ref::<Held>().unwrap().0.try_clone().unwrap();
        assert!(lock().is_err_and(|holder| holder == "me"));
        drop(held);
        assert!(lock().is_ok());
        drop(inherited);
    }

    /// A new lock is taken a moment before its holder's name is in it.
    #[test]
    fn a_holder_has_a_name_as_soon_as_it_is_written() {
        let (mut reads, mut waits) = (0, 0);
        let name = || {
            reads += 1;
            if reads > 2 { "process 7 (till)".to_owned() } else { String::new() }
        };
        assert_eq!(named(name, || waits += 1), "process 7 (till)");
        assert_eq!(waits, 2);
        assert_eq!(named(String::new, || waits += 1), "", "one that has none is not waited for for ever");
        assert!(waits < 100);
    }
}
