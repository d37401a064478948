//! The breakers of policies.

use std::time::Duration;

use tracing::{info, warn};

use super::{MAX_DETAIL, POLICY, cut, millis};

/// A policy keeps failing and is not called for a while.
pub(crate) struct PolicyBreakerOpened<'a> {
    pub policy: &'a str,
    /// That have opened it.
    pub failures: u64,
    /// How long it is not called.
    pub pause: Duration,
    /// The last failure.
    pub fault: &'a str,
}

impl PolicyBreakerOpened<'_> {
    pub(crate) fn emit(self) {
        warn!(
            target: POLICY,
            policy = self.policy,
            failures = self.failures,
            pause_ms = millis(self.pause),
            reason = &*cut(self.fault, MAX_DETAIL),
            "policy breaker opened"
        );
    }
}

/// A policy that kept failing works again.
pub(crate) struct PolicyBreakerClosed<'a> {
    pub policy: &'a str,
    /// How long it was not called, but to try it.
    pub open_for: Duration,
}

impl PolicyBreakerClosed<'_> {
    pub(crate) fn emit(self) {
        info!(
            target: POLICY,
            policy = self.policy,
            open_for_ms = millis(self.open_for),
            "policy breaker closed"
        );
    }
}
