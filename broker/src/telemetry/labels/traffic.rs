//! Labels of what goes over connections.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// What a client's bytes came or went in.
    Carried { WebSocket = "websocket", Polling = "polling" }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct CarriedLabel {
    pub transport: Carried,
}
