//! A machine that says when it was started, or does not.

use super::around::Around;

pub struct Booted(pub Option<&'static str>);

impl Around for Booted {
    fn boot_id(&self) -> Option<String> {
        self.0.map(str::to_owned)
    }
}
