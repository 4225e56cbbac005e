//! Checksums of the index's files, left by a clean stop.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Each file's name, length and CRC-32, a line each, in order of names.
pub(crate) fn of(folder: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    walk(folder, "", &mut lines)?;
    lines.sort();
    Ok(lines.concat())
}

fn walk(folder: &Path, prefix: &str, lines: &mut Vec<String>) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), lines)?;
            continue;
        }
        let (mut file, mut crc, mut length) = (fs::File::open(entry.path())?, crc32fast::Hasher::new(), 0);
        loop {
            let there = file.read(&mut buffer)?;
            if there == 0 {
                break;
            }
            length += there;
            crc.update(buffer.get(..there).unwrap_or_default());
        }
        lines.push(format!("{name} {length} {:08x}\n", crc.finalize()));
    }
    Ok(())
}

/// Writes them down.
pub(crate) fn write(sums: &str, path: &Path) -> io::Result<()> {
    fs::write(path, sums)
}

/// Whether a folder's files are those that were written down; no, when nothing was.
pub(crate) fn check(folder: &Path, path: &Path) -> io::Result<bool> {
    match fs::read(path) {
        Ok(written) => Ok(written == of(folder)?.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
