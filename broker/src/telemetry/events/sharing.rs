//! What happens to the state that nodes share.

use tracing::{info, warn};

use crate::telemetry::metrics::metrics;
use crate::telemetry::throttle::Throttle;

const CLUSTER: &str = "sluice::cluster";

/// Messages of another node never came: what it took in them is not counted here.
pub(crate) struct StateMissed<'a> {
    pub node: &'a str,
    pub messages: u64,
}

impl StateMissed<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().sharing.missed.inc_by(self.messages);
        if let Some(suppressed) = THROTTLE.admit() {
            let Self { node, messages } = self;
            warn!(target: CLUSTER, node, messages, suppressed, "state of another node missed");
        }
    }
}

/// More changed than other nodes could be told of.
pub(crate) struct StateForgotten {
    pub changes: u64,
}

impl StateForgotten {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().sharing.forgotten.inc_by(self.changes);
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(target: CLUSTER, changes = self.changes, suppressed, "state not told to other nodes");
        }
    }
}

/// Another node has given what it has.
pub(crate) struct StateCaughtUp<'a> {
    pub node: &'a str,
    pub entries: usize,
}

impl StateCaughtUp<'_> {
    pub(crate) fn emit(self) {
        metrics().sharing.caught_up.inc();
        info!(target: CLUSTER, node = self.node, entries = self.entries, "state taken over from another node");
    }
}
