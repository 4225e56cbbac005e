//! Durations as people write them: `250ms`, `90s`, `15m`, `1h30m` and other sums.

use std::time::Duration;

/// The longest duration taken: ten years. More is a slip of the pen, and would not fit calendar arithmetic.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// Not digits and units.
    #[error("a duration is written like 250ms, 90s, 15m or 1h30m")]
    Syntax,
    /// Longer than ten years.
    #[error("a duration may be at most ten years")]
    TooLong,
}

/// Reads a duration: whole numbers with the unit `ms`, `s`, `m` or `h`, added up.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return Err(BadDuration::Syntax);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let one = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(BadDuration::Syntax),
        };
        if number.is_empty() {
            return Err(BadDuration::Syntax);
        }
        let number: u32 = number.parse().map_err(|_| BadDuration::TooLong)?;
        let part = one.checked_mul(number).ok_or(BadDuration::TooLong)?;
        sum = sum.checked_add(part).filter(|sum| *sum <= LONGEST).ok_or(BadDuration::TooLong)?;
        rest = tail;
    }
    Ok(sum)
}

/// Reads how old something must be: a duration that may begin with days, `30d` or `1d12h`. A day has 24 hours.
pub fn parse_age(text: &str) -> Result<Duration, BadDuration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, tail) = text.split_at(digits);
    let Some(rest) = tail.strip_prefix('d').filter(|_| !number.is_empty()) else { return parse(text) };
    let days: u32 = number.parse().map_err(|_| BadDuration::TooLong)?;
    let days = Duration::from_secs(24 * 3600).checked_mul(days).ok_or(BadDuration::TooLong)?;
    let rest = if rest.is_empty() { Duration::ZERO } else { parse(rest)? };
    days.checked_add(rest).filter(|sum| *sum <= LONGEST).ok_or(BadDuration::TooLong)
}

/// Writes a duration so that [`parse`] reads it back, to the millisecond.
pub fn show(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"), (u64::from(millis), "ms")];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for (text, millis) in [
            ("90s", 90_000),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1h1m1s1ms", 3_661_001),
            ("0s", 0),
            ("1s1s", 2_000),
            ("30m1h", 5_400_000),
            ("007s", 7_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "5 s", " 5s", "5s ", "5d", "-5s", "1.5h", "5S", "1h30", "5sm", "٣s", "5µs"] {
            assert_eq!(parse(text), Err(BadDuration::Syntax), "{text:?}");
        }
        for text in ["99999999999999999999s", "4294967295h", "87841h", "87839h3600m"] {
            assert_eq!(parse(text), Err(BadDuration::TooLong), "{text:?}");
        }
    }

    #[test]
    fn an_age_may_have_days() {
        for (text, seconds) in [("30d", 2_592_000), ("1d12h", 129_600), ("0d", 0), ("0s", 0), ("90m", 5_400)] {
            assert_eq!(parse_age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "-1d", "1h1d", "1d1d", "1d ", "1D", "30"] {
            assert_eq!(parse_age(text), Err(BadDuration::Syntax), "{text:?}");
        }
        for text in ["3661d", "4294967295d", "99999999999d", "3660d1s"] {
            assert_eq!(parse_age(text), Err(BadDuration::TooLong), "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["0s", "1ms", "59s", "1m", "1h", "1h30m", "24h", "1h1m1s1ms"] {
            assert_eq!(parse(text).map(show).as_deref(), Ok(text));
        }
    }
}
