//! The socket file: made so that at no moment anybody but this user can connect, and taken away at the end.

#[cfg(not(unix))]
use std::path::Path;

use super::StartError;

/// On this system there are none.
#[cfg(not(unix))]
pub(super) struct Made;

#[cfg(not(unix))]
pub(super) fn make(_: &Path) -> Result<Option<Made>, StartError> {
    Ok(None)
}

#[cfg(unix)]
pub(crate) use unix::reachable;
#[cfg(unix)]
pub(super) use unix::{Made, make};

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    use tokio::net::UnixListener;

    use super::StartError;
    use crate::agent::SOCKET;

    /// A folder of ours alone while the socket is made.
    const WORKSHOP: &str = "agent.tmp";
    /// Bytes that a socket's path may have on every system (`sun_path` has 104 or 108, with a zero at its end).
    const LONGEST: usize = 100;

    /// The socket file; goes with this, unless another has taken its place.
    pub(in crate::agent) struct Made {
        path: PathBuf,
        inode: Option<u64>,
    }

    /// Makes the socket in `folder` and listens. Whoever is there already is of a dead process: we hold the journal.
    ///
    /// It is made in a folder of mode 0700 and moved to its place when it has its own mode: a socket takes the mode that
    /// the process's mask leaves, and between that and a `chmod` others could connect.
    pub(in crate::agent) fn make(folder: &Path) -> Result<(UnixListener, Made), StartError> {
        let path = folder.join(SOCKET);
        let made = listen(folder, &path).map_err(|source| StartError::Socket { path: path.clone(), source })?;
        let inode = fs::symlink_metadata(&path).ok().map(|meta| meta.ino());
        Ok((made, Made { path, inode }))
    }

    fn listen(folder: &Path, path: &Path) -> io::Result<UnixListener> {
        let workshop = folder.join(WORKSHOP);
        remove_workshop(&workshop)?;
        fs::DirBuilder::new().mode(0o700).create(&workshop)?;
        let (short, _kept) = reachable(&workshop, SOCKET)?;
        let listener = std::os::unix::net::UnixListener::bind(short)?;
        listener.set_nonblocking(true)?;
        let raw = workshop.join(SOCKET);
        fs::set_permissions(&raw, fs::Permissions::from_mode(0o600))?;
        fs::rename(&raw, path)?;
        fs::remove_dir(&workshop)?;
        UnixListener::from_std(listener)
    }

    fn remove_workshop(workshop: &Path) -> io::Result<()> {
        match fs::remove_dir_all(workshop) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A path to `name` in `folder` that is short enough for a socket. Where it is not, the folder is named by an open file
    /// of it (Linux), which must be kept while the path is used.
    pub(crate) fn reachable(folder: &Path, name: &str) -> io::Result<(PathBuf, Option<fs::File>)> {
        let path = folder.join(name);
        if path.as_os_str().len() <= LONGEST {
            return Ok((path, None));
        }
        let open = fs::File::open(folder)?;
        let by_number = Path::new("/proc/self/fd").join(std::os::fd::AsRawFd::as_raw_fd(&open).to_string());
        if by_number.exists() { Ok((by_number.join(name), Some(open))) } else { Ok((path, None)) }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let now = fs::symlink_metadata(&self.path).ok().map(|meta| meta.ino());
            if now.is_some() && now == self.inode {
                // If it cannot be removed the next agent replaces it, and until then nobody answers there.
                let _ = fs::remove_file(&self.path);
            }
        }
    }
}
