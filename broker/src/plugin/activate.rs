//! From a module and its settings to an active policy, or to the reason why not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::bindings::types;
use super::engine::Engine;
use super::instance::{Fault, Instance};
use super::module::Module;
use super::policy::{HookMetrics, Policy, Rule, Source, implements};
use crate::config::{self, Capability};
use crate::glob::Glob;
use crate::state::{BucketRule, Store};
use crate::telemetry::metrics::{Hook, metrics};

/// What `configure` may take while a policy is loaded, off the event path. On the event path, where a new instance
/// replaces one that failed, it has the policy's own deadline.
const CONFIGURE: Duration = Duration::from_secs(2);

/// Rules and buckets a policy may declare: each is looked at for every event.
const MAX_RULES: usize = 256;

/// Tells policies apart in the instances of a thread; never used twice.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Why a policy with these settings does not become active.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it asks for the capability `{0}`, which the configuration does not grant")]
    NotGranted(&'static str),
    #[error("it asks for the capability `{0}`, which this version does not have yet")]
    NotYet(&'static str),
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
}

impl Policy {
    /// Checks the description against what is granted, configures a first instance and resolves its interests.
    pub(crate) fn activate(
        engine: &Arc<Engine>,
        store: &Store,
        module: Arc<Module>,
        plan: Plan,
    ) -> Result<Self, Refused> {
        check_capabilities(&module.description.capabilities, &plan.settings)?;
        let name: Arc<str> = plan.settings.name.as_str().into();
        let hooks = module.description.hooks;
        let measured = |hook| implements(hooks, hook).then(|| metrics().policy(&name, hook));
        let mut policy = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            config: plan.settings.config.to_string(),
            rules: Vec::new(),
            buckets: Arc::new([]),
            state: store.policy(&name),
            engine: engine.clone(),
            metrics: HookMetrics {
                connect: measured(Hook::Connect),
                event: measured(Hook::Event),
                disconnect: measured(Hook::Disconnect),
            },
            settings: plan.settings,
            source: plan.source,
            namespaces: plan.namespaces,
            generation: plan.generation,
            since: SystemTime::now(),
            name,
            module,
        };
        let (_, configured) = Instance::new(&policy, CONFIGURE).map_err(Refused::Failed)?;
        policy.resolve(configured.map_err(Refused::Configuration)?)?;
        // As a reactor will do it, in the middle of an event.
        let (_, again) =
            Instance::new(&policy, policy.settings.timeout).map_err(Refused::TooSlow)?;
        again.map_err(Refused::Configuration)?;
        Ok(policy)
    }

    fn resolve(&mut self, interests: types::Interests) -> Result<(), Refused> {
        if interests.events.len() > MAX_RULES || interests.buckets.len() > MAX_RULES {
            return Err(Refused::Interests(format!(
                "more than {MAX_RULES} event rules or buckets"
            )));
        }
        self.rules = interests
            .events
            .iter()
            .map(|rule| Rule {
                glob: Glob::new(&rule.name),
                args: rule.args,
            })
            .collect();
        self.buckets = interests
            .buckets
            .into_iter()
            .map(bucket)
            .collect::<Result<Vec<_>, _>>()?
            .into();
        Ok(())
    }
}

fn check_capabilities(
    asked: &types::Capabilities,
    settings: &config::Policy,
) -> Result<(), Refused> {
    let all = [
        (types::Capabilities::EMIT, Capability::Emit, "emit"),
        (types::Capabilities::ROOMS, Capability::Rooms, "rooms"),
        (
            types::Capabilities::CLUSTER_STATE,
            Capability::ClusterState,
            "cluster-state",
        ),
        (types::Capabilities::HTTP, Capability::Http, "http"),
    ];
    for (flag, capability, name) in all {
        if asked.contains(flag) {
            return Err(if settings.grant.contains(&capability) {
                Refused::NotYet(name)
            } else {
                Refused::NotGranted(name)
            });
        }
    }
    Ok(())
}

fn bucket(rule: types::BucketRule) -> Result<BucketRule, Refused> {
    let rule = BucketRule {
        name: rule.name.into(),
        burst: rule.burst,
        per_second: rule.per_second,
        window_ms: rule.window_ms,
    };
    rule.check()
        .map_err(|error| Refused::Interests(format!("bucket `{}`: {error}", rule.name)))?;
    Ok(rule)
}
