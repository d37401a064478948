//! Following the files: the configuration is read and its policies are made again, beside those that serve. And doing
//! what an operator asks for beside the files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::control::{Answer, Command, CommandError, Done, DonePolicy};
use super::engine::Engine;
use super::failed::Failed;
use super::registry::{Before, Change, ChangeError, OPERATOR, Registry};
use super::signature;
use super::watch::{Fingerprint, Settling, Watched};
use crate::config::{self, Loaded};
use crate::pipeline::Pipelines;

/// What a reload or a command came to.
pub(crate) struct Outcome {
    /// To be served from now on; `None`: everything stays as it is.
    pub pipelines: Option<Arc<Pipelines>>,
    /// What could not be followed. A configuration that is wrong, or a policy that refuses its new settings, leaves
    /// all of the configuration unfollowed.
    pub failed: Vec<Failed>,
    /// Sections that differ from what the process was started with and wait for its next start, unless that has
    /// been said before.
    pub waiting: Vec<&'static str>,
    /// What each policy was before.
    pub histories: HashMap<String, Before>,
    /// The configuration that is followed, as it may be shown.
    pub effective: Arc<serde_json::Value>,
}

/// The configuration that is being followed, and the policies made of it.
pub(crate) struct Reload {
    registry: Registry,
    started_with: config::Config,
    current: Loaded,
    waiting: Vec<&'static str>,
    failed: Vec<Failed>,
}

impl Reload {
    /// Makes the policies for the first time. The outcome always has pipelines.
    ///
    /// # Errors
    /// Every configured policy that does not load.
    pub(crate) fn start(
        mut registry: Registry,
        loaded: Loaded,
    ) -> Result<(Self, Outcome), Vec<Failed>> {
        let built = registry.build(&loaded.config, &loaded.env)?;
        let mut reload = Self {
            registry,
            started_with: loaded.config.clone(),
            current: loaded,
            waiting: Vec::new(),
            failed: built.failed,
        };
        let outcome = reload.outcome(built.pipelines);
        Ok((reload, outcome))
    }

    /// What its policies run in.
    pub(crate) fn engine(&self) -> &Engine {
        self.registry.engine()
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
                self.failed = failed;
                return self.outcome(None);
            }
        };
        failed.extend(built.failed);
        self.failed = failed;
        let waiting = differing(&self.started_with, &loaded.config);
        let is_news = waiting != self.waiting;
        self.waiting.clone_from(&waiting);
        self.current = loaded;
        Outcome {
            waiting: if is_news { waiting } else { Vec::new() },
            ..self.outcome(built.pipelines)
        }
    }

    /// What is so now, with new pipelines if there are any.
    fn outcome(&mut self, pipelines: Option<Pipelines>) -> Outcome {
        Outcome {
            pipelines: pipelines.map(Arc::new),
            failed: self.failed.clone(),
            waiting: Vec::new(),
            histories: self.registry.histories(),
            effective: self.current.effective.clone(),
        }
    }

    /// Does what an operator asks for. Compiles, so it must not run on a reactor.
    fn command(&mut self, command: Command) -> (Outcome, Answer) {
        let Loaded { config, env, .. } = &self.current;
        let (name, change) = match command {
            Command::Reload { policy } => return self.reload(policy.as_deref()),
            Command::Withdraw { policy } => return self.withdraw(&policy),
            Command::Upload { policy, artifact } => {
                let change = self.registry.upload(&policy, artifact, config, env);
                (policy, change)
            }
            Command::RollBack { policy, generation } => {
                let change = self
                    .registry
                    .roll_back(&policy, generation, OPERATOR, config, env);
                (policy, change)
            }
            Command::TryOut {
                policy,
                artifact,
                kind,
            } => {
                let change = self.registry.try_out(&policy, artifact, kind, config, env);
                return self.tried(change);
            }
            Command::SetPercent { policy, percent } => {
                let change = self.registry.set_percent(&policy, percent);
                return self.tried(change);
            }
            Command::Promote { policy } => {
                let change = self.registry.promote(&policy, config, env);
                (policy, change)
            }
        };
        let Change {
            policy,
            pipelines,
            changed,
            persisted,
        } = match change {
            Ok(change) => change,
            Err(error) => return (self.outcome(None), Err(error.into())),
        };
        // What its file says is what serves, or has been overruled.
        self.failed
            .retain(|failure| failure.policy.as_deref() != Some(&*name));
        let done = Done {
            changed,
            policy: Some(DonePolicy::of(&policy, persisted)),
        };
        (self.outcome(pipelines), Ok(done))
    }

    /// What became of a version on trial: whether the files of its policy are followed is another matter.
    fn tried(&mut self, change: Result<Change, ChangeError>) -> (Outcome, Answer) {
        match change {
            Ok(change) => {
                let done = Done {
                    changed: change.changed,
                    policy: Some(DonePolicy::of(&change.policy, change.persisted)),
                };
                (self.outcome(change.pipelines), Ok(done))
            }
            Err(error) => (self.outcome(None), Err(error.into())),
        }
    }

    fn withdraw(&mut self, policy: &str) -> (Outcome, Answer) {
        if let Err(error) = self.registry.withdraw(policy) {
            return (self.outcome(None), Err(error.into()));
        }
        let outcome = self.run();
        self.registry.withdrew();
        let done = Done {
            changed: outcome.pipelines.is_some(),
            policy: None,
        };
        (outcome, Ok(done))
    }

    /// Takes back what is not good enough.
    fn check(&mut self) -> Option<Outcome> {
        let Loaded { config, env, .. } = &self.current;
        let pipelines = self.registry.check(config, env)?;
        Some(self.outcome(Some(pipelines)))
    }

    fn reload(&mut self, policy: Option<&str>) -> (Outcome, Answer) {
        if let Some(name) = policy {
            self.registry.let_go(name);
        }
        let outcome = self.run();
        let is_asked_for = |failure: &&Failed| match (policy, &failure.policy) {
            (Some(name), Some(failed)) => failed == name,
            // A configuration that is wrong keeps everyone from being followed.
            (_, None) | (None, _) => true,
        };
        let failed = outcome.failed.iter().filter(is_asked_for);
        let reasons: Vec<_> = failed.map(ToString::to_string).collect();
        let policy = policy.map(|name| self.registry.serving(name).ok_or(name));
        let answer = match policy.transpose() {
            _ if !reasons.is_empty() => Err(CommandError::Reload(reasons.join("; "))),
            Err(name) => Err(ChangeError::NoPolicy(name.to_owned()).into()),
            Ok(serving) => Ok(Done {
                changed: outcome.pipelines.is_some(),
                policy: serving.map(|(policy, persisted)| DonePolicy::of(&policy, persisted)),
            }),
        };
        (outcome, answer)
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
        let configured = config.policies.iter();
        let authorities = configured
            .chain(self.registry.settings())
            .filter_map(|policy| Some(policy.http.as_ref()?.ca.as_ref()?.path.clone()));
        Watched {
            files: files
                .iter()
                .cloned()
                .chain([dotenv])
                .chain(modules)
                .chain(authorities)
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
        self.loaded(&outcome, start);
        Some(outcome)
    }

    /// Does what an operator asks for. Reads and compiles, so it must not run on a reactor.
    pub(crate) fn command(&mut self, command: Command) -> (Outcome, Answer) {
        let start = Instant::now();
        let (outcome, answer) = self.reload.command(command);
        self.loaded(&outcome, start);
        (outcome, answer)
    }

    /// Whether something may have to be taken back.
    pub(crate) fn is_watching(&self) -> bool {
        self.reload.registry.is_watching()
    }

    /// Takes back what is not good enough. Compiles, so it must not run on a reactor.
    pub(crate) fn check(&mut self) -> Option<Outcome> {
        self.reload.check()
    }

    fn loaded(&mut self, outcome: &Outcome, start: Instant) {
        let end = Instant::now();
        self.settling
            .loaded(!outcome.failed.is_empty(), end - start, end);
    }

    /// How long to wait before the next look.
    pub(crate) fn pause(&self) -> Duration {
        self.settling.pause()
    }
}

fn misconfigured(path: Option<PathBuf>, problems: &config::Problems) -> Failed {
    Failed {
        policy: None,
        asked: None,
        file: path.unwrap_or_else(|| PathBuf::from("configuration")),
        reason: problems.to_string().replace('\n', "; "),
        since: SystemTime::now(),
    }
}

fn differing(old: &config::Config, new: &config::Config) -> Vec<&'static str> {
    let sections = [
        ("server", old.server != new.server),
        ("admin", old.admin != new.admin),
        ("cluster", old.cluster != new.cluster),
        ("telemetry", old.telemetry != new.telemetry),
        // The folder does not wait.
        ("plugins.watch", old.plugins.watch != new.plugins.watch),
        ("plugins.cache", old.plugins.cache != new.plugins.cache),
    ];
    sections
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}
