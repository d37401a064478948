//! From the configuration and the plugin folder to the policies that are active.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::activate::Plan;
use super::clock::Clock;
use super::engine::Engine;
use super::folder;
use super::memo::Memo;
use super::module::{Digest, Module};
use super::policy::{Policy, Source};
use super::signature;
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

/// Makes policies, and remembers those that are active so that what did not change is not made again.
pub(crate) struct Registry {
    engine: Arc<Engine>,
    store: Arc<Store>,
    /// One module under two names compiles once, and what failed does not compile again to fail again.
    modules: Memo<Module>,
    active: Vec<Arc<Policy>>,
    /// The namespaces that the last pipelines were made for.
    namespaces: Vec<config::Namespace>,
    /// How often each policy was made and served.
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

/// What became of all that was asked for.
struct Made {
    next: Vec<Arc<Policy>>,
    failed: Vec<Failed>,
    /// As `failed`, but nothing may change because of it.
    fatal: Vec<Failed>,
}

enum Entry {
    Make(Wanted),
    /// It cannot be told what is wanted of this one, which is active: it is to go on as it is.
    Keep(Arc<Policy>),
}

impl Registry {
    pub(crate) fn new(engine: Arc<Engine>, store: Arc<Store>) -> Self {
        Self {
            engine,
            store,
            modules: Memo::new(),
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
        let Made {
            next,
            failed,
            fatal,
        } = self.make_all(config, env);
        self.modules.prune();
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

    /// Makes every policy that is to be active.
    fn make_all(&mut self, config: &config::Config, env: &config::Env) -> Made {
        let (entries, mut failed) = self.entries(config, env);
        let mut next = Vec::with_capacity(entries.len());
        let mut fatal = Vec::new();
        for entry in entries {
            let wanted = match entry {
                Entry::Make(wanted) => wanted,
                Entry::Keep(old) => {
                    match self.as_dropped_in(&old) {
                        Ok(kept) => next.push(kept),
                        Err(reason) => fatal.push(failure(&old.settings, reason)),
                    }
                    continue;
                }
            };
            let old = self.active(&wanted.settings.name);
            let reason = match self.make(&wanted, old.as_ref(), &config.plugins) {
                Ok(policy) => {
                    next.push(policy);
                    continue;
                }
                Err(reason) => reason,
            };
            let failure = failure(&wanted.settings, reason);
            // What was dropped in never stands in the way of anything else.
            let kept = match (wanted.source, old) {
                (Source::DroppedIn, None) => {
                    failed.push(failure);
                    continue;
                }
                (Source::DroppedIn, Some(old)) => self.as_dropped_in(&old).ok(),
                (Source::Configured, old) => old.filter(|old| {
                    old.source == Source::Configured && old.settings == wanted.settings
                }),
            };
            match kept {
                Some(kept) => {
                    next.push(kept);
                    failed.push(failure);
                }
                None => fatal.push(failure),
            }
        }
        Made {
            next,
            failed,
            fatal,
        }
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
        let made = next.iter().map(|it| (it.name.to_string(), it.generation));
        self.generations.extend(made);
        self.active = next;
        self.namespaces.clone_from(&config.namespaces);
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
    fn make(
        &mut self,
        wanted: &Wanted,
        old: Option<&Arc<Policy>>,
        plugins: &config::Plugins,
    ) -> Result<Arc<Policy>, String> {
        let bytes = folder::read(&wanted.settings.module)?;
        let digest = Digest::of(&bytes);
        signature::admit(&wanted.settings, &bytes, digest, &plugins.trusted_keys)?;
        if let Some(old) = old
            && old.module.digest == digest
        {
            self.modules.keep(digest, &old.module);
            // One of another source stands elsewhere in the pipelines, whatever else is the same.
            if old.settings == wanted.settings
                && old.source == wanted.source
                && old.namespaces == wanted.namespaces
            {
                return Ok(old.clone());
            }
        }
        let engine = self.engine.clone();
        let module = self
            .modules
            .get(digest, || Module::compile(&engine, &bytes))?;
        self.activate(wanted, module)
    }

    fn activate(&self, wanted: &Wanted, module: Arc<Module>) -> Result<Arc<Policy>, String> {
        let made = self.generations.get(&wanted.settings.name);
        let plan = Plan {
            settings: wanted.settings.clone(),
            source: wanted.source,
            namespaces: wanted.namespaces.clone(),
            generation: made.map_or(1, |made| made + 1),
            clock: Clock::System,
        };
        Policy::activate(&self.engine, &self.store, module, plan)
            .map(Arc::new)
            .map_err(|refused| refused.to_string())
    }

    /// An active policy as one that was dropped in. Kept as one that is configured, when the configuration has ceased
    /// to name it, it would be in no pipeline and let everything pass.
    fn as_dropped_in(&self, old: &Arc<Policy>) -> Result<Arc<Policy>, String> {
        if old.source == Source::DroppedIn {
            return Ok(old.clone());
        }
        let wanted = Wanted {
            settings: old.settings.clone(),
            source: Source::DroppedIn,
            namespaces: None,
        };
        self.activate(&wanted, old.module.clone())
    }

    /// The configured policies in their order, then those that were dropped in, in the order of their file names.
    fn entries(&self, config: &config::Config, env: &config::Env) -> (Vec<Entry>, Vec<Failed>) {
        let configured = config.policies.iter().map(|settings| {
            Entry::Make(Wanted {
                settings: Arc::new(settings.clone()),
                source: Source::Configured,
                namespaces: None,
            })
        });
        let mut entries: Vec<_> = configured.collect();
        let mut failed = Vec::new();
        match folder::dropped_in(config) {
            Ok(files) => {
                for file in files {
                    let (entry, failure) = self.entry(file, config, env);
                    entries.extend(entry);
                    failed.extend(failure);
                }
            }
            Err(error) => {
                // What cannot be looked into is not empty.
                let kept = self.active.iter().filter(|policy| {
                    policy.source == Source::DroppedIn
                        && config.policies.iter().all(|it| *it.name != *policy.name)
                });
                entries.extend(kept.cloned().map(Entry::Keep));
                failed.push(Failed {
                    policy: None,
                    file: config.plugins.dir.clone().unwrap_or_default(),
                    reason: error.to_string(),
                    since: SystemTime::now(),
                });
            }
        }
        (entries, failed)
    }

    /// What a module in the plugin folder asks for.
    fn entry(
        &self,
        file: PathBuf,
        config: &config::Config,
        env: &config::Env,
    ) -> (Option<Entry>, Option<Failed>) {
        match folder::drop_in(&file, config, env) {
            Ok(drop_in) => {
                let wanted = Wanted {
                    settings: Arc::new(drop_in.policy),
                    source: Source::DroppedIn,
                    namespaces: drop_in.namespaces,
                };
                (Some(Entry::Make(wanted)), None)
            }
            Err(reason) => {
                let name = folder::stem(&file);
                // A mistake in its settings must not unload it.
                let kept = self.active(&name).map(Entry::Keep);
                let failed = Failed {
                    policy: Some(name),
                    file,
                    reason,
                    since: SystemTime::now(),
                };
                (kept, Some(failed))
            }
        }
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

fn failure(settings: &config::Policy, reason: String) -> Failed {
    Failed {
        policy: Some(settings.name.clone()),
        file: settings.module.clone(),
        reason,
        since: SystemTime::now(),
    }
}
