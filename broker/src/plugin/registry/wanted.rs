//! What the configuration and the plugin folder ask for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Active, Registry};
use crate::config::{self, Mode};
use crate::plugin::failed::Failed;
use crate::plugin::folder;
use crate::plugin::policy::{Policy, Source};

/// A policy that the configuration or the plugin folder asks for: everything that makes it beside its module.
#[derive(Clone, PartialEq)]
pub(super) struct Wanted {
    pub settings: Arc<config::Policy>,
    pub source: Source,
    pub namespaces: Option<Vec<String>>,
}

pub(super) enum Entry {
    Make(Wanted),
    /// It cannot be told what is wanted of this one, which is active: it is to go on as it is.
    Keep(Active),
}

impl Entry {
    /// Of one that is to be made.
    pub(super) fn settings(&self) -> Option<Arc<config::Policy>> {
        match self {
            Self::Make(wanted) => Some(wanted.settings.clone()),
            Self::Keep(_) => None,
        }
    }
}

/// Why it is not known what is wanted of a policy.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwanted {
    #[error("nothing names it and there is no plugins.dir")]
    Unknown,
    #[error("{0}")]
    Mistake(String),
}

impl Wanted {
    pub(super) fn of(policy: &Policy) -> Self {
        Self {
            settings: policy.settings.clone(),
            source: policy.source,
            namespaces: policy.namespaces.clone(),
        }
    }

    fn configured(settings: &config::Policy) -> Self {
        Self {
            settings: Arc::new(settings.clone()),
            source: Source::Configured,
            namespaces: None,
        }
    }

    fn dropped_in(drop_in: config::DropIn) -> Self {
        Self {
            settings: Arc::new(drop_in.policy),
            source: Source::DroppedIn,
            namespaces: drop_in.namespaces,
        }
    }

    /// What is asked for under a name, whether or not there is a module yet.
    pub(super) fn under(
        name: &str,
        config: &config::Config,
        env: &config::Env,
    ) -> Result<Self, Unwanted> {
        if let Some(settings) = config.policies.iter().find(|it| it.name == name) {
            return Ok(Self::configured(settings));
        }
        let folder = config.plugins.dir.as_ref().ok_or(Unwanted::Unknown)?;
        let file = folder.join(format!("{name}.wasm"));
        folder::drop_in(&file, config, env)
            .map(Self::dropped_in)
            .map_err(Unwanted::Mistake)
    }
}

impl Registry {
    /// The configured policies in their order, then those that were dropped in, in the order of their file names.
    pub(super) fn entries(
        &self,
        config: &config::Config,
        env: &config::Env,
    ) -> (Vec<Entry>, Vec<Failed>) {
        let configured = config.policies.iter().map(Wanted::configured);
        let mut entries: Vec<_> = configured.map(Entry::Make).collect();
        let mut failed = Vec::new();
        match folder::dropped_in(config) {
            Ok(files) => {
                let mut dropped_in = self.without_files(config);
                for file in files {
                    let (entry, failure) = self.entry(file, config, env);
                    dropped_in.extend(entry);
                    failed.extend(failure);
                }
                dropped_in.sort_by(|a, b| a.name().cmp(b.name()));
                entries.extend(dropped_in);
            }
            Err(error) => {
                // What cannot be looked into is not empty.
                let kept = self.active.iter().filter(|it| is_dropped_in(it, config));
                entries.extend(kept.cloned().map(Entry::Keep));
                failed.push(Failed {
                    policy: None,
                    asked: None,
                    file: config.plugins.dir.clone().unwrap_or_default(),
                    reason: error.to_string(),
                    since: SystemTime::now(),
                });
            }
        }
        (entries, failed)
    }

    /// Policies that were uploaded to be dropped in and could not be written: the folder does not ask for them.
    fn without_files(&self, config: &config::Config) -> Vec<Entry> {
        if config.plugins.dir.is_none() {
            return Vec::new();
        }
        let is_unwritten = |it: &&Active| {
            let refused = it.instead_of.as_ref();
            refused.is_some_and(|refused| refused.digest.is_none())
                && is_dropped_in(it, config)
                && !folder::is_there(&it.policy.settings.module)
        };
        let unwritten = self.active.iter().filter(is_unwritten);
        unwritten.cloned().map(Entry::Keep).collect()
    }

    /// What a module in the plugin folder asks for.
    fn entry(
        &self,
        file: PathBuf,
        config: &config::Config,
        env: &config::Env,
    ) -> (Option<Entry>, Option<Failed>) {
        match folder::drop_in(&file, config, env) {
            Ok(drop_in) => (Some(Entry::Make(Wanted::dropped_in(drop_in))), None),
            Err(reason) => {
                let name = folder::stem(&file);
                // A mistake in its settings must not unload it.
                let kept = self.active(&name).map(Entry::Keep);
                let failed = Failed {
                    policy: Some(name),
                    asked: Some((Source::DroppedIn, Mode::Enforce)),
                    file,
                    reason,
                    since: SystemTime::now(),
                };
                (kept, Some(failed))
            }
        }
    }
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Make(wanted) => &wanted.settings.name,
            Self::Keep(active) => &active.policy.name,
        }
    }
}

fn is_dropped_in(active: &Active, config: &config::Config) -> bool {
    let policy = &active.policy;
    policy.source == Source::DroppedIn && config.policies.iter().all(|it| *it.name != *policy.name)
}
