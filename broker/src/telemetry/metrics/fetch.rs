//! The metrics of what policies ask over HTTP.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{add, add_seconds};
use crate::telemetry::labels::{Counters, FetchLabels, FetchOutcome, PolicyLabel};
use crate::telemetry::spread::Tally;

/// In seconds; a request takes at most the last.
const BOUNDS: [f64; 13] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0,
];

pub(super) struct Fetches {
    requests: Family<FetchLabels, Tally>,
    durations: Family<PolicyLabel, Histogram, fn() -> Histogram>,
}

/// Those of one policy, for its requests to keep.
#[derive(Debug, Clone)]
pub(crate) struct PolicyHttpMetrics {
    outcomes: Counters<FetchOutcome>,
    duration: Histogram,
}

impl Fetches {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let requests = add(
            registry,
            "policy_http_requests",
            "Requests that policies wanted to make",
        );
        let histogram: fn() -> Histogram = || Histogram::new(BOUNDS);
        let durations = add_seconds(
            registry,
            "policy_http_duration",
            "Time that a request of a policy took",
            Family::new_with_constructor(histogram),
        );
        Self {
            requests,
            durations,
        }
    }

    pub(super) fn of(&self, policy: &str) -> PolicyHttpMetrics {
        let label = PolicyLabel::new(policy);
        PolicyHttpMetrics {
            outcomes: Counters::new(|outcome| {
                self.requests.get_or_create_owned(&FetchLabels {
                    policy: Arc::clone(&label.policy),
                    outcome,
                })
            }),
            duration: self.durations.get_or_create_owned(&label),
        }
    }
}

impl PolicyHttpMetrics {
    /// `took`: of a request that has been made.
    pub(in crate::telemetry) fn fetched(&self, outcome: FetchOutcome, took: Option<Duration>) {
        self.outcomes.inc(outcome);
        if let Some(took) = took {
            self.duration.observe(took.as_secs_f64());
        }
    }
}
