//! From the configuration to open journals and reachable providers.

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::config::{Config, ConfiguredAccount, Endpoint, MissingSecret, SecretSource};
use super::trouble::Trouble;
use super::trouble_of;
use crate::agent;
use crate::agent::client::Place;
use crate::clock::{Clock, SystemClock};
use crate::dispatcher::plan::GUARD;
use crate::dispatcher::{Managed, Settings, Unreachable};
use crate::domain::id::AccountName;
use crate::domain::outcome::HoldReason;
use crate::domain::retry::Backoff;
use crate::error::Error;
use crate::journal;
use crate::provider::config::{ConfigError, CreatedOn, StampPaths};
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
    if config.journal.is_dir() { Ok(()) } else { Err(Trouble::new("journal_missing", no_journal(config))) }
}

/// What is said where there is no journal.
pub fn no_journal(config: &Config) -> String {
    let folder = config.journal.display();
    format!("there is no journal at {folder}: nothing was ever taken with this configuration")
}

/// Opens the journal. Needs no secret. `role` is said to whoever finds it locked.
///
/// # Errors
/// What the journal says.
pub fn open(config: &Config, role: &'static str) -> Result<Queue, Trouble> {
    try_open(config, role).map_err(trouble_of)
}

/// As [`open`], with the queue's own error.
///
/// # Errors
/// What the journal says.
pub fn try_open(config: &Config, role: &'static str) -> Result<Queue, Error> {
    let accounts = config.accounts.iter().map(|configured| configured.account.clone()).collect();
    let journal = journal::Options { role, ..journal::Options::default() };
    let options = Options { clock: clock(), accounts, journal };
    let queue = Queue::open_with(&config.journal, options)?;
    for configured in &config.accounts {
        if let Some(changed) = configured.credentials_changed {
            queue.set_credentials_changed(&configured.account.name, changed);
        }
    }
    queue.set_guard(settings(config).on_the_wire().saturating_add(GUARD));
    let recovery = queue.recovery();
    tracing::debug!(?recovery, "journal open");
    Ok(queue)
}

/// Where TCP is served when sockets are not and nobody says where.
#[cfg(not(unix))]
const AGENT: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7071);

/// Where the agent of this journal is asked.
///
/// # Errors
/// [`Trouble`] `config`, when its token is needed and cannot be read.
pub fn agent_place(config: &Config) -> Result<Place, Trouble> {
    #[cfg(unix)]
    return Ok(Place::Socket(config.journal.clone()));
    #[cfg(not(unix))]
    {
        let token = config.agent.token.read().unwrap_or_default(); // whoever serves says that it is missing
        Ok(Place::Tcp(config.agent.listen.unwrap_or(AGENT), token))
    }
}

/// Where `run` serves, and whom it lets in. Makes the token's file, if there is none yet.
///
/// # Errors
/// [`Trouble`] `agent`, when the token cannot be made or read.
pub fn agent_options(config: &Config) -> Result<agent::Options, Trouble> {
    #[cfg(unix)]
    let listen = config.agent.listen;
    #[cfg(not(unix))]
    let listen = Some(config.agent.listen.unwrap_or(AGENT));
    let listen = match listen {
        None => None,
        Some(address) => {
            if let SecretSource::File(path) = &config.agent.token {
                agent::token::make_file(path).map_err(|error| {
                    let path = path.display();
                    Trouble::new("agent", format!("the agent's token {path} cannot be made: {error}"))
                })?;
            }
            let token = config.agent.token.read();
            Some((address, token.map_err(|missing| Trouble::new("secret_missing", missing.to_string()))?))
        }
    };
    let mut callbacks = HashMap::new();
    for configured in &config.accounts {
        match configured.callback_secret.as_ref().map(SecretSource::read) {
            None => {}
            Some(Ok(secret)) => {
                callbacks.insert(configured.account.name.clone(), secret);
            }
            Some(Err(missing)) => {
                tracing::warn!(account = %configured.account.name, "no callbacks are taken: {missing}");
            }
        }
    }
    Ok(agent::Options { folder: config.journal.clone(), listen, callbacks })
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

/// Every account for the dispatcher: one whose secret is missing, or cannot be sent, is held, the others are served.
///
/// # Errors
/// [`Trouble`] `config`, when an adapter cannot be made of a sound configuration.
pub fn managed(config: &Config) -> Result<Vec<Managed>, Trouble> {
    config.accounts.iter().map(|configured| manage(config, configured)).collect()
}

fn manage(config: &Config, configured: &ConfiguredAccount) -> Result<Managed, Trouble> {
    let (provider, secret) = match usable(config, configured)? {
        Ok((provider, hash)) => (Ok(provider), Some(hash)),
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

/// The provider and the secret's hash. A secret that cannot be sent is as good as none, and as little the others' trouble.
type Usable = Result<(Arc<dyn Provider>, [u8; 32]), MissingSecret>;

fn usable(config: &Config, configured: &ConfiguredAccount) -> Result<Usable, Trouble> {
    let secret = match configured.secret.read() {
        Ok(secret) => secret,
        Err(missing) => return Ok(Err(missing)),
    };
    let hash = Sha256::digest(secret.expose_secret().as_bytes()).into();
    match adapter(config, configured, secret) {
        Ok(provider) => Ok(Ok((provider, hash))),
        Err(ConfigError::Secret { .. }) => Ok(Err(configured.secret.unsendable())),
        Err(error) => Err(no_adapter(config, configured, &error)),
    }
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
    adapter(config, configured, secret).map_err(|error| no_adapter(config, configured, &error))
}

fn no_adapter(config: &Config, configured: &ConfiguredAccount, error: &ConfigError) -> Trouble {
    let (path, name) = (config.path.display(), &configured.account.name);
    Trouble::new("config", format!("{path}: the account {name}: {error}"))
}

fn adapter(
    config: &Config,
    configured: &ConfiguredAccount,
    secret: SecretString,
) -> Result<Arc<dyn Adapter>, ConfigError> {
    let account_config = AccountConfig {
        account: configured.account.clone(),
        endpoint: endpoint(&configured.endpoint, secret),
        connect_timeout: config.dispatch.connect_timeout,
        answer_timeout: config.dispatch.answer_timeout,
        proxy: configured.proxy.clone().map(SecretString::from),
    };
    provider::connect_adapter(account_config, clock())
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
