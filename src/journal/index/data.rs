//! Which of two folders the store's files are in: now and then all of it is put into the other one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One of these, said by the file `current`; without that file it is the first. sled never gives room back, so that it is
/// moved to have that again.
pub(super) const DATA: [&str; 2] = ["sled", "sled-2"];
const CURRENT: &str = "current";

/// The one in use in the index's folder, and the other one.
pub(super) fn folders(folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let current = match fs::read_to_string(folder.join(CURRENT)) {
        Ok(name) => name,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let [first, second] = DATA;
    let (one, other) = if current == second { (second, first) } else { (first, second) };
    Ok((folder.join(one), folder.join(other)))
}

/// The one in use from now on.
pub(super) fn choose(folder: &Path, data: &Path) -> io::Result<()> {
    let name = data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = folder.join("current.tmp");
    fs::write(&temporary, name)?;
    fs::rename(&temporary, folder.join(CURRENT))
}
