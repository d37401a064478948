//! The metrics of the calls of a policy.

use std::time::Duration;

use super::{TrapKind, TrialOutcome, VerdictKind};
use crate::telemetry::labels::Counters;
use crate::telemetry::latency::Latency;

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
