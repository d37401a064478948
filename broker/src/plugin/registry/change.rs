//! What an operator asks for beside the files: another module, or an earlier generation.

use std::path::Path;
use std::sync::Arc;

use super::wanted::{Unwanted, Wanted};
use super::{Active, Refused, Registry};
use crate::config;
use crate::pipeline::Pipelines;
use crate::plugin::folder::{self, Artifact};
use crate::plugin::module::{Digest, Module};
use crate::plugin::policy::{Policy, Source};
use crate::plugin::signature;
use crate::telemetry::events::PolicyRolledBack;

/// Who takes a generation back, where it does not happen by itself.
pub(crate) const OPERATOR: &str = "operator";

/// What became of a policy that was to change.
pub(crate) struct Change {
    pub policy: Arc<Policy>,
    /// To be served from now on; `None`: it was like that already.
    pub pipelines: Option<Pipelines>,
    /// Whether anything is different from before.
    pub changed: bool,
    pub persisted: Persisted,
}

/// Whether what serves is what the files ask for, so that it serves after a restart too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Persisted {
    Yes,
    /// Why not.
    No(String),
}

/// Why a policy does not change. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("there is no policy `{0}`")]
    NoPolicy(String),
    #[error("no policy is named `{0}`, and there is no plugins.dir for it to be put into")]
    NoFolder(String),
    #[error("there is no generation {1} of policy `{0}` any more")]
    NoGeneration(String, u64),
    #[error("policy `{0}` has no earlier generation to go back to")]
    NothingBefore(String),
    #[error("the module is the one that serves as policy `{0}`: there is nothing to try out")]
    Serves(String),
    #[error("policy `{0}` has no version on trial")]
    NoCandidate(String),
    #[error(
        "what is on trial beside policy `{0}` is a shadow and decides for nobody: upload it as a canary"
    )]
    NoCanary(String),
    #[error("{0}")]
    Untrusted(String),
    #[error("{0}")]
    Settings(String),
    #[error("{0}")]
    Module(String),
}

impl Registry {
    /// Serves a module in place of the one that a policy has, or as a new policy. Compiles.
    pub(crate) fn upload(
        &mut self,
        name: &str,
        artifact: Artifact,
        config: &config::Config,
        env: &config::Env,
    ) -> Result<Change, ChangeError> {
        let wanted = Wanted::under(name, config, env).map_err(|error| match error {
            Unwanted::Unknown => ChangeError::NoFolder(name.to_owned()),
            Unwanted::Mistake(reason) => ChangeError::Settings(reason),
        })?;
        let digest = Digest::of(&artifact.bytes);
        admit(&wanted, &artifact, digest, config)?;
        if let Some(mut active) = self.active(name)
            && active.policy.module.digest == digest
        {
            if matches!(artifact.signature, Ok(Some(_))) {
                // Perhaps that of another key.
                active.artifact.signature = artifact.signature;
            }
            return Ok(self.again(active, &wanted, config));
        }
        let module = self.compiled(digest, &artifact)?;
        let number = self.histories.next(name);
        let mut new = self
            .activate(&wanted, module, artifact, number)
            .map_err(ChangeError::Module)?;
        let persisted = persist(&mut new, wanted, config);
        self.replace(new, persisted, config)
    }

    /// Serves an earlier generation again as it was: the one before, or the one of that number. Compiles.
    pub(crate) fn roll_back(
        &mut self,
        name: &str,
        generation: Option<u64>,
        cause: &'static str,
        config: &config::Config,
        env: &config::Env,
    ) -> Result<Change, ChangeError> {
        let old = self
            .active(name)
            .ok_or_else(|| ChangeError::NoPolicy(name.to_owned()))?;
        if generation.is_none() && old.trial.is_some() && cause == OPERATOR {
            return self.discard(old, config);
        }
        let target = match generation {
            Some(number) => self
                .histories
                .get(name, number)
                .ok_or_else(|| ChangeError::NoGeneration(name.to_owned(), number))?,
            None => self
                .histories
                .previous(name)
                .ok_or_else(|| ChangeError::NothingBefore(name.to_owned()))?,
        };
        let wanted = Wanted::under(name, config, env).unwrap_or_else(|_| Wanted::of(&old.policy));
        let from = old.policy.generation;
        if target.number == from {
            return Ok(self.again(old, &wanted, config));
        }
        let as_it_was = Wanted {
            settings: target.settings.clone(),
            source: old.policy.source,
            namespaces: target
                .namespaces
                .clone()
                .filter(|_| old.policy.source == Source::DroppedIn),
        };
        let (number, digest) = (target.number, target.digest);
        let artifact = target.artifact.clone();
        // By the keys that are trusted now.
        admit(&as_it_was, &artifact, digest, config)?;
        let module = if digest == old.policy.module.digest {
            old.policy.module.clone()
        } else {
            self.compiled(digest, &artifact)?
        };
        let mut new = self
            .activate(&as_it_was, module, artifact, number)
            .map_err(ChangeError::Module)?;
        let persisted = persist(&mut new, wanted, config);
        let change = self.replace(new, persisted, config)?;
        // Whoever names a newer one does not say that the older one was bad.
        if generation.is_none() || number < from {
            self.histories.rolled_back(name, from);
        }
        PolicyRolledBack {
            policy: name,
            from,
            to: number,
            cause,
        }
        .emit();
        Ok(change)
    }

    /// Takes the file of a policy away, if it is what serves, so that following the files ends it.
    pub(crate) fn withdraw(&mut self, name: &str) -> Result<(), ChangeError> {
        let active = self
            .active(name)
            .ok_or_else(|| ChangeError::NoPolicy(name.to_owned()))?;
        let file = &active.policy.settings.module;
        if is_on_disk(&active, file) {
            folder::remove(file).map_err(|error| {
                ChangeError::Settings(format!("{} cannot be removed: {error}", file.display()))
            })?;
        }
        self.let_go(name);
        self.withdrawn = Some(name.to_owned());
        Ok(())
    }

    /// It has been done.
    pub(crate) fn withdrew(&mut self) {
        self.withdrawn = None;
    }

    /// What serves under a name, and whether it would after a restart.
    pub(crate) fn serving(&self, name: &str) -> Option<(Arc<Policy>, Persisted)> {
        let active = self.active(name)?;
        let persisted = match active.instead_of {
            None => Persisted::Yes,
            Some(_) => Persisted::No("it serves in place of what its files ask for".to_owned()),
        };
        Some((active.policy, persisted))
    }

    /// Follows the files again where an earlier generation holds against them.
    pub(crate) fn let_go(&mut self, name: &str) {
        for active in &mut self.active {
            if *active.policy.name == *name {
                active.instead_of = None;
            }
        }
    }

    /// What serves already was asked for: what may be left to do is to write it down.
    fn again(&mut self, mut active: Active, wanted: &Wanted, config: &config::Config) -> Change {
        let persisted = persist(&mut active, wanted.clone(), config);
        active.vouch(&config.plugins.trusted_keys);
        let policy = active.policy.clone();
        if let Some(same) = self.active.iter_mut().find(|it| it.is(&active)) {
            *same = active;
        }
        Change {
            policy,
            pipelines: None,
            changed: false,
            persisted,
        }
    }

    pub(super) fn replace(
        &mut self,
        new: Active,
        persisted: Persisted,
        config: &config::Config,
    ) -> Result<Change, ChangeError> {
        new.vouch(&config.plugins.trusted_keys);
        let policy = new.policy.clone();
        let mut next = self.active.clone();
        match next.iter_mut().find(|it| it.policy.name == policy.name) {
            Some(old) => *old = new,
            None => {
                let is_after = |it: &Active| {
                    it.policy.source == Source::DroppedIn && it.policy.name > policy.name
                };
                let position = next.iter().position(is_after).unwrap_or(next.len());
                next.insert(position, new);
            }
        }
        let pipelines = self.assemble(config, next).map_err(|failed| {
            let reasons: Vec<_> = failed.iter().map(ToString::to_string).collect();
            ChangeError::Settings(reasons.join("; "))
        })?;
        // The module that has just ceased to serve is not needed any more either.
        self.remember_active();
        Ok(Change {
            policy,
            pipelines: Some(pipelines),
            changed: true,
            persisted,
        })
    }

    pub(super) fn compiled(
        &mut self,
        digest: Digest,
        artifact: &Artifact,
    ) -> Result<Arc<Module>, ChangeError> {
        let module = self.module(digest, artifact).map_err(ChangeError::Module);
        self.remember_active();
        module
    }

    /// Forgets the modules that are not active: until the next build, which may never come, they would stay.
    fn remember_active(&mut self) {
        for Active { policy, .. } in &self.active {
            self.modules.keep(policy.module.digest, &policy.module);
        }
        self.modules.prune();
    }
}

/// Makes the files ask for a policy, or else remembers that it serves in place of what they ask for.
pub(super) fn persist(active: &mut Active, wanted: Wanted, config: &config::Config) -> Persisted {
    let file = &wanted.settings.module;
    let written = if Wanted::of(&active.policy) != wanted {
        Err("it has other settings than its files ask for now".to_owned())
    } else if is_on_disk(active, file) {
        Ok(())
    } else if let Some(other) = folder::shared_with(file, &wanted.settings.name, config) {
        Err(format!("its file is also the module of policy `{other}`"))
    } else {
        folder::write(file, &active.artifact)
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))
    };
    match written {
        Ok(()) => {
            active.instead_of = None;
            Persisted::Yes
        }
        Err(reason) => {
            let there = folder::read(&wanted.settings.module);
            let digest = there.ok().map(|artifact| Digest::of(&artifact.bytes));
            active.instead_of = Some(Arc::new(Refused { wanted, digest }));
            Persisted::No(reason)
        }
    }
}

pub(super) fn admit(
    wanted: &Wanted,
    artifact: &Artifact,
    digest: Digest,
    config: &config::Config,
) -> Result<(), ChangeError> {
    let keys = &config.plugins.trusted_keys;
    let admitted = signature::admit(&wanted.settings, artifact, digest, keys);
    admitted.map(drop).map_err(ChangeError::Untrusted)
}

/// Whether its files are what serves already, the signature included if it came with one.
fn is_on_disk(active: &Active, file: &Path) -> bool {
    folder::read(file).is_ok_and(|there| {
        let signature = &active.artifact.signature;
        Digest::of(&there.bytes) == active.policy.module.digest
            && (!matches!(signature, Ok(Some(_))) || there.signature == *signature)
    })
}
