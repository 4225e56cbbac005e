#![no_main]

#[path = "../../tests/corpora/document_line.rs"]
mod document_line;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| document_line::run(bytes));
