//! The configuration as it was typed: names and shapes, nothing judged. Unknown keys are errors. [`super::meaning`]
//! says what it means.

use serde::Deserialize;
use toml::Spanned;

use super::secret::SecretSource;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    pub journal: Journal,
    #[serde(default)]
    pub dispatch: Dispatch,
    pub agent: Option<Agent>,
    #[serde(default)]
    pub account: Vec<Spanned<Account>>,
}

/// `[journal]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    pub path: Option<Spanned<String>>,
}

/// `[dispatch]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispatch {
    pub in_flight: Option<Spanned<u32>>,
    pub connect_timeout: Option<Spanned<String>>,
    pub answer_timeout: Option<Spanned<String>>,
    pub blackout: Option<Spanned<String>>,
    pub blackout_spread: Option<Spanned<String>>,
    pub backoff: Option<Backoff>,
    pub settle: Option<Spanned<String>>,
    pub track: Option<Track>,
}

/// `backoff = { … }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    pub initial: Option<Spanned<String>>,
    pub factor: Option<Spanned<f64>>,
    pub max: Option<Spanned<String>>,
    pub jitter: Option<Spanned<f64>>,
}

/// `track = { … }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Track {
    pub initial: Option<Spanned<String>>,
    pub max: Option<Spanned<String>>,
}

/// `[agent]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub listen: Option<Spanned<String>>,
    pub token: Option<Spanned<SecretSource>>,
}

/// `[[account]]`: the keys of all providers; which belong to which is judged later, so that the error can say it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: Option<Spanned<String>>,
    pub provider: Option<Spanned<String>>,
    pub fiscal_ids: Option<Spanned<Vec<Spanned<String>>>>,
    pub blackout: Option<Spanned<String>>,
    pub requests_per_minute: Option<Spanned<u32>>,
    pub credentials_changed: Option<Spanned<toml::Value>>,
    pub callback_secret: Option<Spanned<SecretSource>>,
    pub proxy: Option<Spanned<String>>,
    // openapi, smart-receipt
    pub base_url: Option<Spanned<String>>,
    // openapi
    pub token: Option<Spanned<SecretSource>>,
    // smart-receipt
    pub login_url: Option<Spanned<String>>,
    // smart-receipt, stamp
    pub email: Option<Spanned<String>>,
    pub password: Option<Spanned<SecretSource>>,
    // stamp
    pub merchant_api_url: Option<Spanned<String>>,
    pub invoicing_api_url: Option<Spanned<String>>,
    pub merchant_portal_url: Option<Spanned<String>>,
    pub created_on_format: Option<Spanned<String>>,
    pub paths: Option<Spanned<StampPaths>>,
}

/// `paths = { … }` of a Stamp account: the provider's document names two prefixes without saying why (PROVIDERS.md 1.5,
/// item 2). `{id}` stands for the invoice's id.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StampPaths {
    pub sign: Option<Spanned<String>>,
    pub draft: Option<Spanned<String>>,
    pub pdf: Option<Spanned<String>>,
    pub note_pdf: Option<Spanned<String>>,
    pub customer: Option<Spanned<String>>,
    pub status: Option<Spanned<String>>,
    pub crf0: Option<Spanned<String>>,
    pub debit_number: Option<Spanned<String>>,
    pub credit_goods_number: Option<Spanned<String>>,
    pub credit_vat_number: Option<Spanned<String>>,
    pub cancel: Option<Spanned<String>>,
}
