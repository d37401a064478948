//! Labels of who is not let in.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use super::Label;

label! {
    /// The limit that somebody met, by its key.
    Limit {
        Connections = "max_connections",
        ConnectionsPerIp = "max_connections_per_ip",
        ConnectionsPerUser = "max_connections_per_user",
        Rate = "connect_rate",
        RatePerIp = "connect_rate_per_ip",
        Memory = "max_memory",
    }
}

label! {
    /// Why a connection ended before its first request was read.
    Cut {
        /// Nothing came in time.
        Silent = "silent",
        /// The head of the request did not come to an end in time.
        SlowHead = "slow_head",
        /// It has more headers, or more bytes, than it may.
        LargeHead = "large_head",
        /// It is no HTTP.
        BadHead = "bad_head",
        /// A trusted proxy did not say whom it speaks for, or not in time.
        ProxyHeader = "proxy_header",
    }
}

label! {
    /// How much of the memory that the process may have is taken.
    Pressure {
        None = "none",
        /// Nobody should be sent here.
        Tight = "tight",
        /// Nobody is let in.
        Full = "full",
    }
}
