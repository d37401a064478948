//! Events that leave together, in numbers.

use prometheus_client::registry::Registry;

use super::{add, counters};
use crate::telemetry::labels::{BatchEnd, Counters};
use crate::telemetry::spread::Tally;

pub(crate) struct Batches {
    /// Events that were gathered.
    pub events: Tally,
    left: Counters<BatchEnd>,
}

impl Batches {
    pub(super) fn new(r: &mut Registry) -> Self {
        let left = counters(
            r,
            "batches",
            "Batches of events that left, by what ended them",
            "reason",
        );
        Self {
            events: add(r, "batched_events", "Events that left in batches"),
            left,
        }
    }

    pub(crate) fn left(&self, end: BatchEnd) {
        self.left.inc(end);
    }
}
