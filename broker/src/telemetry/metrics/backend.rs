//! What goes to back ends and comes from them, in numbers.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{add, counters};
use crate::telemetry::labels::Counters;
use crate::telemetry::labels::backend::{BackendAnswer, BackendEmit, BackendKind, BackendLoss};

pub(crate) struct Backend {
    /// Messages that wait for the way to NATS.
    pub queued: Gauge,
    published: Counters<BackendKind>,
    lost: Counters<BackendLoss>,
    answers: Counters<BackendAnswer>,
    emits: Counters<BackendEmit>,
}

impl Backend {
    pub(super) fn new(r: &mut Registry) -> Self {
        let queued = add(
            r,
            "backend_queued",
            "Messages to back ends that wait for the way to NATS",
        );
        let published = counters(
            r,
            "backend_published",
            "Messages to back ends that were handed to NATS",
            "kind",
        );
        let lost = counters(
            r,
            "backend_lost",
            "Messages to back ends that never left",
            "reason",
        );
        let answers = counters(
            r,
            "backend_answers",
            "What came of messages that a back end, or JetStream, was to answer",
            "outcome",
        );
        let emits = counters(
            r,
            "backend_emits",
            "Events that back ends published to clients over NATS",
            "result",
        );
        Self {
            queued,
            published,
            lost,
            answers,
            emits,
        }
    }

    pub(in crate::telemetry) fn published(&self, kind: BackendKind) {
        self.published.inc(kind);
    }

    pub(in crate::telemetry) fn lost(&self, reason: BackendLoss) {
        self.lost.inc(reason);
    }

    pub(in crate::telemetry) fn answered(&self, answer: BackendAnswer) {
        self.answers.inc(answer);
    }

    pub(in crate::telemetry) fn emitted(&self, result: BackendEmit) {
        self.emits.inc(result);
    }
}
