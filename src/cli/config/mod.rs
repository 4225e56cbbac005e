//! `staffetta.toml`: found, read, judged (CONTRACT.md 4). What was typed is in [`typed`], what it means in [`meaning`].

mod account;
mod meaning;
mod secret;
mod typed;
mod url;

use std::path::{Path, PathBuf};

pub use account::{ConfiguredAccount, Endpoint};
pub use meaning::Config;
pub use secret::{MissingSecret, SecretSource};

use crate::cli::trouble::Trouble;

/// The variable that names the configuration when `--config` does not.
pub const VARIABLE: &str = "STAFFETTA_CONFIG";
/// The name of the file in the present folder, and of the one that `init` writes.
pub const FILE_NAME: &str = "staffetta.toml";
/// Bytes of a configuration that are read; more is the wrong file.
const MAX_CONFIG: u64 = 1024 * 1024;

/// Where the configuration is: `--config`, else `$STAFFETTA_CONFIG`, else `./staffetta.toml`.
pub fn find(option: Option<&Path>) -> PathBuf {
    match option {
        Some(path) => path.to_owned(),
        None => match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            Some(path) => path.into(),
            None => FILE_NAME.into(),
        },
    }
}

/// Judges a configuration's text, as if it had been read at `path`.
///
/// # Errors
/// As [`load`].
pub fn judge(path: &Path, text: &str) -> Result<Config, Trouble> {
    Source { path, text }.read()
}

/// Reads and judges the configuration.
///
/// # Errors
/// [`Trouble`] `config`: one line that names file, line and cure.
pub fn load(option: Option<&Path>) -> Result<Config, Trouble> {
    let path = find(option);
    let trouble = |what: String| Trouble::new("config", format!("{}: {what}", path.display()));
    let bytes = read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => trouble(format!(
            "there is no such configuration: `staffetta init` writes one, --config FILE or ${VARIABLE} names another"
        )),
        _ => trouble(format!("cannot be read: {error}")),
    })?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(trouble("is larger than 1 MiB: that is no configuration".to_owned()));
    }
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            return Err(Trouble::new(
                "config",
                format!("{}:{line}: this is no UTF-8 text: save the file as UTF-8", path.display()),
            ));
        }
    };
    judge(&path, text)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_CONFIG + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A configuration's text, and its name for errors.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn read(&self) -> Result<Config, Trouble> {
        let typed: typed::File = toml::from_str(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.at(at, &in_our_words(error.message()))
        })?;
        meaning::judge(self, typed)
    }

    /// A trouble at this byte of the text.
    fn at(&self, byte: usize, what: &str) -> Trouble {
        let before = self.text.as_bytes().get(..byte).unwrap_or_default();
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        Trouble::new("config", format!("{}:{line}: {what}", self.path.display()))
    }
}

/// serde's words for an unknown key, in ours.
fn in_our_words(message: &str) -> String {
    match message.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", expected ")) {
        Some((key, known)) => {
            let known = known.strip_prefix("one of ").unwrap_or(known);
            format!("unknown key {key}: correct or remove it (known here: {known})")
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
