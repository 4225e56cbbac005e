//! The classifiers alone, for tests and fuzzing: bytes in, outcome out, no network. Not part of the public interface.

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::http::Reply;
use super::{Call, Tracked, openapi, smart_receipt, stamp};
use crate::domain::account::ProviderKind;
use crate::domain::outcome::{SubmitOutcome, TrackOutcome};

fn reply(status: u16, headers: &[(String, Vec<u8>)], body: &[u8], now: DateTime<Utc>) -> Reply {
    let read = |(name, value): &(String, Vec<u8>)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    let headers: HeaderMap = headers.iter().filter_map(read).collect();
    Reply::from_parts(status, &headers, body, now)
}

/// What an answer to a submission proves.
pub fn submit(
    provider: ProviderKind,
    call: &Call,
    status: u16,
    headers: &[(String, Vec<u8>)],
    body: &[u8],
    now: DateTime<Utc>,
) -> SubmitOutcome {
    let reply = reply(status, headers, body, now);
    match provider {
        ProviderKind::Openapi => openapi::classify_submit(call, &reply),
        ProviderKind::SmartReceipt => smart_receipt::classify_submit(call, &reply),
        ProviderKind::Stamp => stamp::classify_submit(call, &reply),
    }
}

/// What an answer to the question for one document says.
pub fn track(
    provider: ProviderKind,
    tracked: &Tracked,
    status: u16,
    headers: &[(String, Vec<u8>)],
    body: &[u8],
    now: DateTime<Utc>,
) -> TrackOutcome {
    let reply = reply(status, headers, body, now);
    match provider {
        ProviderKind::Openapi => openapi::classify_track(tracked, &reply),
        ProviderKind::SmartReceipt => smart_receipt::classify_track(tracked, &reply),
        ProviderKind::Stamp => stamp::classify_track(tracked, &reply),
    }
}
