//! `GET /metrics`, as Prometheus reads it. What is counted is read from the journal, like everything that anybody follows;
//! what is measured is looked up when it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::reply::{self, Answer};
use super::{Desk, told};
use crate::error::Error;
use crate::queue::Queue;
use crate::view::{Change, StatusView};

/// Seconds of a flush: a fast SSD, a slow one, a till's flash, a disk in trouble.
const FLUSHES: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Records read at a time.
const PAGE: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    account: String,
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAccount {
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    account: String,
    outcome: String,
}

/// What is counted while the agent runs.
#[derive(Default)]
pub(super) struct Metrics {
    attempts: Family<OfAccount, Counter>,
    outcomes: Family<OfOutcome, Counter>,
    flushes: Option<Histogram>,
    /// From where on is counted.
    from: u64,
}

/// What `status` does not say.
struct Measured {
    status: StatusView,
    in_doubt_s: i64,
    bytes: u64,
    takes: bool,
}

impl Metrics {
    /// Begins to count.
    pub(super) fn start(queue: &Queue) -> Metrics {
        let flushes = Histogram::new(FLUSHES);
        let (watched, counted) = (queue.clone_weakly(), flushes.clone());
        queue.on_commit(move || {
            if let Some(stats) = watched.stats() {
                counted.observe(stats.last_flush.as_secs_f64());
            }
        });
        Metrics { flushes: Some(flushes), from: queue.last_seq(), ..Metrics::default() }
    }

    fn count(&self, change: &Change) {
        let Some(account) = change.account.clone() else { return };
        match change.event.as_str() {
            "sending" => {
                self.attempts.get_or_create(&OfAccount { account }).inc();
            }
            "accepted" | "registered" | "refused" | "failed" | "held" | "unknown" | "not_sent" | "not_there"
            | "cancelled" => {
                let outcome = change.event.clone();
                self.outcomes.get_or_create(&OfOutcome { account, outcome }).inc();
            }
            _ => {}
        }
    }

    fn text(&self, measured: &Measured) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("staffetta");
        let Measured { status, in_doubt_s, bytes, takes } = measured;
        let documents = Family::<OfState, Gauge>::default();
        let holds = Family::<OfAccount, Gauge>::default();
        let blackout = Family::<OfAccount, Gauge>::default();
        for view in &status.accounts {
            let account = || view.name.clone();
            let counts: BTreeMap<_, _> = view.counts.iter().collect();
            for state in crate::domain::state::State::ALL {
                let count = counts.get(&state).map_or(0, |count| **count);
                let of = OfState { account: account(), state: state.name().to_owned() };
                documents.get_or_create(&of).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
            let held = i64::try_from(view.holds.len()).unwrap_or(i64::MAX);
            holds.get_or_create(&OfAccount { account: account() }).set(held);
            blackout.get_or_create(&OfAccount { account: account() }).set(i64::from(view.blackout.active));
        }
        let gauge = |value: i64| {
            let gauge = Gauge::<i64>::default();
            gauge.set(value);
            gauge
        };
        let oldest = status.oldest_unsent.as_ref().map_or(0, |oldest| oldest.age_s);
        let bytes = gauge(i64::try_from(*bytes).unwrap_or(i64::MAX));
        registry.register("documents", "Documents in the journal", documents);
        registry.register_with_unit("oldest_unsent", "Age of the oldest unsent document", Unit::Seconds, gauge(oldest));
        registry.register("attempts", "Submissions begun", self.attempts.clone());
        registry.register("outcomes", "What became of documents", self.outcomes.clone());
        registry.register_with_unit("in_doubt_age", "Age of the oldest doubt", Unit::Seconds, gauge(*in_doubt_s));
        registry.register("holds", "Holds in force", holds);
        registry.register("blackout", "Whether nothing may be submitted now", blackout);
        if let Some(flushes) = &self.flushes {
            registry.register_with_unit("flush", "One write and flush of the journal", Unit::Seconds, flushes.clone());
        }
        registry.register_with_unit("journal", "Bytes of the journal's segments", Unit::Bytes, bytes);
        registry.register("takes_documents", "Whether documents are taken now", gauge(i64::from(*takes)));
        registry.register("needs_person", "Whether somebody must do something", gauge(i64::from(status.needs_person)));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// Counts what happens, until the agent stops.
pub(super) async fn follow(desk: Arc<Desk>) {
    let mut changes = desk.queue.changes();
    let mut stopping = desk.stopping.clone();
    let mut seq = desk.metrics.from;
    loop {
        changes.borrow_and_update();
        match desk.read(move |queue| queue.changes_after(seq, PAGE)).await {
            Ok((page, reached)) => {
                page.iter().for_each(|change| desk.metrics.count(change));
                if reached > seq {
                    seq = reached;
                    continue;
                }
            }
            Err(error) => tracing::debug!(%error, "the events could not be counted"),
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = told(&mut stopping) => return,
        }
    }
}

/// `GET /metrics`.
pub(super) async fn show(State(desk): State<Arc<Desk>>) -> Answer {
    match desk.read(measure).await {
        Ok(measured) => match desk.metrics.text(&measured) {
            Ok(text) => reply::with(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text),
            Err(_) => reply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the metrics cannot be written"),
        },
        Err(error) => reply::trouble(&error),
    }
}

fn measure(queue: &Queue) -> Result<Measured, Error> {
    Ok(Measured {
        status: queue.status()?,
        in_doubt_s: queue.oldest_doubt_s()?,
        bytes: queue.stats().journal_bytes,
        takes: queue.takes().is_ok(),
    })
}
