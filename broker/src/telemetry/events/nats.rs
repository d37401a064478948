//! What happens to the connection to NATS.

use tracing::{info, warn};

use super::{MAX_DETAIL, cut};
use crate::telemetry::metrics::metrics;
use crate::telemetry::throttle::Throttle;

pub(super) const CLUSTER: &str = "sluice::cluster";

/// There is a connection, the first one or again.
pub(crate) struct NatsConnected {
    pub connections: u64,
}

impl NatsConnected {
    pub(crate) fn emit(self) {
        metrics().nats.connected.set(1);
        metrics().nats.connections.inc();
        info!(target: CLUSTER, connections = self.connections, "nats connected");
    }
}

/// The connection is lost. It is looked for until it is back.
pub(crate) struct NatsDisconnected;

impl NatsDisconnected {
    pub(crate) fn emit(self) {
        metrics().nats.connected.set(0);
        warn!(target: CLUSTER, "nats disconnected");
    }
}

/// Messages came faster than they were taken; the library has dropped one.
pub(crate) struct NatsSlow;

impl NatsSlow {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().nats.slow_consumers.inc();
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(target: CLUSTER, suppressed, "nats messages not taken in time");
        }
    }
}

/// The server or the client library is not content.
pub(crate) struct NatsFailed<'a> {
    pub reason: &'a str,
}

impl NatsFailed<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().nats.errors.inc();
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(target: CLUSTER, reason = &*cut(self.reason, MAX_DETAIL), suppressed, "nats failed");
        }
    }
}
