//! Labels of what goes to back ends and comes from them.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// What was published.
    BackendKind {
        Publish = "publish",
        Durable = "durable",
        Request = "request",
        Lifecycle = "lifecycle",
    }
}

label! {
    /// Why a message never left.
    BackendLoss {
        /// Too much was waiting already.
        Overloaded = "overloaded",
        /// There was no connection for too long.
        Unreachable = "unreachable",
        TooLarge = "too_large",
    }
}

label! {
    /// What came of a message that was to be answered.
    BackendAnswer {
        Ok = "ok",
        Timeout = "timeout",
        /// Nobody serves its subject, or no stream takes it.
        Missing = "missing",
        /// What came was an error, or nothing that can be read.
        Failed = "failed",
    }
}

label! {
    /// What became of a message that a back end published for clients.
    BackendEmit { Ok = "ok", Refused = "refused" }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct BackendKindLabel {
    pub kind: BackendKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct BackendLossLabel {
    pub reason: BackendLoss,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct BackendAnswerLabel {
    pub outcome: BackendAnswer,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct BackendEmitLabel {
    pub result: BackendEmit,
}
