//! `GET /v1/export`, `GET /v1/verify` and `POST /v1/archive`: for the commands of that name. They may take long: an export
//! is read piece by piece, at the caller's pace; the others answer when they are done.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Request, StatusCode};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::documents::Selection;
use super::reply::{self, Answer};
use super::{Desk, decisions};
use crate::error::Error;
use crate::queue::Queue;
use crate::view::{ArchivedView, ListFilter};

/// Bytes of documents that are read at a time.
const PIECE: usize = 256 * 1024;

struct Reader {
    desk: Arc<Desk>,
    filter: ListFilter,
    ended: bool,
    _room: OwnedSemaphorePermit,
}

/// `GET /v1/export`: JSON Lines of whole documents.
pub(super) async fn export(State(desk): State<Arc<Desk>>, query: Result<Query<Selection>, QueryRejection>) -> Answer {
    let filter = match query.map_err(|error| error.body_text()).and_then(|Query(selection)| selection.filter()) {
        Ok(filter) => filter,
        Err(why) => return reply::bad(&why),
    };
    let Ok(room) = Arc::clone(&desk.streams).try_acquire_owned() else {
        return reply::busy("too many read already: come again in a moment");
    };
    let mut reader = Reader { desk, filter, ended: false, _room: room };
    // The first piece decides what is said: what cannot be read at all is no export.
    let first = match reader.piece().await {
        Ok(first) => first,
        Err(error) => return reply::trouble(&error),
    };
    let parts = stream::unfold((Some(first), reader), |(first, mut reader)| async move {
        let piece = match first {
            Some(first) => Ok(first),
            None if reader.ended => return None,
            None => reader.piece().await,
        };
        if let Err(error) = &piece {
            // It breaks off: nobody takes it for whole.
            tracing::warn!(%error, "an export broke off");
            reader.ended = true;
        }
        Some((piece, (None, reader)))
    });
    reply::with(StatusCode::OK, "application/x-ndjson", Body::from_stream(parts))
}

impl Reader {
    async fn piece(&mut self) -> Result<Bytes, Error> {
        let filter = self.filter.clone();
        let (bytes, after, taken, ended) = self.desk.read(move |queue| read(queue, &filter)).await?;
        self.filter.after = after.or(self.filter.after);
        self.filter.limit = self.filter.limit.map(|limit| limit.saturating_sub(taken));
        self.ended = ended;
        Ok(bytes.into())
    }
}

type Piece = (Vec<u8>, Option<u64>, usize, bool);

fn read(queue: &Queue, filter: &ListFilter) -> Result<Piece, Error> {
    let (mut bytes, mut after, mut taken, mut failed, mut ended) = (Vec::new(), None, 0, None, true);
    queue.export(filter, &mut |document| {
        after = document.id.parse().ok();
        taken += 1;
        if let Err(error) = serde_json::to_writer(&mut bytes, &document) {
            failed = Some(Error::Dispatcher(error.to_string()));
            return ControlFlow::Break(());
        }
        bytes.push(b'\n');
        if bytes.len() >= PIECE {
            ended = false;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok((bytes, after, taken, ended)),
    }
}

/// `GET /v1/verify`: one object, when everything is read.
pub(super) async fn verify(State(desk): State<Arc<Desk>>) -> Answer {
    later(&desk, |queue| queue.verify())
}

/// What `POST /v1/archive` is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Archive {
    /// Only what has been final for so long.
    older_than_ms: u64,
}

/// `POST /v1/archive`: one object, when it is done. It is done to its end even if nobody waits.
pub(super) async fn archive(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Answer {
    match decisions::said::<Option<Archive>>(&desk, request).await {
        Ok(Some(Archive { older_than_ms })) => {
            let age = Duration::from_millis(older_than_ms);
            later(&desk, move |queue| Ok(ArchivedView::from(queue.archive(age)?)))
        }
        Ok(None) => reply::bad("say how old: `{\"older_than_ms\": 2592000000}`"),
        Err(answer) => answer,
    }
}

/// Work that takes longer than a call may: the head is said at once, what became of it in the body.
fn later<T: Serialize + Send + 'static>(
    desk: &Desk,
    work: impl FnOnce(&Queue) -> Result<T, Error> + Send + 'static,
) -> Answer {
    let Ok(room) = Arc::clone(&desk.streams).try_acquire_owned() else {
        return reply::busy("too many read already: come again in a moment");
    };
    let queue = desk.queue.clone();
    let working = tokio::task::spawn_blocking(move || {
        let _room = room;
        work(&queue)
    });
    let parts = stream::once(async move {
        let text = match working.await.map_err(|error| Error::Dispatcher(error.to_string())).flatten() {
            Ok(done) => serde_json::to_vec(&done),
            Err(error) => serde_json::to_vec(&serde_json::json!({
                "error": {"code": "journal", "message": error.to_string(), "violations": []}
            })),
        };
        text.map(|mut text| {
            text.push(b'\n');
            text
        })
    });
    reply::with(StatusCode::OK, "application/json", Body::from_stream(parts))
}
