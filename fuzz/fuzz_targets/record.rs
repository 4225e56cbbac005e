#![no_main]

#[path = "../../tests/corpora/record.rs"]
mod record;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| record::run(bytes));
