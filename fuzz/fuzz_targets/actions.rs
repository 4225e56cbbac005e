#![no_main]

#[path = "../../tests/corpora/actions.rs"]
mod actions;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| actions::run(bytes));
