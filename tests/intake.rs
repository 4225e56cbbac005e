//! Intake refuses what will not be accepted, by name, and takes the rest.

use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;

mod again;
mod calendar;
mod content;
mod line;
mod rules;
mod together;
mod vectors;

/// So many cases, or what `PROPTEST_CASES` says; what once failed is kept beside the test's file and tried first for ever.
pub fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default(); // has read the variable
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    let failure_persistence = Some(Box::new(FileFailurePersistence::WithSource("regressions")) as _);
    ProptestConfig { cases, failure_persistence, ..default }
}
