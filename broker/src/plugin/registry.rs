//! From the configuration and the plugin folder to the policies that are active.
//!
//! `wanted` says what is asked for, `history` keeps what served before, `change` is what an operator asks for beside
//! the files, `trial` a new version beside the one that enforces; `guard` looks at one that has begun to.

mod active;
mod change;
mod guard;
mod history;
mod trial;
mod wanted;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::activate::Plan;
use super::clock::Clock;
use super::engine::Engine;
use super::failed::Failed;
use super::folder::{self, Artifact};
use super::memo::Memo;
use super::module::{Digest, Module};
use super::policy::{Policy, Source};
use super::trial::Tally;
use super::{precompile, signature};
use crate::config;
use crate::pipeline::{Pipeline, Pipelines, Step};
use crate::state::Store;
use crate::telemetry::events::{PolicyLoaded, PolicyUnloaded};
use active::{Active, Refused};
pub(crate) use change::{Change, ChangeError, OPERATOR, Persisted};
use guard::Guard;
pub(crate) use history::{End, Past};
use history::{Generation, Histories};
pub(crate) use trial::PastTrial;
use wanted::{Entry, Wanted};

/// Makes policies, and remembers those that are active so that what did not change is not made again.
pub(crate) struct Registry {
    engine: Arc<Engine>,
    store: Arc<Store>,
    /// One module under two names compiles once, and what failed does not compile again to fail again.
    modules: Memo<Module>,
    active: Vec<Active>,
    /// The namespaces that the last pipelines were made for.
    namespaces: Vec<config::Namespace>,
    histories: Histories,
    /// The last trial of each policy that is over.
    past_trials: HashMap<String, Arc<PastTrial>>,
    guards: Vec<Guard>,
    /// What each policy had said when the version that serves began to.
    begun: HashMap<String, Tally>,
    generation: u64,
    /// Of this one nothing is kept that its files do not ask for.
    withdrawn: Option<String>,
}

/// What a policy was before it was what serves now.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    /// The generations that are kept, the latest to serve first.
    pub generations: Vec<Past>,
    pub last_trial: Option<Arc<PastTrial>>,
}

/// What a configuration came to.
pub(crate) struct Built {
    /// `None`: nothing is different from before.
    pub pipelines: Option<Pipelines>,
    /// Policies whose files could not be followed; those that were active before still are.
    pub failed: Vec<Failed>,
}

/// What became of all that was asked for.
struct Made {
    next: Vec<Active>,
    failed: Vec<Failed>,
    /// As `failed`, but nothing may change because of it.
    fatal: Vec<Failed>,
}

impl Registry {
    pub(crate) fn new(engine: Arc<Engine>, store: Arc<Store>) -> Self {
        Self {
            engine,
            store,
            modules: Memo::new(),
            active: Vec::new(),
            namespaces: Vec::new(),
            histories: Histories::default(),
            past_trials: HashMap::new(),
            guards: Vec::new(),
            begun: HashMap::new(),
            generation: 0,
            withdrawn: None,
        }
    }

    /// Brings the policies in line with a configuration. Compiles, so it must not run on a reactor.
    ///
    /// # Errors
    /// A configured policy with new settings failed. Nothing has changed then: a configuration is followed as a
    /// whole or not at all. A policy of which only the module changed stays as it was, and is reported in `Built`; so
    /// is one that has never been loaded and may fail whenever it likes.
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
        for active in &next {
            active.vouch(&config.plugins.trusted_keys);
        }
        let is_first = self.generation == 0;
        let same_policies =
            self.active.len() == next.len() && self.active.iter().zip(&next).all(|(a, b)| a.is(b));
        let pipelines = if is_first || !same_policies || self.namespaces != config.namespaces {
            Some(self.assemble(config, next)?)
        } else {
            // What the files ask for may be another thing that one of them stands for.
            self.active = next;
            None
        };
        Ok(Built { pipelines, failed })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What each policy was before.
    pub(crate) fn histories(&self) -> HashMap<String, Before> {
        let histories = self.histories.show().into_iter();
        let before = |(name, generations): (String, _)| {
            let last_trial = self.past_trials.get(&name).cloned();
            let before = Before {
                generations,
                last_trial,
            };
            (name, before)
        };
        histories.map(before).collect()
    }

    /// Makes every policy that is to be active.
    fn make_all(&mut self, config: &config::Config, env: &config::Env) -> Made {
        let (entries, mut failed) = self.entries(config, env);
        if self.generation == 0 {
            let wanted = entries.iter().filter_map(Entry::settings).collect();
            let keys = &config.plugins.trusted_keys;
            precompile::all(&self.engine, &mut self.modules, wanted, keys);
        }
        let mut next = Vec::with_capacity(entries.len());
        let mut fatal = Vec::new();
        for entry in entries {
            let wanted = match entry {
                Entry::Make(wanted) => wanted,
                Entry::Keep(old) => {
                    match self.as_dropped_in(&old) {
                        Ok(kept) => next.push(kept),
                        Err(reason) => {
                            fatal.push(Failed::of(&old.policy.settings, Source::DroppedIn, reason))
                        }
                    }
                    continue;
                }
            };
            let old = self.active(&wanted.settings.name);
            let is_withdrawn = self.withdrawn.as_ref() == Some(&wanted.settings.name);
            let old = old.filter(|_| !is_withdrawn);
            let reason = match self.make(&wanted, old.as_ref(), &config.plugins) {
                Ok(made) => {
                    next.push(made);
                    continue;
                }
                Err(reason) => reason,
            };
            let failure = Failed::of(&wanted.settings, wanted.source, reason);
            // What was dropped in never stands in the way of anything else.
            let kept = match (wanted.source, old) {
                (Source::DroppedIn, None) => {
                    failed.push(failure);
                    continue;
                }
                // Every failure of this one is allowed, and that it is missing is one.
                (Source::Configured, None) if wanted.settings.on_error.is_allow() => {
                    failed.push(failure);
                    continue;
                }
                (Source::DroppedIn, Some(old)) => self.as_dropped_in(&old).ok(),
                (Source::Configured, old) => old.filter(|old| {
                    old.policy.source == Source::Configured && old.has_settings_of(&wanted)
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

    /// Makes pipelines of policies, which are the active ones from here on.
    fn assemble(
        &mut self,
        config: &config::Config,
        next: Vec<Active>,
    ) -> Result<Pipelines, Vec<Failed>> {
        let policies: Vec<_> = next.iter().map(Active::step).collect();
        let pipelines = config
            .namespaces
            .iter()
            .map(|namespace| Pipeline {
                steps: take_part(namespace, &policies),
                namespace: namespace.clone(),
            })
            .collect();
        let pipelines =
            Pipelines::new(self.generation + 1, policies, pipelines).map_err(|reason| {
                vec![Failed {
                    policy: None,
                    asked: None,
                    file: PathBuf::from("namespaces"),
                    reason,
                    since: SystemTime::now(),
                }]
            })?;
        self.generation += 1;
        self.end_trials_without(&next);
        for new in &next {
            if !self.active.iter().any(|old| old.is(new)) {
                self.serves(new);
            }
        }
        for old in &self.active {
            let name = &old.policy.name;
            if !next.iter().any(|it| it.policy.name == *name) {
                self.histories.gone(name);
                self.guards.retain(|guard| guard.policy.name != *name);
                PolicyUnloaded { policy: name }.emit();
            }
        }
        self.active = next;
        self.namespaces.clone_from(&config.namespaces);
        Ok(pipelines)
    }

    fn serves(&mut self, new: &Active) {
        let policy = &new.policy;
        let description = &policy.module.description;
        let generation = Generation {
            number: policy.generation,
            digest: policy.module.digest,
            version: description.version.clone(),
            settings: policy.settings.clone(),
            namespaces: policy.namespaces.clone(),
            artifact: new.artifact.clone(),
            since: policy.since,
            ended: None,
        };
        let is_newest = self.histories.serves(&policy.name, generation);
        self.guard(policy, is_newest);
        PolicyLoaded {
            policy: &policy.name,
            version: &description.version,
            digest: &policy.module.digest.to_string(),
            compiled: policy.module.compiled,
            generation: policy.generation,
        }
        .emit();
    }

    /// Of the policies that are active, dropped in or not.
    pub(super) fn settings(&self) -> impl Iterator<Item = &config::Policy> {
        let active = self.active.iter();
        active.map(|active| &*active.policy.settings)
    }

    fn active(&self, name: &str) -> Option<Active> {
        self.active
            .iter()
            .find(|active| *active.policy.name == *name)
            .cloned()
    }

    /// The policy that is wanted: the active one if nothing about it is different.
    fn make(
        &mut self,
        wanted: &Wanted,
        old: Option<&Active>,
        plugins: &config::Plugins,
    ) -> Result<Active, String> {
        let mut artifact = folder::read(&wanted.settings.module)?;
        let digest = Digest::of(&artifact.bytes);
        signature::admit(&wanted.settings, &artifact, digest, &plugins.trusted_keys)?;
        if let Some(old) = old {
            if let Some(mut same) = old.for_files(wanted, digest) {
                self.modules
                    .keep(old.policy.module.digest, &old.policy.module);
                if old.policy.module.digest == digest {
                    // It may have been signed again.
                    same.artifact.signature = artifact.signature;
                }
                return Ok(same);
            }
            if old.policy.module.digest == digest {
                self.modules.keep(digest, &old.policy.module);
                // Kept once, however many generations are made of it.
                artifact.bytes = old.artifact.bytes.clone();
            }
        }
        let module = self.module(digest, &artifact)?;
        let number = self.histories.next(&wanted.settings.name);
        self.activate(wanted, module, artifact, number)
    }

    /// The module of these bytes, compiled if they are new.
    fn module(&mut self, digest: Digest, artifact: &Artifact) -> Result<Arc<Module>, String> {
        let engine = self.engine.clone();
        self.modules
            .get(digest, || Module::compile(&engine, &artifact.bytes))
    }

    fn activate(
        &self,
        wanted: &Wanted,
        module: Arc<Module>,
        artifact: Artifact,
        generation: u64,
    ) -> Result<Active, String> {
        let plan = Plan {
            settings: wanted.settings.clone(),
            source: wanted.source,
            namespaces: wanted.namespaces.clone(),
            generation,
            clock: Clock::System,
        };
        let policy = Policy::activate(&self.engine, &self.store, module, plan)
            .map_err(|refused| refused.to_string())?;
        Ok(Active::new(Arc::new(policy), artifact))
    }

    /// An active policy as one that was dropped in. Kept as one that is configured, when the configuration has ceased
    /// to name it, it would be in no pipeline and let everything pass.
    fn as_dropped_in(&self, old: &Active) -> Result<Active, String> {
        if old.policy.source == Source::DroppedIn {
            return Ok(old.clone());
        }
        let wanted = Wanted {
            settings: old.policy.settings.clone(),
            source: Source::DroppedIn,
            namespaces: None,
        };
        let number = self.histories.next(&old.policy.name);
        let module = old.policy.module.clone();
        self.activate(&wanted, module, old.artifact.clone(), number)
    }
}

/// The policies of one namespace: those it names, in its order, then what was dropped in.
fn take_part(namespace: &config::Namespace, policies: &[Step]) -> Vec<Step> {
    if namespace.is_operators {
        return Vec::new();
    }
    let named = namespace.policies.iter().filter_map(|name| {
        policies
            .iter()
            .find(|step| step.policy.source == Source::Configured && *step.policy.name == **name)
    });
    let dropped_in = policies.iter().filter(|step| {
        let namespaces = step.policy.namespaces.as_ref();
        step.policy.source == Source::DroppedIn
            && namespaces.is_none_or(|paths| paths.contains(&namespace.path))
    });
    named.chain(dropped_in).cloned().collect()
}

#[cfg(test)]
mod tests;
