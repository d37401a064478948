//! The operator's listener, in numbers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::add;
use crate::telemetry::labels::admin::{AdminOutcome, AdminWriteLabels};

pub(crate) struct Admin {
    pub refused: Counter,
    writes: Family<AdminWriteLabels, Counter>,
}

impl Admin {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            refused: add(
                r,
                "admin_requests_refused",
                "Requests to the admin listener without the right to ask",
            ),
            writes: add(
                r,
                "admin_writes",
                "Requests to the admin listener that change something, by what they ask for",
            ),
        }
    }

    pub(crate) fn wrote(&self, operation: &'static str, outcome: AdminOutcome) {
        let labels = AdminWriteLabels { operation, outcome };
        self.writes.get_or_create(&labels).inc();
    }
}
