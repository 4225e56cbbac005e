//! The files behind Stamp's links: without a token, but only with the link's own signature and within its day.

use axum::http::StatusCode;
use chrono::DateTime;
use sha2::{Digest, Sha256};

use super::ask::Ask;
use super::pdf;
use super::reply::Reply;
use super::token::base64url;
use super::world::World;

/// What makes a link good for a name until a moment (seconds).
pub fn signature(name: &str, end: i64) -> String {
    let mut hash = Sha256::new();
    hash.update(b"staffetta sandbox file");
    hash.update(end.to_be_bytes());
    hash.update(name.as_bytes());
    base64url(&hash.finalize())
}

/// `GET /_sandbox/files/{name}`.
pub fn handle(world: &World, ask: &Ask) -> Reply {
    let name = ask.part(1);
    let end = ask.query("se").and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|at| at.timestamp());
    let good =
        end.is_some_and(|end| ask.query("sig") == Some(&signature(name, end)) && world.shown(ask.at).timestamp() < end);
    if good { pdf::reply(&pdf::page(&format!("SANDBOX {name}"))) } else { Reply::empty(StatusCode::FORBIDDEN) }
}
