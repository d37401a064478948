//! What sockets rest on, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{add, counters};
use crate::telemetry::labels::Counters;
use crate::telemetry::labels::sessions::RefreshResult;

pub(crate) struct Sessions {
    pub refreshes_wanted: Counter,
    refreshes: Counters<RefreshResult>,
    pub revoked: Counter,
    pub lifted: Counter,
    pub learned: Counter,
    pub lost: Counter,
    /// Those that hold at the moment, and what has been taken back.
    pub revocations: Gauge,
}

impl Sessions {
    pub(super) fn new(r: &mut Registry) -> Self {
        let refreshes = counters(
            r,
            "session_refreshes",
            "Times that clients showed something newer than what they were let in with, by result",
            "result",
        );
        Self {
            refreshes_wanted: add(
                r,
                "session_refreshes_wanted",
                "Clients that were asked for something newer than what they were let in with",
            ),
            refreshes,
            revoked: add(
                r,
                "revocations_made",
                "Users and tokens that were revoked through this node",
            ),
            lifted: add(
                r,
                "revocations_lifted",
                "Revocations that were taken back through this node",
            ),
            learned: add(
                r,
                "revocations_learned",
                "Revocations that this node had missed and was told by others",
            ),
            lost: add(
                r,
                "revocations_lost",
                "Revocations of other nodes that there was no room for",
            ),
            revocations: add(
                r,
                "revocations",
                "Revocations that this node knows, and those that were taken back before their end",
            ),
        }
    }

    pub(crate) fn refreshed(&self, result: RefreshResult) {
        self.refreshes.inc(result);
    }
}
