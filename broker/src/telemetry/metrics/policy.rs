//! The metrics of the calls of a policy.

use std::sync::Arc;
use std::time::Duration;

use super::{ChangeResult, Changed, Hook, Metrics, OwnMetric, TrapKind, TrialOutcome, VerdictKind};
use crate::telemetry::labels::{
    CauseLabels, ChangeLabels, Counters, HookLabels, OwnLabels, TrapLabels, TrialLabels,
    VerdictLabels,
};
use crate::telemetry::latency::Latency;
use crate::telemetry::spread::Tally;

impl Metrics {
    pub(in crate::telemetry) fn changed(&self, action: Changed, result: ChangeResult) {
        self.changes
            .get_or_create(&ChangeLabels { action, result })
            .inc();
    }

    pub(in crate::telemetry) fn rolled_back(&self, policy: &str, cause: &'static str) {
        self.rollbacks
            .get_or_create(&CauseLabels {
                policy: policy.into(),
                cause,
            })
            .inc();
    }

    /// The handle for one hook of a policy; resolved once, not on each call.
    pub(crate) fn policy(&self, name: &str, hook: Hook) -> PolicyMetrics {
        let policy: Arc<str> = name.into();
        PolicyMetrics {
            verdicts: Counters::new(|verdict: VerdictKind| {
                if !verdict.of(hook) {
                    return Tally::default();
                }
                self.verdicts.get_or_create_owned(&VerdictLabels {
                    policy: Arc::clone(&policy),
                    hook,
                    verdict,
                })
            }),
            traps: Counters::new(|kind| {
                self.traps.get_or_create_owned(&TrapLabels {
                    policy: Arc::clone(&policy),
                    hook,
                    kind,
                })
            }),
            duration: self.durations.get_or_create_owned(&HookLabels {
                policy: Arc::clone(&policy),
                hook,
            }),
        }
    }

    /// The handle for a number of a policy's own.
    pub(crate) fn own(&self, policy: &Arc<str>, name: &str, is_counter: bool) -> OwnMetric {
        let labels = OwnLabels {
            policy: policy.clone(),
            name: name.to_owned(),
        };
        if is_counter {
            OwnMetric::Counter(self.own_counters.get_or_create_owned(&labels))
        } else {
            OwnMetric::Gauge(self.own_gauges.get_or_create_owned(&labels))
        }
    }

    /// The handle for what is on trial beside a policy.
    pub(crate) fn trial(&self, policy: &Arc<str>) -> TrialOutcomes {
        TrialOutcomes(Counters::new(|outcome| {
            let policy = Arc::clone(policy);
            let labels = TrialLabels { policy, outcome };
            self.trials.get_or_create_owned(&labels)
        }))
    }
}

/// The metrics of one hook of one policy, for its calls to keep.
#[derive(Debug, Clone)]
pub(crate) struct PolicyMetrics {
    pub(super) verdicts: Counters<VerdictKind>,
    pub(super) traps: Counters<TrapKind>,
    pub(super) duration: Latency,
}

impl PolicyMetrics {
    pub(crate) fn verdict(&self, kind: VerdictKind) {
        self.verdicts.inc(kind);
    }

    pub(crate) fn trap(&self, kind: TrapKind) {
        self.traps.inc(kind);
    }

    /// How long a call took.
    pub(crate) fn duration(&self, nanos: u64) {
        self.duration.observe(nanos);
    }

    /// Verdicts so far, those left out that there are none of.
    pub(crate) fn verdicts(&self) -> Vec<(&'static str, u64)> {
        let all = self.verdicts.counts();
        all.map(|(kind, count)| (kind.as_str(), count)).collect()
    }

    /// Failed calls so far, those left out that there are none of.
    pub(crate) fn traps(&self) -> Vec<(&'static str, u64)> {
        let all = self.traps.counts();
        all.map(|(kind, count)| (kind.as_str(), count)).collect()
    }

    /// The time that so large a part of the calls has not taken longer than, roughly; `None` before the first call.
    pub(crate) fn quantile(&self, part: f64) -> Option<Duration> {
        self.duration.quantile(part)
    }
}

/// How often each outcome of a comparison came.
#[derive(Debug, Clone)]
pub(crate) struct TrialOutcomes(pub(super) Counters<TrialOutcome>);

impl TrialOutcomes {
    pub(crate) fn inc(&self, outcome: TrialOutcome) {
        self.0.inc(outcome);
    }
}
