//! From the configuration to open journals and reachable providers.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::config::{Config, ConfiguredAccount, Endpoint, MissingSecret};
use super::trouble::Trouble;
use super::trouble_of;
use crate::clock::{Clock, SystemClock};
use crate::dispatcher::{Managed, Settings, Unreachable};
use crate::domain::id::AccountName;
use crate::domain::outcome::HoldReason;
use crate::domain::retry::Backoff;
use crate::provider::config::{CreatedOn, StampPaths};
use crate::provider::{self, AccountConfig, Adapter, Provider};
use crate::queue::{Options, Queue};

/// The clock of the program.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Refuses a configuration without accounts, for the commands that mean nothing then.
///
/// # Errors
/// [`Trouble`] `config`.
pub fn with_accounts(config: Config) -> Result<Config, Trouble> {
    if config.accounts.is_empty() {
        let path = config.path.display();
        return Err(Trouble::new(
            "config",
            format!("{path}: there is no [[account]]: add one, as `staffetta init` shows"),
        ));
    }
    Ok(config)
}

/// Refuses a folder without a journal, for the commands that must not make one.
///
/// # Errors
/// [`Trouble`] `journal_missing`.
pub fn there_is_a_journal(config: &Config) -> Result<(), Trouble> {
    let folder = &config.journal;
    if folder.is_dir() {
        return Ok(());
    }
    let message =
        format!("there is no journal at {}: nothing was ever taken with this configuration", folder.display());
    Err(Trouble::new("journal_missing", message))
}

/// Opens the journal. Needs no secret.
///
/// # Errors
/// What the journal says.
pub fn open(config: &Config) -> Result<Queue, Trouble> {
    let accounts = config.accounts.iter().map(|configured| configured.account.clone()).collect();
    let options = Options { clock: clock(), accounts, ..Options::default() };
    let queue = Queue::open_with(&config.journal, options).map_err(trouble_of)?;
    for configured in &config.accounts {
        if let Some(changed) = configured.credentials_changed {
            queue.set_credentials_changed(&configured.account.name, changed);
        }
    }
    let recovery = queue.recovery();
    tracing::debug!(?recovery, "journal open");
    Ok(queue)
}

/// The dispatcher's settings.
pub fn settings(config: &Config) -> Settings {
    let dispatch = &config.dispatch;
    let defaults = Settings::default();
    Settings {
        in_flight: dispatch.in_flight as usize,
        connect_timeout: dispatch.connect_timeout,
        answer_timeout: dispatch.answer_timeout,
        blackout_spread: dispatch.blackout_spread,
        backoff: dispatch.backoff,
        settle: dispatch.settle,
        track: Backoff { initial: dispatch.track.0, max: dispatch.track.1, ..defaults.track },
        ..defaults
    }
}

/// Every account for the dispatcher: one whose secret is missing is held, the others are served.
///
/// # Errors
/// [`Trouble`] `config`, when an adapter cannot be made of a sound configuration.
pub fn managed(config: &Config) -> Result<Vec<Managed>, Trouble> {
    config.accounts.iter().map(|configured| manage(config, configured)).collect()
}

fn manage(config: &Config, configured: &ConfiguredAccount) -> Result<Managed, Trouble> {
    let (provider, secret) = match configured.secret.read() {
        Ok(secret) => {
            let hash: [u8; 32] = Sha256::digest(secret.expose_secret().as_bytes()).into();
            let provider: Arc<dyn Provider> = adapter(config, configured, secret)?;
            (Ok(provider), Some(hash))
        }
        Err(MissingSecret { what, cure }) => {
            tracing::warn!(account = %configured.account.name, "{what}: {cure}");
            (Err(Unreachable { reason: HoldReason::SecretMissing, detail: what, cure }), None)
        }
    };
    Ok(Managed {
        account: configured.account.clone(),
        provider,
        requests_per_minute: configured.requests_per_minute,
        secret,
        credentials_changed: configured.credentials_changed,
    })
}

/// The adapter of one account, for the calls beside the documents.
///
/// # Errors
/// [`Trouble`] `config`, when there is no such account, its secret is missing, or no adapter can be made.
pub fn reach(config: &Config, name: &AccountName) -> Result<Arc<dyn Adapter>, Trouble> {
    let Some(configured) = config.accounts.iter().find(|configured| configured.account.name == *name) else {
        let known = config.accounts.iter().map(|known| known.account.name.as_str()).collect::<Vec<_>>().join(", ");
        let path = config.path.display();
        return Err(Trouble::usage(format!("{path} has no account {name}: the accounts are {known}")));
    };
    let secret = configured
        .secret
        .read()
        .map_err(|missing| Trouble::new("secret_missing", format!("the account {name} cannot be used: {missing}")))?;
    adapter(config, configured, secret)
}

fn adapter(config: &Config, configured: &ConfiguredAccount, secret: SecretString) -> Result<Arc<dyn Adapter>, Trouble> {
    let account_config = AccountConfig {
        account: configured.account.clone(),
        endpoint: endpoint(&configured.endpoint, secret),
        connect_timeout: config.dispatch.connect_timeout,
        answer_timeout: config.dispatch.answer_timeout,
        proxy: configured.proxy.clone().map(SecretString::from),
    };
    provider::connect_adapter(account_config, clock()).map_err(|error| {
        let (path, name) = (config.path.display(), &configured.account.name);
        Trouble::new("config", format!("{path}: the account {name}: {error}"))
    })
}

fn endpoint(endpoint: &Endpoint, secret: SecretString) -> provider::Endpoint {
    match endpoint.clone() {
        Endpoint::Openapi { base_url } => provider::Endpoint::Openapi { base_url, token: secret },
        Endpoint::SmartReceipt { base_url, login_url, email } => {
            provider::Endpoint::SmartReceipt { base_url, login_url, email, password: secret }
        }
        Endpoint::Stamp(stamp) => provider::Endpoint::Stamp {
            merchant_api_url: stamp.merchant_api_url,
            invoicing_api_url: stamp.invoicing_api_url,
            merchant_portal_url: stamp.merchant_portal_url,
            email: stamp.email,
            password: secret,
            created_on: if stamp.slashes { CreatedOn::Italian } else { CreatedOn::Iso },
            paths: stamp_paths(stamp.paths),
        },
    }
}

fn stamp_paths(changed: Vec<(&'static str, String)>) -> StampPaths {
    let mut paths = StampPaths::default();
    for (name, path) in changed {
        let place = match name {
            "sign" => &mut paths.sign,
            "draft" => &mut paths.draft,
            "pdf" => &mut paths.pdf,
            "note_pdf" => &mut paths.note_pdf,
            "customer" => &mut paths.customer,
            "status" => &mut paths.status,
            "crf0" => &mut paths.crf0,
            "debit_number" => &mut paths.debit_number,
            "credit_goods_number" => &mut paths.credit_goods_number,
            "credit_vat_number" => &mut paths.credit_vat_number,
            _ => &mut paths.cancel,
        };
        *place = path;
    }
    paths
}
