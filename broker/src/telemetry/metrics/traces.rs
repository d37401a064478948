//! Traces on their way to a collector, in numbers.

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::add;
use crate::telemetry::labels::Counters;
use crate::telemetry::labels::traffic::{SpanOutcome, SpanOutcomeLabel};
use crate::telemetry::spread::Tally;

pub(crate) struct Traces {
    spans: Counters<SpanOutcome>,
}

impl Traces {
    pub(super) fn new(r: &mut Registry) -> Self {
        let spans = add::<Family<SpanOutcomeLabel, Tally>>(
            r,
            "trace_spans",
            "Spans of traces, by what became of them",
        );
        Self {
            spans: Counters::new(|outcome| {
                spans.get_or_create_owned(&SpanOutcomeLabel { outcome })
            }),
        }
    }

    pub(in crate::telemetry) fn spans(&self, outcome: SpanOutcome, count: usize) {
        self.spans.inc_by(outcome, count as u64);
    }
}
