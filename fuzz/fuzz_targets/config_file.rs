#![no_main]

#[path = "../../tests/corpora/config_file.rs"]
mod config_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| config_file::run(bytes));
