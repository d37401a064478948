//! What happens to what sockets rest on: it is renewed, or taken back.

use tracing::{debug, info, warn};

use super::{SECURITY, clip};
use crate::event::{Client, Denial};
use crate::telemetry::metrics::{RefreshResult, metrics};
use crate::telemetry::throttle::Throttle;

const CLUSTER: &str = "sluice::cluster";

/// A client is asked for something newer, because what it was let in with is about to expire.
pub(crate) struct RefreshWanted<'a> {
    pub client: &'a Client,
}

impl RefreshWanted<'_> {
    pub(crate) fn emit(self) {
        metrics().sessions.refreshes_wanted.inc();
        debug!(
            target: SECURITY,
            socket = &*self.client.peer.name,
            namespace = &*clip(&self.client.namespace),
            "refresh wanted"
        );
    }
}

/// A client has shown something newer, which counts, or does not.
pub(crate) struct Refreshed<'a> {
    pub client: &'a Client,
    pub denial: Option<&'a Denial>,
}

impl Refreshed<'_> {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        let Some(denial) = self.denial else {
            metrics().sessions.refreshed(RefreshResult::Ok);
            debug!(
                target: SECURITY,
                socket = &*self.client.peer.name,
                namespace = &*clip(&self.client.namespace),
                "session refreshed"
            );
            return;
        };
        metrics().sessions.refreshed(RefreshResult::Denied);
        if let Some(suppressed) = THROTTLE.admit() {
            info!(
                target: SECURITY,
                socket = &*self.client.peer.name,
                address = %self.client.peer.address,
                namespace = &*clip(&self.client.namespace),
                policy = denial.policy.as_deref(),
                code = &*clip(&denial.code),
                reason = &*clip(&denial.message),
                suppressed,
                "session not refreshed"
            );
        }
    }
}

/// A user or a token has been revoked through this node.
pub(crate) struct Revoked<'a> {
    /// `user` or `token`.
    pub kind: &'static str,
    pub name: &'a str,
    pub namespace: Option<&'a str>,
    pub until_ms: u64,
    pub reason: Option<&'a str>,
    /// Sockets that were ended, on all nodes that answered.
    pub sockets: u64,
    pub silent: usize,
}

impl Revoked<'_> {
    pub(crate) fn emit(self) {
        metrics().sessions.revoked.inc();
        info!(
            target: SECURITY,
            kind = self.kind,
            name = &*clip(self.name),
            namespace = self.namespace.map(clip).as_deref(),
            until_ms = self.until_ms,
            reason = self.reason.map(clip).as_deref(),
            sockets = self.sockets,
            silent_nodes = self.silent,
            "revoked"
        );
    }
}

/// A revocation has been taken back through this node.
pub(crate) struct RevocationLifted<'a> {
    pub kind: &'static str,
    pub name: &'a str,
    pub namespace: Option<&'a str>,
}

impl RevocationLifted<'_> {
    pub(crate) fn emit(self) {
        metrics().sessions.lifted.inc();
        info!(
            target: SECURITY,
            kind = self.kind,
            name = &*clip(self.name),
            namespace = self.namespace.map(clip).as_deref(),
            "revocation lifted"
        );
    }
}

/// Another node knew of revocations that this one did not.
pub(crate) struct RevocationsLearned {
    pub entries: usize,
    pub sockets: u64,
}

impl RevocationsLearned {
    pub(crate) fn emit(self) {
        metrics().sessions.learned.inc_by(self.entries as u64);
        let Self { entries, sockets } = self;
        info!(target: CLUSTER, entries, sockets, "revocations taken over from other nodes");
    }
}

/// Another node has more revocations than there is room for here.
pub(crate) struct RevocationsLost {
    pub entries: usize,
}

impl RevocationsLost {
    pub(crate) fn emit(self) {
        static THROTTLE: Throttle = Throttle::new();
        metrics().sessions.lost.inc_by(self.entries as u64);
        if let Some(suppressed) = THROTTLE.admit() {
            warn!(target: CLUSTER, entries = self.entries, suppressed, "no room for revocations of other nodes");
        }
    }
}
