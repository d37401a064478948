//! Labels of what goes to back ends and comes from them.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

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
