//! Labels of what is asked of the operator's listener.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// What came of a request to change something.
    AdminOutcome {
        Done = "done",
        Refused = "refused",
        /// The node could not do it.
        Failed = "failed",
        /// Whoever asked has gone before the answer; it may have been done.
        Abandoned = "abandoned",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct AdminWriteLabels {
    pub operation: &'static str,
    pub outcome: AdminOutcome,
}
