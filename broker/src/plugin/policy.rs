//! An active policy: a module with its settings, resolved once so that an event costs numbers only.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::value::RawValue;

use super::bindings::types;
use super::engine::Engine;
use super::host::{Current, Host};
use super::instance::{Fault, Instance};
use super::module::Module;
use crate::config;
use crate::event::{Client, Denial, Event, Identity, Verdict};
use crate::glob::Glob;
use crate::packet;
use crate::state::{BucketRule, PolicyState, Store};
use crate::telemetry::events::PolicyTrapped;
use crate::telemetry::metrics::{Hook, PolicyMetrics, TrapKind, VerdictKind, metrics};

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
    #[error("its interests are wrong: {0}")]
    Interests(String),
}

/// An event rule, ready for matching.
struct Rule {
    glob: Glob,
    args: bool,
}

pub(crate) struct Policy {
    id: u64,
    pub settings: Arc<config::Policy>,
    pub name: Arc<str>,
    pub module: Arc<Module>,
    /// Where it comes from, for the API.
    pub source: Source,
    /// The namespaces it takes part in; `None`: as the namespaces say (or, dropped in, all of them).
    pub namespaces: Option<Vec<String>>,
    pub generation: u64,
    pub since: SystemTime,
    pub(super) config: String,
    rules: Vec<Rule>,
    buckets: Arc<[BucketRule]>,
    state: Arc<PolicyState>,
    engine: Arc<Engine>,
    metrics: HookMetrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Configured,
    DroppedIn,
}

/// `None` for hooks that the policy does not have: they would only fill the metrics with zeros.
struct HookMetrics {
    connect: Option<PolicyMetrics>,
    event: Option<PolicyMetrics>,
    disconnect: Option<PolicyMetrics>,
}

/// What a policy says to a connection.
pub(crate) enum Admission {
    Pass,
    Accept(Identity),
    Deny(Denial),
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

    pub(super) fn engine(&self) -> &wasmtime::Engine {
        &self.engine.wasm
    }

    pub(super) fn host(&self) -> Host {
        Host::new(
            self.name.clone(),
            self.state.clone(),
            self.buckets.clone(),
            self.settings.memory,
        )
    }

    pub(crate) fn has(&self, hook: Hook) -> bool {
        implements(self.module.description.hooks, hook)
    }

    /// The number of the first rule that matches an event, and whether it wants the arguments.
    fn interest(&self, event: &str) -> Option<(u32, bool)> {
        let position = self
            .rules
            .iter()
            .position(|rule| rule.glob.matches(event))?;
        Some((position as u32, self.rules.get(position)?.args))
    }

    /// `None`: the policy is not interested and was not called.
    pub(crate) fn on_event(
        &self,
        client: &Arc<Client>,
        event: &Event,
        wants_ack: bool,
        replaced: bool,
    ) -> Option<Result<Verdict, Fault>> {
        let (number, args) = self.interest(&event.name)?;
        let traits = traits(&[
            (types::EventTraits::WANTS_ACK, wants_ack),
            (
                types::EventTraits::HAS_ATTACHMENTS,
                !event.attachments.is_empty(),
            ),
            (types::EventTraits::REPLACED, replaced),
        ]);
        let current = Current {
            client: client.clone(),
            event: Some((event.name.clone(), event.attachments.clone())),
        };
        let args = if args { &*event.args } else { "" };
        let result = self.with_instance(Hook::Event, client, |instance, deadline| {
            instance.on_event(current, deadline, number, traits, args)
        });
        Some(result.and_then(|verdict| match verdict {
            types::Verdict::Pass => Ok(Verdict::Pass(None)),
            types::Verdict::Replace(args) => self.replacement(client, event, args),
            types::Verdict::Deny(denial) => Ok(Verdict::Deny(self.denial(denial))),
            types::Verdict::Drop => Ok(Verdict::Drop),
        }))
    }

    /// Arguments from a policy are as little trusted as those of a client: a placeholder out of range would make
    /// every recipient close its connection.
    fn replacement(&self, client: &Client, event: &Event, args: String) -> Result<Verdict, Fault> {
        packet::check_args(&args, event.attachments.len()).map_err(|denial| {
            let fault = Fault {
                kind: TrapKind::Verdict,
                detail: format!("its replacement cannot be delivered: {}", denial.message),
            };
            self.report(Hook::Event, client, &fault);
            fault
        })?;
        Ok(Verdict::Pass(Some(args.into())))
    }

    pub(crate) fn on_connect(&self, client: &Arc<Client>, auth: &str) -> Result<Admission, Fault> {
        let current = Current {
            client: client.clone(),
            event: None,
        };
        let admission = self.with_instance(Hook::Connect, client, |instance, deadline| {
            instance.on_connect(current, deadline, auth)
        })?;
        Ok(match admission {
            types::Admission::Pass => Admission::Pass,
            types::Admission::Accept(identity) => Admission::Accept(Identity {
                user: identity.user.map(Into::into),
                attributes: identity.attributes,
                rooms: identity.rooms,
            }),
            types::Admission::Deny(denial) => Admission::Deny(self.denial(denial)),
        })
    }

    pub(crate) fn on_disconnect(&self, client: &Arc<Client>, reason: types::DisconnectReason) {
        // A failure is logged and counted where it happens, and there is nobody left to tell.
        let _ = self.with_instance(Hook::Disconnect, client, |instance, deadline| {
            instance.on_disconnect(client.clone(), deadline, reason)
        });
    }

    /// The state of a socket's own buckets goes with the socket.
    pub(crate) fn forget(&self, client: &Client) {
        self.state.forget_socket(client.peer.token);
    }

    fn denial(&self, denial: types::Denial) -> Denial {
        Denial {
            code: denial.code,
            message: denial.message,
            policy: Some(self.name.clone()),
            // Data that is not JSON would break the client's decoder.
            data: denial
                .data
                .and_then(|data| RawValue::from_string(data).ok()),
            retry_after_ms: denial.retry_after_ms,
            disconnect: denial.disconnect,
        }
    }

    pub(crate) fn count(&self, hook: Hook, verdict: VerdictKind) {
        if let Some(metrics) = self.metrics(hook) {
            metrics.verdict(verdict);
        }
    }

    fn metrics(&self, hook: Hook) -> Option<&PolicyMetrics> {
        match hook {
            Hook::Connect => self.metrics.connect.as_ref(),
            Hook::Event => self.metrics.event.as_ref(),
            Hook::Disconnect => self.metrics.disconnect.as_ref(),
        }
    }

    /// Runs a call on this thread's instance, made anew where there is none.
    fn with_instance<T>(
        &self,
        hook: Hook,
        client: &Client,
        call: impl FnOnce(&mut Instance, Duration) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let deadline = self.settings.timeout;
        let begin = Instant::now();
        let result = self.instance(deadline).and_then(|mut instance| {
            let result = call(&mut instance, deadline);
            if result.is_ok() {
                INSTANCES.with_borrow_mut(|all| all.push((self.id, instance)));
            }
            result
        });
        if let Some(metrics) = self.metrics(hook) {
            metrics.duration(begin.elapsed());
        }
        if let Err(fault) = &result {
            self.report(hook, client, fault);
        }
        result
    }

    fn report(&self, hook: Hook, client: &Client, fault: &Fault) {
        if let Some(metrics) = self.metrics(hook) {
            metrics.trap(fault.kind);
        }
        PolicyTrapped {
            policy: &self.name,
            hook,
            kind: fault.kind,
            detail: &fault.detail,
            socket: &client.peer.id,
        }
        .emit();
    }

    /// Takes this thread's instance out of its place, so that one that fails is simply not put back.
    fn instance(&self, deadline: Duration) -> Result<Box<Instance>, Fault> {
        let kept = INSTANCES.with_borrow_mut(|all| {
            let position = all.iter().position(|(id, _)| *id == self.id)?;
            Some(all.swap_remove(position).1)
        });
        match kept {
            Some(instance) => Ok(instance),
            None => Instance::new(self, deadline).map(|(instance, _)| Box::new(instance)),
        }
    }
}

thread_local! {
    /// An instance a thread and policy: shared ones would need a lock, and lose to one thread alone. There are as
    /// many as policies, so a list is the faster map.
    static INSTANCES: RefCell<Vec<(u64, Box<Instance>)>> = const { RefCell::new(Vec::new()) };
}

/// Frees this thread's instances of policies that are no longer active.
pub(crate) fn prune(active: &[Arc<Policy>]) {
    INSTANCES.with_borrow_mut(|all| all.retain(|(id, _)| active.iter().any(|p| p.id == *id)));
}

fn implements(hooks: types::Hooks, hook: Hook) -> bool {
    hooks.contains(match hook {
        Hook::Connect => types::Hooks::CONNECT,
        Hook::Event => types::Hooks::EVENT,
        Hook::Disconnect => types::Hooks::DISCONNECT,
    })
}

fn traits(flags: &[(types::EventTraits, bool)]) -> types::EventTraits {
    let set = flags.iter().filter(|(_, set)| *set);
    set.fold(types::EventTraits::empty(), |all, (flag, _)| all | *flag)
}

fn check_capabilities(
    asked: &types::Capabilities,
    settings: &config::Policy,
) -> Result<(), Refused> {
    use config::Capability;
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
