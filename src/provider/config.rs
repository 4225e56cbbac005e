//! What an adapter needs to know of its account, and the adapters made from it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::calls::Calls;
use super::http::{Http, Wires, base_url};
use super::openapi::Openapi;
use super::smart_receipt::SmartReceipt;
use super::stamp::Stamp;
use super::{Adapter, Provider};
use crate::clock::Clock;
use crate::domain::account::{Account, ProviderKind};

/// An account with everything that is needed to talk for it. Holds secrets, so it cannot be printed.
#[derive(Clone)]
pub struct AccountConfig {
    /// Who it is.
    pub account: Account,
    /// Where to ask, and with which credentials.
    pub endpoint: Endpoint,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long an answer may take, once connected, to its last byte.
    pub answer_timeout: Duration,
    /// A proxy for https, if the shop's network needs one; those of the environment are never used.
    pub proxy: Option<SecretString>,
}

/// A provider's addresses and credentials.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one an account, made once")]
pub enum Endpoint {
    /// Openapi "Invoice".
    Openapi {
        /// For example `https://invoice.openapi.com`.
        base_url: String,
        /// A token with the scopes of `IT-receipts` (and `IT-configurations`).
        token: SecretString,
    },
    /// A-Cube Smart Receipt.
    SmartReceipt {
        /// For example `https://it.api.acubeapi.com`.
        base_url: String,
        /// For example `https://common.api.acubeapi.com/login`.
        login_url: String,
        /// Who logs in.
        email: String,
        /// With what.
        password: SecretString,
    },
    /// Stamp tax-free.
    Stamp {
        /// `MerchantApiUrl`: where one logs in.
        merchant_api_url: String,
        /// `InvoicingApiUrl`: where invoices are.
        invoicing_api_url: String,
        /// `MerchantPortalUrl`: where the merchant completes drafts.
        merchant_portal_url: String,
        /// Who logs in.
        email: String,
        /// With what.
        password: SecretString,
        /// How `CreatedOn` is written.
        created_on: CreatedOn,
        /// The paths of its calls.
        paths: StampPaths,
    },
}

impl Endpoint {
    /// Which provider it is.
    pub fn provider(&self) -> ProviderKind {
        match self {
            Endpoint::Openapi { .. } => ProviderKind::Openapi,
            Endpoint::SmartReceipt { .. } => ProviderKind::SmartReceipt,
            Endpoint::Stamp { .. } => ProviderKind::Stamp,
        }
    }
}

/// How Stamp wants a draft's date: its document shows one form and names another (PROVIDERS.md 1.5.1). Never switched
/// silently: 05/03 would swap day and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CreatedOn {
    /// `2018-12-25T10:30:00`, Italian time: the only concrete example.
    #[default]
    Iso,
    /// `25/12/2018 10:30:00`.
    Italian,
}

/// The paths of Stamp's calls below `InvoicingApiUrl`, as its document writes them; `{id}` is the invoice's id. The two
/// prefixes (`/api/i/…`, `/api/…`) may be a slip, so each can be changed (PROVIDERS.md 1.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named for its call")]
pub struct StampPaths {
    /// Below `MerchantApiUrl`.
    pub sign: String,
    pub draft: String,
    pub pdf: String,
    pub note_pdf: String,
    pub customer: String,
    pub status: String,
    pub crf0: String,
    pub debit_number: String,
    pub credit_goods_number: String,
    pub credit_vat_number: String,
    pub cancel: String,
}

impl Default for StampPaths {
    fn default() -> StampPaths {
        StampPaths {
            sign: "api/auth/sign".to_owned(),
            draft: "api/i/invoices/draft".to_owned(),
            pdf: "api/invoices/{id}/pdf".to_owned(),
            note_pdf: "api/invoices/{id}/note/pdf".to_owned(),
            customer: "api/i/invoices/{id}/customer".to_owned(),
            status: "api/i/invoices/{id}/status".to_owned(),
            crf0: "api/invoices/{id}/crf0".to_owned(),
            debit_number: "api/i/invoices/{id}/note/debit/number".to_owned(),
            credit_goods_number: "api/i/invoices/{id}/note/creditgoods/number".to_owned(),
            credit_vat_number: "api/i/invoices/{id}/note/creditvat/number".to_owned(),
            cancel: "api/invoices/{id}/cancel".to_owned(),
        }
    }
}

/// Why no adapter can be made. Says what to change; never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An address that cannot be used.
    #[error("{name}: {why}")]
    Url {
        /// The name of the setting.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A secret that cannot travel in a header.
    #[error("{name}: the secret is empty or holds characters that cannot be sent (a line break?)")]
    Secret {
        /// The name of the setting.
        name: &'static str,
    },
    /// A proxy that cannot be used.
    #[error("proxy: not the URL of a proxy")]
    Proxy,
    /// The account says one provider, the endpoint another.
    #[error("the account is of another provider than its endpoint")]
    Mismatch,
    /// The HTTP client could not be made.
    #[error("no HTTPS client could be made ({0}); is the system's store of certificates (ca-certificates) installed?")]
    Client(String),
}

/// Makes the adapter of an account. Nothing is sent yet.
///
/// # Errors
/// [`ConfigError`] when an address, a secret or the proxy cannot be used.
pub fn connect(config: AccountConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, ConfigError> {
    Ok(connect_adapter(config, clock)?)
}

/// Makes the adapter of an account with its other calls, for `fetch`, `company` and `receipts` (one token for both).
///
/// # Errors
/// As [`connect`].
pub fn connect_adapter(config: AccountConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Adapter>, ConfigError> {
    if config.account.provider != config.endpoint.provider() {
        return Err(ConfigError::Mismatch);
    }
    let wires = |tls| Wires {
        connect_timeout: config.connect_timeout,
        answer_timeout: config.answer_timeout,
        proxy: config.proxy.as_ref().map(secrecy::ExposeSecret::expose_secret),
        tls,
    };
    match config.endpoint.clone() {
        Endpoint::Openapi { base_url: url, token } => {
            let url = base_url("base_url", &url)?;
            let http = Http::new(&wires(url.scheme() == "https"), clock)?;
            Ok(Arc::new(Openapi::new(http, url, &token)?))
        }
        Endpoint::SmartReceipt { base_url: url, login_url, email, password } => {
            let (url, login) = (base_url("base_url", &url)?, base_url("login_url", &login_url)?);
            let http = Http::new(&wires([&url, &login].iter().any(|url| url.scheme() == "https")), clock)?;
            Ok(Arc::new(SmartReceipt::new(http, url, login, email, password)))
        }
        Endpoint::Stamp {
            merchant_api_url,
            invoicing_api_url,
            merchant_portal_url,
            email,
            password,
            created_on,
            paths,
        } => {
            let merchant = base_url("merchant_api_url", &merchant_api_url)?;
            let invoicing = base_url("invoicing_api_url", &invoicing_api_url)?;
            let portal = base_url("merchant_portal_url", &merchant_portal_url)?;
            let http =
                Http::new(&wires([&merchant, &invoicing].iter().any(|url| url.scheme() == "https")), clock.clone())?;
            // The PDFs lie with someone else, over https, whatever the API is.
            let files = Http::new(&wires(true), clock);
            let login = super::stamp::Login { merchant, email, password };
            Ok(Arc::new(Stamp::new(http, files, login, invoicing, portal, created_on, paths)?))
        }
    }
}

/// Everything that can be asked of an account's provider.
impl<T: Provider + Calls> Adapter for T {}
