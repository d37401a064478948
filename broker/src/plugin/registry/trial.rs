//! New versions on trial: how one begins, and how it ends.

use std::sync::Arc;
use std::time::SystemTime;

use super::change::{admit, persist};
use super::wanted::{Unwanted, Wanted};
use super::{Active, Change, ChangeError, Persisted, Registry};
use crate::config;
use crate::pipeline::Pipelines;
use crate::plugin::folder::Artifact;
use crate::plugin::module::Digest;
use crate::plugin::trial::{Comparison, Kind, Sample, Tally, Trial};
use crate::telemetry::events::{RollBackFailed, TrialEnded, TrialStarted};

/// A candidate, and all that it takes to make it the version that enforces.
#[derive(Clone)]
pub(super) struct OnTrial {
    pub trial: Arc<Trial>,
    artifact: Artifact,
    wanted: Wanted,
    number: u64,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrialEnd {
    /// The candidate enforces.
    Promoted,
    /// It was worse than it may be.
    RolledBack,
    /// An operator, or a newer version, put an end to it.
    Discarded,
}

/// A trial that is over, as it was at its end.
#[derive(Debug, Clone)]
pub(crate) struct PastTrial {
    pub kind: Kind,
    pub generation: u64,
    pub version: String,
    pub digest: String,
    pub since: SystemTime,
    pub at: SystemTime,
    pub end: TrialEnd,
    pub cause: &'static str,
    pub enforcing: Tally,
    pub candidate: Tally,
    pub comparison: Comparison,
    pub samples: Vec<Sample>,
}

impl Registry {
    /// Puts a module on trial beside the version that enforces. Compiles.
    pub(crate) fn try_out(
        &mut self,
        name: &str,
        artifact: Artifact,
        kind: Kind,
        config: &config::Config,
        env: &config::Env,
    ) -> Result<Change, ChangeError> {
        let active = self
            .active(name)
            .ok_or_else(|| ChangeError::NoPolicy(name.to_owned()))?;
        let wanted = Wanted::under(name, config, env).map_err(|error| match error {
            Unwanted::Unknown => ChangeError::NoPolicy(name.to_owned()),
            Unwanted::Mistake(reason) => ChangeError::Settings(reason),
        })?;
        let digest = Digest::of(&artifact.bytes);
        admit(&wanted, &artifact, digest, config)?;
        if active.policy.module.digest == digest {
            return Err(ChangeError::Serves(name.to_owned()));
        }
        if let Some(OnTrial { trial, .. }) = &active.trial
            && trial.candidate.module.digest == digest
            && let Some(change) = again(trial, kind)
        {
            return Ok(change);
        }
        let module = self.compiled(digest, &artifact)?;
        let number = self.histories.next(name);
        let as_tried = Wanted {
            settings: tried(&wanted.settings, kind),
            ..wanted.clone()
        };
        let candidate = self
            .activate(&as_tried, module, artifact.clone(), number)
            .map_err(ChangeError::Module)?;
        self.histories.take(name, number);
        self.end_trial(name, TrialEnd::Discarded, "replaced");
        let bounds = wanted.settings.trial.clone();
        let trial = Trial::new(active.policy.name.clone(), candidate.policy, kind, bounds);
        let trial = Arc::new(trial);
        TrialStarted {
            policy: name,
            version: &trial.candidate.module.description.version,
            digest: &digest.to_string(),
            generation: number,
            percent: percent(kind),
        }
        .emit();
        let on_trial = OnTrial {
            trial: trial.clone(),
            artifact,
            wanted,
            number,
        };
        let new = Active {
            trial: Some(on_trial),
            ..active
        };
        Ok(Change {
            policy: trial.candidate.clone(),
            ..self.replace(new, on_trial_only(), config)?
        })
    }

    /// Lets a canary decide for more or fewer sockets.
    pub(crate) fn set_percent(&mut self, name: &str, percent: u32) -> Result<Change, ChangeError> {
        let OnTrial { trial, .. } = self.on_trial(name)?;
        again(&trial, Kind::Canary(percent)).ok_or_else(|| ChangeError::NoCanary(name.to_owned()))
    }

    /// Makes the candidate the version that enforces.
    pub(crate) fn promote(
        &mut self,
        name: &str,
        config: &config::Config,
        env: &config::Env,
    ) -> Result<Change, ChangeError> {
        let OnTrial {
            trial,
            artifact,
            wanted,
            number,
        } = self.on_trial(name)?;
        let mut new = match trial.kind() {
            Kind::Canary(_) => Active::new(trial.candidate.clone(), artifact),
            // It was made under another name, so that its state is its own.
            Kind::Shadow => {
                let module = trial.candidate.module.clone();
                self.activate(&wanted, module, artifact, number)
                    .map_err(ChangeError::Module)?
            }
        };
        let wanted = Wanted::under(name, config, env).unwrap_or(wanted);
        let persisted = persist(&mut new, wanted, config);
        self.end_trial(name, TrialEnd::Promoted, "operator");
        self.replace(new, persisted, config)
    }

    /// Ends a trial without a promotion.
    pub(super) fn discard(
        &mut self,
        active: Active,
        config: &config::Config,
    ) -> Result<Change, ChangeError> {
        self.end_trial(&active.policy.name, TrialEnd::Discarded, "operator");
        let (_, persisted) = self
            .serving(&active.policy.name)
            .unwrap_or((active.policy.clone(), Persisted::Yes));
        let new = Active {
            trial: None,
            ..active
        };
        self.replace(new, persisted, config)
    }

    /// Whether there is anything that may have to be rolled back.
    pub(crate) fn is_watching(&self) -> bool {
        !self.guards.is_empty() || self.active.iter().any(|it| it.trial.is_some())
    }

    /// Ends the trials of candidates that are worse than they may be, and takes back new versions that are.
    pub(crate) fn check(
        &mut self,
        config: &config::Config,
        env: &config::Env,
    ) -> Option<Pipelines> {
        let over = self.active.iter().filter_map(|it| {
            let cause = it.trial.as_ref()?.trial.over()?;
            Some((it.policy.name.clone(), cause.as_str()))
        });
        let over: Vec<_> = over.collect();
        for (name, cause) in &over {
            self.end_trial(name, TrialEnd::RolledBack, cause);
        }
        let mut pipelines = None;
        if !over.is_empty() {
            let next = self.active.clone();
            // The namespaces are those that serve, so nothing can be wrong with them.
            pipelines = self.assemble(config, next).ok();
        }
        for (name, cause) in self.worse() {
            match self.roll_back(&name, None, cause.as_str(), config, env) {
                Ok(change) => pipelines = change.pipelines.or(pipelines),
                Err(error) => RollBackFailed {
                    policy: &name,
                    cause: cause.as_str(),
                    reason: &error.to_string(),
                }
                .emit(),
            }
        }
        pipelines
    }

    fn on_trial(&self, name: &str) -> Result<OnTrial, ChangeError> {
        let active = self.active(name);
        let active = active.ok_or_else(|| ChangeError::NoPolicy(name.to_owned()))?;
        active
            .trial
            .ok_or_else(|| ChangeError::NoCandidate(name.to_owned()))
    }

    /// Takes the candidate of a policy away, if it has one, and remembers what came of it.
    pub(super) fn end_trial(&mut self, name: &str, end: TrialEnd, cause: &'static str) {
        let mut active = self.active.iter_mut();
        let active = active.find(|it| *it.policy.name == *name);
        if let Some(on_trial) = active.and_then(|it| it.trial.take()) {
            self.ended(&on_trial.trial, end, cause);
        }
    }

    /// Trials of policies that are not the same any more.
    pub(super) fn end_trials_without(&mut self, next: &[Active]) {
        let gone = self.active.iter().filter_map(|old| {
            let trial = &old.trial.as_ref()?.trial;
            let goes_on = next.iter().any(|new| new.has_trial(trial));
            (!goes_on).then(|| trial.clone())
        });
        for trial in gone.collect::<Vec<_>>() {
            self.ended(&trial, TrialEnd::Discarded, "replaced");
        }
    }

    fn ended(&mut self, trial: &Arc<Trial>, end: TrialEnd, cause: &'static str) {
        let name = &*trial.policy;
        let candidate = &trial.candidate;
        if trial.kind() == Kind::Shadow {
            // Its state was its own.
            self.store.forget(&candidate.name);
        }
        let (enforcing, tried) = trial.tallies();
        let past = PastTrial {
            kind: trial.kind(),
            generation: candidate.generation,
            version: candidate.module.description.version.clone(),
            digest: candidate.module.digest.to_string(),
            since: trial.since,
            at: SystemTime::now(),
            end,
            cause,
            enforcing,
            candidate: tried,
            comparison: trial.comparison(),
            samples: trial.samples(),
        };
        TrialEnded {
            policy: name,
            generation: past.generation,
            outcome: end.as_str(),
            cause,
            rolled_back: end == TrialEnd::RolledBack,
            calls: tried.calls,
            denials: tried.denials,
            failures: tried.failures,
        }
        .emit();
        self.past_trials.insert(name.to_owned(), Arc::new(past));
    }
}

impl Active {
    pub(super) fn has_trial(&self, trial: &Arc<Trial>) -> bool {
        let own = self.trial.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(&own.trial, trial))
    }
}

impl TrialEnd {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Discarded => "discarded",
        }
    }
}

/// The same candidate again: what may be different is for how many it decides. `None`: it is tried in another way.
fn again(trial: &Arc<Trial>, kind: Kind) -> Option<Change> {
    let before = trial.kind();
    let same_way = match kind {
        Kind::Shadow => before == Kind::Shadow,
        Kind::Canary(percent) => trial.set_percent(percent),
    };
    same_way.then(|| Change {
        policy: trial.candidate.clone(),
        pipelines: None,
        changed: before != kind,
        persisted: on_trial_only(),
    })
}

fn on_trial_only() -> Persisted {
    Persisted::No("it is on trial".to_owned())
}

/// The settings of a candidate. A shadow has a name of its own, and with it state and metrics of its own; no policy
/// can be configured to have such a name.
fn tried(settings: &Arc<config::Policy>, kind: Kind) -> Arc<config::Policy> {
    match kind {
        Kind::Canary(_) => settings.clone(),
        Kind::Shadow => Arc::new(config::Policy {
            name: format!("{}@candidate", settings.name),
            ..config::Policy::clone(settings)
        }),
    }
}

fn percent(kind: Kind) -> Option<u32> {
    match kind {
        Kind::Shadow => None,
        Kind::Canary(percent) => Some(percent),
    }
}
