//! What a configuration would run, as plain data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::suspicions::{Suspicion, suspicions};
use super::text::{action, words};
use crate::config::{self, Cluster, Config, Loaded, Login, Namespace};
use crate::pipeline::Pipelines;
use crate::plugin::{self, Failed, Source};
use crate::telemetry::metrics::Hook;

/// Shows no secret: of those it says that they are set.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub server: Listener,
    pub admin: Admin,
    /// `null`: the node is alone.
    pub cluster: Option<Others>,
    /// What clients may take up, by key.
    pub limits: BTreeMap<String, String>,
    /// In the order in which they are asked.
    pub policies: Vec<Policy>,
    pub namespaces: Vec<Place>,
    /// Dropped-in modules that do not load.
    pub not_loaded: Vec<String>,
    pub warnings: Vec<Suspicion>,
}

#[derive(Debug, Serialize)]
pub(super) struct Listener {
    pub listen: String,
    pub path: String,
    pub transports: Vec<&'static str>,
    pub reactors: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Admin {
    pub listen: String,
    /// Whoever may ask, none of whom is asked for a token if there are none.
    pub tokens: Vec<Token>,
}

/// Not the token, but who has it.
#[derive(Debug, Serialize)]
pub(super) struct Token {
    pub name: String,
    pub scope: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Others {
    pub name: String,
    pub servers: Vec<String>,
    /// How the broker says who it is.
    pub login: &'static str,
    pub tls: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Policy {
    pub name: String,
    pub source: &'static str,
    pub mode: &'static str,
    pub version: String,
    pub contract: &'static str,
    pub digest: String,
    /// The key that the module is signed with.
    pub signed_by: Option<String>,
    pub hooks: Vec<&'static str>,
    pub grants: Vec<&'static str>,
    pub timeout_ms: u64,
    pub memory: u64,
    pub namespaces: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub path: String,
    /// It is the Admin UI's, which the broker serves itself: events there are its commands.
    pub admin_ui: bool,
    /// In the order in which they are asked, dropped-in ones included.
    pub policies: Vec<String>,
    pub routes: Vec<Way>,
    pub denial_event: String,
    /// What back ends are told of its sockets, and where.
    pub lifecycle: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Way {
    pub event: String,
    pub action: String,
}

impl Plan {
    pub(super) fn of(loaded: &Loaded, pipelines: &Pipelines, failed: &[Failed]) -> Self {
        let config = &loaded.config;
        Self {
            server: listener(config),
            admin: Admin {
                listen: config.admin.listen.to_string(),
                tokens: tokens(&config.admin),
            },
            cluster: config.cluster.as_ref().map(others),
            limits: loaded.settings.shown(is_limit),
            policies: policies(pipelines),
            namespaces: pipelines.all().iter().map(|it| place(it)).collect(),
            not_loaded: failed.iter().map(ToString::to_string).collect(),
            warnings: suspicions(config, pipelines),
        }
    }
}

fn listener(config: &Config) -> Listener {
    let transports = config.server.transports;
    let named = [
        (transports.polling, "polling"),
        (transports.websocket, "websocket"),
    ];
    Listener {
        listen: config.server.listen.to_string(),
        path: config.server.path.clone(),
        transports: named
            .into_iter()
            .filter_map(|(on, name)| on.then_some(name))
            .collect(),
        reactors: config.server.reactors,
    }
}

fn tokens(admin: &config::Admin) -> Vec<Token> {
    let all = admin.all_tokens().map(|(name, _, scope)| Token {
        name: name.to_owned(),
        scope: scope.as_str(),
    });
    all.collect()
}

fn others(cluster: &Cluster) -> Others {
    Others {
        name: cluster.name.clone(),
        servers: cluster.servers.clone(),
        login: match cluster.login {
            Login::Nobody => "none",
            Login::User { .. } => "user",
            Login::Token(_) => "token",
            Login::Nkey(_) => "nkey",
            Login::Credentials(_) => "credentials",
        },
        tls: cluster.is_private(),
    }
}

/// Keys of the public listener that bound what clients may take up.
fn is_limit(key: &str) -> bool {
    let words = ["max_", "_rate", "timeout", "drain_period"];
    key.starts_with("server.") && words.iter().any(|word| key.contains(word))
}

fn policies(pipelines: &Pipelines) -> Vec<Policy> {
    let shown = pipelines.policies().map(|policy| {
        let hooks = policy.hooks();
        let taking_part = pipelines.all().iter().filter(|it| takes_part(it, policy));
        let signer = policy.signer.load();
        Policy {
            name: policy.name.to_string(),
            source: match policy.source {
                Source::Configured => "configured",
                Source::DroppedIn => "dropped-in",
            },
            mode: policy.settings.mode.as_str(),
            version: policy.module.description.version.clone(),
            contract: policy.module.contract.as_str(),
            digest: policy.module.digest.to_string(),
            signed_by: signer.as_deref().map(|signer| signer.key_id.clone()),
            hooks: hooks.map(Hook::as_str).collect(),
            grants: policy.settings.grant.iter().map(|it| it.as_str()).collect(),
            timeout_ms: u64::try_from(policy.settings.timeout.as_millis()).unwrap_or(u64::MAX),
            memory: policy.settings.memory,
            namespaces: taking_part.map(|it| it.namespace.path.clone()).collect(),
        }
    });
    shown.collect()
}

/// Whether a policy is asked in a namespace.
pub(super) fn takes_part(pipeline: &crate::pipeline::Pipeline, policy: &plugin::Policy) -> bool {
    let mut steps = pipeline.steps.iter();
    steps.any(|step| step.policy.name == policy.name)
}

fn place(pipeline: &crate::pipeline::Pipeline) -> Place {
    let Namespace {
        path,
        routes,
        denial_event,
        lifecycle,
        is_operators,
        ..
    } = &pipeline.namespace;
    Place {
        path: path.clone(),
        admin_ui: *is_operators,
        policies: pipeline
            .steps
            .iter()
            .map(|step| step.policy.name.to_string())
            .collect(),
        routes: routes
            .iter()
            .map(|route| Way {
                event: route.event.to_string(),
                action: action(route),
            })
            .collect(),
        denial_event: denial_event.clone(),
        lifecycle: lifecycle.as_ref().map(words),
    }
}
