//! Traces on their way to a collector, in numbers.

use prometheus_client::registry::Registry;

use super::counters;
use crate::telemetry::labels::Counters;
use crate::telemetry::labels::traffic::SpanOutcome;

pub(crate) struct Traces {
    spans: Counters<SpanOutcome>,
}

impl Traces {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            spans: counters(
                r,
                "trace_spans",
                "Spans of traces, by what became of them",
                "outcome",
            ),
        }
    }

    pub(in crate::telemetry) fn spans(&self, outcome: SpanOutcome, count: usize) {
        self.spans.inc_by(outcome, count as u64);
    }
}
