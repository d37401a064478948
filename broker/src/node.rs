//! This node, as its operator sees it.

mod breakers;
mod cluster;
mod depths;
mod drain;
mod policies;
mod readiness;
mod settings;
mod state;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use futures_util::future::BoxFuture;

use crate::admin::{
    self, Cleared, ClusterInfo, DrainInfo, Listen, NamespaceInfo, NodeInfo, PolicyChange,
    PolicyChanged, PolicyInfo, PolicyRefusal, Reason, Reloaded, Rollouts,
};
use crate::backend::{
    Emit, EmitError, Emitted, Emitter, Listed, NamespaceCensus, RoomFilter, RoomInfo, SocketFilter,
    SocketInfo, Sockets, Steer, SteerError, Steered,
};
use crate::cluster::Cluster;
use crate::config::{Change, Config};
use crate::drain::{Drain, Ending};
use crate::fanout::Listener;
use crate::feed::{self, Crowded, Following};
use crate::nats::Nats;
use crate::pipeline::Pipelines;
use crate::plugin::{Before, Control, Failed};
use crate::record::{Busy, Recording, Wanted};
use crate::revocation::Revocations;
use crate::rollout::Rollout;
use crate::session::Broker;
use crate::state::{After, Filter, Millis, Shown, Store};
use crate::telemetry::metrics::metrics;

pub(crate) struct Node {
    name: String,
    /// What runs.
    config: ArcSwap<Config>,
    broker: Arc<Broker>,
    store: Arc<Store>,
    state: state::State,
    emitter: Emitter,
    sockets: Arc<Sockets>,
    pub(crate) revocations: Arc<Revocations>,
    started: SystemTime,
    since: Instant,
    listen: OnceLock<Listen>,
    nats: Option<Arc<Nats>>,
    drain: Arc<Drain>,
    /// The configuration that is followed, as it may be shown.
    effective: ArcSwap<serde_json::Value>,
    cluster: OnceLock<Arc<Cluster>>,
    rollout: OnceLock<Arc<Rollout>>,
    failed: Mutex<Vec<Failed>>,
    /// Keys of the configuration that only a restart can change.
    waiting: Mutex<Vec<Change>>,
    /// What each policy was before.
    histories: Mutex<HashMap<String, Before>>,
    /// Who changes policies.
    control: Control,
    /// Changes of files are no longer noticed.
    blind: AtomicBool,
    /// Reactors that do not answer.
    silent: Mutex<Vec<usize>>,
}

impl Node {
    pub(crate) fn new(
        name: String,
        config: Config,
        broker: Arc<Broker>,
        store: Arc<Store>,
        control: Control,
        nats: Option<Arc<Nats>>,
        drain: Arc<Drain>,
    ) -> Self {
        metrics().watch(&store);
        let feed: Arc<dyn Listener> = broker.recorder.feed.clone();
        broker.fanout.is_listened_to(&feed);
        let emitter = Emitter::new(broker.clone(), &name, &config.server);
        let sockets = Arc::new(Sockets::new(broker.clone(), &name));
        let revocations = Revocations::new(broker.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            broker.roll.is_kept_by(&sockets, runtime);
        }
        Self {
            name,
            config: ArcSwap::from_pointee(config),
            emitter,
            sockets,
            revocations,
            broker,
            state: state::State::new(store.clone()),
            store,
            started: SystemTime::now(),
            since: Instant::now(),
            listen: OnceLock::new(),
            nats,
            drain,
            effective: ArcSwap::default(),
            cluster: OnceLock::new(),
            rollout: OnceLock::new(),
            failed: Mutex::default(),
            waiting: Mutex::default(),
            histories: Mutex::default(),
            control,
            blind: AtomicBool::new(false),
            silent: Mutex::default(),
        }
    }

    /// Where it listens, known once both listeners are bound.
    pub(crate) fn is_at(&self, server: SocketAddr, admin: SocketAddr) {
        // Said once, at start.
        let _ = self.listen.set(Listen { server, admin });
    }

    /// It serves what the cluster serves.
    pub(crate) fn follows_cluster(&self, rollout: Arc<Rollout>) {
        // Said once, at start.
        let _ = self.rollout.set(rollout);
    }

    /// What serves of a policy: the number of its generation, and its digest.
    pub(crate) fn serving(&self, policy: &str) -> Option<(u64, String)> {
        let pipelines = self.broker.pipelines.load();
        let policy = pipelines.policies().find(|it| *it.name == *policy)?;
        Some((policy.generation, policy.module.digest.to_string()))
    }

    /// What stands behind `ready` on standard output.
    pub(crate) fn ready_line(&self) -> String {
        let listen = self.listen();
        serde_json::json!({
            "listen": listen.server,
            "admin": listen.admin,
            "node": self.name,
        })
        .to_string()
    }

    /// The pipelines serve from here on, and what could not be followed is replaced. Both at once: whoever sees a
    /// policy in its place sees it ready. Returns the failures that were not known before.
    pub(crate) fn follows(
        &self,
        pipelines: Option<Arc<Pipelines>>,
        failed: Vec<Failed>,
    ) -> Vec<Failed> {
        let mut known = self.failed.lock();
        if let Some(pipelines) = pipelines {
            self.broker.pipelines.store(pipelines);
            self.broker.gathered.flush();
            if let Some(backend) = &self.broker.backend {
                backend.flush();
            }
        }
        let mut news = Vec::new();
        let failed = failed
            .into_iter()
            .map(
                |failure| match known.iter().find(|old| old.is_same(&failure)) {
                    // It has been failing since then.
                    Some(old) => old.clone(),
                    None => {
                        news.push(failure.clone());
                        failure
                    }
                },
            )
            .collect();
        *known = failed;
        news
    }

    /// Replaces what is known of earlier generations.
    pub(crate) fn remembers(&self, histories: HashMap<String, Before>) {
        *self.histories.lock() = histories;
    }

    /// These reactors, and no others, do not answer.
    pub(crate) fn misses(&self, reactors: Vec<usize>) {
        *self.silent.lock() = reactors;
    }

    fn listen(&self) -> Listen {
        let configured = || {
            let config = self.config.load();
            Listen {
                server: config.server.listen,
                admin: config.admin.listen,
            }
        };
        self.listen.get().cloned().unwrap_or_else(configured)
    }

    /// Whose member it is, once it is.
    pub(crate) fn is_in(&self, cluster: Arc<Cluster>) {
        let config = self.config.load();
        let patience = config.cluster.as_ref().map(|it| it.survey_timeout);
        let patience = patience.unwrap_or_default();
        self.emitter.is_among(cluster.clone(), patience);
        self.sockets.are_among(cluster.clone(), patience);
        self.revocations.are_among(&cluster, patience);
        self.state.is_among(cluster.clone(), patience);
        // Said once, at start.
        let _ = self.cluster.set(cluster);
    }

    fn is_connected(&self) -> bool {
        self.nats
            .as_ref()
            .is_some_and(|nats| nats.state().is_connected)
    }

    fn is_draining(&self) -> bool {
        self.broker.draining.load(Ordering::Relaxed)
    }
}

impl admin::Node for Node {
    fn info(&self) -> NodeInfo {
        let census = self.broker.fanout.census();
        NodeInfo {
            node: self.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            uptime_seconds: self.since.elapsed().as_secs(),
            reactors: self.config.load().server.reactors,
            connections: census.iter().map(|c| c.sockets as u64).sum(),
            rooms: census.iter().map(|c| c.rooms as u64).sum(),
            namespaces: census
                .into_iter()
                .map(|c| NamespaceInfo {
                    path: c.namespace.to_string(),
                    connections: c.sockets as u64,
                    rooms: c.rooms as u64,
                })
                .collect(),
            listen: self.listen(),
            restart_needed: self.restart_needed(),
        }
    }

    fn restart_needed(&self) -> Vec<Change> {
        self.waiting.lock().clone()
    }

    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, PolicyRefusal>> {
        Box::pin(self.follow())
    }

    fn cluster(&self) -> ClusterInfo {
        self.show_cluster()
    }

    fn policies(&self) -> Vec<PolicyInfo> {
        self.show_policies()
    }

    fn change(&self, change: PolicyChange) -> BoxFuture<'_, Result<PolicyChanged, PolicyRefusal>> {
        Box::pin(self.carry_out(change))
    }

    fn rollouts(&self) -> Option<Arc<dyn Rollouts>> {
        let rollout = self.rollout.get()?;
        Some(Arc::clone(rollout) as Arc<dyn Rollouts>)
    }

    fn state(&self, policy: &str, filter: &Filter, after: &After, limit: usize) -> Option<Shown> {
        let state = self.store.find(policy)?;
        Some(state.show(filter, after, limit, Millis::now()))
    }

    fn clear_state(&self, policy: String, filter: Filter) -> BoxFuture<'_, Option<Cleared>> {
        Box::pin(async move { self.state.clear(&policy, &filter).await })
    }

    fn silent_reactors(&self) -> Vec<usize> {
        self.silent.lock().clone()
    }

    fn not_ready(&self) -> Vec<Reason> {
        self.reasons()
    }

    fn effective(&self) -> Arc<serde_json::Value> {
        self.effective.load_full()
    }

    fn drain(&self) -> DrainInfo {
        drain::shown(self.drain.status())
    }

    fn begin_drain(&self, period: Option<Duration>, exit: bool) -> Result<DrainInfo, Ending> {
        self.drain.begin(period, exit).map(drain::shown)
    }

    fn undo_drain(&self) -> Result<DrainInfo, Ending> {
        self.drain.undo().map(drain::shown)
    }

    fn record(&self, wanted: Wanted) -> Result<Recording, Busy> {
        self.broker.recorder.begin(wanted)
    }

    fn follow(&self, wanted: feed::Wanted) -> Result<Following, Crowded> {
        self.broker.recorder.feed.follow(wanted)
    }

    fn emit(&self, emit: Emit) -> BoxFuture<'_, Result<Emitted, EmitError>> {
        Box::pin(self.emitter.emit(emit))
    }

    fn sockets(
        &self,
        filter: SocketFilter,
        node: Option<String>,
    ) -> BoxFuture<'_, Listed<SocketInfo>> {
        Box::pin(self.sockets.list(filter, node))
    }

    fn rooms(&self, filter: RoomFilter) -> BoxFuture<'_, Listed<RoomInfo>> {
        Box::pin(self.sockets.rooms(filter))
    }

    fn namespaces(&self) -> BoxFuture<'_, Listed<NamespaceCensus>> {
        Box::pin(self.sockets.namespaces())
    }

    fn revocations(&self) -> Arc<dyn admin::Revoking> {
        Arc::clone(&self.revocations) as Arc<dyn admin::Revoking>
    }

    fn steer(&self, steer: Steer) -> BoxFuture<'_, Result<Steered, SteerError>> {
        Box::pin(self.sockets.steer(steer))
    }
}
