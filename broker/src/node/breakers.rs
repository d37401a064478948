//! Policies that are not called because they keep failing.

use std::time::{Instant, SystemTime};

use super::Node;
use crate::admin::{BreakerInfo, BreakerWord, Reason};
use crate::config::Mode;
use crate::plugin::{BreakerState, Policy};

/// The breaker of a policy, now.
pub(super) fn shown(policy: &Policy) -> BreakerInfo {
    let status = policy.breaker.status(Instant::now(), SystemTime::now());
    BreakerInfo {
        state: match status.state {
            BreakerState::Closed => BreakerWord::Closed,
            BreakerState::Open => BreakerWord::Open,
            BreakerState::HalfOpen => BreakerWord::HalfOpen,
        },
        since: status.since,
        failures: status.failures,
        last_fault: status.last_fault,
        retry_at: status.retry_at,
    }
}

impl Node {
    /// A reason for each breaker that is open. A shadow decides nothing, so one that fails keeps no client away.
    pub(super) fn failing(&self) -> Vec<Reason> {
        let pipelines = self.broker.pipelines.load();
        let policies = pipelines.policies();
        let failing = policies
            .filter(|policy| policy.settings.mode == Mode::Enforce && !policy.breaker.is_closed());
        failing.map(|policy| reason(policy)).collect()
    }
}

fn reason(policy: &Policy) -> Reason {
    let breaker = shown(policy);
    Reason {
        code: "policy_failing",
        policy: Some(policy.name.to_string()),
        message: format!(
            "breaker open since {} after {} failing calls: {}",
            humantime::format_rfc3339_seconds(breaker.since),
            breaker.failures,
            breaker.last_fault.as_deref().unwrap_or("it failed"),
        ),
    }
}
