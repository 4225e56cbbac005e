//! The configuration file: whatever it says there is an answer of one line that names file and line, and no secret is
//! ever repeated in it.

use staffetta::cli::raw;

/// Stands for a secret in the corpus.
const SECRET: &str = "Hush-7391";
/// Where secrets may be written: in these members, and before the `@` of an address.
const PLACES: [&str; 6] = ["token", "password", "base_url", "login_url", "merchant_", "invoicing_"];

pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // A fuzzer also writes the secret where a name belongs, and then it is a name. In strings of several lines it is hard
    // to tell.
    let kept = |line: &str| !line.contains(SECRET) || PLACES.iter().any(|place| line.trim_start().starts_with(place));
    let judged = text.lines().all(kept) && !text.contains("\"\"\"") && !text.contains("'''");
    match raw::config(&text) {
        Ok(meaning) => assert!(!judged || !meaning.contains(SECRET), "a secret is shown: {meaning}"),
        Err(trouble) => {
            assert!(trouble.starts_with("/etc/shop/staffetta.toml"), "which file? {trouble}");
            assert!(!trouble.contains('\n'), "more than one line: {trouble}");
            assert!(trouble.len() > 30, "what is wrong? {trouble}");
            assert!(!judged || !trouble.contains(SECRET), "a secret is repeated: {trouble}");
        }
    }
}
