//! Between a connection and the providers: reads the request, lets the fault plan spoil what it wants to, writes the
//! answer.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use futures_util::stream;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::domain::account::ProviderKind;

use super::ask::{Ask, Call, Room};
use super::fault::{Ending, Fault};
use super::net::Command;
use super::reply::Reply;
use super::world::World;
use super::{admin, callbacks, openapi, smart_receipt, stamp};

/// Bytes of a request that are read; a document of the product has at most one MiB.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// What all connections share.
pub struct Shared {
    /// The providers.
    pub world: Mutex<World>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// To the one who opens and closes the port.
    pub commands: mpsc::UnboundedSender<Command>,
}

impl Shared {
    /// The providers, for one synchronous step.
    pub fn world(&self) -> MutexGuard<'_, World> {
        // A panic elsewhere must not take the sandbox down with it.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection ends without an answer, or without the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Abort {
    /// With a reset or in good order.
    #[error("the fault plan ends this connection")]
    End(Ending),
    /// With a reset, and the port stays closed for so many milliseconds.
    #[error("the fault plan closes the port")]
    Refuse(u64),
}

/// Serves one request.
pub async fn answer<B>(shared: Arc<Shared>, request: Request<B>) -> Result<Response<Body>, Abort>
where
    B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), MAX_BODY).await else {
        let reply = Reply::admin_error(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 4 MiB, or broken off");
        return Ok(finish(&shared, reply.header("connection", "close")));
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut ask = Ask::new(head.method, target, head.headers, body, shared.clock.now());
    if ask.room == Room::Admin && ask.part(0) == "offline" && ask.method == "POST" {
        let reply = offline(&shared, &ask);
        return Ok(finish(&shared, reply));
    }
    let (fault, seq) = {
        let mut world = shared.world();
        let fault = world.live.choose(&ask);
        let seq = world.begin_log(&ask, fault.as_ref());
        (fault, seq)
    };
    let done = |reply: Reply| {
        shared.world().end_log(seq, &reply, shared.clock.now());
        finish(&shared, reply)
    };
    let process = |ask: &Ask| {
        let mut world = shared.world();
        let reply = dispatch(&mut world, ask);
        if ask.call == Call::Configuration && callbacks::wanted(&world) {
            let _ = shared.commands.send(Command::Callbacks); // gone: stopping anyway
        }
        reply
    };
    Ok(match fault {
        None => done(process(&ask)),
        Some(Fault::RefuseConnection { ms }) => return Err(Abort::Refuse(ms)),
        Some(Fault::DropBefore(ending)) => return Err(Abort::End(ending)),
        Some(Fault::DropAfter(ending)) => {
            process(&ask);
            return Err(Abort::End(ending));
        }
        Some(Fault::Hang { ms, processed }) => {
            if processed {
                process(&ask);
            }
            tokio::time::sleep(Duration::from_millis(ms)).await;
            return Err(Abort::End(Ending::Close));
        }
        Some(Fault::Delay { ms, late: false }) => {
            let reply = process(&ask);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            done(reply)
        }
        Some(Fault::Delay { ms, late: true }) => {
            // On its own, so that it happens even if the client goes away.
            let late = tokio::spawn(late(Arc::clone(&shared), ask, seq, ms));
            late.await.map_err(|_| Abort::End(Ending::Reset))?
        }
        Some(Fault::LagLists { ms }) => {
            ask.list_lag_ms = ms;
            done(process(&ask))
        }
        Some(Fault::Authority(outcome)) => {
            ask.outcome = outcome;
            done(process(&ask))
        }
        Some(Fault::HalfAnswer) => half(done(process(&ask)))?,
        Some(Fault::HugeBody { bytes }) => huge(done(process(&ask)), bytes),
        Some(Fault::BrokenJson) => {
            let mut reply = process(&ask);
            let half = reply.body.len() * 2 / 3;
            reply.body = if half == 0 { Bytes::from_static(b"{\"") } else { reply.body.slice(..half) };
            done(reply)
        }
        Some(Fault::EmptyBody) => {
            let mut reply = process(&ask);
            reply.body = Bytes::new();
            done(reply)
        }
        Some(fault @ (Fault::Status { .. } | Fault::Html { .. } | Fault::Redirect { .. })) => {
            if fault.processed() {
                process(&ask);
            }
            done(instead(&ask, fault))
        }
    })
}

async fn late(shared: Arc<Shared>, mut ask: Ask, seq: Option<u64>, ms: u64) -> Response<Body> {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    ask.at = shared.clock.now();
    let reply = dispatch(&mut shared.world(), &ask);
    shared.world().end_log(seq, &reply, shared.clock.now());
    finish(&shared, reply)
}

/// Hands a request to whom it is for.
fn dispatch(world: &mut World, ask: &Ask) -> Reply {
    match ask.room {
        Room::Provider(ProviderKind::Openapi) => openapi::handle(world, ask),
        Room::Provider(ProviderKind::SmartReceipt) => smart_receipt::handle(world, ask),
        Room::Provider(ProviderKind::Stamp) => stamp::handle(world, ask),
        Room::Admin => admin::handle(world, ask),
        Room::Nowhere => Reply::admin_error(
            StatusCode::NOT_FOUND,
            "nothing here; the providers are below /openapi, /smart-receipt, /stamp and /portal, the sandbox's own \
             calls below /_sandbox",
        ),
    }
}

/// `POST /_sandbox/offline {"for": "2s"}`: answers, then closes the port for so long.
fn offline(shared: &Arc<Shared>, ask: &Ask) -> Reply {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Offline {
        r#for: super::settings::Span,
    }
    match serde_json::from_slice::<Offline>(&ask.body) {
        Ok(Offline { r#for: span }) => {
            let commands = shared.commands.clone();
            tokio::spawn(async move {
                // Lets this answer out first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                let millis = u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX);
                let _ = commands.send(Command::Offline { ms: Some(millis), done: None }); // gone: stopping anyway
            });
            Reply::json(StatusCode::OK, &serde_json::json!({ "done": true }))
        }
        Err(error) => Reply::admin_error(StatusCode::BAD_REQUEST, error),
    }
}

/// The answer of a fault that has one of its own.
fn instead(ask: &Ask, fault: Fault) -> Reply {
    let status = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match fault {
        Fault::Status { code, body, headers, .. } => {
            let mut reply = match body {
                Some(body) => Reply::text(status(code), "application/json", body),
                None if code < 400 => Reply::empty(status(code)),
                None => plain_error(ask, status(code)),
            };
            for (name, value) in headers {
                reply.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
                reply = reply.header(&name, value);
            }
            reply
        }
        Fault::Html { code, .. } => {
            let page =
                "<!doctype html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>";
            Reply::text(status(code), "text/html", page)
        }
        Fault::Redirect { code, location, .. } => {
            Reply::empty(status(code)).header("location", location.unwrap_or_else(|| ask.target.clone()))
        }
        _ => Reply::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// What a provider prints with a bare status.
fn plain_error(ask: &Ask, status: StatusCode) -> Reply {
    match ask.room {
        Room::Provider(ProviderKind::Openapi) => openapi::plain_error(status),
        Room::Provider(ProviderKind::SmartReceipt) => smart_receipt::plain_error(status),
        _ => stamp::plain_error(status),
    }
}

/// As HTTP, with the sandbox's own date.
fn finish(shared: &Shared, reply: Reply) -> Response<Body> {
    let now = { shared.world().shown(shared.clock.now()) };
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = reply.status;
    let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in reply.headers.into_iter().chain([("date".to_owned(), date)]) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The head and half of the body, then the end.
fn half(response: Response<Body>) -> Result<Response<Body>, Abort> {
    use axum::body::HttpBody;
    let (mut head, body) = response.into_parts();
    let Some(length) = body.size_hint().exact().filter(|length| *length > 1) else {
        return Err(Abort::End(Ending::Close)); // nothing to halve
    };
    head.headers.insert("content-length", HeaderValue::from(length));
    let parts = stream::unfold((body, false), move |(body, sent)| async move {
        if sent {
            // Lets the first half out before the connection breaks.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            return Some((Err(io::Error::other("the fault plan breaks this answer")), (Body::empty(), true)));
        }
        let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let half = whole.slice(..whole.len() / 2);
        Some((Ok::<_, io::Error>(half), (Body::empty(), true)))
    });
    Ok(Response::from_parts(head, Body::from_stream(parts)))
}

/// The same head, and a body that does not end for a long time.
fn huge(response: Response<Body>, bytes: u64) -> Response<Body> {
    const CHUNK: u64 = 64 * 1024;
    let (mut head, _) = response.into_parts();
    head.headers.remove("content-length");
    let parts = stream::unfold((bytes, true), |(left, first)| async move {
        if left == 0 {
            return None;
        }
        let now = left.min(CHUNK);
        let mut chunk = vec![b'a'; usize::try_from(now).unwrap_or(1)];
        let opening: &[u8] = if first { b"{\"data\":\"" } else { b"" };
        for (place, letter) in chunk.iter_mut().zip(opening) {
            *place = *letter;
        }
        Some((Ok::<_, io::Error>(chunk), (left - now, false)))
    });
    Response::from_parts(head, Body::from_stream(parts))
}
