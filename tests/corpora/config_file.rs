//! The configuration file: whatever it says there is an answer of one line that names file and line, and no secret is
//! ever repeated in it.

use staffetta::cli::raw;

/// Stands for a secret in the corpus.
const SECRET: &str = "Hush-7391";

pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match raw::config(&text) {
        Ok(meaning) => assert!(!meaning.contains(SECRET), "a secret is shown: {meaning}"),
        Err(trouble) => {
            assert!(trouble.starts_with("/etc/shop/staffetta.toml"), "which file? {trouble}");
            assert!(!trouble.contains('\n'), "more than one line: {trouble}");
            assert!(trouble.len() > 30, "what is wrong? {trouble}");
            assert!(!trouble.contains(SECRET), "a secret is repeated: {trouble}");
        }
    }
}
