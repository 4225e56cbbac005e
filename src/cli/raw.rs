//! The configuration's reader alone, for tests and fuzzing: text in, verdict out, no files. Not part of the public
//! interface.

use std::path::Path;

use super::config;

/// What a configuration with this text means, in words for programmers; or the one line that a person would see.
pub fn config(text: &str) -> Result<String, String> {
    match config::judge(Path::new("/etc/shop/staffetta.toml"), text) {
        Ok(config) => Ok(format!("{config:?}")),
        Err(trouble) => Err(trouble.to_string()),
    }
}

/// The configuration that `init` writes.
pub const EXAMPLE: &str = include_str!("staffetta.toml");
