//! A shop, its journal, its dispatcher and the three providers, all in one process and on real time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use staffetta::clock::{Clock, SystemClock};
use staffetta::domain::account::{Account, ProviderKind};
use staffetta::domain::line;
use staffetta::domain::retry::Backoff;
use staffetta::prelude::*;
use staffetta::provider::config::{CreatedOn, StampPaths};
use staffetta::provider::{AccountConfig, Adapter, Endpoint, connect_adapter};
use staffetta::queue::Options;
use staffetta::sandbox::{self, Delay, LedgerEntry, Logged, Sandbox, Span};
use staffetta::view::{DocumentView, ListFilter, Ticket};

use crate::support::shop;

pub const OPENAPI: ProviderKind = ProviderKind::Openapi;
pub const SMART: ProviderKind = ProviderKind::SmartReceipt;
pub const STAMP: ProviderKind = ProviderKind::Stamp;

/// Long enough for a machine that does ten other things; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine's clock, set to a morning, so that the tests pass at any hour: at 23:59 the real rules would make them
/// wait, and fail what A-Cube takes a moment before midnight.
struct Morning {
    ahead: TimeDelta,
}

impl Morning {
    fn new() -> Morning {
        let start: DateTime<Utc> = "2026-11-20T09:00:00Z".parse().unwrap();
        Morning { ahead: start - SystemClock.now() }
    }
}

impl Clock for Morning {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.ahead
    }
    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

/// How a bench differs from the usual one.
pub struct Setup {
    pub providers: Vec<ProviderKind>,
    pub sandbox: sandbox::Settings,
    pub dispatch: Settings,
}

impl Default for Setup {
    fn default() -> Setup {
        let millis = Duration::from_millis;
        Setup {
            providers: vec![OPENAPI, SMART, STAMP],
            sandbox: sandbox::Settings {
                submit_delay: Span::from_millis(40),
                ready_delay: Span::from_millis(80),
                merchant_delay: Delay::After(millis(40)),
                ..sandbox::Settings::default()
            },
            dispatch: Settings {
                connect_timeout: Duration::from_secs(10),
                answer_timeout: Duration::from_secs(10),
                blackout_spread: Duration::ZERO,
                backoff: Backoff { initial: millis(50), factor: 2.0, max: millis(400), jitter: 0.2 },
                settle: millis(300),
                track: Backoff { initial: millis(50), factor: 1.5, max: millis(200), jitter: 0.2 },
                longest_sleep: Duration::from_secs(2),
                ..Settings::default()
            },
        }
    }
}

pub struct Bench {
    pub sandbox: Sandbox,
    pub queue: Queue,
    pub dispatcher: Option<Dispatcher>,
    pub clock: Arc<dyn Clock>,
    pub setup: Setup,
    /// Kept for as long as the journal in it.
    _folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        Bench::with(Setup::default())
    }

    pub fn with(setup: Setup) -> Bench {
        let clock: Arc<dyn Clock> = Arc::new(Morning::new());
        let options =
            sandbox::Options { settings: setup.sandbox.clone(), clock: clock.clone(), ..sandbox::Options::default() };
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path(), &clock, &setup.providers);
        Bench { sandbox: Sandbox::start_with(options).unwrap(), queue, dispatcher: None, clock, setup, _folder: folder }
    }

    pub fn start(&mut self) {
        let managed = accounts(&self.setup.providers).into_iter().map(|account| {
            let adapter = self.adapter(account.provider);
            Managed::new(account, adapter)
        });
        let dispatcher = Dispatcher::start_with(&self.queue, managed.collect(), self.setup.dispatch.clone());
        self.dispatcher = Some(dispatcher.unwrap());
    }

    pub async fn stop(&mut self) {
        if let Some(dispatcher) = self.dispatcher.take() {
            within(dispatcher.stop(), || "it does not stop".to_owned()).await.unwrap();
        }
    }

    pub async fn stop_now(&mut self) {
        if let Some(dispatcher) = self.dispatcher.take() {
            within(dispatcher.stop_now(), || "it does not stop".to_owned()).await;
        }
    }

    /// An account's own connection to its provider.
    pub fn adapter(&self, provider: ProviderKind) -> Arc<dyn Adapter> {
        let account = accounts(&[provider]).remove(0);
        let config = AccountConfig {
            account,
            endpoint: endpoint(provider, &self.sandbox.base_url()),
            connect_timeout: self.setup.dispatch.connect_timeout,
            answer_timeout: self.setup.dispatch.answer_timeout,
            proxy: None,
        };
        connect_adapter(config, self.clock.clone()).unwrap()
    }

    /// Takes a document as a till writes it.
    pub fn try_take(&self, line: impl std::fmt::Display) -> Result<Ticket, Error> {
        let document = line::parse(line.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {line}"));
        self.queue.take(document)
    }

    pub fn take(&self, line: impl std::fmt::Display) -> Ticket {
        self.try_take(&line).unwrap_or_else(|error| panic!("{error:?}: {line}"))
    }

    pub fn get(&self, key: &str) -> DocumentView {
        self.queue.get(key).unwrap()
    }

    pub async fn drained(&self) {
        let dispatcher = self.dispatcher.as_ref().unwrap();
        within(dispatcher.drained(), || format!("it does not drain: {}", self.story())).await;
    }

    /// Waits until a document is as wanted.
    pub async fn until(&self, key: &str, wanted: impl Fn(&DocumentView) -> bool) -> DocumentView {
        let seen = async {
            loop {
                let view = self.get(key);
                if wanted(&view) {
                    return view;
                }
                // A change between the look and the watch is seen a moment later.
                let change = tokio::time::timeout(Duration::from_millis(50), self.queue.watch(key)).await;
                change.unwrap_or(Ok(view)).unwrap();
                tokio::task::yield_now().await; // a watch that returns at once must not keep the time from passing
            }
        };
        within(seen, || format!("{key} does not come to it: {}", self.story())).await
    }

    pub async fn registered(&self, key: &str) -> DocumentView {
        self.until(key, |view| view.state == State::Registered).await
    }

    /// Everything that the providers said yes to under this key.
    pub fn ledger(&self, key: &str) -> Vec<LedgerEntry> {
        let all = self.sandbox.ledger().into_iter();
        all.filter(|entry| entry.idempotency_key.as_deref() == Some(key)).collect()
    }

    /// The only one.
    pub fn entry(&self, key: &str) -> LedgerEntry {
        let mut entries = self.ledger(key);
        assert_eq!(entries.len(), 1, "{key} in {entries:#?}\n{}", self.story());
        entries.remove(0)
    }

    pub fn events(&self, key: &str) -> Vec<String> {
        self.get(key).events.into_iter().map(|event| event.event).collect()
    }

    /// Requests that ask for something that must not be done twice.
    pub fn submissions(&self) -> Vec<Logged> {
        let all = self.sandbox.requests().into_iter();
        all.filter(|request| request.call.parse::<sandbox::Call>().is_ok_and(|call| call.is_submission())).collect()
    }

    /// What happened, for a test that failed.
    pub fn story(&self) -> String {
        let mut story = String::new();
        for one in self.queue.list(&ListFilter::default()).unwrap_or_default() {
            story += &format!("\n{} {} {}: {}", one.key, one.kind, one.state, one.reason.unwrap_or_default());
            for event in self.get(&one.key).events {
                let why = event.why.unwrap_or_default();
                story += &format!("\n    {} {:?} {} {why}", event.event, event.status, event.at.format("%S%.3f"));
            }
        }
        for request in self.sandbox.requests() {
            let Logged { at, method, path, status, fault, .. } = request;
            let fault = fault.unwrap_or_default();
            story += &format!("\n  {} {method} {path} {status:?} {fault}", at.format("%S%.3f"));
        }
        for entry in self.sandbox.ledger() {
            let LedgerEntry { kind, remote_id, status, idempotency_key, .. } = entry;
            story += &format!("\n  ledger: {kind} {remote_id} {status} {idempotency_key:?}");
        }
        if let Ok(status) = self.queue.status() {
            status
                .attention
                .iter()
                .for_each(|line| story += &format!("\n  attention: {:?} {}: {}", line.key, line.what, line.why));
        }
        story
    }
}

async fn within<T>(work: impl Future<Output = T>, else_say: impl FnOnce() -> String) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{}", else_say()),
    }
}

fn accounts(providers: &[ProviderKind]) -> Vec<Account> {
    shop::accounts().into_iter().filter(|account| providers.contains(&account.provider)).collect()
}

pub fn open(folder: &std::path::Path, clock: &Arc<dyn Clock>, providers: &[ProviderKind]) -> Queue {
    let journal = staffetta::journal::Options { index_in_memory: true, ..Default::default() };
    let options = Options { clock: clock.clone(), accounts: accounts(providers), journal };
    Queue::open_with(folder, options).unwrap()
}

fn endpoint(provider: ProviderKind, sandbox: &str) -> Endpoint {
    let secret = || SecretString::from("secret".to_owned());
    match provider {
        OPENAPI => Endpoint::Openapi { base_url: format!("{sandbox}/openapi"), token: secret() },
        SMART => Endpoint::SmartReceipt {
            base_url: format!("{sandbox}/smart-receipt"),
            login_url: format!("{sandbox}/smart-receipt/login"),
            email: "pos@example.com".to_owned(),
            password: secret(),
        },
        STAMP => Endpoint::Stamp {
            merchant_api_url: format!("{sandbox}/stamp"),
            invoicing_api_url: format!("{sandbox}/stamp"),
            merchant_portal_url: format!("{sandbox}/portal"),
            email: "user@email.com".to_owned(),
            password: secret(),
            created_on: CreatedOn::default(),
            paths: StampPaths::default(),
        },
    }
}
