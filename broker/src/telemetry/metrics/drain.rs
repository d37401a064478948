//! The node being emptied, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::add;

pub(crate) struct Drain {
    pub draining: Gauge,
    /// Connections that were told to go.
    pub closed: Counter,
}

impl Drain {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            draining: add(
                r,
                "draining",
                "1 while no new client is let in, because the node is emptied or about to end",
            ),
            closed: add(
                r,
                "drain_closed",
                "Connections that were closed because the node is emptied",
            ),
        }
    }
}
