//! Who is not let in. Whoever wants to decides how often, so the records are throttled; the counts are not.

use std::net::IpAddr;

use tracing::{info, warn};

use super::clients::{CONNECTION, user};
use super::{NODE, SECURITY, Throttle, clip, metrics};
use crate::event::{Client, Denial};
use crate::telemetry::labels::admission::{Cut, Limit, Pressure};

/// A connection or a session beyond a limit.
pub(crate) struct ConnectionRefused {
    pub address: IpAddr,
    pub limit: Limit,
}

impl ConnectionRefused {
    pub(crate) fn emit(self) {
        metrics().admission.refused(self.limit);
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        warn!(
            target: SECURITY,
            address = %self.address,
            code = "overloaded",
            limit = self.limit.as_str(),
            total_connections = metrics().connections.get(),
            suppressed,
            "connection refused"
        );
    }
}

/// A user has as many sockets as it may; its policies would have let this one in.
pub(crate) struct UserRefused<'a> {
    pub client: &'a Client,
    pub denial: &'a Denial,
}

impl UserRefused<'_> {
    pub(crate) fn emit(self) {
        const LIMIT: Limit = Limit::ConnectionsPerUser;
        metrics().admission.refused(LIMIT);
        metrics().connection_denied(self.denial);
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        let user = user(self.client);
        info!(
            target: SECURITY,
            socket = &*self.client.peer.name,
            user = user.as_deref().map(clip).as_deref(),
            address = %self.client.peer.address,
            namespace = &*clip(&self.client.namespace),
            code = &*self.denial.code,
            limit = LIMIT.as_str(),
            total_connections = metrics().connections.get(),
            suppressed,
            "connection denied"
        );
    }
}

/// A connection ended before its first request was read.
pub(crate) struct ConnectionCut {
    pub address: IpAddr,
    pub cut: Cut,
}

impl ConnectionCut {
    pub(crate) fn emit(self) {
        metrics().admission.cut(self.cut);
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        info!(
            target: CONNECTION,
            address = %self.address,
            reason = self.cut.as_str(),
            suppressed,
            "connection cut"
        );
    }
}

/// The process's memory has been looked at.
pub(crate) struct MemoryPressure {
    pub pressure: Pressure,
    pub is_news: bool,
    /// In bytes.
    pub resident: u64,
    /// In bytes; zero: any.
    pub bound: u64,
}

impl MemoryPressure {
    pub(crate) fn emit(self) {
        metrics().admission.memory(self.bound, self.pressure as u8);
        if !self.is_news {
            return;
        }
        let (resident, limit) = (self.resident, self.bound);
        match self.pressure {
            Pressure::None => info!(target: NODE, resident, limit, "memory is enough again"),
            pressure => warn!(
                target: NODE,
                pressure = pressure.as_str(),
                resident,
                limit,
                total_connections = metrics().connections.get(),
                "memory runs short"
            ),
        }
    }
}
