//! The classifiers alone, for tests and fuzzing: bytes in, outcome out, no network. Not part of the public interface.

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::classify::{self, NoRead};
use super::decide::{self, Candidate};
use super::http::Reply;
use super::matching::{self, Window, tagged};
use super::pages::{self, Pages};
use super::{Call, Lost, Tracked, openapi, receipt, smart_receipt, stamp};
use crate::domain::account::ProviderKind;
use crate::domain::document::Body;
use crate::domain::outcome::{LookUpOutcome, SubmitOutcome, TrackOutcome};

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

/// What a page of receipts proves about a lost sale, return or void at a receipt provider, as if each row were all that
/// is known of it and nothing were claimed.
pub fn look_up(
    provider: ProviderKind,
    lost: &Lost,
    status: u16,
    headers: &[(String, Vec<u8>)],
    body: &[u8],
    now: DateTime<Utc>,
) -> LookUpOutcome {
    let reply = reply(status, headers, body, now);
    let rows = || -> Result<Vec<_>, NoRead> {
        let rows = pages::rows(classify::read(&reply)?)?;
        Pages::default().take(rows, |row| receipt::id_of(provider, row))
    };
    let rows = match rows() {
        Ok(rows) => rows,
        Err(why) => return why.into_look_up(),
    };
    let window = Window::of(lost);
    let Body::Receipt(sale) = &lost.call.body else {
        let rows = rows.into_iter().filter(|(_, row)| window.holds(row)).collect();
        return decide::returned(provider, &lost.call, rows, lost.sent_at);
    };
    let tag = receipt::tag(&lost.call.key);
    let candidate = |(id, row): (String, serde_json::Value)| Candidate {
        in_window: window.holds(&row),
        earlier: window.is_after(&row),
        origin: tagged(&row, &tag),
        agreement: matching::sale(sale, &row),
        id,
        row,
    };
    decide::sale(provider, rows.into_iter().map(candidate).collect(), lost.sent_at)
}
