//! From a module and its settings to an active policy, or to the reason why not.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use foldhash::quality::FixedState;

use super::advance;
use super::asking::Asking;
use super::bindings::types;
use super::breaker::Breaker;
use super::clock::Clock;
use super::contract::implements;
use super::engine::Engine;
use super::fetch::Unusable;
use super::host::Terms;
use super::instance::{Configured, Fault, Instance};
use super::module::Module;
use super::policy::{HookMetrics, Policy, Source};
use crate::config::{self, Capability};
use crate::glob::Glob;
use crate::state::{BucketRule, Scope, Store};
use crate::telemetry::metrics::{Hook, OwnMetric, metrics};

/// What `configure` may take while a policy is loaded, off the event path. On the event path, where a new instance
/// replaces one that failed, it has the policy's own deadline.
const CONFIGURE: Duration = Duration::from_secs(2);

/// Rules and buckets a policy may declare: each is looked at for every event.
pub(super) const MAX_RULES: usize = 256;

/// Metrics of a policy's own, and bytes of a name: each is kept for as long as the process lives.
const MAX_METRICS: usize = 32;
const LONGEST_METRIC: usize = 64;

/// Tells policies apart in the instances of a thread; never used twice.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Why a policy with these settings does not become active.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it asks for the capability `{0}`, which the configuration does not grant")]
    NotGranted(&'static str),
    #[error(transparent)]
    Http(#[from] Unusable),
    #[error("its configuration is refused: {0}")]
    Configuration(String),
    #[error("it failed while it was configured: {0}")]
    Failed(Fault),
    #[error(
        "it takes longer than its `timeout` to start, which it has to do again after a failure: {0}"
    )]
    TooSlow(Fault),
    #[error("its interests are wrong: {0}")]
    Interests(String),
}

/// Everything that makes a policy beside its module.
pub(crate) struct Plan {
    pub settings: Arc<config::Policy>,
    pub source: Source,
    pub namespaces: Option<Vec<String>>,
    pub generation: u64,
    pub clock: Clock,
}

impl Policy {
    /// Checks the description against what is granted, configures a first instance and resolves its interests.
    pub(crate) fn activate(
        engine: &Arc<Engine>,
        store: &Store,
        module: Arc<Module>,
        plan: Plan,
    ) -> Result<Self, Refused> {
        check_capabilities(&module.description.capabilities, &plan)?;
        let name: Arc<str> = plan.settings.name.as_str().into();
        let hooks = module.description.hooks;
        let measured = |hook| implements(hooks, hook).then(|| metrics().policy(&name, hook));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let mut policy = Self {
            id,
            key: FixedState::default().hash_one(&*name),
            breaker: Breaker::new(id, plan.settings.breaker, Instant::now()),
            config: plan.settings.config.to_string(),
            interests: nothing(),
            rules: Vec::new(),
            rooms: Vec::new(),
            terms: Arc::new(Terms {
                policy: name.clone(),
                state: store.policy(&name),
                buckets: Vec::new(),
                metrics: Vec::new(),
                granted: granted(&module.description.capabilities),
                clock: plan.clock.clone(),
                usage: Arc::default(),
            }),
            asking: Asking::of(&engine.fetchers, &module, &plan.settings)?,
            engine: engine.clone(),
            metrics: HookMetrics {
                connect: measured(Hook::Connect),
                event: measured(Hook::Event),
                subscribe: measured(Hook::Subscribe),
                disconnect: measured(Hook::Disconnect),
            },
            settings: plan.settings,
            source: plan.source,
            namespaces: plan.namespaces,
            generation: plan.generation,
            since: SystemTime::now(),
            name,
            module,
            signer: ArcSwapOption::empty(),
        };
        let (_, configured) = Instance::new(&policy, CONFIGURE).map_err(Refused::Failed)?;
        policy.resolve(configured.map_err(Refused::Configuration)?, plan.clock)?;
        // As a reactor will do it, in the middle of an event.
        let (_, again) =
            Instance::new(&policy, policy.settings.timeout).map_err(Refused::TooSlow)?;
        again.map_err(Refused::Configuration)?;
        Ok(policy)
    }

    fn resolve(&mut self, (interests, promises): Configured, clock: Clock) -> Result<(), Refused> {
        let lists = [
            ("event rules", interests.events.len(), MAX_RULES),
            ("room rules", interests.rooms.len(), MAX_RULES),
            ("buckets", interests.buckets.len(), MAX_RULES),
            ("metrics", interests.metrics.len(), MAX_METRICS),
        ];
        for (what, length, most) in lists {
            if length > most {
                return Err(Refused::Interests(format!("more than {most} {what}")));
            }
        }
        self.rules = advance::settle(promises, &interests).map_err(Refused::Interests)?;
        self.rooms = interests.rooms.iter().map(|it| Glob::new(it)).collect();
        let may_share = self.terms.granted.contains(&Capability::ClusterState);
        let buckets = interests.buckets.iter().map(|it| bucket(it, may_share));
        let metrics = interests.metrics.iter().map(|it| metric(&self.name, it));
        self.terms = Arc::new(Terms {
            policy: self.name.clone(),
            state: self.terms.state.clone(),
            buckets: buckets.collect::<Result<_, _>>()?,
            metrics: metrics.collect::<Result<_, _>>()?,
            granted: self.terms.granted.clone(),
            clock,
            usage: self.terms.usage.clone(),
        });
        self.interests = interests;
        Ok(())
    }
}

/// Until `configure` has answered.
fn nothing() -> types::Interests {
    types::Interests {
        events: Vec::new(),
        rooms: Vec::new(),
        buckets: Vec::new(),
        metrics: Vec::new(),
    }
}

/// The capabilities by the names of both sides.
const CAPABILITIES: [(types::Capabilities, Capability); 4] = [
    (types::Capabilities::EMIT, Capability::Emit),
    (types::Capabilities::ROOMS, Capability::Rooms),
    (types::Capabilities::CLUSTER_STATE, Capability::ClusterState),
    (types::Capabilities::HTTP, Capability::Http),
];

/// What a policy may do: what it asks for, all of which has been granted. What was granted beyond that it does not get.
pub(super) fn granted(asked: &types::Capabilities) -> Vec<Capability> {
    let asked = CAPABILITIES
        .iter()
        .filter(|(flag, _)| asked.contains(*flag));
    asked.map(|(_, capability)| *capability).collect()
}

fn check_capabilities(asked: &types::Capabilities, plan: &Plan) -> Result<(), Refused> {
    for capability in granted(asked) {
        if !plan.settings.grant.contains(&capability) {
            return Err(Refused::NotGranted(capability.as_str()));
        }
    }
    Ok(())
}

fn metric(policy: &Arc<str>, rule: &types::MetricRule) -> Result<OwnMetric, Refused> {
    let of_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if !(1..=LONGEST_METRIC).contains(&rule.name.len()) || !rule.name.bytes().all(of_word) {
        return Err(Refused::Interests(format!(
            "metric `{}`: its name has to be up to {LONGEST_METRIC} of a-z, 0-9 and _",
            rule.name
        )));
    }
    let is_counter = rule.kind == types::MetricKind::Counter;
    Ok(metrics().own(policy, &rule.name, is_counter))
}

fn bucket(rule: &types::BucketRule, may_share: bool) -> Result<BucketRule, Refused> {
    let scope = match rule.scope {
        types::Scope::Node => Scope::Node,
        types::Scope::Cluster if may_share => Scope::Cluster,
        types::Scope::Cluster => {
            return Err(Refused::Interests(format!(
                "bucket `{}`: its scope is the cluster, and the policy does not ask for the capability `{}`",
                rule.name,
                Capability::ClusterState.as_str()
            )));
        }
    };
    let rule = BucketRule {
        name: rule.name.as_str().into(),
        burst: rule.burst,
        per_second: rule.per_second,
        window_ms: rule.window_ms,
        scope,
    };
    rule.check()
        .map_err(|error| Refused::Interests(format!("bucket `{}`: {error}", rule.name)))?;
    Ok(rule)
}
