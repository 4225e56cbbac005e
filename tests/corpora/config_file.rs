//! The configuration file: whatever it says there is an answer of one line that names file and line, and no secret is
//! ever repeated in it.

use staffetta::cli::raw;

/// Stands for a secret in the corpus.
const SECRET: &str = "Hush-7391";
/// Where secrets may be written: in these members, …
const PLACES: [&str; 4] = ["token", "password", "merchant_", "invoicing_"];
/// … and before the `@` of these.
const ADDRESSES: [&str; 2] = ["base_url", "login_url"];

pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // A fuzzer also writes the secret where a name belongs, and then it is a name. In strings of several lines it is hard
    // to tell.
    let begins = |line: &str, places: &[&str]| places.iter().any(|place| line.trim_start().starts_with(place));
    let kept = |line: &str| {
        // Where a secret is taken from an environment variable or a file, what is written is a name.
        let named = line.contains("env") || line.contains("file");
        !line.contains(SECRET)
            || (begins(line, &PLACES) && !named)
            || (begins(line, &ADDRESSES) && only_before_the_at(line))
    };
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

/// Whether the secret stands where an address has its user, and nowhere else: in a host's name it is no secret.
fn only_before_the_at(line: &str) -> bool {
    let authority = line.split_once("//").and_then(|(_, rest)| rest.split(['/', '?', '#', '"', '\'', '\\']).next());
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map_or("", |(user, _)| user);
    line.matches(SECRET).count() == user.matches(SECRET).count()
}
