//! The metrics of the process: names, labels and the handles to write them.
//!
//! No label takes what a client says: policies are the operator's, everything else is one of a few words.

mod admin;
mod admission;
mod backend;
mod batches;
mod cluster;
mod collectors;
mod counting;
mod drain;
mod fetch;
mod nats;
mod operators;
mod policy;
mod queues;
mod rollout;
mod sessions;
mod sharing;
mod supervision;
mod tls;
mod traces;
mod traffic;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

use self::admin::Admin;
use self::admission::Admission;
use self::backend::Backend;
use self::batches::Batches;
use self::cluster::Cluster;
pub(crate) use self::collectors::ShownPolicy;
use self::collectors::{Shown, Watched};
use self::drain::Drain;
use self::fetch::Fetches;
pub(crate) use self::fetch::PolicyHttpMetrics;
use self::nats::Nats;
use self::operators::Operators;
pub(crate) use self::policy::{PolicyMetrics, TrialOutcomes};
pub(crate) use self::queues::Depths;
use self::queues::Queues;
use self::rollout::Rollouts;
use self::sessions::Sessions;
use self::sharing::Sharing;
use self::supervision::Supervision;
use self::tls::Tls;
use self::traces::Traces;
pub(crate) use self::traffic::Held;
use self::traffic::Traffic;
use super::exposition;
pub(crate) use super::labels::admission::{Cut, Limit, Pressure};
pub(crate) use super::labels::backend::{BackendAnswer, BackendEmit, BackendKind, BackendLoss};
pub(crate) use super::labels::sessions::{EndReason, RefreshResult};
pub(crate) use super::labels::tls::{CertificateFault, Handshaken, Listener};
pub(crate) use super::labels::traffic::{Carried, SpanOutcome};
pub(crate) use super::labels::{
    BatchEnd, CacheFault, ChangeResult, Changed, Compiled, DropReason, FetchOutcome, Hook,
    TrapKind, TrialOutcome, Undelivered, VerdictKind,
};
use super::labels::{
    CauseLabels, ChangeLabels, CodeLabel, Counters, DenialLabels, DisconnectLabel, HookLabels,
    KeyLabel, Label, OwnLabels, ReloadResult, SocketErrorLabel, TrapLabels, TrialLabels,
    VerdictLabels,
};
pub(crate) use super::latency::Durations;
use super::latency::Latency;
use super::log::LogLines;
use super::process::Process;
use super::spread::Tally;
use crate::state::Store;

/// The metrics of this process.
pub(crate) fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

/// A number of a policy's own.
#[derive(Debug, Clone)]
pub(crate) enum OwnMetric {
    Counter(Tally),
    Gauge(Gauge<f64, AtomicU64>),
}

pub(crate) struct Metrics {
    registry: Registry,
    /// Of the names that every process has, without our prefix.
    process: Registry,
    /// Sockets that are connected to a namespace.
    pub connections: Gauge,
    pub rooms: Gauge,
    pub events_received: Tally,
    pub deliveries: Tally,
    /// Events that a reactor was handed for its sockets.
    pub reactor_messages: Tally,
    /// Times that one who handed something in had to deliver in the reactor's place.
    pub reactor_inbox_full: Counter,
    /// Requests and WebSockets that came to another reactor than their session's.
    pub reactor_forwarded: Counter,
    pub polls_compressed: Tally,
    /// Events whose answer somebody else has to give.
    pub acks_waiting: Gauge,
    /// Of those, the ones that nobody gave.
    pub acks_lost: Counter,
    slow_clients: Counter,
    dropped: Counters<DropReason>,
    reloads: Counters<ReloadResult>,
    restart_needed: Family<KeyLabel, Gauge>,
    compiled: Counters<Compiled>,
    cache_faults: Counters<CacheFault>,
    verdicts: Family<VerdictLabels, Tally>,
    traps: Family<TrapLabels, Tally>,
    durations: Family<HookLabels, Latency>,
    fetches: Fetches,
    pub admission: Admission,
    pub nats: Nats,
    pub sessions: Sessions,
    pub sharing: Sharing,
    pub backend: Backend,
    pub batches: Batches,
    pub cluster: Cluster,
    pub rollouts: Rollouts,
    pub supervision: Supervision,
    pub traces: Traces,
    pub traffic: Traffic,
    pub operators: Operators,
    pub tls: Tls,
    own_counters: Family<OwnLabels, Tally>,
    own_gauges: Family<OwnLabels, Gauge<f64, AtomicU64>>,
    connections_denied: Family<DenialLabels, Counter>,
    events_denied: Family<DenialLabels, Counter>,
    origins_refused: Counter,
    /// Lines of recordings that there was no room for.
    pub recording_dropped: Counter,
    pub admin: Admin,
    pub drain: Drain,
    changes: Family<ChangeLabels, Counter>,
    rollbacks: Family<CauseLabels, Counter>,
    trials: Family<TrialLabels, Tally>,
    handshake_errors: Family<CodeLabel, Counter>,
    socket_errors: Family<SocketErrorLabel, Counter>,
    disconnects: Family<DisconnectLabel, Counter>,
    state: Watched,
    policies: Shown,
    queues: Queues,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn new() -> Self {
        let mut r = Registry::with_prefix("sluice");
        r.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let dropped = counters(
            &mut r,
            "events_dropped",
            "Events, or deliveries of them, that reached nobody",
            "reason",
        );
        let reloads = counters(
            &mut r,
            "reload",
            "Changes of configuration or modules that were taken up or refused",
            "result",
        );
        let compiled = counters(
            &mut r,
            "modules_ready",
            "Modules that were compiled, or found compiled in the cache",
            "compiled",
        );
        let cache_faults = counters(
            &mut r,
            "module_cache_faults",
            "Compiled modules in the cache that were rejected, or could not be kept",
            "reason",
        );
        let durations = add_seconds(
            &mut r,
            "policy_duration",
            "Time a policy took for a call",
            Family::default(),
        );
        let state = Watched::default();
        r.register_collector(Box::new(state.clone()));
        let policies = Shown::default();
        r.register_collector(Box::new(policies.clone()));
        let queues = Queues::default();
        r.register_collector(Box::new(queues.clone()));
        r.register_collector(Box::new(LogLines));
        let mut process = Registry::default();
        process.register_collector(Box::new(Process));
        Self {
            connections: add(&mut r, "connections", "Sockets that are connected"),
            rooms: add(&mut r, "rooms", "Rooms with a socket in them"),
            events_received: add(&mut r, "events_received", "Events that clients sent"),
            deliveries: add(&mut r, "deliveries", "Events handed to a recipient"),
            reactor_messages: add(
                &mut r,
                "reactor_messages",
                "Events handed to a reactor by another, or by a back end",
            ),
            reactor_forwarded: add(
                &mut r,
                "reactor_forwarded",
                "Requests and WebSockets brought to the reactor that their session lives on",
            ),
            polls_compressed: add(
                &mut r,
                "polls_compressed",
                "Answers to polls that were compressed",
            ),
            reactor_inbox_full: add(
                &mut r,
                "reactor_inbox_full",
                "Times that a reactor had so much waiting that others delivered in its place",
            ),
            acks_waiting: add(
                &mut r,
                "acks_waiting",
                "Events that wait for a back end, or for other nodes, to be answered",
            ),
            acks_lost: add(
                &mut r,
                "acks_lost",
                "Events that were to be answered later and never were",
            ),
            slow_clients: add(
                &mut r,
                "slow_client_disconnects",
                "Clients disconnected because they did not read what they were sent",
            ),
            dropped,
            restart_needed: add(
                &mut r,
                "restart_needed",
                "Keys of the configuration that differ from what runs until a restart",
            ),
            reloads,
            compiled,
            cache_faults,
            verdicts: add(&mut r, "policy_verdicts", "Verdicts of policies"),
            traps: add(&mut r, "policy_traps", "Calls of policies that failed"),
            durations,
            fetches: Fetches::new(&mut r),
            admin: Admin::new(&mut r),
            drain: Drain::new(&mut r),
            admission: Admission::new(&mut r),
            nats: Nats::new(&mut r),
            sessions: Sessions::new(&mut r),
            sharing: Sharing::new(&mut r),
            backend: Backend::new(&mut r),
            batches: Batches::new(&mut r),
            cluster: Cluster::new(&mut r),
            rollouts: Rollouts::new(&mut r),
            supervision: Supervision::new(&mut r),
            traces: Traces::new(&mut r),
            traffic: Traffic::new(&mut r),
            operators: Operators::new(&mut r),
            tls: Tls::new(&mut r),
            own_counters: add(&mut r, "policy_counter", "Counters of a policy's own"),
            own_gauges: add(&mut r, "policy_gauge", "Gauges of a policy's own"),
            connections_denied: add(
                &mut r,
                "connections_denied",
                "Connections refused by a policy, or with a code by the broker",
            ),
            events_denied: add(
                &mut r,
                "events_denied",
                "Events refused by a policy, or with a code by the broker",
            ),
            origins_refused: add(
                &mut r,
                "origins_refused",
                "Requests of browsers from an origin that is not allowed",
            ),
            recording_dropped: add(
                &mut r,
                "recording_lines_dropped",
                "Lines of recordings that whoever reads them was too slow for",
            ),
            changes: add(
                &mut r,
                "policy_changes",
                "Requests of operators to change policies",
            ),
            rollbacks: add(
                &mut r,
                "policy_rollbacks",
                "Times that an earlier generation of a policy was taken back",
            ),
            trials: add(
                &mut r,
                "policy_trial_verdicts",
                "Verdicts of a version on trial, beside those of the version that enforces",
            ),
            handshake_errors: add(
                &mut r,
                "handshake_errors",
                "Requests that are no handshake, by the code that clients know",
            ),
            socket_errors: add(&mut r, "socket_errors", "Sockets that ended with an error"),
            disconnects: add(&mut r, "disconnects", "Sockets that ended"),
            state,
            policies,
            queues,
            registry: r,
            process,
        }
    }

    /// The handle for what a policy asks over HTTP.
    pub(crate) fn policy_http(&self, name: &str) -> PolicyHttpMetrics {
        self.fetches.of(name)
    }

    pub(crate) fn dropped(&self, reason: DropReason) {
        self.dropped.inc(reason);
    }

    /// Shows what the state of policies takes up, as long as the store lives.
    pub(crate) fn watch(&self, store: &Arc<Store>) {
        *self.state.0.lock() = Arc::downgrade(store);
    }

    /// Shows these policies from now on, and no others.
    pub(crate) fn show(&self, policies: Vec<ShownPolicy>) {
        *self.policies.0.lock() = policies;
    }

    /// Asks how much waits when the metrics are read.
    pub(crate) fn watch_queues(&self, ask: impl Fn() -> Option<Depths> + Send + Sync + 'static) {
        *self.queues.0.lock() = Some(Box::new(ask));
    }

    /// All metrics as OpenMetrics text, or in the older form of Prometheus.
    pub(crate) fn render(&self, open_metrics: bool) -> String {
        let mut rendered = String::new();
        // Writing to a string does not fail.
        let _ = text::encode_registry(&mut rendered, &self.registry);
        let _ = text::encode(&mut rendered, &self.process);
        if open_metrics {
            rendered
        } else {
            exposition::classic(&rendered)
        }
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    #[cfg(test)]
    tests::added(name);
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// Counters for each word of a label, which is called `key`.
fn counters<L: Label>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    key: &'static str,
) -> Counters<L> {
    let family = add::<Family<[(&'static str, L); 1], Tally>>(registry, name, help);
    Counters::new(|word| family.get_or_create_owned(&[(key, word)]))
}

/// Of durations in seconds.
fn add_seconds<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    #[cfg(test)]
    tests::added(&format!("{name}_seconds"));
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

#[cfg(test)]
mod tests;
