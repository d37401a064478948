//! A policy, its sockets on paper, and its clock.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::line::{Ask, Call};
use super::outcome::{Outcome, Verdict};
use super::socket;
use crate::config::{self, Capability};
use crate::event::{self, Client, Effect};
use crate::plugin::{
    Admission, Advance, Asked, Cache, Clock, Engine, Fault, Module, NotAPolicy, Plan, Policy,
    Refused, Rehearsal, Source, Upstream, prune, read_module, types, whom_counts,
};
use crate::state::Store;
use crate::telemetry::metrics::Hook;

/// On which terms a policy is played, as `[[policy]]` has them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// `None`: what the policy asks for, because here it does no harm.
    pub grant: Option<Vec<Capability>>,
    pub timeout: Option<Duration>,
    /// Where compiled modules are kept.
    pub cache: Option<PathBuf>,
}

/// Why there is no policy to play events against.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("{0}")]
    Unreadable(String),
    #[error(transparent)]
    NotAPolicy(#[from] NotAPolicy),
    #[error("{0}")]
    NoCache(String),
    #[error("there is no engine: {0}")]
    NoEngine(String),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{0}")]
    Fault(#[from] Fault),
}

/// Plays events against one policy.
pub(crate) struct Player {
    pub(super) engine: Arc<Engine>,
    pub(super) module: Arc<Module>,
    pub(super) store: Arc<Store>,
    /// What compiling the module took.
    pub(super) compiled_in: Duration,
    settings: config::Policy,
    rehearsal: Arc<Rehearsal>,
    policy: Option<Arc<Policy>>,
    sockets: HashMap<u64, Arc<Client>>,
    /// Events so far, those included of which the policy was not asked.
    events: u64,
    /// The policy's own metrics as far as they have ever been touched.
    metrics: BTreeMap<String, f64>,
}

impl Player {
    /// Reads and compiles a module.
    pub(crate) fn load(file: &Path, terms: &Terms) -> Result<Self, NotReady> {
        let artifact = read_module(file).map_err(NotReady::Unreadable)?;
        let cache = terms.cache.as_deref().map(Cache::open).transpose();
        let cache = cache.map_err(|error| NotReady::NoCache(error.to_string()))?;
        let engine = Engine::new().map_err(|error| NotReady::NoEngine(error.to_string()))?;
        let engine = engine.with_cache(cache);
        let begin = Instant::now();
        let module = Module::compile(&engine, &artifact.bytes)?;
        let compiled_in = begin.elapsed();
        Ok(Self {
            compiled_in,
            settings: settings(&module, file, terms),
            engine: Arc::new(engine),
            module: Arc::new(module),
            store: Arc::new(Store::new()),
            rehearsal: Arc::new(Rehearsal::default()),
            policy: None,
            sockets: HashMap::new(),
            events: 0,
            metrics: BTreeMap::new(),
        })
    }

    /// Gives the policy a configuration. One that is refused changes nothing.
    pub(crate) fn configure(&mut self, config: Value) -> Result<(), NotReady> {
        let policy = self.activate(config, Clock::Rehearsal(self.rehearsal.clone()))?;
        policy.warm_up()?;
        let policy = Arc::new(policy);
        prune(std::slice::from_ref(&policy));
        self.policy = Some(policy);
        Ok(())
    }

    pub(super) fn activate(&self, config: Value, clock: Clock) -> Result<Policy, Refused> {
        let settings = config::Policy {
            config,
            ..self.settings.clone()
        };
        let plan = Plan {
            settings: Arc::new(settings),
            source: Source::Configured,
            namespaces: None,
            generation: 1,
            clock,
        };
        Policy::activate(&self.engine, &self.store, self.module.clone(), plan)
    }

    /// What the policy is, and what its configuration has made of it.
    pub(super) fn describe(&self) -> Value {
        let description = &self.module.description;
        let hooks = [
            (types::Hooks::CONNECT, "connect"),
            (types::Hooks::EVENT, "event"),
            (types::Hooks::SUBSCRIBE, "subscribe"),
            (types::Hooks::DISCONNECT, "disconnect"),
        ];
        let hooks = hooks
            .iter()
            .filter(|(hook, _)| description.hooks.contains(*hook));
        let asked = Capability::ALL.iter().filter(|it| asks(description, **it));
        json!({
            "name": description.name,
            "version": description.version,
            "hooks": hooks.map(|(_, name)| name).collect::<Vec<_>>(),
            "capabilities": asked.map(|it| it.as_str()).collect::<Vec<_>>(),
            "interests": self.policy.as_deref().map(interests),
        })
    }

    /// Sets the clock.
    pub(super) fn at(&self, now: Option<u64>) -> Result<(), String> {
        match now {
            Some(now) if !self.rehearsal.is_now(now) => Err(format!(
                "at_ms: {now} is before {}, and the clock does not go back",
                self.rehearsal.now()
            )),
            _ => Ok(()),
        }
    }

    /// From now on, this answers requests for a URL.
    pub(super) fn answer(&self, url: String, answer: Upstream) {
        self.rehearsal.answer(url, answer);
    }

    /// Makes a call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn call(&mut self, call: Call) -> Result<Outcome, String> {
        let Some(policy) = self.policy.clone() else {
            return Err("the policy has no configuration yet".to_owned());
        };
        let known = self.sockets.entry(call.socket);
        let known = known.or_insert_with(|| socket::fresh(call.socket));
        let client = socket::with(known, call.facts)?;
        *known = client.clone();
        self.events += u64::from(matches!(call.ask, Ask::Event { .. }));
        self.rehearsal
            .begin(matches!(call.ask, Ask::Connect { .. }));
        let mut effects = Vec::new();
        if let Ask::Connect { is_refresh, .. } = &call.ask {
            socket::is_refresh(&client, *is_refresh);
        }
        let begin = Instant::now();
        let verdict = ask(&policy, &client, &call.ask, self.events, &mut effects);
        let ns = begin.elapsed().as_nanos() as u64;
        let is_connect = matches!(call.ask, Ask::Connect { .. });
        match &verdict {
            Verdict::Deny(_) if is_connect => effects.clear(),
            Verdict::Accept(identity) => socket::admit(&client, identity),
            _ => {}
        }
        effects
            .iter()
            .for_each(|effect| socket::apply(&client, effect));
        if matches!(call.ask, Ask::Disconnect { .. }) {
            // As when a session ends: its own counts go with it.
            self.store.forget_socket(call.socket);
        }
        Ok(self.outcome(&policy, verdict, effects, ns))
    }

    fn outcome(
        &mut self,
        policy: &Policy,
        verdict: Verdict,
        effects: Vec<Effect>,
        ns: u64,
    ) -> Outcome {
        let said = self.rehearsal.end();
        for (number, value) in said.metrics {
            if let Some(metric) = policy.interests.metrics.get(number as usize) {
                self.metrics.insert(metric.name.clone(), value);
            }
        }
        Outcome {
            verdict,
            effects,
            logs: said.lines,
            metrics: self.metrics.clone(),
            requests: said.requests,
            ns,
        }
    }
}

/// Asks a policy as a pipeline does.
pub(super) fn ask(
    policy: &Policy,
    client: &Arc<Client>,
    ask: &Ask,
    number: u64,
    effects: &mut Vec<Effect>,
) -> Verdict {
    let hook = match ask {
        Ask::Connect { .. } => Hook::Connect,
        Ask::Event { .. } => Hook::Event,
        Ask::Subscribe { .. } => Hook::Subscribe,
        Ask::Disconnect { .. } => Hook::Disconnect,
    };
    if !policy.has(hook) {
        return Verdict::NotCalled;
    }
    let answer = match ask {
        Ask::Connect { auth, .. } => {
            // In an engine that serves nobody, it waits for nobody.
            let answer = policy.on_connect(client, auth, effects).now_or_never();
            let fault = || Verdict::Failed("it waits for something".to_owned());
            match answer {
                None => return fault(),
                Some(answer) => answer.map(admission),
            }
        }
        Ask::Event {
            event,
            wants_ack,
            replaced,
        } => {
            let asked = Asked {
                event,
                number,
                wants_ack: *wants_ack,
                replaced: *replaced,
                at: &Cell::new(None),
            };
            match policy.on_event(client, &asked, effects) {
                None => return Verdict::NotCalled,
                Some(answer) => answer.map(verdict),
            }
        }
        Ask::Subscribe { room } => match policy.on_subscribe(client, room, effects) {
            None => return Verdict::NotCalled,
            Some(answer) => {
                answer.map(|answer| answer.map_or_else(Verdict::Deny, |()| Verdict::Pass))
            }
        },
        Ask::Disconnect { reason } => {
            let told = policy.on_disconnect(client, *reason, effects);
            told.map(|()| Verdict::Pass)
        }
    };
    answer.unwrap_or_else(|fault| Verdict::Failed(fault.to_string()))
}

fn admission(admission: Admission) -> Verdict {
    match admission {
        Admission::Pass => Verdict::Pass,
        Admission::Accept(identity) => Verdict::Accept(identity),
        Admission::Deny(denial) => Verdict::Deny(denial),
    }
}

fn verdict(verdict: event::Verdict) -> Verdict {
    match verdict {
        event::Verdict::Pass(None) => Verdict::Pass,
        event::Verdict::Pass(Some(args)) => Verdict::Replace(args),
        event::Verdict::Deny(denial) => Verdict::Deny(denial),
        event::Verdict::Drop => Verdict::Drop,
        event::Verdict::Coalesce(coalescing) => Verdict::Coalesce(coalescing),
        event::Verdict::Reply(args) => Verdict::Reply(args),
    }
}

/// Those of a policy that nothing is configured for.
fn settings(module: &Module, file: &Path, terms: &Terms) -> config::Policy {
    let described = &module.description;
    let name = match config::is_policy_name(&described.name) {
        true => described.name.as_str(),
        false => "policy",
    };
    let mut settings = config::Policy::defaults(name, file);
    // Every event is asked about, whatever came of those before it.
    settings.breaker.failures = 0;
    settings.timeout = terms.timeout.unwrap_or(settings.timeout);
    let asked = || {
        Capability::ALL
            .into_iter()
            .filter(|it| asks(described, *it))
    };
    settings.grant = terms.grant.clone().unwrap_or_else(|| asked().collect());
    settings
}

fn asks(description: &types::Description, capability: Capability) -> bool {
    description.capabilities.contains(match capability {
        Capability::Emit => types::Capabilities::EMIT,
        Capability::Rooms => types::Capabilities::ROOMS,
        Capability::ClusterState => types::Capabilities::CLUSTER_STATE,
        Capability::Http => types::Capabilities::HTTP,
    })
}

fn interests(policy: &Policy) -> Value {
    let of = &policy.interests;
    let events = of.events.iter().zip(policy.in_advance_by_rule());
    let buckets = of.buckets.iter().map(|bucket| {
        json!({
            "name": bucket.name,
            "burst": bucket.burst,
            "per_second": bucket.per_second,
            "window_ms": bucket.window_ms,
            "scope": match bucket.scope {
                types::Scope::Node => "node",
                types::Scope::Cluster => "cluster",
            },
        })
    });
    let metrics = of.metrics.iter().map(|metric| {
        let kind = match metric.kind {
            types::MetricKind::Counter => "counter",
            types::MetricKind::Gauge => "gauge",
        };
        json!({ "name": metric.name, "kind": kind })
    });
    json!({
        "events": events
            .map(|(rule, advance)| json!({
                "name": rule.name,
                "args": rule.args,
                "advance": advance.map(in_advance),
            }))
            .collect::<Vec<_>>(),
        "rooms": of.rooms,
        "buckets": buckets.collect::<Vec<_>>(),
        "metrics": metrics.collect::<Vec<_>>(),
    })
}

fn in_advance(of: &Advance) -> Value {
    match of {
        Advance::PassWithin { bucket, whom, cost } => json!({
            "pass_within": { "bucket": bucket, "whom": whom_counts(*whom), "cost": cost },
        }),
        Advance::Coalesce(coalescing) => json!({ "coalesce": {
            "key": coalescing.key,
            "window_ms": coalescing.window.as_millis() as u64,
            "leading": coalescing.leading,
        }}),
    }
}
