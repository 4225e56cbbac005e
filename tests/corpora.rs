//! What the fuzzers run, run here without a fuzzer: each target is a function of this folder, and each file of its seeds
//! is given to it. What a fuzzer finds becomes one more seed. `fuzz/README.md` says how they are run.
//!
//! `STAFFETTA_CORPORA=fuzz/corpus` replays another folder of corpora; `STAFFETTA_WRITE_SEEDS=1` writes the seeds that are
//! made from the vectors, the fixtures and the shop's day anew.

mod actions;
mod config_file;
mod document_line;
mod journal_folder;
mod money_totals;
mod provider_answers;
mod record;
mod seeds;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Gives each file of a target's corpus to it.
fn replay(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("STAFFETTA_WRITE_SEEDS").is_some() {
        let folder = root.join("tests/corpora/seeds").join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in seeds::of(target) {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
    let elsewhere = std::env::var_os("STAFFETTA_CORPORA").map(PathBuf::from);
    let corpora = elsewhere.clone().unwrap_or_else(|| "tests/corpora/seeds".into());
    let Ok(entries) = std::fs::read_dir(root.join(&corpora).join(target)) else {
        assert!(elsewhere.is_some(), "{target} has no seeds");
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5 || elsewhere.is_some(), "{target} has hardly any seeds");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        assert!(catch_unwind(|| run(&bytes)).is_ok(), "{target}: {}", file.display());
    }
    run(b"");
}

#[test]
fn corpora_of_actions() {
    replay("actions", actions::run);
}

#[test]
fn corpora_of_config_file() {
    replay("config_file", config_file::run);
}

#[test]
fn corpora_of_document_line() {
    replay("document_line", document_line::run);
}

#[test]
fn corpora_of_journal_folder() {
    replay("journal_folder", journal_folder::run);
}

#[test]
fn corpora_of_money_totals() {
    replay("money_totals", money_totals::run);
}

#[test]
fn corpora_of_provider_answers() {
    replay("provider_answers", provider_answers::run);
}

#[test]
fn corpora_of_record() {
    replay("record", record::run);
}

/// The packaged crate has no fuzzers; where they are, each seeds' folder has one and each one has seeds.
#[test]
fn corpora_and_fuzzers_belong_together() {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).ok()?;
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned()).collect();
        names.sort();
        Some(names)
    };
    if let Some(fuzzers) = names("fuzz/fuzz_targets") {
        assert_eq!(Some(fuzzers), names("tests/corpora/seeds"));
    }
}

/// Bytes from a generator, as a fuzzer without patience would: no target needs one to be run at all.
#[test]
fn corpora_take_any_bytes() {
    let mut random = staffetta::testing::Random::new(5);
    for round in 0..300u64 {
        let bytes: Vec<u8> = (0..random.below(160)).map(|_| random.draw() as u8).collect();
        for run in [config_file::run, document_line::run, money_totals::run, provider_answers::run, record::run] {
            run(&bytes);
        }
        if round % 6 == 0 {
            journal_folder::run(&bytes);
        }
    }
}
