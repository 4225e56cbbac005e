//! Whether the machine's clock can be believed: a till's may stand at 1970 after its battery died, or be hours off.

use chrono::{DateTime, TimeDelta, Utc};

/// No machine that runs this program is older than it: 2026-01-01T00:00:00Z. Moved on with each release.
pub const RELEASED: DateTime<Utc> = match DateTime::from_timestamp(1_767_225_600, 0) {
    Some(at) => at,
    None => DateTime::<Utc>::MIN_UTC,
};

/// Farther from the providers' clocks than this, in milliseconds, a clock is wrong, not slow.
pub const MOST_SKEW_MS: i64 = 120_000;

/// Whether the clock shows a time before the program existed: then nothing may be submitted before a provider has said
/// what time it is.
pub fn is_impossible(now: DateTime<Utc>) -> bool {
    now < RELEASED
}

/// What a clock shows that is so many milliseconds ahead of the one that shows `at`; no time that there is: the same.
pub fn ahead(at: DateTime<Utc>, skew_ms: i64) -> DateTime<Utc> {
    TimeDelta::try_milliseconds(skew_ms).and_then(|skew| at.checked_add_signed(skew)).unwrap_or(at)
}

/// What is wrong with the clock, for a person; `None` if nothing is known to be.
pub fn doubt(now: DateTime<Utc>, skew_ms: Option<i64>) -> Option<String> {
    if is_impossible(now) {
        return Some(format!(
            "this machine's clock shows {}, before this program existed: set it",
            now.format("%Y-%m-%d")
        ));
    }
    let skew = skew_ms.filter(|skew| skew.abs() > MOST_SKEW_MS)?;
    let (size, side) = (skew.abs() / 1000, if skew > 0 { "behind" } else { "ahead of" });
    Some(format!(
        "this machine's clock is {size} seconds {side} the provider's: set it; until then the blackout is kept by both clocks"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_ends_before_the_release_and_beyond_two_minutes() {
        assert_eq!(RELEASED.to_rfc3339(), "2026-01-01T00:00:00+00:00");
        let now = RELEASED;
        assert_eq!(doubt(now, None), None);
        assert_eq!(doubt(now, Some(120_000)), None);
        assert!(doubt(now, Some(-120_001)).is_some_and(|why| why.contains("120 seconds ahead of")));
        assert!(doubt(DateTime::UNIX_EPOCH, Some(0)).is_some_and(|why| why.contains("1970-01-01")));
    }
}
