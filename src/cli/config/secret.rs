//! Secrets: where one comes from, and what to tell a person when it is not there. Never printed.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

/// Bytes of a secret that are read; more is the wrong file.
const MAX_SECRET: u64 = 64 * 1024;

/// Where a secret comes from. The configuration is sound without the secret itself: only `run`, `drain` and the calls
/// to a provider need it.
#[derive(Clone)]
pub enum SecretSource {
    /// Written in the configuration.
    Plain(SecretString),
    /// An environment variable.
    Env(String),
    /// A file; relative to the configuration.
    File(PathBuf),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Plain(_) => f.write_str("Plain(…)"),
            SecretSource::Env(name) => write!(f, "Env({name})"),
            SecretSource::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// A secret that is not where the configuration says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {cure}")]
pub struct MissingSecret {
    /// What is wrong, naming the variable or file.
    pub what: String,
    /// What to do.
    pub cure: String,
}

impl SecretSource {
    /// A path is taken relative to `folder`.
    pub fn in_folder(self, folder: &Path) -> SecretSource {
        match self {
            SecretSource::File(path) => SecretSource::File(folder.join(path)),
            other => other,
        }
    }

    /// The secret.
    ///
    /// # Errors
    /// [`MissingSecret`] when the variable is not set or empty, the file cannot be read, is empty or no text.
    pub fn read(&self) -> Result<SecretString, MissingSecret> {
        match self {
            SecretSource::Plain(secret) => Ok(secret.clone()),
            SecretSource::Env(name) => match std::env::var(name) {
                Ok(secret) if !secret.is_empty() => Ok(secret.into()),
                Ok(_) => Err(missing_variable(name, "is empty")),
                Err(std::env::VarError::NotPresent) => Err(missing_variable(name, "is not set")),
                Err(std::env::VarError::NotUnicode(_)) => Err(missing_variable(name, "is no text")),
            },
            SecretSource::File(path) => read_file(path).map_err(|what| MissingSecret {
                what: format!("the secret file {} {what}", path.display()),
                cure: "put the secret there, then start again".to_owned(),
            }),
        }
    }

    /// A secret that is there and that no request can carry.
    pub fn unsendable(&self) -> MissingSecret {
        let place = match self {
            SecretSource::Plain(_) => "the secret in the configuration".to_owned(),
            SecretSource::Env(name) => format!("the variable {name}"),
            SecretSource::File(path) => format!("the secret file {}", path.display()),
        };
        MissingSecret {
            what: format!("{place} holds characters that cannot be sent (a line break?)"),
            cure: "correct it, then start again".to_owned(),
        }
    }
}

fn missing_variable(name: &str, what: &str) -> MissingSecret {
    MissingSecret { what: format!("the variable {name} {what}"), cure: format!("set {name}, then start again") }
}

fn read_file(path: &Path) -> Result<SecretString, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut text = String::new();
    file.take(MAX_SECRET + 1).read_to_string(&mut text).map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > MAX_SECRET {
        return Err("is too large for a secret".to_owned());
    }
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    match secret {
        "" => Err("is empty".to_owned()),
        secret => Ok(secret.to_owned().into()),
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    /// From a string, `{ env = "NAME" }` or `{ file = "PATH" }`. What was written is not repeated in an error: it may
    /// be the secret.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretSource, D::Error> {
        struct Source;
        const EXPECTED: &str = "a secret is { env = \"NAME\" }, { file = \"PATH\" } or a string in quotes";
        impl<'de> Visitor<'de> for Source {
            type Value = SecretSource;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ env = \"NAME\" }, { file = \"PATH\" } or a string")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretSource, E> {
                match text {
                    "" => Err(E::custom("a secret may not be empty")),
                    text => Ok(SecretSource::Plain(text.to_owned().into())),
                }
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<SecretSource, E> {
                Err(E::custom(EXPECTED))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<SecretSource, E> {
                Err(E::custom(EXPECTED))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
                let source = match map.next_key::<String>()?.as_deref() {
                    Some("env") => SecretSource::Env(map.next_value()?),
                    Some("file") => SecretSource::File(map.next_value()?),
                    _ => return Err(de::Error::custom(EXPECTED)),
                };
                match (&source, map.next_key::<String>()?) {
                    (_, Some(_)) => Err(de::Error::custom(EXPECTED)),
                    (SecretSource::Env(name), None) if name.is_empty() || name.contains(['=', '\0']) => {
                        Err(de::Error::custom("env needs the name of an environment variable"))
                    }
                    (SecretSource::File(path), None) if path.as_os_str().is_empty() => {
                        Err(de::Error::custom("file needs the path of a file"))
                    }
                    _ => Ok(source),
                }
            }
        }
        deserializer.deserialize_any(Source)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, SecretSource) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("secret"), content).expect("a file");
        let source = SecretSource::File("secret".into()).in_folder(folder.path());
        (folder, source)
    }

    #[test]
    fn one_trailing_line_end_is_not_part_of_the_secret() {
        for (content, secret) in [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s\r\n", "s"), (" s \n\n", " s \n")] {
            let (_folder, source) = file(content.as_bytes());
            assert_eq!(source.read().expect("readable").expose_secret(), secret);
        }
    }

    #[test]
    fn a_missing_secret_names_its_place() {
        let (_folder, source) = file(b"\n");
        assert!(source.read().expect_err("empty").what.ends_with("secret is empty"));
        let (_folder, source) = file(&[b'x'; 64 * 1024 + 1]);
        assert!(source.read().expect_err("large").what.ends_with("is too large for a secret"));
        let (_folder, source) = file(b"\xff\xfe");
        assert!(source.read().is_err());
        let missing = SecretSource::File("/nowhere/secret".into()).read().expect_err("no such file");
        assert!(missing.what.contains("/nowhere/secret"), "{missing}");
        let missing = SecretSource::Env("STAFFETTA_TEST_NO_SUCH_VARIABLE".into()).read().expect_err("not set");
        assert_eq!(missing.what, "the variable STAFFETTA_TEST_NO_SUCH_VARIABLE is not set");
    }

    #[test]
    fn a_secret_is_not_in_debug_output() {
        assert_eq!(format!("{:?}", SecretSource::Plain("hunter2".to_owned().into())), "Plain(…)");
    }
}
