//! Everything that can happen to a queue, in any order, against the model: [`staffetta::testing::play`].

use staffetta::testing::{Action, play};

/// Longer sequences find little more and take long.
const MOST: usize = 64;

/// Four bytes for each action.
pub fn run(bytes: &[u8]) {
    let actions = Action::read_all(bytes.get(..4 * MOST).unwrap_or(bytes));
    if let Err(why) = play(&actions) {
        panic!("{why}\n{actions:#?}");
    }
}
