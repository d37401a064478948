//! Operators who look, and what they look at that is no metric of its own.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Metrics, add};
use crate::telemetry::labels::DisconnectLabel;

pub(crate) struct Operators {
    /// Those who watch what the node does, or look at what happens to sockets.
    pub watchers: Gauge,
    /// Of what happens to sockets, what somebody was too slow for.
    pub dropped: Counter,
    /// Commands of the Admin UI.
    pub commands: Counter,
    /// Sockets that were let in.
    pub connects: Counter,
    /// Denials that no policy has made: a sum of what has labels elsewhere.
    denied_by_broker: Counter,
}

impl Operators {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            watchers: add(
                r,
                "live_watchers",
                "Operators who watch what the node does or what happens to sockets",
            ),
            dropped: add(
                r,
                "live_view_dropped",
                "Events of the live view that whoever looks was too slow for",
            ),
            commands: add(r, "admin_ui_commands", "Commands of the official Admin UI"),
            connects: add(r, "connects", "Sockets that were let into a namespace"),
            denied_by_broker: Counter::default(),
        }
    }

    pub(super) fn denied(&self, by_broker: bool) {
        if by_broker {
            self.denied_by_broker.inc();
        }
    }

    /// Denials so far that no policy has made.
    pub(crate) fn denied_by_broker(&self) -> u64 {
        self.denied_by_broker.get()
    }
}

impl Metrics {
    /// Sockets that have ended for a reason so far.
    pub(crate) fn disconnects(&self, reason: &'static str) -> u64 {
        let counter = self.disconnects.get(&DisconnectLabel { reason });
        counter.map_or(0, |counter| counter.get())
    }
}
