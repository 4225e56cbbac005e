//! The bearer token for TCP: made once, kept in a file that only this user reads, compared in constant time.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Makes the token file, unless there is one: 244 random bits from the system, in a file of mode 0600. Durable before it
/// is used, and never half written: it gets its name when it is whole.
///
/// # Errors
/// What the system says.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let token = format!("{}{}\n", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beginning = path.with_file_name(format!("{name}.{}", Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beginning)?;
    let linked = file
        .write_all(token.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&beginning, path));
    let removed = std::fs::remove_file(&beginning);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => removed, // another was first: its token counts
        linked => linked.and(removed),
    }
}

/// A secret that callers are compared with. Only its hash is kept.
pub(super) struct Expected([u8; 32]);

impl Expected {
    pub(super) fn new(secret: &SecretString) -> Expected {
        Expected(Sha256::digest(secret.expose_secret().as_bytes()).into())
    }

    /// Whether this is the secret; takes the same time whatever is wrong with it.
    pub(super) fn is(&self, said: &[u8]) -> bool {
        let said: [u8; 32] = Sha256::digest(said).into();
        self.0.ct_eq(&said).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_will_do() {
        let expected = Expected::new(&"s3cret".to_owned().into());
        assert!(expected.is(b"s3cret"));
        for wrong in [&b""[..], b"s3cre", b"s3crets", b"S3cret", b"s3cret\0"] {
            assert!(!expected.is(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("agent.token");
        make_file(&path).expect("made");
        let first = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(first.trim_end().len(), 64);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("there").permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        make_file(&path).expect("there already");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), first);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left behind");
    }
}
