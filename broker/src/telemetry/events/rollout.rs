//! What happens to modules that all nodes are to serve.

use tracing::{error, info, warn};

use super::{MAX_DETAIL, POLICY, SECURITY, clip, cut};
use crate::telemetry::metrics::metrics;

/// An operator had a module rolled out through this node, or was not let.
pub(crate) struct RollOutEnded<'a> {
    pub policy: &'a str,
    pub by: Option<&'a str>,
    /// Why it serves nowhere.
    pub refusal: Option<&'a str>,
}

impl RollOutEnded<'_> {
    pub(crate) fn emit(self) {
        let (policy, address) = (&*clip(self.policy), self.by);
        match self.refusal {
            None => {
                metrics().rollouts.completed.inc();
                info!(target: SECURITY, policy, address, "policy rolled out");
            }
            Some(reason) => {
                metrics().rollouts.refused.inc();
                let reason = &*cut(reason, MAX_DETAIL);
                warn!(target: SECURITY, policy, address, reason, "policy not rolled out");
            }
        }
    }
}

/// Modules that no node needs any more were deleted from the cluster's store, or could not be.
pub(crate) struct RollOutTidied<'a> {
    /// By their digests.
    pub deleted: &'a [String],
    pub reason: Option<&'a str>,
}

impl RollOutTidied<'_> {
    pub(crate) fn emit(self) {
        metrics().rollouts.deleted.inc_by(self.deleted.len() as u64);
        if let Some(reason) = self.reason {
            metrics().rollouts.untidy.inc();
            let reason = &*cut(reason, MAX_DETAIL);
            warn!(target: POLICY, reason, "old modules not deleted from the cluster's store");
        }
        for digest in self.deleted {
            info!(target: POLICY, digest, "old module deleted from the cluster's store");
        }
    }
}

/// This node has taken over what the cluster serves, or could not.
pub(crate) struct RollOutFollowed<'a> {
    pub policy: &'a str,
    pub digest: &'a str,
    pub node: &'a str,
    pub reason: Option<&'a str>,
}

impl RollOutFollowed<'_> {
    pub(crate) fn emit(self) {
        let Self {
            policy,
            digest,
            node,
            reason,
        } = self;
        match reason {
            None => {
                metrics().rollouts.followed.inc();
                info!(target: POLICY, policy, digest, node, "policy of the cluster loaded");
            }
            Some(reason) => {
                metrics().rollouts.failed.inc();
                let reason = &*cut(reason, MAX_DETAIL);
                error!(target: POLICY, policy, digest, node, reason, "policy of the cluster not loaded");
            }
        }
    }
}
