//! The connection to NATS in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::add;

pub(crate) struct Nats {
    pub connected: Gauge,
    pub connections: Counter,
    pub slow_consumers: Counter,
    pub errors: Counter,
}

impl Nats {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            connected: add(r, "nats_connected", "1 while there is a connection to NATS"),
            connections: add(r, "nats_connections", "Connections to NATS that were made"),
            slow_consumers: add(
                r,
                "nats_slow_consumers",
                "Times that messages of NATS were dropped because they were not taken in time",
            ),
            errors: add(
                r,
                "nats_errors",
                "Errors that NATS servers or the client library told",
            ),
        }
    }
}
