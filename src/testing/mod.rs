//! For tests, ours and integrators' (feature `testing`): a clock that is told the time, an authority that answers by
//! script with faults by seed, and the check that matters: what was taken was issued exactly once.

mod action;
mod authority;
mod clock;
mod disk;
mod driver;
mod exactly_once;
mod invariants;
mod machine;
mod model;
mod power;
mod random;
mod restart;
mod till;

pub use action::{Action, Arrival, Paper, Reply, Sight, Verdict, actions};
pub use authority::{Authority, Chances, Issued, Refusing, Submission};
pub use clock::{HandClock, TestClock};
pub use disk::{Fault, Image, Op, Sim};
pub use exactly_once::{Finding, check_exactly_once};
pub use power::{Cut, Disk};
pub use random::Random;

/// How often what has happened, by name: events of documents, and what disks and clocks do.
pub type Happened = std::collections::BTreeMap<&'static str, u64>;

/// Plays a sequence of actions against the model: a queue on a simulated disk, with kills, power cuts and lost answers.
/// After each action the invariants hold, and at the end everything drains. Tells what has happened.
///
/// # Errors
/// What is wrong, and after which action.
pub fn play(actions: &[Action]) -> Result<Happened, String> {
    let mut machine = machine::Machine::start()?;
    for (number, action) in actions.iter().enumerate() {
        machine.act(*action).map_err(|why| format!("after action {number}, {action:?}: {why}"))?;
    }
    machine.drain().and_then(|()| machine.end()).map_err(|why| format!("at the end: {why}"))
}
