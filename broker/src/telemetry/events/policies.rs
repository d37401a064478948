//! What operators do to policies, and what happens to those that are on trial.

use std::net::IpAddr;

use tracing::{info, warn};

use super::{MAX_DETAIL, POLICY, SECURITY, clip, cut};
use crate::telemetry::labels::{ChangeResult, Changed};
use crate::telemetry::metrics::metrics;

/// An operator changed policies over the API, or was not let.
pub(crate) struct PolicyChanged<'a> {
    pub action: Changed,
    pub result: ChangeResult,
    /// `None`: all policies.
    pub policy: Option<&'a str>,
    /// `None`: the request did not come over a connection.
    pub address: Option<IpAddr>,
    /// What serves now.
    pub generation: Option<u64>,
    /// Why it was refused.
    pub reason: Option<&'a str>,
}

impl PolicyChanged<'_> {
    pub(crate) fn emit(self) {
        metrics().changed(self.action, self.result);
        info!(
            target: SECURITY,
            action = self.action.as_str(),
            result = self.result.as_str(),
            policy = self.policy.map(clip).as_deref(),
            address = self.address.map(tracing::field::display),
            generation = self.generation,
            reason = self.reason.map(|reason| cut(reason, MAX_DETAIL)).as_deref(),
            "operator changes policies"
        );
    }
}

/// An earlier generation of a policy serves again.
pub(crate) struct PolicyRolledBack<'a> {
    pub policy: &'a str,
    pub from: u64,
    pub to: u64,
    pub cause: &'static str,
}

impl PolicyRolledBack<'_> {
    pub(crate) fn emit(self) {
        metrics().rolled_back(self.policy, self.cause);
        warn!(
            target: POLICY,
            policy = self.policy,
            from = self.from,
            to = self.to,
            cause = self.cause,
            "policy rolled back"
        );
    }
}
