//! Documents of which the journal can no longer give what it takes to go on. They are set aside for a person; nothing
//! else waits for them but their own lane, where one of them may be at the provider.

use super::shared::Shared;
use super::submit::after;
use crate::domain::event::DocEvent;
use crate::domain::id::Key;
use crate::domain::outcome::Remote;
use crate::domain::state::{Progress, State, UNREADABLE};
use crate::error::Error;
use crate::journal::JournalError;

/// What is wrong with what the journal holds; `None` for any other trouble, which may pass.
pub(super) fn damage(error: &Error) -> Option<String> {
    match error {
        Error::Journal(JournalError::Damaged { segment, offset, what }) => {
            Some(format!("the journal is damaged in segment {segment:020} at byte {offset}: {what}"))
        }
        Error::Journal(unreadable @ JournalError::Unreadable { .. }) => Some(unreadable.to_string()),
        _ => None,
    }
}

/// Whether a person was told that this document cannot be read.
pub(super) fn is_set_aside(progress: &Progress) -> bool {
    progress.attention.iter().any(|(code, _)| code == UNREADABLE)
}

/// Of one that has not left: held, because what would be sent is not known.
pub(super) fn held(key: &Key, damage: &str) -> DocEvent {
    let why = format!(
        "it cannot be sent: {damage}. Put `segments/` back from a backup, then `staffetta retry {key}`; or `staffetta \
         cancel {key}` and enqueue it anew under another key"
    );
    DocEvent::Held { code: UNREADABLE.to_owned(), why }
}

/// Of one that the provider has or may have: it stays where it is, a person is told, and it is tried again later.
pub(super) async fn set_aside(shared: &Shared, progress: &Progress, damage: &str) -> Result<(), Error> {
    let key = &progress.key;
    let mut events = Vec::new();
    if !is_set_aside(progress) {
        let why = format!(
            "it cannot be asked about: {damage}. Put `segments/` back from a backup, then `staffetta retry {key}`; or \
             look at the provider"
        );
        events.push(DocEvent::Attention { code: UNREADABLE.to_owned(), why, raised: true });
    }
    let due_at = after(shared.now(), shared.settings.backoff.delay(progress.asked + 1, progress.id.0));
    let why = damage.to_owned();
    events.push(match progress.state {
        State::InDoubt => DocEvent::LookedUp { counts: false, why, due_at },
        _ => DocEvent::Tracked { remote: Box::<Remote>::default(), why, due_at },
    });
    shared.record(progress.id, progress.state, events).await?;
    Ok(())
}

/// It can be read again.
pub(super) async fn clear(shared: &Shared, progress: &Progress) -> Result<(), Error> {
    if is_set_aside(progress) {
        let cleared = DocEvent::Attention { code: UNREADABLE.to_owned(), why: String::new(), raised: false };
        shared.record(progress.id, progress.state, vec![cleared]).await?;
    }
    Ok(())
}
