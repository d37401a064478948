//! Labels of what is under TLS.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::{Label, ReloadResult};

label! {
    /// Where clients come in.
    Listener {
        Public = "public",
        /// The operator's.
        Admin = "admin",
    }
}

label! {
    /// What came of a connection that was to be under TLS.
    Handshaken {
        Ok = "ok",
        /// The two could not agree, or a certificate was missing or did not hold.
        Failed = "failed",
        Timeout = "timeout",
        /// The client spoke HTTP in plain text.
        PlainHttp = "plain_http",
        /// Too many others were at it.
        Busy = "busy",
        /// It went away, and most often had said nothing.
        Gone = "gone",
    }
}

label! {
    /// What an operator is warned of.
    CertificateFault { Expired = "expired", ExposedKey = "exposed_key" }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct HandshakenLabels {
    pub listener: Listener,
    pub outcome: Handshaken,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct CertificatesLabels {
    pub listener: Listener,
    pub result: ReloadResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct CertificateFaultLabels {
    pub listener: Listener,
    pub reason: CertificateFault,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::telemetry) struct HostLabels {
    pub listener: Listener,
    pub host: Arc<str>,
}
