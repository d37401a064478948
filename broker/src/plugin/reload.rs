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
    /// What differs from what runs, and can only be changed by a restart.
    pub waiting: Vec<config::Change>,
    /// What has become of the keys of the configuration.
    pub changes: Vec<config::Change>,
    /// Puts in place what was prepared for the new settings; `None`: they stay as they are.
    pub commit: Option<Commit>,
    /// What each policy was before.
    pub histories: HashMap<String, Before>,
    /// The configuration that is followed, as it may be shown.
    pub effective: Arc<serde_json::Value>,
}

/// Everything but policies that can change while the process runs.
pub(crate) trait Live: Send {
    /// Makes whatever the settings need, beside what serves. May read files, so it must not run on a reactor.
    ///
    /// # Errors
    /// Each reason why these settings cannot serve, with the key that is at fault.
    fn prepare(&self, config: &config::Config) -> Result<Commit, Vec<String>>;
}

/// Puts in place what was prepared. Cannot fail, and does not wait.
pub(crate) type Commit = Box<dyn FnOnce() + Send>;

/// The configuration that is being followed, and the policies made of it.
pub(crate) struct Reload {
    registry: Registry,
    /// What runs: keys that cannot be changed have the values that the process was started with.
    current: Loaded,
    live: Option<Box<dyn Live>>,
    waiting: Vec<config::Change>,
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
            current: loaded,
            live: None,
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
        let (followed, mut failed) = match self.prepare() {
            Ok((followed, commit)) => (Some((followed, commit)), Vec::new()),
            // Policies are followed all the same, by the configuration that serves.
            Err(reason) => (None, vec![misconfigured(self.current.path.clone(), reason)]),
        };
        let loaded = followed.as_ref().map(|(followed, _)| &followed.loaded);
        let loaded = loaded.unwrap_or(&self.current);
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
        let Some((followed, commit)) = followed else {
            return self.outcome(built.pipelines);
        };
        self.current = followed.loaded;
        self.waiting = followed.waiting;
        Outcome {
            changes: followed.changes,
            commit: Some(commit),
            ..self.outcome(built.pipelines)
        }
    }

    /// What the files ask for, ready to be put in place; nothing has changed yet. The error says all that is wrong.
    fn prepare(&self) -> Result<(config::Followed, Commit), String> {
        let followed = config::follow(&self.current)
            .map_err(|problems| problems.to_string().replace('\n', "; "))?;
        let commit = match &self.live {
            Some(live) => live.prepare(&followed.loaded.config),
            None => Ok(Box::new(|| ()) as Commit),
        };
        let commit = commit.map_err(|reasons| reasons.join("; "))?;
        Ok((followed, commit))
    }

    /// What is so now, with new pipelines if there are any.
    fn outcome(&mut self, pipelines: Option<Pipelines>) -> Outcome {
        Outcome {
            pipelines: pipelines.map(Arc::new),
            failed: self.failed.clone(),
            waiting: self.waiting.clone(),
            changes: Vec::new(),
            commit: None,
            histories: self.registry.histories(),
            effective: self.current.effective.clone(),
        }
    }

    /// Does what an operator asks for. Compiles, so it must not run on a reactor.
    fn command(&mut self, command: Command) -> (Outcome, Answer) {
        let Loaded { config, env, .. } = &self.current;
        let (name, change) = match command {
            Command::Reload { policy } => return self.reload(policy.as_deref()),
            Command::Follow { .. } => return self.follow(),
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
        let done = Done::changes(changed, Some(DonePolicy::of(&policy, persisted)));
        (self.outcome(pipelines), Ok(done))
    }

    /// What became of a version on trial: whether the files of its policy are followed is another matter.
    fn tried(&mut self, change: Result<Change, ChangeError>) -> (Outcome, Answer) {
        match change {
            Ok(change) => {
                let policy = DonePolicy::of(&change.policy, change.persisted);
                let done = Done::changes(change.changed, Some(policy));
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
        let done = Done::changes(outcome.pipelines.is_some(), None);
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
            Ok(serving) => Ok(Done::changes(
                outcome.is_news(),
                serving.map(|(policy, persisted)| DonePolicy::of(&policy, persisted)),
            )),
        };
        (outcome, answer)
    }

    /// Follows all files at once, whatever they say.
    fn follow(&mut self) -> (Outcome, Answer) {
        let outcome = self.run();
        let answer = match outcome.commit {
            // Policies that fail by themselves are told as ever.
            Some(_) => Ok(Done {
                changes: outcome.changes.clone(),
                waiting: outcome.waiting.clone(),
                failed: outcome.failed.iter().map(ToString::to_string).collect(),
                ..Done::changes(outcome.is_news(), None)
            }),
            None => {
                let reasons: Vec<_> = outcome.failed.iter().map(ToString::to_string).collect();
                Err(CommandError::Reload(reasons.join("; ")))
            }
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
    /// `live`: what follows the configuration beside the policies.
    pub(crate) fn new(reload: Reload, live: Box<dyn Live>) -> Self {
        Self {
            reload: Reload {
                live: Some(live),
                ..reload
            },
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

    /// Whether files are to be followed without being asked.
    pub(crate) fn follows_files(&self) -> bool {
        self.reload.current.config.plugins.watch
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

// === impl Outcome ===

impl Outcome {
    /// Whether anything is different from before.
    pub(crate) fn is_news(&self) -> bool {
        self.pipelines.is_some() || !self.changes.is_empty()
    }
}

fn misconfigured(path: Option<PathBuf>, reason: String) -> Failed {
    Failed {
        policy: None,
        asked: None,
        file: path.unwrap_or_else(|| PathBuf::from("configuration")),
        reason,
        since: SystemTime::now(),
    }
}
