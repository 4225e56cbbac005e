//! Texts in a path or a query.

use crate::view::ListFilter;

/// A selection as a query.
pub(super) fn query(filter: &ListFilter) -> String {
    let time = |at: &chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let parts = [
        ("state", filter.state.map(|state| state.name().to_owned())),
        ("account", filter.account.clone()),
        ("kind", filter.kind.map(|kind| kind.name().to_owned())),
        ("since", filter.since.as_ref().map(time)),
        ("until", filter.until.as_ref().map(time)),
        ("after", filter.after.map(|after| after.to_string())),
        ("limit", filter.limit.map(|limit| limit.to_string())),
    ];
    let parts = parts.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_deref()?))));
    parts.collect::<Vec<_>>().join("&")
}

/// Percent-encoded, for a part of a path or a value of a query.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
