#![no_main]

#[path = "../../tests/corpora/provider_answers.rs"]
mod provider_answers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_answers::run(bytes));
