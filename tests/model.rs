//! Whatever happens to a queue, in any order: sequences of actions on a simulated disk against a small model, with five
//! things true after each (no key issued twice; nothing acknowledged missing; each document in one state and the index
//! agreeing; final states never changed; at the end, everything drained).
//!
//! 2,000 sequences; `PROPTEST_CASES=n` for another number. What once failed is in `tests/model.regressions` and tried first.

use std::cell::RefCell;

use proptest::test_runner::{FileFailurePersistence, TestCaseError, TestRunner};
use staffetta::testing::{Action, Happened, actions, play};

use crate::intake::cases;

const SEQUENCES: u32 = 2_000;

#[test]
fn model_agrees_whatever_happens() {
    let mut config = cases(SEQUENCES);
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct("tests/model.regressions")));
    config.max_shrink_iters = 4_000;
    config.source_file = Some(file!());
    let alone = config.cases < SEQUENCES;
    let happened = RefCell::new(Happened::new());
    let result = TestRunner::new(config).run(&actions(60), |actions| {
        let one = play(&actions).map_err(TestCaseError::fail)?;
        one.into_iter().for_each(|(what, times)| *happened.borrow_mut().entry(what).or_default() += times);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    // A test in which nothing happens proves nothing.
    let happened = happened.into_inner();
    println!("{happened:?}");
    for what in [
        "enqueued",
        "sending",
        "not_sent",
        "unknown",
        "looked_up",
        "not_there",
        "accepted",
        "tracked",
        "registered",
        "refused",
        "failed",
        "held",
        "cancelled",
        "resolved",
        "retried",
        "hold",
        "released",
        "disk full",
        "disk failed",
        "opened",
        "opened with the other of two truths",
        "cut within a write",
    ] {
        let times = happened.get(what).copied().unwrap_or(0);
        assert!(alone || times >= 20, "{what}: only {times} times in {happened:?}");
    }
}

#[test]
fn model_takes_any_bytes_for_actions() {
    let mut random = staffetta::testing::Random::new(7);
    for length in 0..200 {
        let bytes: Vec<u8> = (0..length).map(|_| random.draw() as u8).collect();
        let actions: Vec<Action> = Action::read_all(&bytes);
        assert_eq!(actions.len(), length / 4);
        play(&actions).unwrap_or_else(|why| panic!("{why}: {actions:?}"));
    }
}
