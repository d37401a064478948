//! Labels of what goes over connections.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// What a client's bytes came or went in.
    Carried { WebSocket = "websocket", Polling = "polling" }
}

label! {
    /// What became of a span.
    SpanOutcome {
        Sent = "sent",
        /// More waited than may.
        QueueFull = "queue_full",
        /// The collector did not take it in time.
        Failed = "failed",
    }
}
