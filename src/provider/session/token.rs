//! A token, and how long it lasts.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::provider::json;

/// A token is renewed this long before its end, so that no request meets the end (less for short-lived ones).
pub(super) const EARLY: TimeDelta = TimeDelta::minutes(5);
/// And this long before it in quiet moments, so that no request waits for a login.
pub(super) const EARLY_IN_QUIET: TimeDelta = TimeDelta::minutes(20);

#[derive(Clone)]
pub(super) struct Token {
    pub secret: SecretString,
    pub number: u64,
    pub got: DateTime<Utc>,
    pub ends: DateTime<Utc>,
}

impl Token {
    pub fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.secret.expose_secret())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether it will do, if it must last `early` more (a quarter of its life at most).
    pub fn lasts(&self, now: DateTime<Utc>, early: TimeDelta) -> bool {
        let life = self.ends - self.got;
        // A clock that went backwards past the moment it was got says nothing about its end.
        self.got <= now && now < self.ends - early.min(life / 4)
    }
}

/// The life of a JSON Web Token by its own words: `exp` less `iat`, so that a wrong clock of ours does not matter;
/// without `iat`, `exp` less `now`. `None` when it cannot be read.
pub(crate) fn jwt_life(token: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let claims = json::parse(&base64url(token.split('.').nth(1)?)?)?;
    let seconds = |name| -> Option<i64> {
        let text = json::text(&claims, name)?;
        text.split('.').next()?.parse().ok()
    };
    let from = seconds("iat").unwrap_or_else(|| now.timestamp());
    TimeDelta::try_seconds(seconds("exp")?.checked_sub(from)?)
}

/// Decodes base64url; padding is optional.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_how_long_it_lasts() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        // {"iat":1540312489,"exp":1540398889,"username":"pos@example.com"}
        let token = "e30.eyJpYXQiOjE1NDAzMTI0ODksImV4cCI6MTU0MDM5ODg4OSwidXNlcm5hbWUiOiJwb3NAZXhhbXBsZS5jb20ifQ.c2ln";
        assert_eq!(jwt_life(token, now), Some(TimeDelta::seconds(86_400)));
        // {"exp":1700000060}
        assert_eq!(jwt_life("e30.eyJleHAiOjE3MDAwMDAwNjB9.x", now), Some(TimeDelta::seconds(60)));
        for unreadable in ["", "opaque", "a.b.c", "e30.e30.e30", "..", "e30.!!!.x", "e30.eyJleHAiOiJzb29uIn0.x"] {
            assert_eq!(jwt_life(unreadable, now), None, "{unreadable}");
        }
    }

    #[test]
    fn a_token_is_renewed_before_its_end() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let token = |life| Token { secret: "x".into(), number: 1, got: at(0), ends: at(life) };
        assert!(token(86_400).lasts(at(86_400 - 301), EARLY));
        assert!(!token(86_400).lasts(at(86_400 - 300), EARLY));
        // A short-lived one is still of use.
        assert!(token(60).lasts(at(44), EARLY));
        assert!(!token(60).lasts(at(45), EARLY));
    }
}
