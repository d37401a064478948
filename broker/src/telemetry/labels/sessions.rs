//! Labels of what sockets rest on, and why they end.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// What came of something newer that a client has shown.
    RefreshResult { Ok = "ok", Denied = "denied" }
}

label! {
    /// Why a socket ended: in the words of Node's server, where it has some.
    EndReason {
        TransportClose = "transport close",
        TransportError = "transport error",
        ParseError = "parse error",
        PingTimeout = "ping timeout",
        ByClient = "client namespace disconnect",
        ByServer = "server namespace disconnect",
        ShuttingDown = "server shutting down",
        /// It said what only one that is in a namespace may say.
        ForcedClose = "forced server close",
        SlowClient = "slow client",
        Policy = "policy",
        TokenExpired = "token expired",
        Revoked = "revoked",
    }
}

impl EndReason {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ALL.len();

    pub(crate) fn all() -> [Self; Self::COUNT] {
        std::array::from_fn(|index| {
            Self::ALL
                .get(index)
                .copied()
                .unwrap_or(Self::TransportClose)
        })
    }
}
