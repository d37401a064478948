//! Following the files: the configuration is read and its policies are made again, beside those that serve.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::registry::{Failed, Registry};
use super::signature;
use super::watch::{Fingerprint, Settling, Watched};
use crate::config::{self, Loaded};
use crate::pipeline::Pipelines;

/// What a reload came to.
pub(crate) struct Outcome {
    /// To be served from now on; `None`: everything stays as it is.
    pub pipelines: Option<Arc<Pipelines>>,
    /// What could not be followed. A configuration that is wrong, or a policy that refuses its new settings, leaves
    /// all of the configuration unfollowed.
    pub failed: Vec<Failed>,
    /// Sections that differ from what the process was started with and wait for its next start, unless that has
    /// been said before.
    pub waiting: Vec<&'static str>,
}

/// The configuration that is being followed, and the policies made of it.
pub(crate) struct Reload {
    registry: Registry,
    started_with: config::Config,
    current: Loaded,
    waiting: Vec<&'static str>,
}

impl Reload {
    /// Makes the policies for the first time.
    ///
    /// # Errors
    /// Every configured policy that does not load.
    pub(crate) fn start(
        mut registry: Registry,
        loaded: Loaded,
    ) -> Result<(Self, Pipelines, Vec<Failed>), Vec<Failed>> {
        let built = registry.build(&loaded.config, &loaded.env)?;
        // The first build always makes some.
        let pipelines = built.pipelines.unwrap_or_default();
        let reload = Self {
            registry,
            started_with: loaded.config.clone(),
            current: loaded,
            waiting: Vec::new(),
        };
        Ok((reload, pipelines, built.failed))
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
                return Outcome {
                    pipelines: None,
                    failed,
                    waiting: Vec::new(),
                };
            }
        };
        failed.extend(built.failed);
        let waiting = differing(&self.started_with, &loaded.config);
        let is_news = waiting != self.waiting;
        self.waiting.clone_from(&waiting);
        self.current = loaded;
        Outcome {
            pipelines: built.pipelines.map(Arc::new),
            failed,
            waiting: if is_news { waiting } else { Vec::new() },
        }
    }

    /// What a change of means a reload. Of a configuration that could not be followed, nothing: what fails is tried
    /// again anyway.
    fn watched(&self) -> Watched {
        let Loaded {
            config,
            files,
            path,
            ..
        } = &self.current;
        let folder = path.as_deref().and_then(Path::parent);
        // It may appear.
        let dotenv = folder.unwrap_or(Path::new("")).join(".env");
        let modules = config.policies.iter().map(|policy| &policy.module);
        let modules = modules.flat_map(|module| [module.clone(), signature::file_of(module)]);
        Watched {
            files: files
                .iter()
                .cloned()
                .chain([dotenv])
                .chain(modules)
                .collect(),
            modules: config.plugins.dir.clone(),
        }
    }
}

/// Reloads when the files have changed and come to rest, and again and again while something fails.
pub(crate) struct Follower {
    reload: Reload,
    settling: Settling<Fingerprint>,
}

impl Follower {
    pub(crate) fn new(reload: Reload) -> Self {
        Self {
            reload,
            settling: Settling::new(),
        }
    }

    /// Looks at the files, and reloads if it is time to. Reads and compiles, so it must not run on a reactor.
    pub(crate) fn look(&mut self) -> Option<Outcome> {
        // Taken before anything is read: what changes meanwhile is seen by the next look.
        let seen = Fingerprint::of(&self.reload.watched());
        let start = Instant::now();
        if !self.settling.see(seen, start) {
            return None;
        }
        let outcome = self.reload.run();
        let end = Instant::now();
        self.settling
            .loaded(!outcome.failed.is_empty(), end - start, end);
        Some(outcome)
    }

    /// How long to wait before the next look.
    pub(crate) fn pause(&self) -> Duration {
        self.settling.pause()
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
        // The folder does not wait.
        ("plugins.watch", old.plugins.watch != new.plugins.watch),
    ];
    sections
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}
