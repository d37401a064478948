//! Labels of what sockets rest on.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// What came of something newer that a client has shown.
    RefreshResult { Ok = "ok", Denied = "denied" }
}
