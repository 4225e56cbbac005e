//! How the sandbox behaves when nothing is wrong: who is known, how long things take, what is unknown about the
//! providers and therefore can be chosen (PROVIDERS.md 8).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::money::Numeral;

/// The behaviour of the simulated providers and of the authority. All members are optional in JSON; unknown ones are
/// refused. `POST /_sandbox/settings` changes the members that it names and leaves the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// VAT numbers that have a configuration from the start, at both receipt providers; a later change only adds.
    pub known_fiscal_ids: Vec<String>,
    /// From the provider's yes to the authority's: status `new` becomes `submitted`, item ids and numbers appear.
    pub submit_delay: Span,
    /// From the provider's yes to the finished PDF: status `submitted` becomes `ready`.
    pub ready_delay: Span,
    /// After this long the merchant has completed a tax-free draft by himself; `never`: only through the portal or
    /// `/_sandbox/stamp/{invoiceId}/complete`.
    pub merchant_delay: Delay,
    /// After this long (from completion) customs decide as [`customs_status`](Self::customs_status) says.
    pub customs_delay: Delay,
    /// What customs decide.
    pub customs_status: CustomsStatus,
    /// How long a token lives.
    pub token_lifetime: Span,
    /// The only logins taken; none: any that is not empty.
    pub accepted_credentials: Option<Vec<Credentials>>,
    /// Passwords that are always refused; as an AdE password in a configuration too.
    pub rejected_passwords: Vec<String>,
    /// The only Openapi tokens taken besides those issued here; none: any that is not empty.
    pub accepted_tokens: Option<Vec<String>>,
    /// Openapi tokens that are always refused.
    pub rejected_tokens: Vec<String>,
    /// Lists leave out what was received during the last so much.
    pub list_lag: Span,
    /// Whether Openapi's lists and reads echo `tags` (no source says so for sure, PROVIDERS.md 8.1).
    pub echo_tags_in_lists: bool,
    /// When the authority is shut.
    pub blackout: Blackout,
    /// Which day Openapi's `created_at=` filter means.
    pub created_day: Day,
    /// The providers' clocks are this many milliseconds ahead of the sandbox's (negative: behind); it shows in the
    /// `Date` header and in every time they print.
    pub clock_skew_ms: i64,
    /// Whether a second void of the same receipt is refused.
    pub refuse_second_void: bool,
    /// Whether Stamp refuses a `MerchantInvoiceId` that it already has.
    pub unique_merchant_invoice_id: bool,
    /// Makes ids and document numbers repeatable; none: other ones in every run, so that a restarted sandbox never
    /// gives out an id that a journal already knows.
    pub seed: Option<u64>,
}

impl Default for Settings {
    fn default() -> Settings {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Settings {
            known_fiscal_ids: texts(&["12345678903", "01234567897", "123456789", "string", "YourCompanyFiscal_id"]),
            submit_delay: Span::from_millis(200),
            ready_delay: Span::from_millis(400),
            merchant_delay: Delay::After(Duration::from_secs(1)),
            customs_delay: Delay::Never,
            customs_status: CustomsStatus::Approved,
            token_lifetime: Span(Duration::from_secs(24 * 60 * 60)),
            accepted_credentials: None,
            rejected_passwords: texts(&["wrong-password"]),
            accepted_tokens: None,
            rejected_tokens: texts(&["wrong-token", "expired-token"]),
            list_lag: Span::from_millis(0),
            echo_tags_in_lists: true,
            blackout: Blackout::Real,
            created_day: Day::Utc,
            clock_skew_ms: 0,
            refuse_second_void: true,
            unique_merchant_invoice_id: false,
            seed: None,
        }
    }
}

/// An e-mail address and its password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The address.
    pub email: String,
    /// The password; a sandbox one, of no worth.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.email)
    }
}

/// When the authority takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blackout {
    /// 23:55:00 to 00:00:00 in Rome, by the sandbox's clock.
    Real,
    /// Now and until changed.
    On,
    /// Never.
    Off,
}

/// Which calendar day a date filter means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// The day in UTC, as `created_at` is written.
    Utc,
    /// The Italian day.
    Rome,
}

/// What customs say of a tax-free invoice; the number is Stamp's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomsStatus {
    /// 0: the customer has not left yet.
    Pending,
    /// 1: the goods left.
    Approved,
    /// 2: refused.
    Rejected,
    /// 3: the invoice was cancelled.
    #[serde(alias = "canceled")]
    Cancelled,
}

impl CustomsStatus {
    /// Stamp's number for it (S0).
    pub fn code(self) -> u8 {
        match self {
            CustomsStatus::Pending => 0,
            CustomsStatus::Approved => 1,
            CustomsStatus::Rejected => 2,
            CustomsStatus::Cancelled => 3,
        }
    }

    /// The name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            CustomsStatus::Pending => "pending",
            CustomsStatus::Approved => "approved",
            CustomsStatus::Rejected => "rejected",
            CustomsStatus::Cancelled => "cancelled",
        }
    }
}

/// A length of time: in JSON `"200ms"`, `"90s"`, `"1h30m"`, or a whole number of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Span {
        Span(Duration::from_millis(millis))
    }

    /// As a difference of two instants.
    pub fn delta(self) -> chrono::TimeDelta {
        chrono::TimeDelta::from_std(self.0).unwrap_or(chrono::TimeDelta::MAX)
    }
}

/// Not a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a length of time such as \"200ms\", \"90s\" or \"1h30m\", or a whole number of milliseconds")]
pub struct BadSpan;

/// The longest span taken: ten years. More is a slip, and would overflow dates.
const MAX_SPAN: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

impl FromStr for Span {
    type Err = BadSpan;
    fn from_str(text: &str) -> Result<Span, BadSpan> {
        let mut total = Duration::ZERO;
        let mut rest = text.trim();
        if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) {
            total = Duration::from_millis(rest.parse().map_err(|_| BadSpan)?);
            rest = "";
        } else if rest.is_empty() {
            return Err(BadSpan);
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let number: u64 = number.parse().map_err(|_| BadSpan)?;
            let millis = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(BadSpan),
            };
            let part = Duration::from_millis(number.checked_mul(millis).ok_or(BadSpan)?);
            total = total.checked_add(part).ok_or(BadSpan)?;
            rest = tail;
        }
        if total <= MAX_SPAN { Ok(Span(total)) } else { Err(BadSpan) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            whole if whole % 1_000 == 0 => write!(f, "{}s", whole / 1_000),
            millis => write!(f, "{millis}ms"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        Numeral::deserialize(deserializer)?.as_str().parse().map_err(serde::de::Error::custom)
    }
}

/// A length of time, or `"never"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// After so long.
    After(Duration),
    /// Not by itself.
    Never,
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Delay::After(span) => Span(*span).serialize(serializer),
            Delay::Never => serializer.serialize_str("never"),
        }
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Delay, D::Error> {
        match Numeral::deserialize(deserializer)?.as_str() {
            "never" => Ok(Delay::Never),
            text => text.parse().map(|Span(span)| Delay::After(span)).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, millis) in [("200ms", 200), ("90s", 90_000), ("1h30m", 5_400_000), ("250", 250), ("0", 0)] {
            assert_eq!(text.parse(), Ok(Span::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "1x", "-1s", "1.5s", "99999999999999999999s", "4000d", "1s "] {
            assert_eq!(text.parse::<Span>().is_ok(), text == "1s ", "{text:?}");
        }
        let json = r#"{"submit_delay":250,"merchant_delay":"never","customs_status":"rejected","blackout":"off"}"#;
        let settings: Settings = serde_json::from_str(json).unwrap();
        assert_eq!(settings.submit_delay, Span::from_millis(250));
        assert_eq!(settings.merchant_delay, Delay::Never);
        let again: Settings = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(again, settings);
        assert!(serde_json::from_str::<Settings>(r#"{"sumbit_delay":1}"#).is_err());
    }
}
