//! Whose answer it is. Something between us and the provider may say one answer twice, or give one to another request; and a
//! provider may name a document that it named before. Such an answer proves nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::domain::outcome::SubmitOutcome;
use crate::provider::classify::OTHERS_ANSWER;
use crate::provider::http::clip;
use crate::provider::http::kept::Trip;

/// So many ids are remembered: more than there are answers between one and its repetition on any connection.
const REMEMBERED: usize = 4_096;

#[derive(Default)]
struct Ids {
    /// Each with the key of its document.
    of: HashMap<String, String>,
    oldest_first: VecDeque<String>,
}

/// The ids that the last answers named.
#[derive(Default)]
pub(super) struct Answered {
    ids: Mutex<Ids>,
}

impl Answered {
    /// The outcome that an answer proves, and what it shows of the way that it came. `key` is that of the document, if its
    /// answer must name an id of its own.
    pub(super) fn judge(&self, key: Option<&str>, trip: Option<Trip<'_>>, outcome: SubmitOutcome) -> SubmitOutcome {
        let outcome = self.own(key, outcome);
        match (trip, &outcome) {
            (None, _) => {}
            (Some(trip), SubmitOutcome::Unknown { why }) if why.starts_with(OTHERS_ANSWER) => trip.anothers(),
            (Some(trip), SubmitOutcome::Unknown { .. }) => trip.in_trouble(),
            (Some(trip), _) => trip.answered(),
        }
        outcome
    }

    /// The outcome, unless it is another document's.
    fn own(&self, key: Option<&str>, outcome: SubmitOutcome) -> SubmitOutcome {
        let id = match &outcome {
            SubmitOutcome::Accepted(remote) | SubmitOutcome::Registered(remote) => remote.remote_id.as_deref(),
            _ => None,
        };
        let repeated = key.zip(id).and_then(|(key, id)| self.others(key, id).map(|other| (id, other)));
        match repeated {
            Some((id, other)) => {
                SubmitOutcome::Unknown { why: clip(&format!("{OTHERS_ANSWER}: {id} was the answer to {other}")) }
            }
            None => outcome,
        }
    }

    /// The key of another document that was answered with this id. Remembers it otherwise.
    fn others(&self, key: &str, id: &str) -> Option<String> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ids.of.get(id) {
            return (known != key).then(|| known.clone());
        }
        if ids.oldest_first.len() == REMEMBERED
            && let Some(oldest) = ids.oldest_first.pop_front()
        {
            ids.of.remove(&oldest);
        }
        ids.of.insert(id.to_owned(), key.to_owned());
        ids.oldest_first.push_back(id.to_owned());
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::Remote;

    fn accepted(id: impl ToString) -> SubmitOutcome {
        SubmitOutcome::Accepted(Box::new(Remote { remote_id: Some(id.to_string()), ..Remote::default() }))
    }

    #[test]
    fn an_id_is_one_documents() {
        let answered = Answered::default();
        let own = |key, id: &str| answered.own(key, accepted(id)) == accepted(id);
        assert!(own(Some("a"), "1") && own(Some("b"), "2"));
        assert!(own(Some("a"), "1"), "the same document again");
        assert_eq!(
            answered.own(Some("b"), accepted(1)),
            SubmitOutcome::Unknown { why: format!("{OTHERS_ANSWER}: 1 was the answer to a") }
        );
        assert!(own(None, "1"), "one that names no id of its own");
        let paused = SubmitOutcome::Deferred { why: String::new(), retry_after: None, account: true };
        assert_eq!(answered.own(Some("c"), paused.clone()), paused);
    }

    #[test]
    fn the_last_ids_are_remembered() {
        let answered = Answered::default();
        for number in 0..=REMEMBERED {
            assert_eq!(answered.own(Some("a"), accepted(number)), accepted(number));
        }
        let own = |id: usize| answered.own(Some("b"), accepted(id)) == accepted(id);
        assert!(!own(1) && !own(REMEMBERED));
        assert!(own(0));
        let ids = answered.ids.lock().unwrap();
        assert_eq!((ids.of.len(), ids.oldest_first.len()), (REMEMBERED, REMEMBERED));
    }
}
