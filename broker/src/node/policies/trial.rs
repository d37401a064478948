//! A version on trial, for who looks at it.

use crate::admin::{Compared, Counts, DifferenceInfo, TrialEnding, TrialInfo, VerdictInfo};
use crate::plugin::{Comparison, Kind, PastTrial, Said, Sample, Tally, Trial};

/// A trial as it stands.
pub(super) fn running(trial: &Trial) -> TrialInfo {
    let (enforcing, candidate) = trial.tallies();
    let policy = &trial.candidate;
    let kind = trial.kind();
    TrialInfo {
        mode: mode(kind),
        percent: percent(kind),
        generation: policy.generation,
        version: policy.module.description.version.clone(),
        digest: policy.module.digest.to_string(),
        since: trial.since,
        end: None,
        enforcing: counts(enforcing),
        candidate: counts(candidate),
        comparison: compared(kind, trial.comparison()),
        samples: trial.samples().into_iter().map(difference).collect(),
    }
}

/// A trial as it was at its end.
pub(super) fn over(trial: &PastTrial) -> TrialInfo {
    TrialInfo {
        mode: mode(trial.kind),
        percent: percent(trial.kind),
        generation: trial.generation,
        version: trial.version.clone(),
        digest: trial.digest.clone(),
        since: trial.since,
        end: Some(TrialEnding {
            outcome: trial.end.as_str(),
            cause: trial.cause,
            at: trial.at,
        }),
        enforcing: counts(trial.enforcing),
        candidate: counts(trial.candidate),
        comparison: compared(trial.kind, trial.comparison),
        samples: trial.samples.iter().cloned().map(difference).collect(),
    }
}

fn mode(kind: Kind) -> &'static str {
    match kind {
        Kind::Shadow => "shadow",
        Kind::Canary(_) => "canary",
    }
}

fn percent(kind: Kind) -> Option<u32> {
    match kind {
        Kind::Shadow => None,
        Kind::Canary(percent) => Some(percent),
    }
}

fn counts(tally: Tally) -> Counts {
    Counts {
        calls: tally.calls,
        denials: tally.denials,
        failures: tally.failures,
    }
}

/// Nothing is compared with a canary: it is asked in place of the other.
fn compared(kind: Kind, comparison: Comparison) -> Option<Compared> {
    (kind == Kind::Shadow).then_some(Compared {
        same: comparison.same,
        differs: comparison.differs,
        failed: comparison.failed,
    })
}

fn difference(sample: Sample) -> DifferenceInfo {
    DifferenceInfo {
        at: sample.at,
        hook: sample.hook.as_str(),
        about: sample.about,
        user: sample.user.map(|user| user.to_string()),
        arguments: sample.arguments,
        arguments_bytes: sample.bytes,
        enforcing: verdict(sample.enforcing),
        candidate: verdict(sample.candidate),
    }
}

fn verdict(said: Said) -> VerdictInfo {
    VerdictInfo {
        verdict: said.verdict,
        code: said.code,
        content_bytes: said.bytes,
        content: said.content,
    }
}
