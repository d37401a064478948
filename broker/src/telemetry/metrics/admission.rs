//! Who is not let in, in numbers.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{add, counters};
use crate::telemetry::labels::Counters;
use crate::telemetry::labels::admission::{Cut, Limit};

pub(crate) struct Admission {
    refused: Counters<Limit>,
    cut: Counters<Cut>,
    memory_limit: Gauge,
    memory_pressure: Gauge,
}

impl Admission {
    pub(super) fn new(r: &mut Registry) -> Self {
        let refused = counters(
            r,
            "connections_refused",
            "Connections, sessions and sockets beyond a limit, by its key",
            "reason",
        );
        let cut = counters(
            r,
            "connections_cut",
            "Connections that ended before their first request was read",
            "reason",
        );
        let memory_limit = Gauge::default();
        r.register_with_unit(
            "memory_limit",
            "Resident memory at which new connections are refused; 0: any",
            Unit::Bytes,
            memory_limit.clone(),
        );
        Self {
            refused,
            cut,
            memory_limit,
            memory_pressure: add(
                r,
                "memory_pressure",
                "0: there is room; 1: the node is not ready; 2: new connections are refused",
            ),
        }
    }

    pub(in crate::telemetry) fn refused(&self, limit: Limit) {
        self.refused.inc(limit);
    }

    pub(in crate::telemetry) fn cut(&self, cut: Cut) {
        self.cut.inc(cut);
    }

    pub(in crate::telemetry) fn memory(&self, limit: u64, pressure: u8) {
        self.memory_limit
            .set(i64::try_from(limit).unwrap_or(i64::MAX));
        self.memory_pressure.set(pressure.into());
    }
}
