//! A node that keeps what it is asked for, and answers always the same.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::admin::{Cleared, Revoking, Told};
use crate::feed::{self, Crowded, Feed, Following};
use crate::revocation::{Entry, Full, Key, Revoke};

fn serving() -> DrainInfo {
    DrainInfo {
        state: DrainState::Serving,
        exit: None,
        started: None,
        period_seconds: None,
        total: 0,
        closed: 0,
        left: 0,
    }
}

pub(super) struct Drained(Mutex<DrainInfo>);

impl Drained {
    pub(super) fn lock(&self) -> parking_lot::MutexGuard<'_, DrainInfo> {
        self.0.lock()
    }
}

impl Default for Drained {
    fn default() -> Self {
        Self(Mutex::new(serving()))
    }
}

#[derive(Default)]
pub(super) struct Fake {
    pub(super) drained: Drained,
    pub(super) reasons: Mutex<Vec<Reason>>,
    pub(super) waiting: Mutex<Vec<Change>>,
    pub(super) silent: Mutex<Vec<usize>>,
    pub(super) emitted: Mutex<Vec<Emit>>,
    /// What state was asked for, and how much of it; cleared, where there is no limit.
    pub(super) asked: Mutex<Vec<(Filter, Option<usize>)>>,
    pub(super) changes: Mutex<Vec<PolicyChange>>,
    pub(super) looked: Mutex<Vec<(SocketFilter, Option<String>)>>,
    pub(super) steered: Mutex<Vec<Steer>>,
    pub(super) feed: Arc<Feed>,
    /// How often it was asked what it is.
    pub(super) infos: AtomicUsize,
    /// Asked next, it fails.
    pub(super) fails: AtomicBool,
}

impl Node for Fake {
    fn cluster(&self) -> ClusterInfo {
        ClusterInfo {
            name: Some("eu".to_owned()),
            connected: true,
            nodes: Vec::new(),
        }
    }

    fn silent_reactors(&self) -> Vec<usize> {
        self.silent.lock().clone()
    }

    fn rollouts(&self) -> Option<Arc<dyn Rollouts>> {
        None
    }

    fn info(&self) -> NodeInfo {
        self.infos.fetch_add(1, Ordering::Relaxed);
        assert!(!self.fails.swap(false, Ordering::Relaxed), "it fails");
        NodeInfo {
            node: "n1".to_owned(),
            version: "0.0.0",
            started: SystemTime::UNIX_EPOCH,
            uptime_seconds: 5,
            reactors: 2,
            connections: 3,
            rooms: 1,
            namespaces: vec![NamespaceInfo {
                path: "/".to_owned(),
                connections: 3,
                rooms: 1,
            }],
            listen: Listen {
                server: SocketAddr::from(([127, 0, 0, 1], 3000)),
                admin: SocketAddr::from(([127, 0, 0, 1], 9090)),
            },
            restart_needed: self.restart_needed(),
        }
    }

    fn restart_needed(&self) -> Vec<Change> {
        self.waiting.lock().clone()
    }

    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, PolicyRefusal>> {
        let reloaded = Reloaded {
            changed: false,
            changes: Vec::new(),
            restart_needed: self.restart_needed(),
            failed: Vec::new(),
        };
        Box::pin(async { Ok(reloaded) })
    }

    fn policies(&self) -> Vec<PolicyInfo> {
        let failed = PolicyFailure {
            reason: "not a component".to_owned(),
            since: SystemTime::UNIX_EPOCH,
        };
        vec![
            PolicyInfo {
                name: "limits".to_owned(),
                source: Source::Configured,
                mode: "enforce",
                namespaces: vec!["/".to_owned()],
                loaded: Some(LoadedPolicy {
                    contract: "0.2",
                    version: "1.2.3".to_owned(),
                    digest: "sha256:00".to_owned(),
                    signature: Some(Signature {
                        key_id: "E7620F1842B4E81F".to_owned(),
                        trusted_comment: None,
                    }),
                    generation: 4,
                    hooks: vec!["event"],
                    since: SystemTime::UNIX_EPOCH,
                    history: vec![PastGeneration {
                        generation: 3,
                        version: "1.2.2".to_owned(),
                        digest: "sha256:ff".to_owned(),
                        since: SystemTime::UNIX_EPOCH,
                        ended: Some("replaced"),
                    }],
                    calls: BTreeMap::from([(
                        "event",
                        Calls {
                            verdicts: BTreeMap::from([("pass", 7)]),
                            traps: BTreeMap::new(),
                            p50_seconds: Some(0.5),
                            p99_seconds: None,
                        },
                    )]),
                    candidate: None,
                    last_trial: None,
                    instances: 2,
                    memory_bytes: 3 << 20,
                    breaker: BreakerInfo {
                        state: BreakerWord::Open,
                        since: SystemTime::UNIX_EPOCH,
                        failures: 12,
                        last_fault: Some("trap in event: asked to".to_owned()),
                        retry_at: Some(SystemTime::UNIX_EPOCH),
                    },
                }),
                failed: None,
            },
            PolicyInfo {
                name: "dropped".to_owned(),
                source: Source::DroppedIn,
                mode: "enforce",
                namespaces: vec![],
                loaded: None,
                failed: Some(failed),
            },
        ]
    }

    fn state(&self, policy: &str, filter: &Filter, _: &After, limit: usize) -> Option<Shown> {
        (policy == "limits").then(|| {
            self.asked.lock().push((filter.clone(), Some(limit)));
            state::shown()
        })
    }

    fn clear_state(&self, policy: String, filter: Filter) -> BoxFuture<'_, Option<Cleared>> {
        let cleared = (policy == "limits").then(|| {
            self.asked.lock().push((filter, None));
            Cleared {
                removed: 7,
                silent: Vec::new(),
            }
        });
        Box::pin(std::future::ready(cleared))
    }

    fn change(&self, change: PolicyChange) -> BoxFuture<'_, Result<PolicyChanged, PolicyRefusal>> {
        self.changes.lock().push(change.clone());
        Box::pin(std::future::ready(policies::answer(&change)))
    }

    fn not_ready(&self) -> Vec<Reason> {
        self.reasons.lock().clone()
    }

    fn effective(&self) -> Arc<Value> {
        Arc::new(json!({"admin": {"token": "…"}}))
    }

    fn drain(&self) -> DrainInfo {
        *self.drained.lock()
    }

    fn begin_drain(
        &self,
        period: Option<std::time::Duration>,
        exit: bool,
    ) -> Result<DrainInfo, Ending> {
        let mut drain = self.drained.lock();
        if drain.exit == Some(true) {
            return Err(Ending);
        }
        *drain = DrainInfo {
            state: DrainState::Draining,
            exit: Some(exit),
            started: Some(SystemTime::UNIX_EPOCH),
            period_seconds: period.map(|it| it.as_secs_f64()),
            total: 3,
            closed: 1,
            left: 2,
        };
        Ok(*drain)
    }

    fn undo_drain(&self) -> Result<DrainInfo, Ending> {
        match self.drained.lock().exit {
            Some(true) => Err(Ending),
            _ => Ok(serving()),
        }
    }

    fn record(&self, wanted: Wanted) -> Result<Recording, Busy> {
        Arc::new(Recorder::default()).begin(wanted)
    }

    fn follow(&self, wanted: feed::Wanted) -> Result<Following, Crowded> {
        self.feed.follow(wanted)
    }

    fn emit(&self, emit: Emit) -> BoxFuture<'_, Result<Emitted, EmitError>> {
        let answer = match &*emit.namespace {
            "/nowhere" => Err(EmitError::UnknownNamespace),
            "/late" => Err(EmitError::Draining),
            _ => {
                self.emitted.lock().push(emit);
                Ok(Emitted {
                    deliveries: 2,
                    ..Emitted::default()
                })
            }
        };
        Box::pin(std::future::ready(answer))
    }

    fn sockets(
        &self,
        filter: SocketFilter,
        node: Option<String>,
    ) -> BoxFuture<'_, Listed<SocketInfo>> {
        self.looked.lock().push((filter, node));
        Box::pin(std::future::ready(listed(Vec::new())))
    }

    fn rooms(&self, _: RoomFilter) -> BoxFuture<'_, Listed<RoomInfo>> {
        Box::pin(std::future::ready(listed(Vec::new())))
    }

    fn namespaces(&self) -> BoxFuture<'_, Listed<NamespaceCensus>> {
        Box::pin(std::future::ready(listed(Vec::new())))
    }

    fn revocations(&self) -> Arc<dyn Revoking> {
        Arc::new(Nobody)
    }

    fn steer(&self, steer: Steer) -> BoxFuture<'_, Result<Steered, SteerError>> {
        let answer = match &*steer.whom.namespace {
            "/nowhere" => Err(SteerError::UnknownNamespace),
            "/late" => Err(SteerError::Draining),
            _ => Ok(Steered {
                sockets: 3,
                ..Steered::default()
            }),
        };
        self.steered.lock().push(steer);
        Box::pin(std::future::ready(answer))
    }
}

fn listed<T>(items: Vec<T>) -> Listed<T> {
    Listed {
        items,
        truncated: false,
        silent: vec!["n2".to_owned()],
    }
}

/// Nobody is kept out, and nobody can be.
struct Nobody;

impl Revoking for Nobody {
    fn revoke(self: Arc<Self>, _: Revoke) -> BoxFuture<'static, Result<Told, Full>> {
        Box::pin(std::future::ready(Err(Full)))
    }

    fn lift(self: Arc<Self>, _: Key) -> BoxFuture<'static, Option<Told>> {
        Box::pin(std::future::ready(None))
    }

    fn list(&self) -> Vec<Entry> {
        Vec::new()
    }
}
