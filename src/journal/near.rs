//! The parts of the store that were read last, decoded. What is asked for next mostly lies beside what was asked for
//! before: the next document of a lane, the next key of a till, nothing once more. To find a block in sled and to read its
//! way to an entry costs more than all the rest of a look.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use super::apply::Pair;
use super::shared::lock;

/// Runs that are kept: some 2 MB. With more all are forgotten; those in use are soon there again.
const MAX: usize = 256;

/// All entries that the store has from one key up to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub from: Vec<u8>,
    /// Not of the run any more; `None` for one to the end.
    pub to: Option<Vec<u8>>,
    pub entries: Vec<Pair>,
}

impl Run {
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let place = self.entries.binary_search_by(|(other, _)| other.as_slice().cmp(key)).ok()?;
        self.entries.get(place).map(|(_, value)| value.as_slice())
    }

    /// Those of its entries with `from` <= key < `to`, in order.
    pub fn within<'a>(&'a self, from: &[u8], to: &'a [u8]) -> impl Iterator<Item = &'a Pair> {
        let first = self.entries.partition_point(|(key, _)| key.as_slice() < from);
        self.entries.iter().skip(first).take_while(move |(key, _)| key.as_slice() < to)
    }

    /// Where the entries after it begin, if some of those below `to` may.
    pub fn goes_on<'a>(&'a self, to: &[u8]) -> Option<&'a [u8]> {
        self.to.as_deref().filter(|next| *next < to)
    }
}

/// The runs read last. None are kept while the store is being changed.
#[derive(Default)]
pub(super) struct Near(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By their beginnings. No two overlap: all were read from the same state of the store.
    runs: BTreeMap<Vec<u8>, Arc<Run>>,
    turn: u64,
    changing: bool,
}

/// The state of the store in which something was not found near.
#[derive(Clone, Copy)]
pub(super) struct Turn(u64);

impl Near {
    /// The run that has this key's place, if it is near.
    pub fn find(&self, key: &[u8]) -> Result<Arc<Run>, Turn> {
        let kept = lock(&self.0);
        let run = kept.runs.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back();
        let run = run.map(|(_, run)| run).filter(|run| run.to.as_deref().is_none_or(|to| key < to));
        run.cloned().ok_or(Turn(kept.turn))
    }

    /// Keeps a run that was read since `turn`, unless the store has changed meanwhile.
    pub fn keep(&self, turn: Turn, run: &Arc<Run>) {
        let mut kept = lock(&self.0);
        if kept.changing || kept.turn != turn.0 {
            return;
        }
        if kept.runs.len() >= MAX {
            kept.runs.clear();
        }
        kept.runs.insert(run.from.clone(), Arc::clone(run));
    }

    /// The store is about to be changed.
    pub fn begin_change(&self) {
        let mut kept = lock(&self.0);
        kept.runs.clear();
        kept.turn += 1;
        kept.changing = true;
    }

    /// All of a change is there.
    pub fn end_change(&self) {
        let mut kept = lock(&self.0);
        kept.turn += 1;
        kept.changing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(from: &str, to: Option<&str>, keys: &[&str]) -> Arc<Run> {
        let entries = keys.iter().map(|key| (key.as_bytes().to_vec(), b"v".to_vec())).collect();
        Arc::new(Run { from: from.into(), to: to.map(Into::into), entries })
    }

    fn turn(near: &Near) -> Turn {
        near.find(b"z").unwrap_err()
    }

    #[test]
    fn a_run_answers_for_its_keys_alone() {
        let near = Near::default();
        let kept = run("b", Some("d"), &["b1", "c1"]);
        near.keep(turn(&near), &kept);
        for (key, there) in [("a", false), ("b", true), ("c9", true), ("d", false), ("e", false)] {
            assert_eq!(near.find(key.as_bytes()).is_ok(), there, "{key}");
        }
        assert_eq!((kept.get(b"b1"), kept.get(b"b2")), (Some(b"v".as_slice()), None));
        let within = |from: &str, to: &'static str| kept.within(from.as_bytes(), to.as_bytes()).count();
        assert_eq!((within("b", "z"), within("b2", "z"), within("b", "c1"), within("c2", "z")), (2, 1, 1, 0));
        assert_eq!((kept.goes_on(b"e"), kept.goes_on(b"d")), (Some(b"d".as_slice()), None));
        near.keep(turn(&near), &run("d", None, &[]));
        assert!(near.find(b"zz").is_ok());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let near = Near::default();
        let (before, old) = (turn(&near), run("b", Some("d"), &["b1"]));
        near.keep(before, &old);
        near.begin_change();
        assert!(near.find(b"b").is_err(), "forgotten");
        let meanwhile = turn(&near);
        near.keep(meanwhile, &old);
        assert!(near.find(b"b").is_err(), "read while it changes");
        near.end_change();
        near.keep(before, &old);
        near.keep(meanwhile, &old);
        assert!(near.find(b"b").is_err(), "read before or while it changed");
        near.keep(turn(&near), &old);
        assert!(near.find(b"b").is_ok());
    }

    #[test]
    fn only_so_many_are_kept() {
        let near = Near::default();
        for number in 0..4 * MAX {
            near.keep(turn(&near), &run(&format!("a{number:05}"), Some(&format!("a{:05}", number + 1)), &[]));
        }
        assert!(lock(&near.0).runs.len() <= MAX);
    }
}
