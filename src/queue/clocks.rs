//! The providers' clocks against ours, as they were heard last. Kept in a file beside the journal, so that `status` can
//! tell them when the program that heard them has ended.

use std::collections::BTreeMap;
use std::sync::RwLock;

use super::{read, write};
use crate::domain::id::AccountName;
use crate::journal::Journal;

/// The file in the journal's folder: a JSON object, account → milliseconds.
const FILE: &str = "clocks.json";
/// A change of less is written when the journal is closed, not before: a measurement is no more exact than a second.
const WORTH_MS: u64 = 1_000;

type Skews = BTreeMap<AccountName, i64>;

/// The provider's clock minus ours, in milliseconds, by account.
pub(super) struct Clocks(RwLock<Known>);

struct Known {
    /// As the file has it.
    kept: Skews,
    /// Heard by this process.
    heard: Skews,
}

impl Clocks {
    /// As the last process left them. A file that cannot be read is as good as none.
    pub fn of(journal: &Journal) -> Clocks {
        let kept = match journal.note(FILE) {
            Ok(None) => Skews::new(),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "{FILE} is not readable: the providers' clocks are not known until they answer");
                Skews::new()
            }),
            Err(error) => {
                tracing::warn!(%error, "the providers' clocks are not known until they answer");
                Skews::new()
            }
        };
        Clocks(RwLock::new(Known { kept, heard: Skews::new() }))
    }

    /// A provider told its time.
    pub fn hear(&self, journal: &Journal, account: &AccountName, skew_ms: i64) {
        let mut known = write(&self.0);
        known.heard.insert(account.clone(), skew_ms);
        if known.kept.get(account).is_none_or(|kept| kept.abs_diff(skew_ms) >= WORTH_MS) {
            known.keep(journal);
        }
    }

    /// As heard by this process.
    pub fn heard(&self, account: &AccountName) -> Option<i64> {
        read(&self.0).heard.get(account).copied()
    }

    /// As heard last, by whichever process.
    pub fn last(&self, account: &AccountName) -> Option<i64> {
        let known = read(&self.0);
        known.heard.get(account).or_else(|| known.kept.get(account)).copied()
    }

    /// Writes down what is not in the file yet.
    pub fn keep(&self, journal: &Journal) {
        let mut known = write(&self.0);
        if known.heard.iter().any(|(account, skew)| known.kept.get(account) != Some(skew)) {
            known.keep(journal);
        }
    }
}

impl Known {
    fn keep(&mut self, journal: &Journal) {
        let heard = self.heard.iter().map(|(account, skew)| (account.clone(), *skew));
        self.kept.extend(heard);
        let written = serde_json::to_vec(&self.kept).map_err(|error| error.to_string());
        let kept = written.and_then(|text| journal.keep_note(FILE, &text).map_err(|error| error.to_string()));
        if let Err(error) = kept {
            tracing::warn!(error, "the providers' clocks are not kept for the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Options;

    #[test]
    fn clocks_are_told_by_the_next_process_and_a_broken_file_by_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let options = Options { index_in_memory: true, ..Options::default() };
            let journal = Journal::open(folder.path(), options).expect("it opens").0;
            (Clocks::of(&journal), journal)
        };
        let (roma, milano): (AccountName, AccountName) =
            ("roma".parse().expect("a name"), "milano".parse().expect("a name"));
        let (clocks, journal) = open();
        assert_eq!(clocks.last(&roma), None);
        clocks.hear(&journal, &roma, -90_000);
        clocks.hear(&journal, &roma, -90_400); // not worth a write of its own
        assert_eq!(clocks.heard(&roma), Some(-90_400));
        journal.close().expect("it closes"); // as a killed process: nothing was said

        let (clocks, journal) = open();
        assert_eq!((clocks.last(&roma), clocks.heard(&roma)), (Some(-90_000), None));
        clocks.hear(&journal, &milano, 5);
        clocks.hear(&journal, &milano, 6);
        clocks.keep(&journal);
        journal.close().expect("it closes");

        let (clocks, journal) = open();
        assert_eq!((clocks.last(&roma), clocks.last(&milano)), (Some(-90_000), Some(6)));
        journal.close().expect("it closes");
        for broken in ["", "{\"roma\":", "[1]", "{\"roma\":1.5}"] {
            let (_, journal) = open();
            journal.keep_note(FILE, broken.as_bytes()).expect("written");
            journal.close().expect("it closes");
            let (clocks, journal) = open();
            assert_eq!(clocks.last(&roma), None, "{broken}");
            clocks.hear(&journal, &roma, 7);
            journal.close().expect("it closes");
            assert_eq!(open().0.last(&roma), Some(7), "{broken}");
        }
    }
}
