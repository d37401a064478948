//! `[policy.trial]`: when a new version of a policy is not good enough.

use std::time::Duration;

use super::section::Section;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trial {
    /// Failed calls with which a new version is taken back.
    pub max_failures: u32,
    /// Percentage points by which it may deny more than the version before.
    pub max_denial_increase: u32,
    /// Calls of each version before their rates count.
    pub min_calls: u32,
    /// Samples of differing verdicts hold the arguments of events.
    pub show_arguments: bool,
    /// How long a version that has just begun to enforce is held to the same; `None`: it is not.
    pub guard: Option<Duration>,
}

const GUARDS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);

impl Trial {
    pub(super) fn read(s: &mut Section<'_, '_>) -> Self {
        let max_failures = s.get(
            "max_failures",
            "5",
            "Failed calls with which a new version is taken back.",
        );
        if max_failures == 0 {
            s.complain("max_failures", "is out of bounds", Some("1 or more"));
        }
        let max_denial_increase = s.get(
            "max_denial_increase",
            "20",
            "Percentage points by which a canary may deny more than the version before.",
        );
        let min_calls = s.get(
            "min_calls",
            "100",
            "Calls of each of the two versions before their rates are compared.",
        );
        if min_calls == 0 {
            s.complain("min_calls", "is out of bounds", Some("1 or more"));
        }
        if max_denial_increase > 100 {
            s.complain("max_denial_increase", "is out of bounds", Some("0 to 100"));
        }
        let show_arguments = s.get(
            "show_arguments",
            "false",
            "Whether events that two versions differ about are shown with their arguments.",
        );
        let guard = s.optional::<Duration>(
            "guard",
            "30s",
            "How long a version that has just begun to enforce is held to these bounds, and taken back by itself.",
        );
        if guard.is_some_and(|guard| !GUARDS.contains(&guard)) {
            s.complain("guard", "is out of bounds", Some("1s to 24h"));
        }
        Self {
            max_failures,
            max_denial_increase,
            min_calls,
            show_arguments,
            guard,
        }
    }
}
