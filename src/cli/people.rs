//! How things are told to people: Italian times, ages, who is at the keyboard.

use crate::domain::calendar::rome;
use chrono::{DateTime, TimeDelta, Utc};

/// Italian date and time, to the second.
pub fn time(at: DateTime<Utc>) -> String {
    rome(at).format("%d/%m/%Y %H:%M:%S").to_string()
}

/// [`time`], or nothing.
pub fn maybe_time(at: Option<DateTime<Utc>>) -> String {
    at.map(time).unwrap_or_default()
}

/// Seconds as the two largest units: `2d 3h`, `15m`, `40s`.
pub fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown: Vec<String> = units
        .iter()
        .skip_while(|(n, _)| *n == 0)
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, u)| format!("{n}{u}"))
        .collect();
    if shown.is_empty() { "0s".to_owned() } else { shown.join(" ") }
}

/// How long from one moment to another.
pub fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    age(to.signed_duration_since(from).max(TimeDelta::zero()).num_seconds())
}

/// Who is at the keyboard, for the record: what the environment says, which a person may have changed.
pub fn who() -> String {
    let name = |variable: &str| {
        let name = std::env::var(variable).ok()?;
        let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        (!name.trim().is_empty()).then(|| name.trim().to_owned())
    };
    match (name("SUDO_USER"), name("USER").or_else(|| name("LOGNAME")).or_else(|| name("USERNAME"))) {
        (Some(real), Some(user)) if real != user => format!("{real} as {user}"),
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => "command line".to_owned(),
    }
}

/// `1 document`, `2 documents`.
pub fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [
            (0, "0s"),
            (-5, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3_600, "1h"),
            (93_784, "1d 2h"),
            (86_401, "1d"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }
}
