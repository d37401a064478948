//! What happens between the nodes of a cluster.

use tracing::{info, warn};

use super::nats::CLUSTER;
use super::{MAX_DETAIL, clip, cut};
use crate::fanout::nodes::NodeId;
use crate::telemetry::metrics::metrics;
use crate::telemetry::throttle::Throttle;

/// Another node is there.
pub(crate) struct NodeJoined<'a> {
    pub node: NodeId,
    pub version: &'a str,
}

impl NodeJoined<'_> {
    pub(crate) fn emit(self) {
        info!(target: CLUSTER, peer = %self.node, version = &*clip(self.version), "node joined");
    }
}

/// Another node is there no more.
pub(crate) struct NodeGone {
    pub node: NodeId,
    /// It left, or gave no sign of life for too long.
    pub how: &'static str,
}

impl NodeGone {
    pub(crate) fn emit(self) {
        warn!(target: CLUSTER, peer = %self.node, how = self.how, "node gone");
    }
}

/// Events that another node sent did not arrive.
pub(crate) struct EventsMissing {
    pub node: NodeId,
    pub events: u64,
}

impl EventsMissing {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().cluster.missing.inc_by(self.events);
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(
                target: CLUSTER,
                peer = %self.node,
                events = self.events,
                suppressed,
                "events of another node missing"
            );
        }
    }
}

/// What came from another node cannot be read.
pub(crate) struct NodeUnreadable<'a> {
    pub reason: &'a str,
}

impl NodeUnreadable<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().cluster.unreadable.inc();
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(
                target: CLUSTER,
                reason = &*cut(self.reason, MAX_DETAIL),
                suppressed,
                "message of another node not understood"
            );
        }
    }
}
