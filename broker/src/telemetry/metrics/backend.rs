//! What goes to back ends and comes from them, in numbers.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::add;
use crate::telemetry::labels::Counters;
use crate::telemetry::labels::backend::{
    BackendAnswer, BackendAnswerLabel, BackendEmit, BackendEmitLabel, BackendKind,
    BackendKindLabel, BackendLoss, BackendLossLabel,
};
use crate::telemetry::spread::Tally;

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
        let published = add::<Family<BackendKindLabel, Tally>>(
            r,
            "backend_published",
            "Messages to back ends that were handed to NATS",
        );
        let lost = add::<Family<BackendLossLabel, Tally>>(
            r,
            "backend_lost",
            "Messages to back ends that never left",
        );
        let answers = add::<Family<BackendAnswerLabel, Tally>>(
            r,
            "backend_answers",
            "What came of messages that a back end, or JetStream, was to answer",
        );
        let emits = add::<Family<BackendEmitLabel, Tally>>(
            r,
            "backend_emits",
            "Events that back ends published to clients over NATS",
        );
        Self {
            queued,
            published: Counters::new(|kind| {
                published.get_or_create_owned(&BackendKindLabel { kind })
            }),
            lost: Counters::new(|reason| lost.get_or_create_owned(&BackendLossLabel { reason })),
            answers: Counters::new(|outcome| {
                answers.get_or_create_owned(&BackendAnswerLabel { outcome })
            }),
            emits: Counters::new(|result| emits.get_or_create_owned(&BackendEmitLabel { result })),
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
