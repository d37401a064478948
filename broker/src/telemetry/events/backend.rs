//! What happens between clients and back ends. Clients decide how often, so records are throttled; counts are not.

use tracing::{info, warn};

use super::{MAX_DETAIL, Throttle, clip, cut, metrics};
use crate::telemetry::metrics::{BackendAnswer, BackendEmit, BackendKind, BackendLoss};

const BACKEND: &str = "sluice::backend";

/// A message was handed to NATS.
pub(crate) struct BackendPublished {
    pub kind: BackendKind,
}

impl BackendPublished {
    pub(crate) fn emit(self) {
        metrics().backend.published(self.kind);
    }
}

/// A message to back ends never left.
pub(crate) struct BackendLost<'a> {
    pub subject: &'a str,
    pub loss: BackendLoss,
}

impl BackendLost<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().backend.lost(self.loss);
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(
                target: BACKEND,
                subject = &*clip(self.subject),
                reason = self.loss.as_str(),
                suppressed,
                "message to back ends lost"
            );
        }
    }
}

/// A message that was to be answered has been, or never will be.
pub(crate) struct BackendAnswered<'a> {
    pub subject: &'a str,
    pub answer: BackendAnswer,
    /// Empty where all is well.
    pub reason: &'a str,
}

impl BackendAnswered<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().backend.answered(self.answer);
        if self.answer == BackendAnswer::Ok {
            return;
        }
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(
                target: BACKEND,
                subject = &*clip(self.subject),
                code = self.answer.as_str(),
                reason = &*cut(self.reason, MAX_DETAIL),
                suppressed,
                "back end did not answer"
            );
        }
    }
}

/// A stream for durable events was made, because there was none.
pub(crate) struct BackendStreamMade<'a> {
    pub stream: &'a str,
}

impl BackendStreamMade<'_> {
    pub(crate) fn emit(self) {
        info!(target: BACKEND, stream = self.stream, "stream made");
    }
}

/// No stream takes durable events, and none could be made.
pub(crate) struct BackendStreamFailed<'a> {
    pub stream: &'a str,
    pub reason: &'a str,
}

impl BackendStreamFailed<'_> {
    pub(crate) fn emit(self) {
        warn!(
            target: BACKEND,
            stream = self.stream,
            reason = &*cut(self.reason, MAX_DETAIL),
            "stream could not be made"
        );
    }
}

/// An event of a back end was delivered.
pub(crate) struct BackendEmitted;

impl BackendEmitted {
    pub(crate) fn emit(self) {
        metrics().backend.emitted(BackendEmit::Ok);
    }
}

/// An event of a back end was not.
pub(crate) struct BackendEmitRefused<'a> {
    pub subject: &'a str,
    pub code: &'a str,
    pub field: Option<&'a str>,
    pub reason: &'a str,
}

impl BackendEmitRefused<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().backend.emitted(BackendEmit::Refused);
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(
                target: BACKEND,
                subject = &*clip(self.subject),
                code = self.code,
                field = self.field.map(clip).as_deref(),
                reason = &*cut(self.reason, MAX_DETAIL),
                suppressed,
                "event of a back end refused"
            );
        }
    }
}
