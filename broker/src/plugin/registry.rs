//! From the configuration and the plugin folder to the policies that are active.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use super::activate::Plan;
use super::engine::Engine;
use super::module::{Digest, Module};
use super::policy::{Policy, Source};
use crate::config;
use crate::pipeline::{Pipeline, Pipelines};
use crate::state::Store;
use crate::telemetry::events::{PolicyLoaded, PolicyUnloaded};

/// Why a policy, or the configuration as a whole, is not what its file says.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// `None`: the failure is the configuration file's.
    pub policy: Option<String>,
    pub file: PathBuf,
    pub reason: String,
    pub since: SystemTime,
}

impl Failed {
    /// The same failure, perhaps noticed at another time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.policy, &self.file, &self.reason) == (&other.policy, &other.file, &other.reason)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.policy {
            Some(policy) => write!(
                f,
                "policy `{policy}`: {}: {}",
                self.file.display(),
                self.reason
            ),
            None => write!(f, "{}: {}", self.file.display(), self.reason),
        }
    }
}

/// A module larger than this is not read: a policy of that size is a mistake, or something else.
const MAX_MODULE: u64 = 64 << 20;

/// Makes policies, and remembers those that are active so that what did not change is not made again.
pub(crate) struct Registry {
    engine: Arc<Engine>,
    store: Arc<Store>,
    /// Compiled modules that are still in use, by their bytes: one module under two names compiles once.
    modules: HashMap<Digest, Weak<Module>>,
    active: Vec<Arc<Policy>>,
    /// The namespaces that the last pipelines were made for.
    namespaces: Vec<config::Namespace>,
    /// How often each policy was made.
    generations: HashMap<String, u64>,
    generation: u64,
}

/// What a configuration came to.
pub(crate) struct Built {
    /// `None`: nothing is different from before.
    pub pipelines: Option<Pipelines>,
    /// Policies whose files could not be followed; those that were active before still are.
    pub failed: Vec<Failed>,
}

/// A policy that the configuration or the plugin folder asks for.
struct Wanted {
    settings: Arc<config::Policy>,
    source: Source,
    namespaces: Option<Vec<String>>,
}

impl Registry {
    pub(crate) fn new(engine: Arc<Engine>, store: Arc<Store>) -> Self {
        Self {
            engine,
            store,
            modules: HashMap::new(),
            active: Vec::new(),
            namespaces: Vec::new(),
            generations: HashMap::new(),
            generation: 0,
        }
    }

    /// Brings the policies in line with a configuration. Compiles, so it must not run on a reactor.
    ///
    /// # Errors
    /// A configured policy with new settings failed. Nothing has changed then: a configuration is followed as a
    /// whole or not at all. A policy of which only the module changed stays as it was, and is reported in `Built`.
    pub(crate) fn build(
        &mut self,
        config: &config::Config,
        env: &config::Env,
    ) -> Result<Built, Vec<Failed>> {
        let (wanted, mut failed) = self.wanted(config, env);
        let mut next = Vec::with_capacity(wanted.len());
        let mut fatal = Vec::new();
        for wanted in wanted {
            let old = self.active(&wanted.settings.name);
            match self.make(&wanted, old.as_ref()) {
                Ok(policy) => next.push(policy),
                Err(reason) => {
                    let failure = failure(&wanted.settings, reason);
                    match old {
                        Some(old) if old.settings == wanted.settings => {
                            next.push(old);
                            failed.push(failure);
                        }
                        // What was dropped in never stands in the way of anything else.
                        Some(old) if wanted.source == Source::DroppedIn => {
                            next.push(old);
                            failed.push(failure);
                        }
                        None if wanted.source == Source::DroppedIn => failed.push(failure),
                        _ => fatal.push(failure),
                    }
                }
            }
        }
        if !fatal.is_empty() {
            return Err(fatal);
        }
        let is_first = self.generation == 0;
        let same_policies = self.active.len() == next.len()
            && self
                .active
                .iter()
                .zip(&next)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        let pipelines = if is_first || !same_policies || self.namespaces != config.namespaces {
            Some(self.assemble(config, next)?)
        } else {
            None
        };
        Ok(Built { pipelines, failed })
    }

    fn assemble(
        &mut self,
        config: &config::Config,
        next: Vec<Arc<Policy>>,
    ) -> Result<Pipelines, Vec<Failed>> {
        let pipelines = config
            .namespaces
            .iter()
            .map(|namespace| Pipeline {
                policies: take_part(namespace, &next),
                namespace: namespace.clone(),
            })
            .collect();
        let pipelines =
            Pipelines::new(self.generation + 1, next.clone(), pipelines).map_err(|reason| {
                vec![Failed {
                    policy: None,
                    file: PathBuf::from("namespaces"),
                    reason,
                    since: SystemTime::now(),
                }]
            })?;
        self.generation += 1;
        for policy in next.iter().filter(|policy| !self.is_active(policy)) {
            PolicyLoaded {
                policy: &policy.name,
                version: &policy.module.description.version,
                digest: &policy.module.digest.to_string(),
                generation: policy.generation,
            }
            .emit();
        }
        for old in &self.active {
            if !next.iter().any(|policy| policy.name == old.name) {
                PolicyUnloaded { policy: &old.name }.emit();
            }
        }
        self.active = next;
        self.namespaces.clone_from(&config.namespaces);
        self.modules.retain(|_, module| module.strong_count() > 0);
        Ok(pipelines)
    }

    fn is_active(&self, policy: &Arc<Policy>) -> bool {
        self.active.iter().any(|active| Arc::ptr_eq(active, policy))
    }

    fn active(&self, name: &str) -> Option<Arc<Policy>> {
        self.active
            .iter()
            .find(|policy| *policy.name == *name)
            .cloned()
    }

    /// The policy that is wanted: the active one if nothing about it is different.
    fn make(&mut self, wanted: &Wanted, old: Option<&Arc<Policy>>) -> Result<Arc<Policy>, String> {
        let bytes = read(&wanted.settings.module)?;
        let digest = Digest::of(&bytes);
        if let Some(old) = old
            && old.module.digest == digest
            && old.settings == wanted.settings
            && old.namespaces == wanted.namespaces
        {
            return Ok(old.clone());
        }
        let module = match self.modules.get(&digest).and_then(Weak::upgrade) {
            Some(module) => module,
            None => {
                let module = Module::compile(&self.engine, &bytes).map_err(|e| e.to_string())?;
                Arc::new(module)
            }
        };
        let name = &wanted.settings.name;
        let generation = self.generations.get(name).map_or(1, |made| made + 1);
        let plan = Plan {
            settings: wanted.settings.clone(),
            source: wanted.source,
            namespaces: wanted.namespaces.clone(),
            generation,
        };
        let policy = Policy::activate(&self.engine, &self.store, module.clone(), plan)
            .map_err(|refused| refused.to_string())?;
        self.modules.insert(digest, Arc::downgrade(&module));
        self.generations.insert(name.clone(), generation);
        Ok(Arc::new(policy))
    }

    /// The configured policies in their order, then those that were dropped in, in the order of their file names.
    fn wanted(&self, config: &config::Config, env: &config::Env) -> (Vec<Wanted>, Vec<Failed>) {
        let mut wanted: Vec<_> = config
            .policies
            .iter()
            .map(|settings| Wanted {
                settings: Arc::new(settings.clone()),
                source: Source::Configured,
                namespaces: None,
            })
            .collect();
        let mut failed = Vec::new();
        for file in dropped_in(config) {
            match drop_in(&file, config, env) {
                Ok(drop_in) => wanted.push(Wanted {
                    settings: Arc::new(drop_in.policy),
                    source: Source::DroppedIn,
                    namespaces: drop_in.namespaces,
                }),
                Err(reason) => {
                    let name = stem(&file);
                    // One that is active stays so: a mistake in its settings must not unload it.
                    if let Some(old) = self.active(&name) {
                        wanted.push(Wanted {
                            settings: old.settings.clone(),
                            source: Source::DroppedIn,
                            namespaces: old.namespaces.clone(),
                        });
                    }
                    failed.push(Failed {
                        policy: Some(name),
                        file,
                        reason,
                        since: SystemTime::now(),
                    });
                }
            }
        }
        (wanted, failed)
    }
}

/// The policies of one namespace: those it names, in its order, then what was dropped in.
fn take_part(namespace: &config::Namespace, policies: &[Arc<Policy>]) -> Vec<Arc<Policy>> {
    let named = namespace.policies.iter().filter_map(|name| {
        policies
            .iter()
            .find(|p| p.source == Source::Configured && *p.name == **name)
    });
    let dropped_in = policies.iter().filter(|policy| {
        policy.source == Source::DroppedIn
            && policy
                .namespaces
                .as_ref()
                .is_none_or(|paths| paths.contains(&namespace.path))
    });
    named.chain(dropped_in).cloned().collect()
}

/// Modules in the plugin folder that no configured policy is or is made of.
fn dropped_in(config: &config::Config) -> Vec<PathBuf> {
    let Some(dir) = &config.plugins.dir else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(dir) else {
        // Checked when the configuration was read; gone since, it holds nothing.
        return Vec::new();
    };
    let is_configured = |file: &Path| {
        config
            .policies
            .iter()
            .any(|policy| policy.module == file || policy.name == stem(file))
    };
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .filter(|file| file.is_file() && !is_configured(file))
        .collect();
    files.sort();
    files
}

fn drop_in(
    file: &Path,
    config: &config::Config,
    env: &config::Env,
) -> Result<config::DropIn, String> {
    let drop_in = config::drop_in(file, settings_beside(file).as_deref(), env)
        .map_err(|problems| problems.to_string().replace('\n', "; "))?;
    match drop_in.unknown_namespace(&config.namespaces) {
        Some(path) => Err(format!("namespaces: `{path}` is not configured")),
        None => Ok(drop_in),
    }
}

fn settings_beside(module: &Path) -> Option<PathBuf> {
    let settings = module.with_extension("toml");
    settings.is_file().then_some(settings)
}

fn stem(file: &Path) -> String {
    file.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn read(module: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(module)
        .map_err(|error| error.to_string())?
        .len();
    if size > MAX_MODULE {
        return Err(format!("larger than {} MiB", MAX_MODULE >> 20));
    }
    std::fs::read(module).map_err(|error| error.to_string())
}

fn failure(settings: &config::Policy, reason: String) -> Failed {
    Failed {
        policy: Some(settings.name.clone()),
        file: settings.module.clone(),
        reason,
        since: SystemTime::now(),
    }
}
