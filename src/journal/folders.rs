//! Folders of files that sled makes: removed, copied, kept private, synced.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::error::{JournalError, Result};

/// Removes the index in `folder`. It is renamed first, so that one half removed is never taken for one.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    let old = folder.with_extension("old");
    remove_folder(&old)?;
    let renamed = fs::rename(folder, &old).map(|()| true).or_else(missing);
    renamed.map_err(|error| JournalError::io("remove", folder, error))?;
    remove_folder(&old)
}

/// Removes a folder with everything in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    // Whatever it is that has its name.
    let folder_or_file = fs::remove_dir_all(folder).or_else(|error| match error.kind() {
        io::ErrorKind::NotADirectory => fs::remove_file(folder),
        _ => Err(error),
    });
    let removed = folder_or_file.map(|()| true).or_else(missing);
    removed.map(|_| ()).map_err(|error| JournalError::io("remove", folder, error))
}

/// Copies a folder with everything in it to one for this user alone.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let problem = |error| JournalError::io("copy", from, error);
    make_private(to).map_err(problem)?;
    for entry in fs::read_dir(from).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(problem)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).map_err(problem)?;
        }
    }
    Ok(())
}

/// Whether it was there, of an operation that fails when it was not.
pub(crate) fn missing(error: io::Error) -> io::Result<bool> {
    if error.kind() == io::ErrorKind::NotFound { Ok(false) } else { Err(error) }
}

/// Bytes of all files in a folder.
pub(crate) fn size(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?.try_fold(0, |sum, entry| {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        Ok(sum + if kind.is_dir() { size(&path)? } else { fs::metadata(&path)?.len() })
    })
}

/// What is in a folder.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Makes a folder for this user alone.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    set_mode(folder, 0o700)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}
#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

/// sled's files are readable by all; its folder already is not.
pub(crate) fn protect(folder: &Path) -> io::Result<()> {
    set_mode(folder, 0o700)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            protect(&entry.path())?;
        } else {
            set_mode(&entry.path(), 0o600)?;
        }
    }
    Ok(())
}

/// Makes a folder with everything in it durable.
pub(crate) fn sync_tree(folder: &Path) -> io::Result<()> {
    protect(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            fs::File::open(entry.path())?.sync_all()?;
        }
    }
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Whoever has the lock of a file in a journal that is ours is no other user: it is a program that this process is just
/// starting, which has our files too until it runs. It is waited for, some two seconds; sled itself would fail.
pub(super) fn wait_for_lock(path: &Path) {
    const TIMES: u32 = 200;
    let Ok(file) = fs::File::open(path) else { return };
    for _ in 0..TIMES {
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => std::thread::park_timeout(Duration::from_millis(10)),
            // Given back at once; what else is wrong sled tells.
            Ok(()) | Err(fs::TryLockError::Error(_)) => return file.unlock().unwrap_or_default(),
        }
    }
}
