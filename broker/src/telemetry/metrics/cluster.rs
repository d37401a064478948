//! What nodes send each other, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{add, counters};
use crate::telemetry::labels::{Counters, Undelivered};
use crate::telemetry::spread::Tally;

pub(crate) struct Cluster {
    pub nodes: Gauge,
    pub sent: Tally,
    pub sent_in_parts: Counter,
    pub received: Tally,
    pub received_bytes: Tally,
    /// Events that other nodes numbered and that did not come.
    pub missing: Counter,
    pub unreadable: Counter,
    /// What nodes say to each other about themselves.
    pub letters_lost: Counter,
    pub rooms: Gauge,
    undelivered: Counters<Undelivered>,
}

impl Cluster {
    pub(super) fn new(r: &mut Registry) -> Self {
        let undelivered = counters(
            r,
            "cluster_dropped",
            "Events for another node that were not sent to it",
            "reason",
        );
        Self {
            nodes: add(
                r,
                "cluster_nodes",
                "Nodes of the cluster that live, this one included",
            ),
            sent: add(
                r,
                "cluster_sent",
                "Events sent to other nodes, once for each of them",
            ),
            sent_in_parts: add(
                r,
                "cluster_sent_in_parts",
                "Events that were larger than the NATS server takes in one message",
            ),
            received: add(r, "cluster_received", "Events received from other nodes"),
            received_bytes: add(r, "cluster_received_bytes", "What they took up"),
            missing: add(
                r,
                "cluster_missing",
                "Events for this node that did not arrive, those that other nodes dropped included",
            ),
            unreadable: add(
                r,
                "cluster_unreadable",
                "Messages of other nodes that could not be read",
            ),
            letters_lost: add(
                r,
                "cluster_letters_lost",
                "Messages about nodes and their rooms that found no room on their way",
            ),
            rooms: add(
                r,
                "cluster_interest_rooms",
                "Rooms and namespaces that this node has told others it has members of",
            ),
            undelivered,
        }
    }

    pub(crate) fn undelivered(&self, reason: Undelivered, events: u64) {
        self.undelivered.inc_by(reason, events);
    }
}
