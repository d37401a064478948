//! Labels of what sockets rest on.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// What came of something newer that a client has shown.
    RefreshResult { Ok = "ok", Denied = "denied" }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct RefreshLabel {
    pub result: RefreshResult,
}
