//! For tests, ours and integrators' (feature `testing`): a clock that is told the time, an authority that answers by
//! script with faults by seed, and the check that matters: what was taken was issued exactly once.

mod authority;
mod clock;
mod exactly_once;
mod random;

pub use authority::{Authority, Chances, Issued, Refusing, Submission};
pub use clock::TestClock;
pub use exactly_once::{Finding, check_exactly_once};
pub use random::Random;
