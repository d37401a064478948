//! What is asked of the operator's listener that changes something, and what is refused there.

use std::net::IpAddr;

use tracing::{info, warn};

use super::{SECURITY, clip};
pub(crate) use crate::telemetry::labels::admin::AdminOutcome;
use crate::telemetry::metrics::metrics;
use crate::telemetry::throttle::Throttle;

/// What back ends ask all day. The records of it are bounded, as those of clients are.
const TRAFFIC: &str = "emit";

/// A request to the admin listener came without the right to ask.
pub(crate) struct AdminRefused<'a> {
    /// `None`: it did not come over a connection.
    pub address: Option<IpAddr>,
    /// The name of the token, where it has one that is not good enough.
    pub token: Option<&'a str>,
    pub code: &'static str,
    pub method: &'a str,
    pub path: &'a str,
}

impl AdminRefused<'_> {
    pub(crate) fn emit(self) {
        metrics().admin.refused.inc();
        static THROTTLE: Throttle = Throttle::new();
        let Some(suppressed) = THROTTLE.admit() else {
            return;
        };
        warn!(
            target: SECURITY,
            kind = "admin_refused",
            address = self.address.map(tracing::field::display),
            token = self.token,
            code = self.code,
            method = &*clip(self.method),
            path = &*clip(self.path),
            suppressed,
            "admin request refused"
        );
    }
}

/// Somebody asked the admin listener for a change.
pub(crate) struct AdminWrite<'a> {
    /// The name of the token.
    pub token: &'a str,
    pub address: Option<IpAddr>,
    pub method: &'a str,
    /// With its query.
    pub path: &'a str,
    /// What the OpenAPI document calls it; `none` where there is nothing of the kind.
    pub operation: &'static str,
    pub outcome: AdminOutcome,
    pub status: Option<u16>,
    /// Why it was refused.
    pub code: Option<&'a str>,
    /// What was done.
    pub did: Option<&'a str>,
}

impl AdminWrite<'_> {
    pub(crate) fn emit(self) {
        metrics().admin.wrote(self.operation, self.outcome);
        static THROTTLE: Throttle = Throttle::new();
        let suppressed = match self.operation {
            TRAFFIC => match THROTTLE.admit() {
                Some(suppressed) => suppressed,
                None => return,
            },
            _ => 0,
        };
        info!(
            target: SECURITY,
            kind = "admin_write",
            token = self.token,
            address = self.address.map(tracing::field::display),
            method = &*clip(self.method),
            path = &*clip(self.path),
            operation = self.operation,
            outcome = self.outcome.as_str(),
            status = self.status,
            code = self.code,
            did = self.did.map(clip).as_deref(),
            suppressed,
            "admin write"
        );
    }
}
