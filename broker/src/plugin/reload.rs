//! Following the files: the configuration is read and its policies are made again, beside those that serve.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::registry::{Built, Failed, Registry};
use crate::config;
use crate::pipeline::Pipelines;

/// What a reload came to.
pub(crate) enum Outcome {
    /// Nothing is different, though something may still be failing.
    Unchanged { failed: Vec<Failed> },
    /// These pipelines are to be served from now on.
    Replaced {
        pipelines: Arc<Pipelines>,
        failed: Vec<Failed>,
        /// Sections that differ from what the process was started with, and wait for its next start.
        waiting: Vec<&'static str>,
    },
    /// The configuration or a policy with new settings is wrong: everything stays as it was.
    Kept { failed: Vec<Failed> },
}

/// The configuration that is being followed, and the policies made of it.
pub(crate) struct Reload {
    registry: Registry,
    started_with: config::Config,
    current: config::Loaded,
}

impl Reload {
    /// Makes the policies for the first time.
    ///
    /// # Errors
    /// Every configured policy that does not load.
    pub(crate) fn start(
        mut registry: Registry,
        loaded: config::Loaded,
    ) -> Result<(Self, Built), Vec<Failed>> {
        let built = registry.build(&loaded.config, &loaded.env)?;
        let reload = Self {
            registry,
            started_with: loaded.config.clone(),
            current: loaded,
        };
        Ok((reload, built))
    }

    /// Reads everything again. Compiles, so it must not run on a reactor.
    pub(crate) fn run(&mut self) -> Outcome {
        let path = self.current.path.clone();
        let (loaded, mut failed) = match config::load(path.as_deref(), self.current.env.clone()) {
            Ok(loaded) => (loaded, Vec::new()),
            // Policies are followed all the same, by the configuration that serves.
            Err(problems) => (self.current.clone(), vec![misconfigured(path, &problems)]),
        };
        let built = match self.registry.build(&loaded.config, &loaded.env) {
            Ok(built) => built,
            Err(fatal) => {
                failed.extend(fatal);
                return Outcome::Kept { failed };
            }
        };
        failed.extend(built.failed);
        let changed = built.changed || loaded.config.namespaces != self.current.config.namespaces;
        let waiting = differing(&self.started_with, &loaded.config);
        self.current = loaded;
        if changed {
            Outcome::Replaced {
                pipelines: Arc::new(built.pipelines),
                failed,
                waiting,
            }
        } else {
            Outcome::Unchanged { failed }
        }
    }

    /// The files and folders in which a change means a reload.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        let config = &self.current.config;
        let modules = config.policies.iter().map(|policy| policy.module.clone());
        let dir = config.plugins.dir.clone();
        let files = self.current.files.iter().cloned();
        files.chain(modules).chain(dir).collect()
    }
}

fn misconfigured(path: Option<PathBuf>, problems: &config::Problems) -> Failed {
    Failed {
        policy: None,
        file: path.unwrap_or_else(|| PathBuf::from("configuration")),
        reason: problems.to_string().replace('\n', "; "),
        since: SystemTime::now(),
    }
}

fn differing(old: &config::Config, new: &config::Config) -> Vec<&'static str> {
    let sections = [
        ("server", old.server != new.server),
        ("admin", old.admin != new.admin),
        ("telemetry", old.telemetry != new.telemetry),
        ("plugins", old.plugins != new.plugins),
    ];
    sections
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}
