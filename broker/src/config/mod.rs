//! What the operator has set: one file a section, read into types that are valid, with all mistakes at once.
//!
//! A configuration file, then the variables `SLUICE_…`, then what a `.env` file says of them, are merged by the `config`
//! crate. [`section::Section`] walks the result: every key is declared in one place with its type, default and meaning,
//! from which `sluice config` prints its lists too. Nothing here opens a socket or loads a policy.

mod admin;
mod admin_ui;
mod admission;
mod bounds;
mod client_files;
mod cluster;
mod compression;
mod cookie;
mod cors;
mod declare;
mod describe;
mod drop_in;
mod effective;
mod env;
mod expand;
mod file;
mod http_compression;
mod lifecycle;
mod namespace;
mod nearest;
mod network;
mod overlay;
mod plugins;
mod policy;
mod policy_breaker;
mod policy_http;
mod problem;
mod rate;
mod reader;
mod route;
mod schema;
mod secret;
mod section;
mod server;
mod session;
mod setting;
mod settings;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;
mod traces;
mod trial;
mod trust;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::config::{Map, Value, ValueKind};

#[cfg(test)]
pub(crate) use admin::AdminToken;
pub(crate) use admin::{Admin, NOBODY, Scope};
pub(crate) use admin_ui::{AdminUi, UiMode};
pub(crate) use admission::{Admission, Forwarded, MaxMemory};
pub(crate) use client_files::BUILDS as CLIENT_BUILDS;
pub(crate) use cluster::{Cluster, Login, Partition};
pub(crate) use compression::Compression;
pub(crate) use cookie::{Cookie, SameSite};
#[cfg(test)]
pub(crate) use cors::Allowed;
pub(crate) use cors::{Cors, Origins};
pub(crate) use drop_in::{DropIn, drop_in};
pub(crate) use env::{Env, FILE_VARIABLE};
pub(crate) use lifecycle::{Lifecycle, LifecycleEvent};
pub(crate) use namespace::Namespace;
#[cfg(test)]
pub(crate) use network::Networks;
pub(crate) use plugins::Plugins;
pub(crate) use policy::{
    Capability, Failure, Mode, NAME as POLICY_NAME, Policy, is_name as is_policy_name,
};
pub(crate) use policy_breaker::PolicyBreaker;
pub(crate) use policy_http::{Origin, PolicyHttp};
pub(crate) use problem::{Problem, Problems};
pub(crate) use rate::Rate;
use route::Reach;
pub(crate) use route::{Action, Batch, Encoding, Outbound, RoomSource, Route, To, Want};
pub(crate) use secret::Secret;
pub(crate) use server::Server;
pub(crate) use session::{OnExpiry, Session};
pub(crate) use settings::{Change, Settings};
pub(crate) use telemetry::{Format, Telemetry};
pub(crate) use traces::{Otlp, Traces};
pub(crate) use trial::Trial;
pub(crate) use trust::{Pin, TrustedKey, key_id};

use file::{File, Layer};
use reader::Reader;
use section::Section;
use settings::Raw;

/// A configuration that is valid as far as one can tell without running it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    pub server: Server,
    pub admin: Admin,
    pub telemetry: Telemetry,
    /// `None`: the node is alone.
    pub cluster: Option<Cluster>,
    pub plugins: Plugins,
    pub policies: Vec<Policy>,
    pub namespaces: Vec<Namespace>,
}

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub config: Config,
    /// The same as it may be shown: every key with its value, and no secret.
    pub effective: Arc<serde_json::Value>,
    /// The files that were read: the configuration file and its `.env`.
    pub files: Vec<PathBuf>,
    /// The configuration file.
    pub path: Option<PathBuf>,
    /// The environment with that `.env`. Passed to [`load`] again, it reads the file afresh.
    pub env: Env,
    /// What each key is set to.
    pub settings: Settings,
}

/// A configuration that a running process can go on with.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Keys that cannot be changed have the values that the process runs by.
    pub loaded: Loaded,
    pub changes: Vec<Change>,
    /// What is kept until a restart.
    pub waiting: Vec<Change>,
}

/// Reads everything again for a process that runs by `running`. Keys that are read at its start only keep their
/// values; the rest has to make sense together with them.
pub(crate) fn follow(running: &Loaded) -> Result<Followed, Problems> {
    let read = |pins| read(running.path.as_deref(), running.env.clone(), pins);
    let asked = read(HashMap::new())?;
    let differences = running.settings.differences(&asked.settings);
    let loaded = match differences.fixed.is_empty() {
        true => asked,
        false => read(differences.pins).map_err(|problems| {
            let keys: Vec<_> = differences.fixed.iter().map(|it| &*it.key).collect();
            problems.with(&keys)
        })?,
    };
    Ok(Followed {
        loaded,
        changes: differences.live,
        waiting: differences.fixed,
    })
}

/// Reads the configuration file, if there is one, and the environment.
pub(crate) fn load(path: Option<&Path>, env: Env) -> Result<Loaded, Problems> {
    read(path, env, HashMap::new())
}

fn read(
    path: Option<&Path>,
    mut env: Env,
    pins: HashMap<String, Option<Raw>>,
) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
    let dotenv = env.read_file(folder, &mut problems);
    let overlay = overlay::overlay(&env, &mut problems);
    let file = match path.map(|path| File::read(path, &mut problems)) {
        Some(Some(file)) => Some(file),
        None => None,
        // What the variables mean depends on the rest, so they are not judged alone.
        Some(None) => return Err(Problems(problems)),
    };
    let merged = merge([
        file.as_ref().map(|file| file.values.clone()),
        Some(overlay.values),
    ])
    .map_err(|error| Problems(vec![Problem::of_source("configuration", error.to_string())]))?;
    let mut reader = Reader {
        file: file.as_ref(),
        overrides: overlay.origins,
        problems,
        pins,
        ..Reader::new(&env, folder)
    };
    let config = Section::root(&mut reader, merged, Config::read);
    let settings = std::mem::take(&mut reader.settings);
    Problems(reader.problems).into_result()?;
    Ok(Loaded {
        config,
        effective: Arc::new(reader.effective.tree()),
        files: path.map(Path::to_owned).into_iter().chain(dotenv).collect(),
        path: path.map(Path::to_owned),
        env,
        settings,
    })
}

/// Lays later layers over earlier ones; tables are merged, everything else is replaced.
fn merge<const N: usize>(
    layers: [Option<Map<String, Value>>; N],
) -> Result<Map<String, Value>, ::config::ConfigError> {
    let mut builder = ::config::Config::builder();
    for layer in layers.into_iter().flatten() {
        builder = builder.add_source(Layer(layer));
    }
    match builder.build()?.cache.kind {
        ValueKind::Table(table) => Ok(table),
        _ => Ok(Map::new()),
    }
}

/// A TOML file of every key with its default and meaning.
pub(crate) fn default_toml() -> String {
    describe::toml(&entries())
}

/// Every variable with its default and meaning, in the form of a `.env` file.
pub(crate) fn default_env() -> String {
    describe::env(&entries())
}

/// The JSON Schema of a configuration file.
pub(crate) fn schema() -> serde_json::Value {
    schema::schema(&entries())
}

/// Every key that is declared, in the order of the declarations.
fn entries() -> Vec<describe::Entry> {
    let env = Env::default();
    let mut reader = Reader {
        entries: Some(Vec::new()),
        ..Reader::new(&env, Path::new(""))
    };
    Section::root(&mut reader, Map::new(), Config::read);
    reader.entries.unwrap_or_default()
}

impl Config {
    fn read(s: &mut Section<'_, '_>) -> Self {
        let server = s.table(
            "server",
            "The listener that clients connect to.",
            Server::read,
        );
        let admin = s.table("admin", "The operator's listener.", |s| {
            Admin::read(s, &server)
        });
        let telemetry = s.table(
            "telemetry",
            "What the broker says about itself.",
            Telemetry::read,
        );
        let plugins = s.table("plugins", "Where policies are found.", Plugins::read);
        let cluster = s.table(
            "cluster",
            "Other nodes, and back ends, through NATS.",
            Cluster::read,
        );
        let mut names = Vec::new();
        let policies = s.live(|s| {
            s.each(
                "policy",
                "A policy; policies are asked in the order in which they are written.",
                |s| Policy::read(s, &plugins, &mut names),
            )
        });
        let reach = Reach {
            cluster: cluster.as_ref().map(|cluster| cluster.name.as_str()),
        };
        let mut paths = namespace::Paths::default();
        let mut namespaces = s.live(|s| {
            s.each(
                "namespace",
                "A namespace. Where there is none, `/` relays: `join` and `leave` with the room as first argument, \
                 every other event to all others.",
                |s| Namespace::read(s, &names, &mut paths, reach),
            )
        });
        if namespaces.is_empty() {
            namespaces = vec![Some(Namespace::relay(&names))];
        }
        if let Some(ui) = &admin.ui {
            if namespaces.iter().flatten().any(|it| it.path == ui.path) {
                let what = "is the path of a [[namespace]] too";
                s.report("admin.ui.path", what, Some("another path"));
            }
            namespaces.push(Some(Namespace::of_operators(&ui.path)));
        }
        Self {
            server,
            admin,
            telemetry,
            cluster,
            plugins,
            policies: policies.into_iter().flatten().collect(),
            namespaces: namespaces.into_iter().flatten().collect(),
        }
    }
}
