#![no_main]

#[path = "../../tests/corpora/journal_folder.rs"]
mod journal_folder;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/papers.rs"]
mod papers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| journal_folder::run(bytes));
