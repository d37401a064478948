//! Events that leave together, in numbers.

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::add;
use crate::telemetry::labels::{BatchEnd, BatchEndLabel, Counters};
use crate::telemetry::spread::Tally;

pub(crate) struct Batches {
    /// Events that were gathered.
    pub events: Tally,
    left: Counters<BatchEnd>,
}

impl Batches {
    pub(super) fn new(r: &mut Registry) -> Self {
        let left = add::<Family<BatchEndLabel, Tally>>(
            r,
            "batches",
            "Batches of events that left, by what ended them",
        );
        Self {
            events: add(r, "batched_events", "Events that left in batches"),
            left: Counters::new(|reason| left.get_or_create_owned(&BatchEndLabel { reason })),
        }
    }

    pub(crate) fn left(&self, end: BatchEnd) {
        self.left.inc(end);
    }
}
