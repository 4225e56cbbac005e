//! The log of requests: what came, what became of it, and which fault was to blame.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ask::{Ask, Room};
use super::authority;
use super::fault::Fault;
use super::reply::Reply;
use super::world::World;

/// Requests kept; older ones are forgotten (they are still counted).
pub const MAX_LOGGED: usize = 20_000;

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Logged {
    /// Its number, from 1.
    pub seq: u64,
    /// When it had been read.
    pub at: DateTime<Utc>,
    /// When it was answered; none: not yet, or never.
    pub answered_at: Option<DateTime<Utc>>,
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Whom it went to: `openapi`, `smart-receipt`, `stamp`, or empty.
    pub provider: String,
    /// Which call it was (the names of fault plans).
    pub call: String,
    /// The status that it got; none: no answer.
    pub status: Option<u16>,
    /// The fault applied to it.
    pub fault: Option<String>,
    /// Whether the provider has processed it.
    pub processed: bool,
    /// The `Idempotency-Key` header, which no provider heeds.
    pub idempotency_key: Option<String>,
    /// Of a refusal: its code.
    pub error: Option<String>,
    /// Of a refusal: its message.
    pub message: Option<String>,
    /// It came, or was answered, between 23:55:00 and 00:00:00 in Rome.
    pub in_blackout: bool,
}

impl World {
    /// Notes a request; `None` for the sandbox's own calls, which are not noted.
    pub fn begin_log(&mut self, ask: &Ask, fault: Option<&Fault>) -> Option<u64> {
        let provider = match ask.room {
            Room::Admin => return None,
            Room::Nowhere => "",
            Room::Provider(provider) => provider.name(),
        };
        self.requests += 1;
        if self.log.len() >= MAX_LOGGED {
            self.log.pop_front();
        }
        self.log.push_back(Logged {
            seq: self.requests,
            at: ask.at,
            answered_at: None,
            method: ask.method.to_string(),
            path: ask.target.clone(),
            provider: provider.to_owned(),
            call: ask.call.name().to_owned(),
            status: None,
            fault: fault.map(|fault| fault.name().to_owned()),
            processed: fault.is_none_or(Fault::processed),
            idempotency_key: ask.header("idempotency-key").map(str::to_owned),
            error: None,
            message: None,
            in_blackout: authority::in_blackout(ask.at),
        });
        Some(self.requests)
    }

    /// Notes its answer.
    pub fn end_log(&mut self, seq: Option<u64>, reply: &Reply, now: DateTime<Utc>) {
        let (Some(seq), Some(first)) = (seq, self.log.front().map(|first| first.seq)) else { return };
        let index = seq.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        let Some(logged) = index.and_then(|index| self.log.get_mut(index)) else { return };
        logged.answered_at = Some(now);
        logged.status = Some(reply.status.as_u16());
        logged.in_blackout |= authority::in_blackout(now);
        if reply.status.as_u16() >= 400 {
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            let text = |names: [&str; 3]| {
                names.iter().find_map(|name| match body.get(name)? {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.as_str().to_owned()),
                    _ => None,
                })
            };
            logged.error = text(["error", "ErrorCode", "code"]);
            logged.message = text(["message", "detail", "ErrorMessage"]);
        }
    }
}
