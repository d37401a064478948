//! The policies of this node, for who looks at them and who changes them.

mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Node, breakers};
use crate::admin::{
    self, Calls, ChangedPolicy, LoadedPolicy, PastGeneration, PolicyChange, PolicyChanged,
    PolicyFailure, PolicyInfo, PolicyRefusal, RefusalKind, Reloaded, Signature, UploadMode,
};
use crate::pipeline::Pipelines;
use crate::plugin::signature::Signer;
use crate::plugin::{
    Artifact, ChangeError, Command, CommandError, Done, End, Failed, Kind, Past, Persisted, Policy,
    Source,
};
use crate::telemetry::metrics::{Hook, metrics};

impl Node {
    pub(super) fn show_policies(&self) -> Vec<PolicyInfo> {
        let (failed, pipelines) = {
            // What serves and what failed belong together.
            let failed = self.failed.lock();
            (failed.clone(), self.broker.pipelines.load())
        };
        let never_loaded = failed.iter().filter_map(|failure| {
            let name = failure.policy.clone()?;
            let (source, mode) = failure.asked?;
            let is_serving = pipelines.policies().any(|policy| *policy.name == *name);
            (!is_serving).then(|| PolicyInfo {
                source: source_of(source),
                mode: mode.as_str(),
                namespaces: Vec::new(),
                loaded: None,
                failed: Some(failure_of(failure)),
                name,
            })
        });
        pipelines
            .policies()
            .map(|policy| self.show(policy, &pipelines, &failed))
            .chain(never_loaded)
            .collect()
    }

    fn show(&self, policy: &Arc<Policy>, pipelines: &Pipelines, failed: &[Failed]) -> PolicyInfo {
        let failure = failed
            .iter()
            .find(|failure| failure.policy.as_deref() == Some(&policy.name));
        let namespaces = pipelines
            .all()
            .iter()
            .filter(|pipeline| {
                let mut steps = pipeline.steps.iter();
                steps.any(|step| step.policy.name == policy.name)
            })
            .map(|pipeline| pipeline.namespace.path.clone());
        PolicyInfo {
            name: policy.name.to_string(),
            source: source_of(policy.source),
            mode: policy.settings.mode.as_str(),
            namespaces: namespaces.collect(),
            loaded: Some(self.show_loaded(policy, pipelines)),
            failed: failure.map(failure_of),
        }
    }

    fn show_loaded(&self, policy: &Policy, pipelines: &Pipelines) -> LoadedPolicy {
        let (instances, memory_bytes) = policy.usage();
        let hooks = policy.hooks();
        let histories = self.histories.lock();
        let before = histories.get(&*policy.name);
        let past = before.map(|before| &before.generations);
        let last_trial = before.and_then(|before| before.last_trial.as_ref());
        LoadedPolicy {
            version: policy.module.description.version.clone(),
            contract: policy.module.contract.as_str(),
            digest: policy.module.digest.to_string(),
            signature: policy.signer.load().as_deref().map(signature_of),
            generation: policy.generation,
            hooks: hooks.clone().map(Hook::as_str).collect(),
            since: policy.since,
            breaker: breakers::shown(policy),
            history: past.into_iter().flatten().map(past_generation).collect(),
            instances,
            memory_bytes,
            calls: hooks
                .map(|hook| (hook.as_str(), calls(&policy.name, hook)))
                .collect(),
            candidate: pipelines.trial(&policy.name).map(|it| trial::running(it)),
            last_trial: last_trial.map(|it| trial::over(it)),
        }
    }

    pub(super) async fn carry_out(
        &self,
        change: PolicyChange,
    ) -> Result<PolicyChanged, PolicyRefusal> {
        let command = match change {
            PolicyChange::Reload { policy } => Command::Reload { policy },
            PolicyChange::Upload {
                policy,
                module,
                signature,
                mode,
            } => upload(
                policy,
                mode,
                Artifact {
                    bytes: module,
                    signature: Ok(signature.map(Arc::from)),
                },
            ),
            PolicyChange::Promote { policy } => Command::Promote { policy },
            PolicyChange::SetPercent { policy, percent } => Command::SetPercent { policy, percent },
            PolicyChange::RollBack { policy, generation } => {
                Command::RollBack { policy, generation }
            }
        };
        self.control
            .ask(command)
            .await
            .map(changed)
            .map_err(refusal)
    }
}

impl Node {
    /// Follows everything that is on disk.
    pub(super) async fn follow(&self) -> Result<Reloaded, PolicyRefusal> {
        let done = self.control.ask(Command::Follow { by: "API" }).await;
        done.map(|done| Reloaded {
            changed: done.changed,
            changes: done.changes,
            restart_needed: done.waiting,
            failed: done.failed,
        })
        .map_err(refusal)
    }
}

fn upload(policy: String, mode: UploadMode, artifact: Artifact) -> Command {
    let kind = match mode {
        UploadMode::Enforce => return Command::Upload { policy, artifact },
        UploadMode::Shadow => Kind::Shadow,
        UploadMode::Canary(percent) => Kind::Canary(percent),
    };
    Command::TryOut {
        policy,
        artifact,
        kind,
    }
}

fn signature_of(signer: &Signer) -> Signature {
    Signature {
        key_id: signer.key_id.clone(),
        trusted_comment: signer.trusted_comment.clone(),
    }
}

fn source_of(source: Source) -> admin::Source {
    match source {
        Source::Configured => admin::Source::Configured,
        Source::DroppedIn => admin::Source::DroppedIn,
    }
}

fn failure_of(failure: &Failed) -> PolicyFailure {
    PolicyFailure {
        reason: failure.reason.clone(),
        since: failure.since,
    }
}

fn past_generation(past: &Past) -> PastGeneration {
    PastGeneration {
        generation: past.number,
        version: past.version.clone(),
        digest: past.digest.clone(),
        since: past.since,
        ended: past.ended.map(End::as_str),
    }
}

fn calls(policy: &str, hook: Hook) -> Calls {
    let of = metrics().policy(policy, hook);
    let seconds = |part| of.quantile(part).map(|took| took.as_secs_f64());
    Calls {
        verdicts: BTreeMap::from_iter(of.verdicts()),
        traps: BTreeMap::from_iter(of.traps()),
        p50_seconds: seconds(0.5),
        p99_seconds: seconds(0.99),
    }
}

fn changed(done: Done) -> PolicyChanged {
    PolicyChanged {
        changed: done.changed,
        policy: done.policy.map(|policy| ChangedPolicy {
            generation: policy.generation,
            version: policy.version,
            digest: policy.digest,
            persisted: policy.persisted == Persisted::Yes,
            not_persisted: match policy.persisted {
                Persisted::Yes => None,
                Persisted::No(reason) => Some(reason),
            },
        }),
    }
}

fn refusal(error: CommandError) -> PolicyRefusal {
    let kind = match &error {
        CommandError::Change(error) => match error {
            ChangeError::NoPolicy(_) | ChangeError::NoFolder(_) => RefusalKind::UnknownPolicy,
            ChangeError::NoGeneration(..) => RefusalKind::UnknownGeneration,
            ChangeError::NothingBefore(_)
            | ChangeError::Serves(_)
            | ChangeError::NoCandidate(_)
            | ChangeError::NoCanary(_) => RefusalKind::Conflict,
            ChangeError::Untrusted(_) => RefusalKind::Untrusted,
            ChangeError::Settings(_) | ChangeError::Module(_) => RefusalKind::Refused,
        },
        CommandError::Reload(_) => RefusalKind::ReloadFailed,
        CommandError::Busy => RefusalKind::Busy,
        CommandError::TimedOut => RefusalKind::TimedOut,
        CommandError::Stopped => RefusalKind::Stopped,
    };
    PolicyRefusal {
        kind,
        detail: error.to_string(),
    }
}
