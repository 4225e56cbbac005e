//! `staffetta init`: a configuration to begin with, for the sandbox.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::config::FILE_NAME;
use super::output::{Output, tell};
use super::trouble::Trouble;
use super::{Exit, args};

/// What is written.
const TEXT: &str = include_str!("staffetta.toml");

/// The result.
#[derive(Debug, Serialize)]
struct Written<'a> {
    path: &'a Path,
    created: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

/// Writes the configuration into the folder named, else where `--config` says, else here. Never overwrites.
///
/// # Errors
/// [`Trouble`] `init`, when it cannot be written.
pub fn run(args: &args::Init, config: Option<&Path>, out: &mut Output) -> Result<Exit, Trouble> {
    let path: PathBuf = match (&args.folder, config) {
        (Some(folder), _) => folder.join(FILE_NAME),
        (None, Some(config)) => config.to_owned(),
        (None, None) => FILE_NAME.into(),
    };
    let trouble =
        |error: std::io::Error| Trouble::new("init", format!("{} cannot be written: {error}", path.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(trouble)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let why = "there is a configuration already: it stays as it is";
            if out.is_json() {
                out.object(&Written { path: &path, created: false, why: Some(why) })?;
            } else {
                tell(format_args!("{}: {why}", path.display()));
            }
            return Ok(Exit::REFUSED);
        }
        Err(error) => return Err(trouble(error)),
    };
    file.write_all(TEXT.as_bytes()).and_then(|()| file.sync_all()).map_err(trouble)?;
    if out.is_json() {
        out.object(&Written { path: &path, created: true, why: None })?;
    } else {
        out.line(format_args!("wrote {}", path.display()))?;
        out.line("next: `staffetta sandbox` in one window, `staffetta enqueue FILE` and `staffetta drain` in another")?;
    }
    Ok(Exit::DONE)
}
