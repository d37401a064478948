//! What a module is, told without running it as a policy.

use std::time::Duration;

use serde::Serialize;
use wasmtime::Store;

use super::activate::granted;
use super::advance::{self, Advance};
use super::bindings::types;
use super::contract;
use super::engine::{Engine, TICK};
use super::host::Host;
use super::module::{Module, NotAPolicy, one_line};
use super::policy::Rule;
use crate::config::Capability;
use crate::telemetry::metrics::Hook;

/// What `configure` may take, and the memory it may use.
const CONFIGURE: Duration = Duration::from_secs(2);
const CONFIGURE_MEMORY: u64 = 64 << 20;

#[derive(Debug, Serialize)]
pub(crate) struct Inspection {
    pub name: String,
    pub version: String,
    /// The version of the contract that it was built against.
    pub contract: &'static str,
    pub digest: String,
    pub size: usize,
    pub hooks: Vec<&'static str>,
    pub capabilities: Vec<&'static str>,
    /// `None`: it does not take the configuration, and `refused` says why.
    pub interests: Option<Interests>,
    pub refused: Option<String>,
    /// The interfaces that it wants of a broker.
    pub imports: Vec<String>,
}

/// What a configuration makes of it.
#[derive(Debug, Serialize)]
pub(crate) struct Interests {
    pub events: Vec<EventInterest>,
    pub rooms: Vec<String>,
    pub buckets: Vec<Bucket>,
    pub metrics: Vec<Metric>,
}

#[derive(Debug, Serialize)]
pub(crate) struct EventInterest {
    pub event: String,
    pub arguments: bool,
    /// What it answers without a call, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_advance: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Bucket {
    pub name: String,
    pub burst: u32,
    pub per_second: f64,
    pub window_ms: u32,
    pub scope: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Metric {
    pub name: String,
    pub kind: &'static str,
}

/// Reads a module's description, and configures an instance of it to see its interests.
///
/// # Errors
/// It is no policy.
pub(crate) fn inspect(bytes: &[u8], config: &str) -> Result<Inspection, NotAPolicy> {
    let engine = Engine::new().map_err(|error| NotAPolicy::Invalid(one_line(&error)))?;
    let module = Module::compile(&engine, bytes)?;
    let (interests, refused) = match configure(&engine, &module, config) {
        Ok((interests, rules)) => (Some(Interests::of(interests, &rules)), None),
        Err(reason) => (None, Some(reason)),
    };
    let component = module.pre.component().component_type();
    let imports = component.imports(&engine.wasm);
    let imports = imports.map(|(name, _)| name.to_owned()).collect();
    let description = module.description;
    let hooks = contract::hooks(description.hooks);
    let capabilities = granted(&description.capabilities);
    Ok(Inspection {
        hooks: hooks.map(Hook::as_str).collect(),
        capabilities: capabilities.into_iter().map(Capability::as_str).collect(),
        name: description.name,
        version: description.version,
        contract: module.contract.as_str(),
        digest: module.digest.to_string(),
        size: bytes.len(),
        interests,
        refused,
        imports,
    })
}

fn configure(
    engine: &Engine,
    module: &Module,
    config: &str,
) -> Result<(types::Interests, Vec<Rule>), String> {
    let mut store = Store::new(&engine.wasm, Host::undescribed(CONFIGURE_MEMORY));
    store.limiter(|host| &mut host.memory);
    store.set_epoch_deadline((CONFIGURE.as_millis() / TICK.as_millis()) as u64);
    let configured = module
        .pre
        .instantiate(&mut store)
        .and_then(|guest| guest.configure(&mut store, config));
    match configured {
        Ok(Ok(interests)) => {
            let promises = std::mem::take(&mut store.data_mut().promises);
            let rules = advance::settle(promises, &interests)
                .map_err(|wrong| format!("its interests are wrong: {wrong}"))?;
            Ok((interests, rules))
        }
        Ok(Err(reason)) => Err(format!("its configuration: {reason}")),
        Err(error) => Err(format!(
            "it failed while it was configured: {}",
            one_line(&error)
        )),
    }
}

impl Interests {
    fn of(of: types::Interests, rules: &[Rule]) -> Self {
        let words = |advance: &Advance| advance.words(&of.buckets);
        let event = |(rule, resolved): (&types::EventRule, &Rule)| EventInterest {
            event: rule.name.clone(),
            arguments: rule.args,
            in_advance: resolved.advance.as_ref().map(words),
        };
        let events = of.events.iter().zip(rules).map(event).collect();
        let bucket = |rule: types::BucketRule| Bucket {
            name: rule.name,
            burst: rule.burst,
            per_second: rule.per_second,
            window_ms: rule.window_ms,
            scope: match rule.scope {
                types::Scope::Node => "node",
                types::Scope::Cluster => "cluster",
            },
        };
        let metric = |rule: types::MetricRule| Metric {
            name: rule.name,
            kind: match rule.kind {
                types::MetricKind::Counter => "counter",
                types::MetricKind::Gauge => "gauge",
            },
        };
        Self {
            events,
            rooms: of.rooms,
            buckets: of.buckets.into_iter().map(bucket).collect(),
            metrics: of.metrics.into_iter().map(metric).collect(),
        }
    }
}
