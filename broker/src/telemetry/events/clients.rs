//! What clients do and what is done to them. A client decides how often these happen, so the records of what is
//! refused are throttled; the counts are not.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::{SECURITY, Throttle, clip, metrics, millis};
use crate::event::{Client, Denial};

pub(super) const CONNECTION: &str = "sluice::connection";

pub(super) fn user(client: &Client) -> Option<Arc<str>> {
    client.identity.read().user.clone()
}

/// A socket is connected to its namespace.
pub(crate) struct Connected<'a> {
    pub client: &'a Client,
    pub transport: &'static str,
}

impl Connected<'_> {
    pub(crate) fn emit(self) {
        metrics().operators.connects.inc();
        let user = user(self.client);
        info!(
            target: CONNECTION,
            socket = &*self.client.peer.name,
            user = user.as_deref().map(clip).as_deref(),
            address = %self.client.peer.address,
            namespace = &*clip(&self.client.namespace),
            transport = self.transport,
            total_connections = metrics().connections.get(),
            "connected"
        );
    }
}

/// A socket is gone.
pub(crate) struct Disconnected<'a> {
    pub client: &'a Client,
    pub reason: &'static str,
    /// How long it was connected.
    pub after: Duration,
}

impl Disconnected<'_> {
    pub(crate) fn emit(self) {
        metrics().disconnected(self.reason);
        metrics().traffic.disconnected(self.after);
        let user = user(self.client);
        info!(
            target: CONNECTION,
            socket = &*self.client.peer.name,
            user = user.as_deref().map(clip).as_deref(),
            address = %self.client.peer.address,
            namespace = &*clip(&self.client.namespace),
            reason = self.reason,
            duration_ms = millis(self.after),
            total_connections = metrics().connections.get(),
            "disconnected"
        );
    }
}

/// A policy or the broker did not let a socket into a namespace.
pub(crate) struct ConnectionDenied<'a> {
    pub client: &'a Client,
    pub denial: &'a Denial,
}

impl ConnectionDenied<'_> {
    pub(crate) fn emit(self) {
        metrics().connection_denied(self.denial);
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        info!(
            target: SECURITY,
            socket = &*self.client.peer.name,
            address = %self.client.peer.address,
            namespace = &*clip(&self.client.namespace),
            policy = self.denial.policy.as_deref(),
            code = &*clip(&self.denial.code),
            reason = &*clip(&self.denial.message),
            total_connections = metrics().connections.get(),
            suppressed,
            "connection denied"
        );
    }
}

/// A socket asked for a namespace that nothing serves.
pub(crate) struct UnknownNamespace<'a> {
    pub client: &'a Client,
}

impl UnknownNamespace<'_> {
    pub(crate) fn emit(self) {
        const CODE: &str = "unknown_namespace";
        metrics().connection_denied_with(CODE);
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        info!(
            target: SECURITY,
            socket = &*self.client.peer.name,
            address = %self.client.peer.address,
            namespace = &*clip(&self.client.namespace),
            code = CODE,
            total_connections = metrics().connections.get(),
            suppressed,
            "connection denied"
        );
    }
}

/// A policy or the broker refused an event.
pub(crate) struct EventDenied<'a> {
    pub client: &'a Client,
    /// Empty when the packet had none that could be read.
    pub event: &'a str,
    pub denial: &'a Denial,
}

impl EventDenied<'_> {
    pub(crate) fn emit(self) {
        metrics().event_denied(self.denial);
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
            event = &*clip(self.event),
            policy = self.denial.policy.as_deref(),
            code = &*clip(&self.denial.code),
            reason = &*clip(&self.denial.message),
            total_connections = metrics().connections.get(),
            suppressed,
            "event denied"
        );
    }
}

/// A client did not read what it was sent, and is disconnected.
pub(crate) struct SlowClient<'a> {
    pub client: &'a Client,
}

impl SlowClient<'_> {
    pub(crate) fn emit(self) {
        metrics().slow_client();
        let user = user(self.client);
        warn!(
            target: CONNECTION,
            socket = &*self.client.peer.name,
            user = user.as_deref().map(clip).as_deref(),
            address = %self.client.peer.address,
            namespace = &*clip(&self.client.namespace),
            total_connections = metrics().connections.get(),
            "slow client disconnected"
        );
    }
}

/// A socket failed after its handshake.
pub(crate) struct SocketFailed<'a> {
    pub socket: &'a str,
    pub address: IpAddr,
    pub code: &'static str,
    pub message: &'a str,
    pub context: &'a str,
}

impl SocketFailed<'_> {
    pub(crate) fn emit(self) {
        metrics().socket_error(self.code);
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        warn!(
            target: CONNECTION,
            socket = self.socket,
            address = %self.address,
            code = self.code,
            reason = &*clip(self.message),
            context = &*clip(self.context),
            total_connections = metrics().connections.get(),
            suppressed,
            "socket failed"
        );
    }
}

/// A request was no handshake that this server takes.
pub(crate) struct HandshakeFailed<'a> {
    /// Of Engine.IO, as the client is told.
    pub code: u8,
    pub message: &'a str,
    pub address: IpAddr,
    pub context: &'a str,
}

impl HandshakeFailed<'_> {
    pub(crate) fn emit(self) {
        metrics().handshake_error(self.code);
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        info!(
            target: CONNECTION,
            address = %self.address,
            code = self.code,
            reason = &*clip(self.message),
            context = &*clip(self.context),
            total_connections = metrics().connections.get(),
            suppressed,
            "handshake failed"
        );
    }
}

/// A browser came from a page of another site.
pub(crate) struct OriginRefused<'a> {
    pub origin: &'a str,
    pub address: IpAddr,
}

impl OriginRefused<'_> {
    pub(crate) fn emit(self) {
        metrics().origin_refused();
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        info!(
            target: SECURITY,
            origin = &*clip(self.origin),
            address = %self.address,
            suppressed,
            "origin refused"
        );
    }
}
