#![no_main]

#[path = "../../tests/corpora/journal_folder.rs"]
mod journal_folder;
#[path = "../../tests/papers/few.rs"]
mod papers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| journal_folder::run(bytes));
