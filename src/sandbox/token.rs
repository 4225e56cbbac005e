//! Bearer tokens: JWTs whose claims carry everything, so that they outlive the sandbox, as real ones outlive a
//! provider's restart. The signature keeps honest clients honest; there is nothing here to protect.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64url without padding (RFC 4648, 5).
pub fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            let digit = group >> (18 - 6 * index) & 63;
            out.push(ALPHABET.get(digit as usize).map_or('A', |letter| char::from(*letter)));
        }
    }
    out
}

/// Reads base64, either alphabet, padded or not; `None` when it is neither.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut group, mut bits) = (0u32, 0u32);
    for letter in text.trim_end_matches('=').bytes() {
        let letter = match letter {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        };
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        group = group << 6 | u32::try_from(digit).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(group >> bits & 0xff).ok()?);
        }
    }
    Some(out)
}

fn signature(signed: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"staffetta sandbox token");
    hash.update(signed.as_bytes());
    base64url(&hash.finalize())
}

/// What a token says.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Whose token: `smart-receipt` or `stamp`.
    pub audience: &'static str,
    /// Whom it was given to.
    pub username: String,
    /// When.
    pub issued: DateTime<Utc>,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
    /// Which generation: all tokens of an earlier one are void.
    pub epoch: u64,
    /// Makes it unlike any other.
    pub id: String,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadToken {
    /// Not one of ours, or for another provider.
    Invalid,
    /// Too old.
    Expired,
}

/// Writes a token. The claims are A-Cube's (PROVIDERS.md 1.2) and a few more.
pub fn issue(claims: &Claims) -> String {
    let host = if claims.audience == "stamp" { "merchantapi.stampit.co" } else { "it.api.acubeapi.com" };
    let payload = json!({
        "iat": claims.issued.timestamp(),
        "exp": claims.expires.timestamp(),
        "exp_ms": claims.expires.timestamp_millis(),
        "roles": { host: ["ROLE_WRITER"] },
        "username": claims.username,
        "uid": claims.id,
        "aud": claims.audience,
        "epoch": claims.epoch,
    });
    let header = base64url(br#"{"typ":"JWT","alg":"HS256"}"#);
    let signed = format!("{header}.{}", base64url(payload.to_string().as_bytes()));
    let signature = signature(&signed);
    format!("{signed}.{signature}")
}

/// Whether a token is good for `audience` at `now`.
pub fn verify(token: &str, audience: &str, epoch: u64, now: DateTime<Utc>) -> Result<(), BadToken> {
    let (signed, given) = token.rsplit_once('.').ok_or(BadToken::Invalid)?;
    let (_, payload) = signed.split_once('.').ok_or(BadToken::Invalid)?;
    if given != signature(signed) {
        return Err(BadToken::Invalid);
    }
    let payload = from_base64(payload).ok_or(BadToken::Invalid)?;
    let claims: Value = serde_json::from_slice(&payload).map_err(|_| BadToken::Invalid)?;
    if claims.get("aud").and_then(Value::as_str) != Some(audience) {
        return Err(BadToken::Invalid);
    }
    let expires = claims.get("exp_ms").and_then(Value::as_i64).ok_or(BadToken::Invalid)?;
    let good = now.timestamp_millis() < expires && claims.get("epoch").and_then(Value::as_u64) == Some(epoch);
    if good { Ok(()) } else { Err(BadToken::Expired) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_usual_one() {
        for (plain, coded) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("??>", "Pz8-")]
        {
            assert_eq!(base64url(plain.as_bytes()), coded);
            assert_eq!(from_base64(coded).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(from_base64("Pz8+"), Some(b"??>".to_vec()));
        assert_eq!(from_base64("Zg=="), Some(b"f".to_vec()));
        assert_eq!(from_base64("Z g"), None);
    }

    #[test]
    fn tokens_are_bound_to_provider_and_time() {
        let issued = DateTime::UNIX_EPOCH;
        let expires = issued + chrono::TimeDelta::seconds(60);
        let claims = Claims { audience: "stamp", username: "a@b".into(), issued, expires, epoch: 0, id: "x".into() };
        let token = issue(&claims);
        assert_eq!(verify(&token, "stamp", 0, issued), Ok(()));
        assert_eq!(verify(&token, "stamp", 1, issued), Err(BadToken::Expired));
        assert_eq!(verify(&token, "stamp", 0, expires), Err(BadToken::Expired));
        assert_eq!(verify(&token, "smart-receipt", 0, issued), Err(BadToken::Invalid));
        for bad in ["", ".", "a.b", "a.b.c", &token[1..]] {
            assert_eq!(verify(bad, "stamp", 0, issued), Err(BadToken::Invalid), "{bad}");
        }
    }
}
