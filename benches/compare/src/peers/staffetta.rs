//! The real `Queue`: checks, totals, unique key, index, acknowledgement.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use staffetta::queue::{Options, Queue};

use super::{Prepared, Taker};
use crate::floor::Floor;
use crate::floor::around::Real;

pub struct Till(Queue);

/// Opens a queue; its files' flushes take at least so long.
pub fn open(dir: &Path, flush: Option<Duration>) -> Queue {
    let mut options = Options { accounts: vec![crate::documents::account()], ..Options::default() };
    if let Some(flush) = flush {
        options.journal.files = Arc::new(Real(Floor(flush)));
    }
    Queue::open_with(dir.join("journal"), options).expect("a queue")
}

impl Till {
    pub fn open(dir: &Path, flush: Option<Duration>) -> Till {
        Till(open(dir, flush))
    }
}

impl Taker for Till {
    fn take(&self, _: u64, _: u64, prepared: Prepared) {
        let Prepared::New(document) = prepared else { unreachable!("prepared for others") };
        let ticket = self.0.take(*document).expect("it is taken");
        assert!(!ticket.duplicate, "no key comes twice");
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        self.0.close().expect("a clean stop");
    }
}
